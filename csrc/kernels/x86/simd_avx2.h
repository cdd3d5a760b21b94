/* simd_avx2.h - the vocabulary in AVX2 and FMA: 4 float64 lanes in a register, 16 registers. */
#ifndef VB_SIMD_AVX2_H
#define VB_SIMD_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "../few_bytes.h"

#if defined(__GNUC__)
#define VB_KEEP(x) __asm__("" : "+x"(x))
#else
#define VB_KEEP(x) (void)(x)
#endif

#define VD_LANES 4
#define VD_REGISTERS 12

typedef __m256d vd;

VB_INLINE vd vd_zero(void) { return _mm256_setzero_pd(); }
VB_INLINE vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
VB_INLINE vd vd_sub(vd a, vd b) { return _mm256_sub_pd(a, b); }
VB_INLINE vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }

VB_INLINE double vd_fold(vd v)
{
    __m128d half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}

VB_INLINE vd vd_load_f32(const char *p) { return _mm256_cvtps_pd(_mm_loadu_ps((const float *)p)); }
VB_INLINE vd vd_load_f64(const char *p) { return _mm256_loadu_pd((const double *)p); }

VB_INLINE vd vd_widen_f16(__m128i halves) { return _mm256_cvtps_pd(_mm_cvtph_ps(halves)); }

VB_INLINE vd vd_widen_bf16(__m128i halves)
{
    return _mm256_cvtps_pd(_mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), halves)));
}

VB_INLINE vd vd_load_f16(const char *p) { return vd_widen_f16(_mm_loadl_epi64((const __m128i *)p)); }
VB_INLINE vd vd_load_bf16(const char *p) { return vd_widen_bf16(_mm_loadl_epi64((const __m128i *)p)); }

/* The first n of four two-byte elements. */
VB_INLINE __m128i vd_halves(const char *p, size_t n)
{
    uint64_t words[2];
    vb_few_bytes(p, 2 * n, words);
    return _mm_cvtsi64_si128((long long)words[0]);
}

VB_INLINE vd vd_part_f16(const char *p, size_t n) { return vd_widen_f16(vd_halves(p, n)); }
VB_INLINE vd vd_part_bf16(const char *p, size_t n) { return vd_widen_bf16(vd_halves(p, n)); }

/* All ones in the first n of four 32-bit lanes. */
VB_INLINE __m128i vd_first(size_t n) { return _mm_cmpgt_epi32(_mm_set1_epi32((int)n), _mm_setr_epi32(0, 1, 2, 3)); }

VB_INLINE vd vd_part_f32(const char *p, size_t n)
{
    return _mm256_cvtps_pd(_mm_maskload_ps((const float *)p, vd_first(n)));
}

VB_INLINE vd vd_part_f64(const char *p, size_t n)
{
    return _mm256_maskload_pd((const double *)p, _mm256_cvtepi32_epi64(vd_first(n)));
}

/* Denormal elements by way of integers, their multiples of 2^-1074 (apart.inc). */
VB_INLINE vd vd_scale(vd v, double s)
{
    const __m256i bits = _mm256_castpd_si256(v), two_52 = _mm256_castpd_si256(_mm256_set1_pd(0x1p52));
    const __m256i denormal =
        _mm256_cmpeq_epi64(_mm256_srli_epi64(_mm256_slli_epi64(bits, 1), 53), _mm256_setzero_si256());
    vd lifted;
    if (s <= 0x1p100 || _mm256_testz_si256(denormal, denormal))
        return _mm256_mul_pd(v, _mm256_set1_pd(s));
    lifted = _mm256_castsi256_pd(
        _mm256_or_si256(_mm256_srli_epi64(_mm256_slli_epi64(bits, 12), 12), two_52)); /* 2^52 + the multiple */
    lifted = _mm256_mul_pd(_mm256_sub_pd(lifted, _mm256_set1_pd(0x1p52)), _mm256_set1_pd(s * 0x1p-537 * 0x1p-537));
    lifted = _mm256_or_pd(lifted, _mm256_and_pd(v, _mm256_set1_pd(-0.0)));
    v = _mm256_andnot_pd(_mm256_castsi256_pd(denormal), v);
    return _mm256_blendv_pd(_mm256_mul_pd(v, _mm256_set1_pd(s)), lifted, _mm256_castsi256_pd(denormal));
}

/* ---- float32 (screen.h) ---- */

#define VF_LANES 8

typedef __m256 vf;

VB_INLINE vf vf_zero(void) { return _mm256_setzero_ps(); }
VB_INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
VB_INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
VB_INLINE vf vf_muladd(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }

VB_INLINE float vf_fold(vf v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

VB_INLINE vf vf_load(const char *p) { return _mm256_loadu_ps((const float *)p); }

VB_INLINE vf vf_part(const char *p, size_t n)
{
    const __m256i first = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return _mm256_maskload_ps((const float *)p, first);
}

/* ---- float32 (encode.h, widen.h) ---- */

VB_INLINE vf vf_widen_bf16(__m128i halves)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

/* The first n of eight two-byte elements. */
VB_INLINE __m128i vf_halves(const char *p, size_t n)
{
    uint64_t words[2];
    vb_few_bytes(p, 2 * n, words);
    return _mm_set_epi64x((long long)words[1], (long long)words[0]);
}

VB_INLINE vf vf_load_f16(const char *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
VB_INLINE vf vf_load_bf16(const char *p) { return vf_widen_bf16(_mm_loadu_si128((const __m128i *)p)); }
VB_INLINE vf vf_part_f16(const char *p, size_t n) { return _mm256_cvtph_ps(vf_halves(p, n)); }
VB_INLINE vf vf_part_bf16(const char *p, size_t n) { return vf_widen_bf16(vf_halves(p, n)); }

VB_INLINE vf vf_set1(float x) { return _mm256_set1_ps(x); }
VB_INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
VB_INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
VB_INLINE void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }

VB_INLINE float vf_most(vf v)
{
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

VB_INLINE void vf_low_bytes(uint8_t *p, vf v)
{
    const __m256i low = _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(255));
    const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(halves, halves));
}

/* ---- integers, in 16 bits, and bits (exact.h) ---- */

#define VE_COUNT_i8 16
#define VE_COUNT_u8 16

typedef __m256i ve_i8, ve_u8, vn_i8, vn_u8;

VB_INLINE __m128i ve_few(const char *p, size_t n)
{
    uint64_t words[2];
    vb_few_bytes(p, n, words);
    return _mm_set_epi64x((long long)words[1], (long long)words[0]);
}

VB_INLINE ve_i8 ve_load_i8(const char *p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p)); }
VB_INLINE ve_i8 ve_part_i8(const char *p, size_t n) { return _mm256_cvtepi8_epi16(ve_few(p, n)); }
VB_INLINE vn_i8 ve_dot_i8(vn_i8 sum, ve_i8 a, ve_i8 x) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, x)); }

VB_INLINE vn_i8 ve_sqdiff_i8(vn_i8 sum, ve_i8 a, ve_i8 x)
{
    const __m256i difference = _mm256_sub_epi16(a, x);
    return ve_dot_i8(sum, difference, difference);
}

VB_INLINE vn_i8 vn_zero_i8(void) { return _mm256_setzero_si256(); }
VB_INLINE vn_i8 vn_add_i8(vn_i8 a, vn_i8 b) { return _mm256_add_epi32(a, b); }

VB_INLINE double vn_fold_i8(vn_i8 v)
{
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    half = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
    return _mm_cvtsd_f64(_mm_cvtepi32_pd(_mm_add_epi32(half, _mm_shuffle_epi32(half, 1))));
}

VB_INLINE ve_u8 ve_load_u8(const char *p) { return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)p)); }
VB_INLINE ve_u8 ve_part_u8(const char *p, size_t n) { return _mm256_cvtepu8_epi16(ve_few(p, n)); }
#define ve_dot_u8 ve_dot_i8
#define ve_sqdiff_u8 ve_sqdiff_i8
#define vn_zero_u8 vn_zero_i8
#define vn_add_u8 vn_add_i8
#define vn_fold_u8 vn_fold_i8

#define VE_COUNT_b1 32

typedef __m256i ve_b1, vn_b1;

/* How many bits of each byte are set. */
VB_INLINE __m256i vb_count_bits(__m256i v)
{
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1,
                                            2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    return _mm256_add_epi8(_mm256_shuffle_epi8(counts, _mm256_and_si256(v, low)),
                           _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
}

VB_INLINE vn_b1 vb_count_into(vn_b1 sum, __m256i v)
{
    return _mm256_add_epi64(sum, _mm256_sad_epu8(vb_count_bits(v), _mm256_setzero_si256()));
}

VB_INLINE ve_b1 ve_load_b1(const char *p) { return _mm256_loadu_si256((const __m256i *)p); }

VB_INLINE ve_b1 ve_part_b1(const char *p, size_t n)
{
    const __m128i none = _mm_setzero_si128();
    if (n < 16)
        return _mm256_set_m128i(none, ve_few(p, n));
    return _mm256_set_m128i(n > 16 ? ve_few(p + 16, n - 16) : none, _mm_loadu_si128((const __m128i *)p));
}

VB_INLINE vn_b1 ve_dot_b1(vn_b1 sum, ve_b1 a, ve_b1 x) { return vb_count_into(sum, _mm256_and_si256(a, x)); }
VB_INLINE vn_b1 ve_sqdiff_b1(vn_b1 sum, ve_b1 a, ve_b1 x) { return vb_count_into(sum, _mm256_xor_si256(a, x)); }
#define vn_zero_b1 vn_zero_i8
#define vn_add_b1 vn_add_i8 /* counts stay in 32 bits */
#define vn_fold_b1 vn_fold_i8

/* ---- int8 (sieve.inc) ---- */

#define VI_LANES 8
#define VI_GROUP 2
/* Pairs of products are added in 16 bits: 2 * 255 * 64 stays in them. */
#define VI_LIMIT 64

typedef __m256i vi;

VB_INLINE vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
VB_INLINE vi vi_rows(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

VB_INLINE vi vi_query(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}

VB_INLINE vi vi_dot(vi sum, vi rows, vi query)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(rows, query), _mm256_set1_epi16(1)));
}

/* The same for any codes of the query: in 16 bits, even bytes and odd ones. */
VB_INLINE vi vi_wide_dot(vi sum, vi rows, vi query)
{
    const __m256i even = _mm256_and_si256(rows, _mm256_set1_epi16(255)), odd = _mm256_srli_epi16(rows, 8);
    const __m256i query_even = _mm256_srai_epi16(_mm256_slli_epi16(query, 8), 8),
                  query_odd = _mm256_srai_epi16(query, 8);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even, query_even));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(odd, query_odd));
}

VB_INLINE vi vi_both(vi sum, vi rows, vi query)
{
    const __m256i pairs = _mm256_maddubs_epi16(vb_count_bits(_mm256_and_si256(rows, query)), _mm256_set1_epi8(1));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

VB_INLINE void vi_store(int32_t *p, vi v) { _mm256_storeu_si256((__m256i *)p, v); }

VB_INLINE uint32_t vi_passed(vi sum, const float *unit, const float *norm_term, float a, float t, float k)
{
    const vf offset = _mm256_fmsub_ps(vf_set1(t), _mm256_loadu_ps(norm_term), vf_set1(k));
    const vf limit = _mm256_fmadd_ps(vf_set1(a), _mm256_loadu_ps(unit), offset);
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_cvtepi32_ps(sum), limit, _CMP_NLT_UQ));
}

/* ---- tiles (tile.inc) ---- */

VB_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
VB_INLINE vf vf_root(vf a) { return _mm256_sqrt_ps(a); }
VB_INLINE vf vf_every(const char *p) { return _mm256_broadcast_ss((const float *)p); }
VB_INLINE uint32_t vf_exceed(vf a, vf b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NLE_UQ)); }

typedef __m256i vp;

VB_INLINE vp vp_load(const char *p) { return _mm256_loadu_si256((const __m256i *)p); }

VB_INLINE vp vp_every(const char *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}

VB_INLINE vf vp_fma(vp a, vp b, vf c)
{
    const __m256i high = _mm256_set1_epi32((int32_t)0xffff0000u);
    const vf a_odd = _mm256_castsi256_ps(_mm256_and_si256(a, high)),
             a_even = _mm256_castsi256_ps(_mm256_slli_epi32(a, 16));
    const vf b_odd = _mm256_castsi256_ps(_mm256_and_si256(b, high)),
             b_even = _mm256_castsi256_ps(_mm256_slli_epi32(b, 16));
    return _mm256_fmadd_ps(a_even, b_even, _mm256_fmadd_ps(a_odd, b_odd, c));
}

VB_INLINE vd vd_set1(double x) { return _mm256_set1_pd(x); }
VB_INLINE vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
VB_INLINE vd vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }
VB_INLINE vd vd_root(vd a) { return _mm256_sqrt_pd(a); }
VB_INLINE vd vd_every(const char *p) { return _mm256_broadcast_sd((const double *)p); }
VB_INLINE void vd_store(double *p, vd v) { _mm256_storeu_pd(p, v); }
VB_INLINE uint32_t vd_exceed(vd a, vd b) { return (uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_NLE_UQ)); }

#endif
