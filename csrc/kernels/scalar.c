/* scalar.c - the kernels in portable C. Every level falls back on it, so it implements every kernel. */

#include "simd_scalar.h"

#include "canonical.h"
#include "screen.h"

#define VB_ISA scalar
#define VB_T f32
#include "canonical.inc"
#define VB_T f64
#include "canonical.inc"

static size_t vb_dot_screen_f32_scalar(const float *query, const vb_view *rows, size_t n, size_t d,
                                       const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_DOT, query, rows, n, d, limits, passed);
}

static size_t vb_sqdiff_screen_f32_scalar(const float *query, const vb_view *rows, size_t n, size_t d,
                                          const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_SQDIFF, query, rows, n, d, limits, passed);
}

static size_t vb_dotnorm_screen_f32_scalar(const float *query, const vb_view *rows, size_t n, size_t d,
                                           const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_DOTNORM, query, rows, n, d, limits, passed);
}

const vb_record vb_records_scalar[] = {
    VB_PAIR(vb_dot_f32_scalar, VB_DOT, VB_F32),
    VB_ROWS(vb_dot_rows_f32_scalar, VB_DOT, VB_F32),
    VB_PAIR(vb_sqdiff_f32_scalar, VB_SQDIFF, VB_F32),
    VB_ROWS(vb_sqdiff_rows_f32_scalar, VB_SQDIFF, VB_F32),
    VB_PAIR(vb_dotnorm_f32_scalar, VB_DOTNORM, VB_F32),
    VB_ROWS(vb_dotnorm_rows_f32_scalar, VB_DOTNORM, VB_F32),
    VB_PAIR(vb_dot_f64_scalar, VB_DOT, VB_F64),
    VB_ROWS(vb_dot_rows_f64_scalar, VB_DOT, VB_F64),
    VB_PAIR(vb_sqdiff_f64_scalar, VB_SQDIFF, VB_F64),
    VB_ROWS(vb_sqdiff_rows_f64_scalar, VB_SQDIFF, VB_F64),
    VB_PAIR(vb_dotnorm_f64_scalar, VB_DOTNORM, VB_F64),
    VB_ROWS(vb_dotnorm_rows_f64_scalar, VB_DOTNORM, VB_F64),
    VB_SCREEN(vb_dot_screen_f32_scalar, VB_DOT, VB_F32),
    VB_SCREEN(vb_sqdiff_screen_f32_scalar, VB_SQDIFF, VB_F32),
    VB_SCREEN(vb_dotnorm_screen_f32_scalar, VB_DOTNORM, VB_F32),
    {0},
};
