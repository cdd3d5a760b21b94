/* avx512vnni.c - what AVX-512 does better with VNNI, the multiply-adds of bytes and words. The flags of this unit
 * license both everywhere in it. */
#if defined(__AVX512VNNI__) || (defined(_MSC_VER) && defined(__AVX512F__))

#include "simd_avx512.h"

/* ---- whole numbers, in 16 bits (exact.h) ---- */

#define VE_COUNT_i8 32
#define VE_COUNT_u8 32

typedef __m512i ve_i8, ve_u8, vn_i8, vn_u8;

VB_INLINE __m256i ve_few(const char *p, size_t n) { return _mm256_maskz_loadu_epi8((__mmask32)((1ull << n) - 1), p); }

VB_INLINE ve_i8 ve_load_i8(const char *p) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)p)); }
VB_INLINE ve_i8 ve_part_i8(const char *p, size_t n) { return _mm512_cvtepi8_epi16(ve_few(p, n)); }
VB_INLINE vn_i8 ve_dot_i8(vn_i8 sum, ve_i8 a, ve_i8 x) { return _mm512_dpwssd_epi32(sum, a, x); }

VB_INLINE vn_i8 ve_sqdiff_i8(vn_i8 sum, ve_i8 a, ve_i8 x)
{
    const __m512i difference = _mm512_sub_epi16(a, x);
    return _mm512_dpwssd_epi32(sum, difference, difference);
}

VB_INLINE vn_i8 vn_zero_i8(void) { return _mm512_setzero_si512(); }
VB_INLINE vn_i8 vn_add_i8(vn_i8 a, vn_i8 b) { return _mm512_add_epi32(a, b); }

VB_INLINE double vn_fold_i8(vn_i8 v)
{
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsd_f64(_mm_cvtepi32_pd(_mm_add_epi32(four, _mm_shuffle_epi32(four, 1))));
}


VB_INLINE ve_u8 ve_load_u8(const char *p) { return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)p)); }
VB_INLINE ve_u8 ve_part_u8(const char *p, size_t n) { return _mm512_cvtepu8_epi16(ve_few(p, n)); }
#define ve_dot_u8 ve_dot_i8
#define ve_sqdiff_u8 ve_sqdiff_i8
#define vn_zero_u8 vn_zero_i8
#define vn_add_u8 vn_add_i8
#define vn_fold_u8 vn_fold_i8

/* ---- codes (sieve.inc) ---- */

#define VI_LIMIT 127

VB_INLINE vi vi_dot(vi sum, vi rows, vi query) { return _mm512_dpbusd_epi32(sum, rows, query); }

#include "exact.h"
#include "sieve.h"

#define VB_ISA avx512
#define VB_T i8
#include "exact.inc"
#define VB_T u8
#include "exact.inc"
#define VB_T i8
#define VB_SIEVE_STEP vi_dot
#define VB_TALLY_STEP vi_dot
#include "sieve.inc"

const vb_record vb_records_avx512vnni[] = {
    VB_EACH_SUM(i8, VB_I8, avx512),
    VB_EACH_SUM(u8, VB_U8, avx512),
    VB_SIEVE(vb_dot_sieve_i8_avx512, VB_I8, VI_GROUP, VI_LIMIT),
    VB_TALLY(vb_dot_tally_i8_avx512, VB_I8, VI_GROUP),
    {0},
};

#else

#include "contract.h"

/* Another architecture, or a compiler without it. */
const vb_record vb_records_avx512vnni[] = {{0}};

#endif
