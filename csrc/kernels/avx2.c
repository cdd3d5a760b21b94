/* avx2.c - the kernels in AVX2 and FMA. The flags of this unit license AVX2 everywhere in it:
 * nothing that runs on a lesser CPU may live here. */
#if defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))

#include "simd_avx2.h"

#include "canonical.h"
#include "encode.h"
#include "screen.h"
#include "sieve.h"

#define VB_ISA avx2
#define VB_T f32
#include "canonical.inc"
#define VB_T f64
#include "canonical.inc"
#define VB_T f32
#define VB_TILE_ROWS 6
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T f64
#define VB_TILE_ROWS 6
#define VB_TILE_VECTORS 2
#include "tile.inc"

static size_t vb_dot_screen_f32_avx2(const float *query, const vb_view *rows, size_t n, size_t d,
                                     const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_DOT, query, rows, n, d, limits, passed);
}

static size_t vb_sqdiff_screen_f32_avx2(const float *query, const vb_view *rows, size_t n, size_t d,
                                        const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_SQDIFF, query, rows, n, d, limits, passed);
}

static size_t vb_dotnorm_screen_f32_avx2(const float *query, const vb_view *rows, size_t n, size_t d,
                                         const vb_limits *limits, uint32_t *passed)
{
    return vb_screen_rows(VB_DOTNORM, query, rows, n, d, limits, passed);
}

static void vb_dot_sieve_f32_avx2(const vb_panel *panel, size_t steps, const vb_coded *queries, uint32_t *masks)
{
    vb_sift(panel, steps, queries, masks);
}

static void vb_dot_encode_f32_avx2(const char *x, const float *center, size_t d, float *work, uint8_t *codes,
                                   vb_coding *found)
{
    vb_encode(x, center, d, work, codes, found);
}

const vb_record vb_records_avx2[] = {
    VB_PAIR(vb_dot_f32_avx2, VB_DOT, VB_F32),
    VB_ROWS(vb_dot_rows_f32_avx2, VB_DOT, VB_F32),
    VB_PAIR(vb_sqdiff_f32_avx2, VB_SQDIFF, VB_F32),
    VB_ROWS(vb_sqdiff_rows_f32_avx2, VB_SQDIFF, VB_F32),
    VB_PAIR(vb_dotnorm_f32_avx2, VB_DOTNORM, VB_F32),
    VB_ROWS(vb_dotnorm_rows_f32_avx2, VB_DOTNORM, VB_F32),
    VB_PAIR(vb_dot_f64_avx2, VB_DOT, VB_F64),
    VB_ROWS(vb_dot_rows_f64_avx2, VB_DOT, VB_F64),
    VB_PAIR(vb_sqdiff_f64_avx2, VB_SQDIFF, VB_F64),
    VB_ROWS(vb_sqdiff_rows_f64_avx2, VB_SQDIFF, VB_F64),
    VB_PAIR(vb_dotnorm_f64_avx2, VB_DOTNORM, VB_F64),
    VB_ROWS(vb_dotnorm_rows_f64_avx2, VB_DOTNORM, VB_F64),
    VB_SCREEN(vb_dot_screen_f32_avx2, VB_DOT, VB_F32),
    VB_SCREEN(vb_sqdiff_screen_f32_avx2, VB_SQDIFF, VB_F32),
    VB_SCREEN(vb_dotnorm_screen_f32_avx2, VB_DOTNORM, VB_F32),
    VB_SIEVE(vb_dot_sieve_f32_avx2, VI_GROUP, VI_LIMIT),
    VB_ENCODE(vb_dot_encode_f32_avx2),
    VB_TILE(vb_dot_tile_f32_avx2, VB_F32, 6, 2 * VF_LANES),
    VB_TILE(vb_dot_tile_f64_avx2, VB_F64, 6, 2 * VD_LANES),
    {0},
};

#else

#include "contract.h"

/* Another architecture: the level has no kernels. */
const vb_record vb_records_avx2[] = {{0}};

#endif
