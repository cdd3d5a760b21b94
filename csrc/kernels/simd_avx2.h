/* simd_avx2.h - the vocabulary in AVX2 and FMA: 4 float64 lanes in a register, 16 registers. */
#ifndef VB_SIMD_AVX2_H
#define VB_SIMD_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "../vecblade.h"

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

VB_INLINE void vd_pace(void) {}
VB_INLINE double vd_fold(vd v)
{
    __m128d half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}

VB_INLINE vd vd_load_f32(const char *p) { return _mm256_cvtps_pd(_mm_loadu_ps((const float *)p)); }
VB_INLINE vd vd_load_f64(const char *p) { return _mm256_loadu_pd((const double *)p); }

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

/* ---- float32 (screen.h) ---- */

#define VF_LANES 8

typedef __m256 vf;

VB_INLINE vf vf_zero(void) { return _mm256_setzero_ps(); }
VB_INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
VB_INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
VB_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }

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

/* ---- float32 (encode.h) ---- */

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

/* ---- int8 (sieve.h) ---- */

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

VB_INLINE uint32_t vi_passed(vi sum, const float *unit, const float *extent, float a, float t, float k)
{
    const vf further = _mm256_fmsub_ps(vf_set1(t), _mm256_loadu_ps(extent), vf_set1(k));
    const vf limit = _mm256_fmadd_ps(vf_set1(a), _mm256_loadu_ps(unit), further);
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_cvtepi32_ps(sum), limit, _CMP_NLT_UQ));
}

/* ---- tiles (tile.inc) ---- */

VB_INLINE vf vf_fuse(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
VB_INLINE vf vf_root(vf a) { return _mm256_sqrt_ps(a); }
VB_INLINE vf vf_every(const char *p) { return _mm256_broadcast_ss((const float *)p); }
VB_INLINE uint32_t vf_exceed(vf a, vf b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NLE_UQ)); }

VB_INLINE vd vd_set1(double x) { return _mm256_set1_pd(x); }
VB_INLINE vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
VB_INLINE vd vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }
VB_INLINE vd vd_fuse(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
VB_INLINE vd vd_root(vd a) { return _mm256_sqrt_pd(a); }
VB_INLINE vd vd_every(const char *p) { return _mm256_broadcast_sd((const double *)p); }
VB_INLINE void vd_store(double *p, vd v) { _mm256_storeu_pd(p, v); }
VB_INLINE uint32_t vd_exceed(vd a, vd b) { return (uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_NLE_UQ)); }

#endif
