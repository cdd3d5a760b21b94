/* simd_scalar.h - the vocabulary in portable C: a "vector" is one number. */
#ifndef VB_SIMD_SCALAR_H
#define VB_SIMD_SCALAR_H

#include <math.h>
#include <string.h>

#include "../vecblade.h"

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

#endif
