/* numbers.h - what an element of each type is, as a float64, and back. */
#ifndef VB_NUMBERS_H
#define VB_NUMBERS_H

#include <math.h>

#include "util.h"

/* Of what type a query is for the rows kernels of a type (kernels/contract.h). */
VB_INLINE vb_type vb_query_type(vb_type type) { return vb_type_kind(type) == VB_REAL ? VB_F64 : type; }

/* Element i of a row, exactly; of bits the byte. */
double vb_element(vb_type type, const char *row, size_t i);

/* d elements, exactly; of bits d bytes, so 8 d numbers, the highest bit of a byte first. */
void vb_widen(vb_type type, const void *row, size_t d, double *out);
/* n values to elements of `type`, `stride` bytes apart: to a real type rounded once, to nearest even; to an
 * integer the values must be integers in its range. Not to bits. */
void vb_store(vb_type type, const double *values, size_t n, char *out, ptrdiff_t stride);

/* A float64 as float32, rounded down, or up: for bounds. */
VB_INLINE float vb_at_most(double x)
{
    const float f = (float)x;
    return (double)f > x ? nextafterf(f, -INFINITY) : f;
}

VB_INLINE float vb_at_least(double x) { return -vb_at_most(-x); }

#endif
