/* avx512bf16.c - what AVX-512 does better with BF16, the multiply-adds of pairs of bfloat16. The flags of this unit
 * license both everywhere in it. */
#if defined(__AVX512BF16__)

#include "simd_avx512.h"

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

VB_INLINE vf vp_fma(vp a, vp b, vf c) { return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b); }

#define VB_TILE_dot_bf16 12, 2
#define VB_LEAVES_OUT_FLOATS

#endif

#define VB_UNIT avx512bf16
#include "../unit.inc"
