/* simd_scalar.h - the vocabulary in portable C: a "vector" is one number. */
#ifndef VB_SIMD_SCALAR_H
#define VB_SIMD_SCALAR_H

#include <math.h>
#include <string.h>

#include "../vecblade.h"

#define VB_KEEP(x) (void)(x)

#define VD_LANES 1
#define VD_REGISTERS 96 /* the compiler's business: one pass */

typedef double vd;

VB_INLINE vd vd_zero(void) { return 0.0; }
VB_INLINE vd vd_add(vd a, vd b) { return a + b; }
VB_INLINE vd vd_sub(vd a, vd b) { return a - b; }
VB_INLINE vd vd_fma(vd a, vd b, vd c) { return fma(a, b, c); }
VB_INLINE void vd_pace(void) {}
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

/* No part of a one-element vector is left over; the names are there for the description. */
VB_INLINE vd vd_part_f32(const char *p, size_t n) { return n ? vd_load_f32(p) : 0.0; }
VB_INLINE vd vd_part_f64(const char *p, size_t n) { return n ? vd_load_f64(p) : 0.0; }

/* ---- float32 (screen.h) ---- */

#define VF_LANES 1

typedef float vf;

VB_INLINE vf vf_zero(void) { return 0.0f; }
VB_INLINE vf vf_add(vf a, vf b) { return a + b; }
VB_INLINE vf vf_sub(vf a, vf b) { return a - b; }
VB_INLINE vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
VB_INLINE float vf_fold(vf v) { return v; }

VB_INLINE vf vf_load(const char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return x;
}

VB_INLINE vf vf_part(const char *p, size_t n) { return n ? vf_load(p) : 0.0f; }

/* ---- float32 (encode.h) ---- */

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
    return sum + (x[0] * q[0] + x[1] * q[1]) + (x[2] * q[2] + x[3] * q[3]);
}

VB_INLINE uint32_t vi_passed(vi sum, const float *unit, const float *extent, float a, float t, float k)
{
    return !((float)sum < a * *unit + (t * *extent - k));
}

/* ---- tiles (tile.inc) ---- */

VB_INLINE vf vf_fuse(vf a, vf b, vf c) { return fmaf(a, b, c); }
VB_INLINE vf vf_root(vf a) { return sqrtf(a); }
VB_INLINE vf vf_every(const char *p) { return vf_load(p); }
VB_INLINE uint32_t vf_exceed(vf a, vf b) { return !(a <= b); }

VB_INLINE vd vd_set1(double x) { return x; }
VB_INLINE vd vd_mul(vd a, vd b) { return a * b; }
VB_INLINE vd vd_max(vd a, vd b) { return a > b ? a : b; }
VB_INLINE vd vd_fuse(vd a, vd b, vd c) { return fma(a, b, c); }
VB_INLINE vd vd_root(vd a) { return sqrt(a); }
VB_INLINE vd vd_every(const char *p) { return vd_load_f64(p); }
VB_INLINE void vd_store(double *p, vd v) { *p = v; }
VB_INLINE uint32_t vd_exceed(vd a, vd b) { return !(a <= b); }

#endif
