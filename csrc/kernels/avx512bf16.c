/* avx512bf16.c - what AVX-512 does better with BF16, the multiply-adds of pairs of bfloat16. The flags of this unit
 * license both everywhere in it. */
#if defined(__AVX512BF16__)

#include "simd_avx512.h"

#include "canonical.h"

/* The instruction multiplies and adds the odd element, rounds, then the even one, and rounds. It takes and gives no
 * denormals, which contract.h keeps from it. */
typedef __m512i vp;

VB_INLINE vp vp_load(const char *p) { return _mm512_loadu_si512(p); }

VB_INLINE vp vp_every(const char *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}

VB_INLINE vf vp_fuse(vp a, vp b, vf c) { return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b); }

#define VB_ISA avx512
#define VB_T bf16
#define VB_TILE_ROWS 12
#define VB_TILE_VECTORS 2
#include "tile.inc"

const vb_record vb_records_avx512bf16[] = {
    VB_TILE(vb_dot_tile_bf16_avx512, VB_DOT, VB_BF16, 12, 2 * VF_LANES),
    {0},
};

#else

#include "contract.h"

/* Another architecture, or a compiler without it. */
const vb_record vb_records_avx512bf16[] = {{0}};

#endif
