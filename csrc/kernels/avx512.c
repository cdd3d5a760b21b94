/* avx512.c - the kernels in AVX-512 (F, VL, DQ, BW). The flags of this unit license AVX-512 everywhere in it:
 * nothing that runs on a lesser CPU may live here. */
#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512BW__)

#include "simd_avx512.h"

#include "canonical.h"
#include "encode.h"

#define VB_ISA avx512
#define VB_T f32
#include "canonical.inc"
#define VB_T f64
#include "canonical.inc"
#define VB_T f32
#define VB_TILE_ROWS 12
#define VB_TILE_VECTORS 2
#include "tile.inc"
#define VB_T f64
#define VB_TILE_ROWS 8
#define VB_TILE_VECTORS 3
#include "tile.inc"

static void vb_dot_encode_f32_avx512(const char *x, const float *center, size_t d, float *work, uint8_t *codes,
                                     vb_coding *found)
{
    vb_encode(x, center, d, work, codes, found);
}

const vb_record vb_records_avx512[] = {
    VB_PAIR(vb_dot_f32_avx512, VB_DOT, VB_F32),
    VB_ROWS(vb_dot_rows_f32_avx512, VB_DOT, VB_F32),
    VB_PAIR(vb_sqdiff_f32_avx512, VB_SQDIFF, VB_F32),
    VB_ROWS(vb_sqdiff_rows_f32_avx512, VB_SQDIFF, VB_F32),
    VB_PAIR(vb_dotnorm_f32_avx512, VB_DOTNORM, VB_F32),
    VB_ROWS(vb_dotnorm_rows_f32_avx512, VB_DOTNORM, VB_F32),
    VB_PAIR(vb_dot_f64_avx512, VB_DOT, VB_F64),
    VB_ROWS(vb_dot_rows_f64_avx512, VB_DOT, VB_F64),
    VB_PAIR(vb_sqdiff_f64_avx512, VB_SQDIFF, VB_F64),
    VB_ROWS(vb_sqdiff_rows_f64_avx512, VB_SQDIFF, VB_F64),
    VB_PAIR(vb_dotnorm_f64_avx512, VB_DOTNORM, VB_F64),
    VB_ROWS(vb_dotnorm_rows_f64_avx512, VB_DOTNORM, VB_F64),
    VB_ENCODE(vb_dot_encode_f32_avx512),
    VB_TILE(vb_dot_tile_f32_avx512, VB_F32, 12, 2 * VF_LANES),
    VB_TILE(vb_dot_tile_f64_avx512, VB_F64, 8, 3 * VD_LANES),
    {0},
};

#else

#include "contract.h"

/* Another architecture: the level has no kernels. */
const vb_record vb_records_avx512[] = {{0}};

#endif
