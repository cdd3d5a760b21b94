/* avx512.c - the kernels in AVX-512 (F, VL, DQ, BW). The flags of this unit license AVX-512 everywhere in it:
 * nothing that runs on a lesser CPU may live here. */
#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512BW__)

#include "simd_avx512.h"

#include "canonical.h"
#include "encode.h"
#include "score.h"
#include "widen.h"

#define VB_ISA avx512
#define VB_T f32
#include "canonical.inc"
#define VB_T f64
#include "canonical.inc"
#define VB_T f16
#include "canonical.inc"
#define VB_T bf16
#include "canonical.inc"
#define VB_T f32
#define VB_TILE_ROWS 12
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T f64
#define VB_TILE_ROWS 8
#define VB_TILE_VECTORS 3
#include "tile.inc"
#define VB_T f32
#define VB_TILE_SUM sqdiff
#define VB_TILE_ROWS 12
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T f64
#define VB_TILE_SUM sqdiff
#define VB_TILE_ROWS 8
#define VB_TILE_VECTORS 3
#include "tile.inc"

static int vb_dot_score_f64_avx512(const vb_scoring *scoring, size_t n, const double *sums, const double *norms,
                                   double *values)
{
    return vb_score(scoring, n, sums, norms, values);
}

static void vb_dot_encode_f32_avx512(const char *x, const float *center, size_t d, float *work, uint8_t *codes,
                                     vb_coding *found)
{
    vb_encode(x, center, d, work, codes, found);
}

static void vb_dot_widen_f16_avx512(const char *x, size_t d, float *out) { vb_widen_row(VB_F16, x, d, out); }
static void vb_dot_widen_bf16_avx512(const char *x, size_t d, float *out) { vb_widen_row(VB_BF16, x, d, out); }

const vb_record vb_records_avx512[] = {
    VB_EACH_REAL_SUM(f32, VB_F32, avx512),
    VB_EACH_REAL_SUM(f64, VB_F64, avx512),
    VB_EACH_REAL_SUM(f16, VB_F16, avx512),
    VB_EACH_REAL_SUM(bf16, VB_BF16, avx512),
    VB_SCORE(vb_dot_score_f64_avx512),
    VB_WIDEN(vb_dot_widen_f16_avx512, VB_F16),
    VB_WIDEN(vb_dot_widen_bf16_avx512, VB_BF16),
    VB_ENCODE(vb_dot_encode_f32_avx512),
    VB_TILE(vb_dot_tile_f32_avx512, VB_DOT, VB_F32, 12, 2 * VF_LANES),
    VB_TILE(vb_dot_tile_f64_avx512, VB_DOT, VB_F64, 8, 3 * VD_LANES),
    VB_TILE(vb_sqdiff_tile_f32_avx512, VB_SQDIFF, VB_F32, 12, 2 * VF_LANES),
    VB_TILE(vb_sqdiff_tile_f64_avx512, VB_SQDIFF, VB_F64, 8, 3 * VD_LANES),
    {0},
};

#else

#include "contract.h"

/* Another architecture: the level has no kernels. */
const vb_record vb_records_avx512[] = {{0}};

#endif
