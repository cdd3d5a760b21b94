/* avx512vnni.c - what AVX-512 does better with VNNI, the multiply-adds of bytes. The flags of this unit license both
 * everywhere in it. */
#if defined(__AVX512VNNI__) || (defined(_MSC_VER) && defined(__AVX512F__))

#include <immintrin.h>
#include <string.h>

#include "simd_avx512.h"

#define VI_LANES 16
#define VI_GROUP 12
#define VI_LIMIT 127

typedef __m512i vi;

VB_INLINE vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
VB_INLINE vi vi_rows(const uint8_t *p) { return _mm512_loadu_si512(p); }

VB_INLINE vi vi_query(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}

VB_INLINE vi vi_dot(vi sum, vi rows, vi query) { return _mm512_dpbusd_epi32(sum, rows, query); }

VB_INLINE uint32_t vi_passed(vi sum, const float *unit, const float *extent, float a, float t, float k)
{
    const __m512 further = _mm512_fmsub_ps(_mm512_set1_ps(t), _mm512_loadu_ps(extent), _mm512_set1_ps(k));
    const __m512 limit = _mm512_fmadd_ps(_mm512_set1_ps(a), _mm512_loadu_ps(unit), further);
    return _mm512_cmp_ps_mask(_mm512_cvtepi32_ps(sum), limit, _CMP_NLT_UQ);
}

#include "sieve.h"

static void vb_dot_sieve_f32_avx512(const vb_panel *panel, size_t steps, const vb_coded *queries, uint32_t *masks)
{
    vb_sift(panel, steps, queries, masks);
}

const vb_record vb_records_avx512vnni[] = {
    VB_SIEVE(vb_dot_sieve_f32_avx512, VI_GROUP, VI_LIMIT),
    {0},
};

#else

#include "contract.h"

/* Another architecture, or a compiler without it. */
const vb_record vb_records_avx512vnni[] = {{0}};

#endif
