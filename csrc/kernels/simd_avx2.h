/* simd_avx2.h - the vocabulary in AVX2 and FMA: 4 float64 lanes in a register, 16 registers. */
#ifndef VB_SIMD_AVX2_H
#define VB_SIMD_AVX2_H

#include <immintrin.h>

#include "../vecblade.h"

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

#endif
