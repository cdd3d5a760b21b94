/* simd_neon.h - the vocabulary in NEON (aarch64): 2 float64 lanes, 32 registers. */
#ifndef VB_SIMD_NEON_H
#define VB_SIMD_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "../few_bytes.h"

#if defined(__GNUC__)
#define VB_KEEP(x) __asm__("" : "+w"(x))
#else
#define VB_KEEP(x) (void)(x)
#endif

#define VD_LANES 2
#define VD_REGISTERS 24

typedef float64x2_t vd;

VB_INLINE vd vd_zero(void) { return vdupq_n_f64(0.0); }
VB_INLINE vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
VB_INLINE vd vd_sub(vd a, vd b) { return vsubq_f64(a, b); }
VB_INLINE vd vd_fma(vd a, vd b, vd c) { return vfmaq_f64(c, a, b); }
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

VB_INLINE vd vd_widen_f16(uint32_t two)
{
    return vcvt_f64_f32(vget_low_f32(vcvt_f32_f16(vreinterpret_f16_u32(vdup_n_u32(two)))));
}

VB_INLINE vd vd_widen_bf16(uint32_t two)
{
    const uint32x4_t wide = vshll_n_u16(vreinterpret_u16_u32(vdup_n_u32(two)), 16);
    return vcvt_f64_f32(vget_low_f32(vreinterpretq_f32_u32(wide)));
}

VB_INLINE uint32_t vd_two(const char *p)
{
    uint32_t two;
    memcpy(&two, p, sizeof two);
    return two;
}

VB_INLINE uint32_t vd_one(const char *p)
{
    uint16_t one;
    memcpy(&one, p, sizeof one);
    return one;
}

VB_INLINE vd vd_load_f16(const char *p) { return vd_widen_f16(vd_two(p)); }
VB_INLINE vd vd_load_bf16(const char *p) { return vd_widen_bf16(vd_two(p)); }

VB_INLINE vd vd_part_f16(const char *p, size_t n)
{
    (void)n;
    return vd_widen_f16(vd_one(p));
}

VB_INLINE vd vd_part_bf16(const char *p, size_t n)
{
    (void)n;
    return vd_widen_bf16(vd_one(p));
}

/* ---- integers, in 16 bits, and bits (exact.h) ---- */

#define VE_COUNT_i8 8
#define VE_COUNT_u8 8

typedef int16x8_t ve_i8, ve_u8;
typedef int32x4_t vn_i8, vn_u8;

VB_INLINE uint8x16_t ve_few(const char *p, size_t n)
{
    uint64_t words[2];
    vb_few_bytes(p, n, words);
    return vcombine_u8(vcreate_u8(words[0]), vcreate_u8(words[1]));
}

VB_INLINE ve_i8 ve_load_i8(const char *p) { return vmovl_s8(vld1_s8((const int8_t *)p)); }
VB_INLINE ve_i8 ve_part_i8(const char *p, size_t n) { return vmovl_s8(vreinterpret_s8_u8(vget_low_u8(ve_few(p, n)))); }

VB_INLINE vn_i8 ve_dot_i8(vn_i8 sum, ve_i8 a, ve_i8 x)
{
    return vmlal_high_s16(vmlal_s16(sum, vget_low_s16(a), vget_low_s16(x)), a, x);
}

VB_INLINE vn_i8 ve_sqdiff_i8(vn_i8 sum, ve_i8 a, ve_i8 x)
{
    const int16x8_t difference = vsubq_s16(a, x);
    return ve_dot_i8(sum, difference, difference);
}

VB_INLINE vn_i8 vn_zero_i8(void) { return vdupq_n_s32(0); }
VB_INLINE vn_i8 vn_add_i8(vn_i8 a, vn_i8 b) { return vaddq_s32(a, b); }
VB_INLINE double vn_fold_i8(vn_i8 v) { return vaddvq_s32(v); }

VB_INLINE ve_u8 ve_load_u8(const char *p) { return vreinterpretq_s16_u16(vmovl_u8(vld1_u8((const uint8_t *)p))); }
VB_INLINE ve_u8 ve_part_u8(const char *p, size_t n)
{
    return vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(ve_few(p, n))));
}
#define ve_dot_u8 ve_dot_i8
#define ve_sqdiff_u8 ve_sqdiff_i8
#define vn_zero_u8 vn_zero_i8
#define vn_add_u8 vn_add_i8
#define vn_fold_u8 vn_fold_i8

#define VE_COUNT_b1 16

typedef uint8x16_t ve_b1;
typedef uint32x4_t vn_b1;

VB_INLINE vn_b1 vb_count_into(vn_b1 sum, uint8x16_t v) { return vpadalq_u16(sum, vpaddlq_u8(vcntq_u8(v))); }

VB_INLINE ve_b1 ve_load_b1(const char *p) { return vld1q_u8((const uint8_t *)p); }
VB_INLINE ve_b1 ve_part_b1(const char *p, size_t n) { return ve_few(p, n); }
VB_INLINE vn_b1 ve_dot_b1(vn_b1 sum, ve_b1 a, ve_b1 x) { return vb_count_into(sum, vandq_u8(a, x)); }
VB_INLINE vn_b1 ve_sqdiff_b1(vn_b1 sum, ve_b1 a, ve_b1 x) { return vb_count_into(sum, veorq_u8(a, x)); }
VB_INLINE vn_b1 vn_zero_b1(void) { return vdupq_n_u32(0); }
VB_INLINE vn_b1 vn_add_b1(vn_b1 a, vn_b1 b) { return vaddq_u32(a, b); }
VB_INLINE double vn_fold_b1(vn_b1 v) { return vaddvq_u32(v); }

/* ---- float32 (screen.h) ---- */

#define VF_LANES 4

typedef float32x4_t vf;

VB_INLINE vf vf_zero(void) { return vdupq_n_f32(0.0f); }
VB_INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
VB_INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
VB_INLINE vf vf_muladd(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
VB_INLINE float vf_fold(vf v) { return vaddvq_f32(v); }
VB_INLINE vf vf_load(const char *p) { return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p)); }

VB_INLINE vf vf_part(const char *p, size_t n)
{
    float x[VF_LANES] = {0};
    memcpy(x, p, n * sizeof *x);
    return vld1q_f32(x);
}

/* ---- float32 (encode.h, widen.h) ---- */

VB_INLINE vf vf_widen_f16(uint16x4_t halves) { return vcvt_f32_f16(vreinterpret_f16_u16(halves)); }
VB_INLINE vf vf_widen_bf16(uint16x4_t halves) { return vreinterpretq_f32_u32(vshll_n_u16(halves, 16)); }

VB_INLINE uint16x4_t vf_halves(const char *p, size_t n)
{
    uint16_t x[VF_LANES] = {0};
    memcpy(x, p, n * sizeof *x);
    return vld1_u16(x);
}

VB_INLINE vf vf_load_f16(const char *p) { return vf_widen_f16(vreinterpret_u16_u8(vld1_u8((const uint8_t *)p))); }
VB_INLINE vf vf_load_bf16(const char *p) { return vf_widen_bf16(vreinterpret_u16_u8(vld1_u8((const uint8_t *)p))); }
VB_INLINE vf vf_part_f16(const char *p, size_t n) { return vf_widen_f16(vf_halves(p, n)); }
VB_INLINE vf vf_part_bf16(const char *p, size_t n) { return vf_widen_bf16(vf_halves(p, n)); }

VB_INLINE vf vf_set1(float x) { return vdupq_n_f32(x); }
VB_INLINE vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
VB_INLINE vf vf_max(vf a, vf b) { return vmaxq_f32(a, b); }
VB_INLINE void vf_store(float *p, vf v) { vst1q_f32(p, v); }
VB_INLINE float vf_most(vf v) { return vmaxvq_f32(v); }

VB_INLINE void vf_low_bytes(uint8_t *p, vf v)
{
    const uint16x4_t halves = vmovn_u32(vreinterpretq_u32_f32(v));
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(halves, halves));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
    memcpy(p, &four, sizeof four);
}

/* ---- codes (sieve.inc) ---- */

#define VI_LANES 4
#define VI_GROUP 2
#define VI_LIMIT 127

typedef int32x4_t vi;

VB_INLINE vi vi_set1(int32_t x) { return vdupq_n_s32(x); }
VB_INLINE vi vi_rows(const uint8_t *p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }

VB_INLINE vi vi_query(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vdupq_n_s32(four);
}

/* Unsigned times signed bytes, which base NEON does not multiply: both in 16 bits. */
VB_INLINE vi vi_dot(vi sum, vi rows, vi query)
{
    const uint8x16_t x = vreinterpretq_u8_s32(rows);
    const int8x16_t q = vreinterpretq_s8_s32(query);
    const int16x8_t q_low = vmovl_s8(vget_low_s8(q)), q_high = vmovl_high_s8(q);
    const int16x8_t x_low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x)));
    const int16x8_t x_high = vreinterpretq_s16_u16(vmovl_high_u8(x));
    int32x4_t low = vmull_s16(vget_low_s16(x_low), vget_low_s16(q_low)), high;
    low = vpaddq_s32(low, vmull_high_s16(x_low, q_low));
    high = vmull_s16(vget_low_s16(x_high), vget_low_s16(q_high));
    high = vpaddq_s32(high, vmull_high_s16(x_high, q_high));
    return vaddq_s32(sum, vpaddq_s32(low, high));
}

VB_INLINE vi vi_both(vi sum, vi rows, vi query)
{
    return vreinterpretq_s32_u32(
        vb_count_into(vreinterpretq_u32_s32(sum), vreinterpretq_u8_s32(vandq_s32(rows, query))));
}

VB_INLINE void vi_store(int32_t *p, vi v) { vst1q_s32(p, v); }

VB_INLINE uint32_t vi_passed(vi sum, const float *unit, const float *norm_term, float a, float t, float k)
{
    const vf offset = vfmaq_f32(vdupq_n_f32(-k), vdupq_n_f32(t), vld1q_f32(norm_term));
    const vf limit = vfmaq_f32(offset, vdupq_n_f32(a), vld1q_f32(unit));
    const uint32x4_t less = vcltq_f32(vcvtq_f32_s32(sum), limit);
    const uint32x4_t bit = {1, 2, 4, 8};
    return vaddvq_u32(vbicq_u32(bit, less));
}

/* ---- tiles (tile.inc) ---- */

VB_INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
VB_INLINE vf vf_root(vf a) { return vsqrtq_f32(a); }

VB_INLINE vf vf_every(const char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return vdupq_n_f32(x);
}

VB_INLINE uint32_t vf_exceed(vf a, vf b)
{
    const uint32x4_t bit = {1, 2, 4, 8};
    return vaddvq_u32(vbicq_u32(bit, vcleq_f32(a, b)));
}

typedef uint32x4_t vp;

VB_INLINE vp vp_load(const char *p) { return vreinterpretq_u32_u8(vld1q_u8((const uint8_t *)p)); }
VB_INLINE vp vp_every(const char *p) { return vdupq_n_u32(vd_two(p)); }

VB_INLINE vf vp_fma(vp a, vp b, vf c)
{
    const uint32x4_t high = vdupq_n_u32(0xffff0000u);
    c = vfmaq_f32(c, vreinterpretq_f32_u32(vandq_u32(a, high)), vreinterpretq_f32_u32(vandq_u32(b, high)));
    return vfmaq_f32(c, vreinterpretq_f32_u32(vshlq_n_u32(a, 16)), vreinterpretq_f32_u32(vshlq_n_u32(b, 16)));
}

VB_INLINE vd vd_set1(double x) { return vdupq_n_f64(x); }
VB_INLINE vd vd_scale(vd v, double s) { return vmulq_n_f64(v, s); } /* denormals cost nothing here */
VB_INLINE vd vd_mul(vd a, vd b) { return vmulq_f64(a, b); }
VB_INLINE vd vd_max(vd a, vd b) { return vmaxq_f64(a, b); }
VB_INLINE vd vd_root(vd a) { return vsqrtq_f64(a); }
VB_INLINE void vd_store(double *p, vd v) { vst1q_f64(p, v); }

VB_INLINE vd vd_every(const char *p)
{
    double x;
    memcpy(&x, p, sizeof x);
    return vdupq_n_f64(x);
}

VB_INLINE uint32_t vd_exceed(vd a, vd b)
{
    const uint64x2_t bit = {1, 2};
    return (uint32_t)vaddvq_u64(vbicq_u64(bit, vcleq_f64(a, b)));
}

#endif
