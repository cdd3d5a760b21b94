/* simd_avx512.h - the vocabulary in AVX-512 (F, VL, DQ, BW): 8 float64 lanes, 32 registers.
 *
 * Measured on Zen 4: vcvtps2pd has a throughput of one 8-element vector in 2 cycles in either
 * width, and bounds the float32 kernels (2.2 cycles for 8 elements with a float64 query); reading 16
 * floats and splitting them is slower (2.6), and so are 256-bit vectors (2.8). */
#ifndef VB_SIMD_AVX512_H
#define VB_SIMD_AVX512_H

#include <immintrin.h>
#include <string.h>

#include "../../vecblade.h"

#if defined(__GNUC__)
#define VB_KEEP(x) __asm__("" : "+v"(x))
#else
#define VB_KEEP(x) (void)(x)
#endif

#define VD_LANES 8
#define VD_REGISTERS 24

typedef __m512d vd;

VB_INLINE vd vd_zero(void) { return _mm512_setzero_pd(); }
VB_INLINE vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
VB_INLINE vd vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
VB_INLINE vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }

VB_INLINE double vd_fold(vd v)
{
    __m256d half = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
    __m128d quarter = _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
    return _mm_cvtsd_f64(_mm_add_sd(quarter, _mm_unpackhi_pd(quarter, quarter)));
}

VB_INLINE vd vd_load_f32(const char *p) { return _mm512_cvtps_pd(_mm256_loadu_ps((const float *)p)); }
VB_INLINE vd vd_load_f64(const char *p) { return _mm512_loadu_pd(p); }

VB_INLINE vd vd_widen_f16(__m128i halves) { return _mm512_cvtps_pd(_mm256_cvtph_ps(halves)); }

/* A bfloat16 is the upper half of a float32. One shuffle; to extend and to shift is two (0.31 against 0.40 ns for 8
 * elements, Zen 5). */
VB_INLINE vd vd_widen_bf16(__m128i halves)
{
    const __m256i upper = _mm256_setr_epi8(-1, -1, 0, 1, -1, -1, 2, 3, -1, -1, 4, 5, -1, -1, 6, 7, -1, -1, 8, 9, -1, -1,
                                           10, 11, -1, -1, 12, 13, -1, -1, 14, 15);
    return _mm512_cvtps_pd(_mm256_castsi256_ps(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(halves), upper)));
}

VB_INLINE vd vd_load_f16(const char *p) { return vd_widen_f16(_mm_loadu_si128((const __m128i *)p)); }
VB_INLINE vd vd_load_bf16(const char *p) { return vd_widen_bf16(_mm_loadu_si128((const __m128i *)p)); }

/* A masked-off element is not read: it may lie on a page that is not there. */
VB_INLINE __mmask8 vd_first(size_t n) { return (__mmask8)((1u << n) - 1); }
VB_INLINE vd vd_part_f32(const char *p, size_t n) { return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(vd_first(n), p)); }
VB_INLINE vd vd_part_f64(const char *p, size_t n) { return _mm512_maskz_loadu_pd(vd_first(n), p); }
VB_INLINE vd vd_part_f16(const char *p, size_t n) { return vd_widen_f16(_mm_maskz_loadu_epi16(vd_first(n), p)); }
VB_INLINE vd vd_part_bf16(const char *p, size_t n) { return vd_widen_bf16(_mm_maskz_loadu_epi16(vd_first(n), p)); }

/* Denormal elements by way of integers, their multiples of 2^-1074 (apart.inc). */
VB_INLINE vd vd_scale(vd v, double s)
{
    const __mmask8 denormal = s > 0x1p100 ? _mm512_fpclass_pd_mask(v, 0x20) : 0;
    const __m512i fraction = _mm512_and_si512(_mm512_castpd_si512(v), _mm512_set1_epi64(0xfffffffffffff));
    vd scaled;
    if (!denormal)
        return _mm512_mul_pd(v, _mm512_set1_pd(s));
    scaled = _mm512_maskz_mul_pd((__mmask8)~denormal, v, _mm512_set1_pd(s));
    return _mm512_mask_mul_pd(
        scaled, denormal, _mm512_cvtepi64_pd(fraction),
        _mm512_or_pd(_mm512_set1_pd(s * 0x1p-537 * 0x1p-537), _mm512_and_pd(v, _mm512_set1_pd(-0.0))));
}

/* ---- tiles (tile.inc) ---- */

VB_INLINE vd vd_set1(double x) { return _mm512_set1_pd(x); }
VB_INLINE vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
VB_INLINE vd vd_max(vd a, vd b) { return _mm512_max_pd(a, b); }
VB_INLINE vd vd_root(vd a) { return _mm512_sqrt_pd(a); }
VB_INLINE void vd_store(double *p, vd v) { _mm512_storeu_pd(p, v); }
VB_INLINE uint32_t vd_exceed(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_NLE_UQ); }

VB_INLINE vd vd_every(const char *p)
{
    double x;
    memcpy(&x, p, sizeof x);
    return _mm512_set1_pd(x);
}

#define VF_LANES 16

typedef __m512 vf;

VB_INLINE vf vf_zero(void) { return _mm512_setzero_ps(); }
VB_INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
VB_INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
VB_INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
VB_INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
VB_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
VB_INLINE vf vf_muladd(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
VB_INLINE vf vf_root(vf a) { return _mm512_sqrt_ps(a); }
VB_INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
VB_INLINE vf vf_load(const char *p) { return _mm512_loadu_ps(p); }
VB_INLINE void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
VB_INLINE uint32_t vf_exceed(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ); }

VB_INLINE vf vf_every(const char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return _mm512_set1_ps(x);
}

/* ---- float32 (encode.h, widen.h) ---- */

VB_INLINE vf vf_widen_bf16(__m256i halves)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

VB_INLINE __m256i vf_halves(const char *p, size_t n) { return _mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), p); }

VB_INLINE vf vf_load_f16(const char *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
VB_INLINE vf vf_load_bf16(const char *p) { return vf_widen_bf16(_mm256_loadu_si256((const __m256i *)p)); }
VB_INLINE vf vf_part_f16(const char *p, size_t n) { return _mm512_cvtph_ps(vf_halves(p, n)); }
VB_INLINE vf vf_part_bf16(const char *p, size_t n) { return vf_widen_bf16(vf_halves(p, n)); }

VB_INLINE vf vf_part(const char *p, size_t n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
VB_INLINE float vf_fold(vf v) { return _mm512_reduce_add_ps(v); }
VB_INLINE float vf_most(vf v) { return _mm512_reduce_max_ps(v); }

VB_INLINE void vf_low_bytes(uint8_t *p, vf v)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_castps_si512(v)));
}

/* ---- codes (sieve.inc); the steps are in the units of the instructions that make them ---- */

#define VI_LANES 16
#define VI_GROUP 12

typedef __m512i vi;

VB_INLINE vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
VB_INLINE vi vi_rows(const uint8_t *p) { return _mm512_loadu_si512(p); }

VB_INLINE vi vi_query(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}

VB_INLINE void vi_store(int32_t *p, vi v) { _mm512_storeu_si512(p, v); }

VB_INLINE uint32_t vi_passed(vi sum, const float *unit, const float *norm_term, float a, float t, float k)
{
    const __m512 offset = _mm512_fmsub_ps(_mm512_set1_ps(t), _mm512_loadu_ps(norm_term), _mm512_set1_ps(k));
    const __m512 limit = _mm512_fmadd_ps(_mm512_set1_ps(a), _mm512_loadu_ps(unit), offset);
    return _mm512_cmp_ps_mask(_mm512_cvtepi32_ps(sum), limit, _CMP_NLT_UQ);
}

#endif
