/* avx2.c - the kernels in AVX2 and FMA. The flags of this unit license AVX2 everywhere in it:
 * nothing that runs on a lesser CPU may live here. */
#if defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))

#include "simd_avx2.h"

#include "canonical.h"
#include "encode.h"
#include "exact.h"
#include "score.h"
#include "screen.h"
#include "sieve.h"
#include "widen.h"

#define VB_ISA avx2
#define VB_T f32
#include "canonical.inc"
#define VB_T f64
#include "canonical.inc"
#define VB_T f16
#include "canonical.inc"
#define VB_T bf16
#include "canonical.inc"
#define VB_T i8
#include "exact.inc"
#define VB_T u8
#include "exact.inc"
#define VB_T b1
#include "exact.inc"
#define VB_T f32
#define VB_TILE_ROWS 6
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T f64
#define VB_TILE_ROWS 6
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T f32
#define VB_TILE_SUM sqdiff
#define VB_TILE_ROWS 4
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T f64
#define VB_TILE_SUM sqdiff
#define VB_TILE_ROWS 4
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T bf16
#define VB_TILE_ROWS 4
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T i8
#define VB_SIEVE_STEP vi_dot
#define VB_TALLY_STEP vi_wide_dot
#include "sieve.inc"
#define VB_T b1
#define VB_SIEVE_STEP vi_both
#define VB_TALLY_STEP vi_both
#include "sieve.inc"

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

static int vb_dot_score_f64_avx2(const vb_scoring *scoring, size_t n, const double *sums, const double *norms,
                                 double *values)
{
    return vb_score(scoring, n, sums, norms, values);
}

static void vb_dot_encode_f32_avx2(const char *x, const float *center, size_t d, float *work, uint8_t *codes,
                                   vb_coding *found)
{
    vb_encode(x, center, d, work, codes, found);
}

static void vb_dot_widen_f16_avx2(const char *x, size_t d, float *out) { vb_widen_row(VB_F16, x, d, out); }
static void vb_dot_widen_bf16_avx2(const char *x, size_t d, float *out) { vb_widen_row(VB_BF16, x, d, out); }

const vb_record vb_records_avx2[] = {
    VB_EACH_REAL_SUM(f32, VB_F32, avx2),
    VB_EACH_REAL_SUM(f64, VB_F64, avx2),
    VB_EACH_REAL_SUM(f16, VB_F16, avx2),
    VB_EACH_REAL_SUM(bf16, VB_BF16, avx2),
    VB_EACH_SUM(i8, VB_I8, avx2),
    VB_EACH_SUM(u8, VB_U8, avx2),
    VB_EACH_SUM(b1, VB_B1, avx2),
    VB_SCREEN(vb_dot_screen_f32_avx2, VB_DOT, VB_F32),
    VB_SCREEN(vb_sqdiff_screen_f32_avx2, VB_SQDIFF, VB_F32),
    VB_SCREEN(vb_dotnorm_screen_f32_avx2, VB_DOTNORM, VB_F32),
    VB_SIEVE(vb_dot_sieve_i8_avx2, VB_I8, VI_GROUP, VI_LIMIT),
    VB_SIEVE(vb_dot_sieve_b1_avx2, VB_B1, VI_GROUP, 1),
    VB_TALLY(vb_dot_tally_i8_avx2, VB_I8, VI_GROUP),
    VB_TALLY(vb_dot_tally_b1_avx2, VB_B1, VI_GROUP),
    VB_SCORE(vb_dot_score_f64_avx2),
    VB_WIDEN(vb_dot_widen_f16_avx2, VB_F16),
    VB_WIDEN(vb_dot_widen_bf16_avx2, VB_BF16),
    VB_ENCODE(vb_dot_encode_f32_avx2),
    VB_TILE(vb_dot_tile_f32_avx2, VB_DOT, VB_F32, 6, 2 * VF_LANES),
    VB_TILE(vb_dot_tile_f64_avx2, VB_DOT, VB_F64, 6, 2 * VD_LANES),
    VB_TILE(vb_sqdiff_tile_f32_avx2, VB_SQDIFF, VB_F32, 4, 2 * VF_LANES),
    VB_TILE(vb_sqdiff_tile_f64_avx2, VB_SQDIFF, VB_F64, 4, 2 * VD_LANES),
    VB_TILE(vb_dot_tile_bf16_avx2, VB_DOT, VB_BF16, 4, 2 * VF_LANES),
    {0},
};

#else

#include "contract.h"

/* Another architecture: the level has no kernels. */
const vb_record vb_records_avx2[] = {{0}};

#endif
