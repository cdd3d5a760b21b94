/* simd_neon.h - the vocabulary in NEON (aarch64): 2 float64 lanes, 32 registers. */
#ifndef VB_SIMD_NEON_H
#define VB_SIMD_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "../vecblade.h"

#define VD_LANES 2
#define VD_REGISTERS 24

typedef float64x2_t vd;

VB_INLINE vd vd_zero(void) { return vdupq_n_f64(0.0); }
VB_INLINE vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
VB_INLINE vd vd_sub(vd a, vd b) { return vsubq_f64(a, b); }
VB_INLINE vd vd_fma(vd a, vd b, vd c) { return vfmaq_f64(c, a, b); }
VB_INLINE void vd_pace(void) {}
VB_INLINE double vd_fold(vd v) { return vgetq_lane_f64(v, 0) + vgetq_lane_f64(v, 1); }

/* Byte loads, then a change of name: the address may have any alignment. */
VB_INLINE vd vd_load_f32(const char *p) { return vcvt_f64_f32(vreinterpret_f32_u8(vld1_u8((const uint8_t *)p))); }
VB_INLINE vd vd_load_f64(const char *p) { return vreinterpretq_f64_u8(vld1q_u8((const uint8_t *)p)); }

/* A part of a two-element vector is one element. */
VB_INLINE vd vd_part_f32(const char *p, size_t n)
{
    float x;
    (void)n;
    memcpy(&x, p, sizeof x);
    return vsetq_lane_f64((double)x, vdupq_n_f64(0.0), 0);
}

VB_INLINE vd vd_part_f64(const char *p, size_t n)
{
    double x;
    (void)n;
    memcpy(&x, p, sizeof x);
    return vsetq_lane_f64(x, vdupq_n_f64(0.0), 0);
}

/* ---- float32 (screen.h) ---- */

#define VF_LANES 4

typedef float32x4_t vf;

VB_INLINE vf vf_zero(void) { return vdupq_n_f32(0.0f); }
VB_INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
VB_INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
VB_INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
VB_INLINE float vf_fold(vf v) { return vaddvq_f32(v); }
VB_INLINE vf vf_load(const char *p) { return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p)); }

VB_INLINE vf vf_part(const char *p, size_t n)
{
    float x[VF_LANES] = {0};
    memcpy(x, p, n * sizeof *x);
    return vld1q_f32(x);
}

#endif
