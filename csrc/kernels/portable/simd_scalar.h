/* simd_scalar.h - the vocabulary in portable C: a "vector" is one number. */
#ifndef VB_SIMD_SCALAR_H
#define VB_SIMD_SCALAR_H

#include <math.h>
#include <string.h>

#include "../../numbers.h"

#define VB_KEEP(x) (void)(x)

#define VD_LANES 1
#define VD_REGISTERS 96 /* the compiler's business: one pass */

typedef double vd;

VB_INLINE vd vd_zero(void) { return 0.0; }
VB_INLINE vd vd_add(vd a, vd b) { return a + b; }
VB_INLINE vd vd_sub(vd a, vd b) { return a - b; }
VB_INLINE vd vd_fma(vd a, vd b, vd c) { return fma(a, b, c); }
VB_INLINE double vd_fold(vd v) { return v; }

VB_INLINE vd vd_load_f32(const char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return x;
}

VB_INLINE vd vd_load_f64(const char *p)
{
    double x;
    memcpy(&x, p, sizeof x);
    return x;
}

VB_INLINE vd vd_load_f16(const char *p) { return vb_element(VB_F16, p, 0); }
VB_INLINE vd vd_load_bf16(const char *p) { return vb_element(VB_BF16, p, 0); }

/* No part of a one-element vector is left over; the names are there for the description. */
VB_INLINE vd vd_part_f32(const char *p, size_t n) { return n ? vd_load_f32(p) : 0.0; }
VB_INLINE vd vd_part_f64(const char *p, size_t n) { return n ? vd_load_f64(p) : 0.0; }
VB_INLINE vd vd_part_f16(const char *p, size_t n) { return n ? vd_load_f16(p) : 0.0; }
VB_INLINE vd vd_part_bf16(const char *p, size_t n) { return n ? vd_load_bf16(p) : 0.0; }

/* ---- integers and bits (exact.h) ---- */

#define VE_COUNT_i8 1
#define VE_COUNT_u8 1

typedef int32_t ve_i8, ve_u8, vn_i8, vn_u8, vn_b1;

VB_INLINE ve_i8 ve_load_i8(const char *p) { return *(const signed char *)p; }
VB_INLINE ve_i8 ve_part_i8(const char *p, size_t n) { return n ? ve_load_i8(p) : 0; }
VB_INLINE vn_i8 ve_dot_i8(vn_i8 sum, ve_i8 a, ve_i8 x) { return sum + a * x; }
VB_INLINE vn_i8 ve_sqdiff_i8(vn_i8 sum, ve_i8 a, ve_i8 x) { return sum + (a - x) * (a - x); }
VB_INLINE vn_i8 vn_zero_i8(void) { return 0; }
VB_INLINE vn_i8 vn_add_i8(vn_i8 a, vn_i8 b) { return a + b; }
VB_INLINE double vn_fold_i8(vn_i8 v) { return v; }

VB_INLINE ve_u8 ve_load_u8(const char *p) { return *(const unsigned char *)p; }
VB_INLINE ve_u8 ve_part_u8(const char *p, size_t n) { return n ? ve_load_u8(p) : 0; }
#define ve_dot_u8 ve_dot_i8
#define ve_sqdiff_u8 ve_sqdiff_i8
#define vn_zero_u8 vn_zero_i8
#define vn_add_u8 vn_add_i8
#define vn_fold_u8 vn_fold_i8

#define VE_COUNT_b1 8

typedef uint64_t ve_b1;

VB_INLINE ve_b1 ve_part_b1(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

VB_INLINE ve_b1 ve_load_b1(const char *p) { return ve_part_b1(p, 8); }

/* In pairs, in fours, in bytes, and their sum. */
VB_INLINE int32_t vb_count_bits(uint64_t v)
{
    v -= v >> 1 & 0x5555555555555555u;
    v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
    return (int32_t)((((v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u) >> 56);
}

VB_INLINE vn_b1 ve_dot_b1(vn_b1 sum, ve_b1 a, ve_b1 x) { return sum + vb_count_bits(a & x); }
VB_INLINE vn_b1 ve_sqdiff_b1(vn_b1 sum, ve_b1 a, ve_b1 x) { return sum + vb_count_bits(a ^ x); }
#define vn_zero_b1 vn_zero_i8
#define vn_add_b1 vn_add_i8
#define vn_fold_b1 vn_fold_i8

/* ---- float32 (screen.h) ---- */

#define VF_LANES 1

typedef float vf;

VB_INLINE vf vf_zero(void) { return 0.0f; }
VB_INLINE vf vf_add(vf a, vf b) { return a + b; }
VB_INLINE vf vf_sub(vf a, vf b) { return a - b; }
VB_INLINE vf vf_muladd(vf a, vf b, vf c) { return a * b + c; }
VB_INLINE float vf_fold(vf v) { return v; }

VB_INLINE vf vf_load(const char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return x;
}

VB_INLINE vf vf_part(const char *p, size_t n) { return n ? vf_load(p) : 0.0f; }

/* ---- float32 (encode.h, widen.h) ---- */

VB_INLINE vf vf_load_f16(const char *p) { return (float)vb_element(VB_F16, p, 0); }
VB_INLINE vf vf_load_bf16(const char *p) { return (float)vb_element(VB_BF16, p, 0); }
VB_INLINE vf vf_part_f16(const char *p, size_t n) { return n ? vf_load_f16(p) : 0.0f; }
VB_INLINE vf vf_part_bf16(const char *p, size_t n) { return n ? vf_load_bf16(p) : 0.0f; }

VB_INLINE vf vf_set1(float x) { return x; }
VB_INLINE vf vf_mul(vf a, vf b) { return a * b; }
VB_INLINE vf vf_max(vf a, vf b) { return a > b ? a : b; }
VB_INLINE void vf_store(float *p, vf v) { *p = v; }
VB_INLINE float vf_most(vf v) { return v; }

VB_INLINE void vf_low_bytes(uint8_t *p, vf v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    *p = (uint8_t)bits;
}

/* ---- int8 (sieve.h) ---- */

#define VI_LANES 1
#define VI_GROUP 1
#define VI_LIMIT 127

typedef int32_t vi;

VB_INLINE vi vi_set1(int32_t x) { return x; }

VB_INLINE vi vi_rows(const uint8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return four;
}

VB_INLINE vi vi_query(const int8_t *p) { return vi_rows((const uint8_t *)p); }

VB_INLINE vi vi_dot(vi sum, vi rows, vi query)
{
    uint8_t x[4];
    int8_t q[4];
    memcpy(x, &rows, sizeof x);
    memcpy(q, &query, sizeof q);
    /* Products are modulo 2^32. */
    return (vi)((uint32_t)sum + (uint32_t)((x[0] * q[0] + x[1] * q[1]) + (x[2] * q[2] + x[3] * q[3])));
}

VB_INLINE vi vi_both(vi sum, vi rows, vi query) { return sum + vb_count_bits((uint32_t)(rows & query)); }
VB_INLINE void vi_store(int32_t *p, vi v) { *p = v; }

VB_INLINE uint32_t vi_passed(vi sum, const float *unit, const float *norm_term, float a, float t, float k)
{
    return !((float)sum < a * *unit + (t * *norm_term - k));
}

/* ---- tiles (tile.inc) ---- */

VB_INLINE vf vf_fma(vf a, vf b, vf c) { return fmaf(a, b, c); }
VB_INLINE vf vf_root(vf a) { return sqrtf(a); }
VB_INLINE vf vf_every(const char *p) { return vf_load(p); }
VB_INLINE uint32_t vf_exceed(vf a, vf b) { return !(a <= b); }

typedef uint32_t vp;

VB_INLINE vp vp_load(const char *p)
{
    vp pair;
    memcpy(&pair, p, sizeof pair);
    return pair;
}

VB_INLINE vp vp_every(const char *p) { return vp_load(p); }

VB_INLINE vf vp_fma(vp a, vp b, vf c)
{
    const uint32_t halves[4] = {a << 16, b << 16, a & 0xffff0000u, b & 0xffff0000u};
    float x[4];
    memcpy(x, halves, sizeof x);
    return fmaf(x[0], x[1], fmaf(x[2], x[3], c));
}

VB_INLINE vd vd_set1(double x) { return x; }
VB_INLINE vd vd_scale(vd v, double s) { return v * s; }
VB_INLINE vd vd_mul(vd a, vd b) { return a * b; }
VB_INLINE vd vd_max(vd a, vd b) { return a > b ? a : b; }
VB_INLINE vd vd_root(vd a) { return sqrt(a); }
VB_INLINE vd vd_every(const char *p) { return vd_load_f64(p); }
VB_INLINE void vd_store(double *p, vd v) { *p = v; }
VB_INLINE uint32_t vd_exceed(vd a, vd b) { return !(a <= b); }

#endif
