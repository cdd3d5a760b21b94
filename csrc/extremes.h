/* extremes.h - rows whose squares leave float64: 1e200 squared is infinite, 1e-200 squared is
 * zero, while the distance and the cosine themselves are ordinary numbers.
 *
 * Only float64 elements can get there (a float32 squared lies in 2^-298 .. 2^256). The rows are
 * scaled by powers of two and measured by one portable loop, so here too the bits do not
 * depend on the ISA.
 */
#ifndef VB_EXTREMES_H
#define VB_EXTREMES_H

#include <float.h>

#include "vecblade.h"

/* Whether sqrt(sum) is the distance to full precision: terms lost to underflow (each under
 * 2^-1074) must not matter beside the sum, which must not be infinite, NaN or 0. */
VB_INLINE int vb_root_is_safe(double sum) { return (sum >= 0x1p-960) & (sum <= DBL_MAX); }

/* Whether a sum of squares may enter sqrt(aa * xx): the product of two such is normal. */
VB_INLINE int vb_square_is_safe(double sum) { return (sum >= 0x1p-480) & (sum <= 0x1p480); }

/* For any rows whatever: zero, infinite and NaN ones too. */
double vb_extreme_euclidean(vb_type a_type, const void *a, vb_type x_type, const void *x, size_t d);
/* Cosine similarity. */
double vb_extreme_cosine(vb_type a_type, const void *a, vb_type x_type, const void *x, size_t d);
/* Scale a row in place so that its squares are safe, and return their sum; NaN, and the row
 * full of NaN, if it has no direction. */
double vb_extreme_rescale(double *row, size_t d);

#endif
