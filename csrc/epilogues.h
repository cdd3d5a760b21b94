/* epilogues.h - from the sums of two rows to a value of a metric.
 *
 * The root of the product, not the product of the roots: for a row with itself dot = aa = xx, and
 * sqrt(x * x) is x in binary floating point when nothing over- or underflows, so cosine(x, x) is exactly
 * 0. A zero row gives 0 / 0, which is NaN. Where float64 sums of squares leave the range in
 * which that holds (vb_square_is_safe), extremes.c measures again with scaled rows.
 */
#ifndef VB_EPILOGUES_H
#define VB_EPILOGUES_H

#include <float.h>
#include <math.h>

#include "vecblade.h"

/* Whether sqrt(sum) is the distance to full precision: terms lost to underflow (each under
 * 2^-1074) must not matter beside the sum, which must not be infinite, NaN or 0. */
VB_INLINE int vb_root_is_safe(double sum) { return (sum >= 0x1p-960) & (sum <= DBL_MAX); }

/* Whether a sum of squares may enter sqrt(aa * xx): the product of two such is normal. */
VB_INLINE int vb_square_is_safe(double sum) { return (sum >= 0x1p-480) & (sum <= 0x1p480); }

/* 0 / 0 and inf - inf leave NaNs of either sign: one of them goes out. */
VB_INLINE double vb_similarity(double dot, double aa, double xx)
{
    double s = dot / sqrt(aa * xx);
    s = s > 1.0 ? 1.0 : s;
    s = s < -1.0 ? -1.0 : s;
    return s == s ? s : (double)NAN;
}

/* Of what either of two bit rows has, the share that not both have. Whole numbers, so rounded once. */
VB_INLINE double vb_jaccard(double dot, double aa, double xx)
{
    const double all = aa + xx - dot, share = (all - dot) / all;
    return all == 0.0 ? 0.0 : share;
}

#endif
