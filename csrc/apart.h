/* apart.h - pairs of rows whose sums do not tell the value.
 *
 *   - A float64 squared may leave float64: 1e200 squared is infinite, 1e-200 squared is zero, while distance and
 *     cosine are ordinary numbers. Such rows are scaled by a power of two. So are those whose dot product is finite, but
 *     not the sums on the way. (A float32 squared lies in 2^-298 .. 2^256.)
 *   - Of rows that point nearly the same way 1 - cosine leaves rounding errors only; it is told by what remains of one row
 *     after projection on the other.
 *
 * The sums are canonical ones (kernels/contract.h), so here too the bits depend on nothing but the two rows.
 */
#ifndef VB_APART_H
#define VB_APART_H

#include "epilogues.h"

/* Two rows of d elements, both of one type or, if that of x is real, a of float64. */
typedef struct {
    vb_type a_type, x_type;
    const void *a, *x;
    size_t d;
} vb_pair_of_rows;

/* The values of any two rows, given their sums: zero, infinite and NaN rows too. */
double vb_apart_dot(const vb_pair_of_rows *pair, double sum);
double vb_apart_euclidean(const vb_pair_of_rows *pair, double sum);
vb_angle vb_apart_angle(const vb_pair_of_rows *pair, double dot, double aa, double xx);

/* A row of d float64 and its square: the power of two by which to scale it, 1 if the square is a safe one (epilogues.h). Returns the
 * square of the scaled row, which is a safe one unless the row has no direction. */
double vb_apart_square(const char *row, size_t d, double square, double *scale);
/* The row, scaled. It may be `out`. */
void vb_apart_scaled(const char *row, size_t d, double scale, double *out);

#endif
