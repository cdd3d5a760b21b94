/* neon.c - the kernels in NEON, which every aarch64 CPU has. */
#if defined(__aarch64__) || defined(_M_ARM64)

#include "simd_neon.h"

#include "canonical.h"
#include "encode.h"
#include "screen.h"
#include "sieve.h"

#define VB_ISA neon
#define VB_T f32
#include "canonical.inc"
#define VB_T f64
#include "canonical.inc"
#define VB_T f32
#define VB_TILE_ROWS 6
#define VB_TILE_VECTORS 4
#include "tile.inc"
#define VB_T f64
#define VB_TILE_ROWS 6
#define VB_TILE_VECTORS 4
#include "tile.inc"

static size_t vb_dot_screen_f32_neon(const float *query, const vb_view *rows, size_t n, size_t d,
                                     const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_DOT, query, rows, n, d, limits, passed);
}

static size_t vb_sqdiff_screen_f32_neon(const float *query, const vb_view *rows, size_t n, size_t d,
                                        const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_SQDIFF, query, rows, n, d, limits, passed);
}

static size_t vb_dotnorm_screen_f32_neon(const float *query, const vb_view *rows, size_t n, size_t d,
                                         const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_DOTNORM, query, rows, n, d, limits, passed);
}

static void vb_dot_sieve_f32_neon(const vb_panel *panel, size_t steps, const vb_coded *queries, uint32_t *masks)
{
    vb_sift(panel, steps, queries, masks);
}

static void vb_dot_encode_f32_neon(const char *x, const float *center, size_t d, float *work, uint8_t *codes,
                                   vb_coding *found)
{
    vb_encode(x, center, d, work, codes, found);
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
    VB_SCREEN(vb_dot_screen_f32_neon, VB_DOT, VB_F32),
    VB_SCREEN(vb_sqdiff_screen_f32_neon, VB_SQDIFF, VB_F32),
    VB_SCREEN(vb_dotnorm_screen_f32_neon, VB_DOTNORM, VB_F32),
    VB_SIEVE(vb_dot_sieve_f32_neon, VI_GROUP, VI_LIMIT),
    VB_ENCODE(vb_dot_encode_f32_neon),
    VB_TILE(vb_dot_tile_f32_neon, VB_F32, 6, 4 * VF_LANES),
    VB_TILE(vb_dot_tile_f64_neon, VB_F64, 6, 4 * VD_LANES),
    {0},
};

#else

#include "contract.h"

/* Another architecture: the level has no kernels. */
const vb_record vb_records_neon[] = {{0}};

#endif
