/* extremes.h - rows whose squares leave float64: 1e200 squared is infinite, 1e-200 squared is
 * zero, while the distance and the cosine themselves are ordinary numbers.
 *
 * Only float64 elements can get there (a float32 squared lies in 2^-298 .. 2^256), and rows of zeros. Of bits, the
 * functions below tell only zero from the rest. The rows are
 * scaled by powers of two and measured by one portable loop, so here too the bits do not
 * depend on the ISA.
 */
#ifndef VB_EXTREMES_H
#define VB_EXTREMES_H

#include "epilogues.h"

/* For any rows whatever: zero, infinite and NaN ones too. */
double vb_extreme_euclidean(vb_type a_type, const void *a, vb_type x_type, const void *x, size_t d);
/* Cosine similarity. */
double vb_extreme_cosine(vb_type a_type, const void *a, vb_type x_type, const void *x, size_t d);
/* Scale a row in place so that its squares are safe, and return their sum; NaN, and the row
 * full of NaN, if it has no direction. */
double vb_extreme_rescale(double *row, size_t d);

#endif
