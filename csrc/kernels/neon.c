/* neon.c - the kernels in NEON, which every aarch64 CPU has. */
#if defined(__aarch64__) || defined(_M_ARM64)

#include "simd_neon.h"

#include "canonical.h"
#include "rough.h"

#define VB_ISA neon
#define VB_T f32
#include "canonical.inc"
#define VB_T f64
#include "canonical.inc"

static void vb_sqdiff_rough_f32_neon(const float *query, const vb_view *rows, size_t n, size_t d, float *sums,
                                     float *norms)
{
    vb_rough_rows(VB_SQDIFF, query, rows, n, d, sums, norms);
}

static void vb_dotnorm_rough_f32_neon(const float *query, const vb_view *rows, size_t n, size_t d, float *sums,
                                      float *norms)
{
    vb_rough_rows(VB_DOTNORM, query, rows, n, d, sums, norms);
}

const vb_record vb_records_neon[] = {
    VB_PAIR(vb_dot_f32_neon, VB_DOT, VB_F32),
    VB_ROWS(vb_dot_rows_f32_neon, VB_DOT, VB_F32),
    VB_PAIR(vb_sqdiff_f32_neon, VB_SQDIFF, VB_F32),
    VB_ROWS(vb_sqdiff_rows_f32_neon, VB_SQDIFF, VB_F32),
    VB_PAIR(vb_dotnorm_f32_neon, VB_DOTNORM, VB_F32),
    VB_ROWS(vb_dotnorm_rows_f32_neon, VB_DOTNORM, VB_F32),
    VB_PAIR(vb_dot_f64_neon, VB_DOT, VB_F64),
    VB_ROWS(vb_dot_rows_f64_neon, VB_DOT, VB_F64),
    VB_PAIR(vb_sqdiff_f64_neon, VB_SQDIFF, VB_F64),
    VB_ROWS(vb_sqdiff_rows_f64_neon, VB_SQDIFF, VB_F64),
    VB_PAIR(vb_dotnorm_f64_neon, VB_DOTNORM, VB_F64),
    VB_ROWS(vb_dotnorm_rows_f64_neon, VB_DOTNORM, VB_F64),
    VB_ROUGH(vb_sqdiff_rough_f32_neon, VB_SQDIFF, VB_F32),
    VB_ROUGH(vb_dotnorm_rough_f32_neon, VB_DOTNORM, VB_F32),
    {0},
};

#else

#include "contract.h"

/* Another architecture: the level has no kernels. */
const vb_record vb_records_neon[] = {{0}};

#endif
