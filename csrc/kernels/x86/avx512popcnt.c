/* avx512popcnt.c - what AVX-512 does better with VPOPCNTDQ, which counts bits. The flags of this unit license both
 * everywhere in it. */
#if defined(__AVX512VPOPCNTDQ__) || (defined(_MSC_VER) && defined(__AVX512F__))

#include "simd_avx512.h"

#define VE_COUNT_b1 64

typedef __m512i ve_b1, vn_b1;

VB_INLINE ve_b1 ve_load_b1(const char *p) { return _mm512_loadu_si512(p); }
VB_INLINE ve_b1 ve_part_b1(const char *p, size_t n) { return _mm512_maskz_loadu_epi8((1ull << n) - 1, p); }

VB_INLINE vn_b1 ve_dot_b1(vn_b1 sum, ve_b1 a, ve_b1 x)
{
    return _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_and_si512(a, x)));
}

VB_INLINE vn_b1 ve_sqdiff_b1(vn_b1 sum, ve_b1 a, ve_b1 x)
{
    return _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(a, x)));
}

VB_INLINE vn_b1 vn_zero_b1(void) { return _mm512_setzero_si512(); }
VB_INLINE vn_b1 vn_add_b1(vn_b1 a, vn_b1 b) { return _mm512_add_epi64(a, b); }

VB_INLINE double vn_fold_b1(vn_b1 v)
{
    const __m256i half = _mm256_add_epi64(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    return _mm_cvtsd_f64(_mm_cvtepi32_pd(_mm_add_epi64(two, _mm_unpackhi_epi64(two, two))));
}

VB_INLINE vi vi_both(vi sum, vi rows, vi query)
{
    return _mm512_add_epi32(sum, _mm512_popcnt_epi32(_mm512_and_si512(rows, query)));
}

#define VB_SIEVE_STEP_b1 vi_both
#define VB_PRODUCT_STEP_b1 vi_both
#define VB_LEAVES_OUT_FLOATS

#endif

#define VB_UNIT avx512popcnt
#include "../unit.inc"
