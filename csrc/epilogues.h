/* epilogues.h - from the sums of two rows to a value of a metric, and where that is not possible.
 *
 * A cosine is dot / sqrt(aa * xx). Two kinds of pairs are measured once more (apart.c):
 *
 *   - float64 rows whose squares leave float64: 1e200 squared is infinite, 1e-200 squared is zero;
 *   - rows that point nearly the same way, of whose distance 1 - cosine only rounding would be left.
 */
#ifndef VB_EPILOGUES_H
#define VB_EPILOGUES_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "util.h"

/* Whether sqrt(sum) is the distance to full precision: terms lost to underflow (each under
 * 2^-1074) must not matter beside the sum, which must not be infinite, NaN or 0. */
VB_INLINE int vb_root_is_safe(double sum) { return (sum >= 0x1p-960) & (sum <= DBL_MAX); }

/* Whether a sum of squares may enter sqrt(aa * xx): the product of two such is normal. */
VB_INLINE int vb_square_is_safe(double sum) { return (sum >= 0x1p-480) & (sum <= 0x1p480); }

/* The most that a cosine of canonical sums differs from that of the rows: three sums of at most d / 32 + 6 roundings,
 * a root and a quotient, with room. */
VB_INLINE double vb_cosine_error(size_t d) { return ((double)d + 512.0) * 0x1p-56; }

/* From this cosine on the distance 1 - cosine is told by residuals. It leaves an error of some 1e-12 of itself to
 * the distances below; rows that are nearer than that cost twice the time. */
VB_INLINE double vb_near_edge(size_t d)
{
    const double distance = ((double)d + 224.0) * 0x1p-18;
    return 1.0 - (distance < 0.25 ? distance : 0.25);
}

/* NaN where it is not to be told from these sums. (0 / 0 and inf - inf leave NaNs of either sign: one of them goes out.) */
VB_INLINE double vb_similarity(double dot, double aa, double xx, double edge)
{
    const double s = dot / sqrt(aa * xx), held = s < -1.0 ? -1.0 : s;
    return (s < edge) & vb_square_is_safe(xx) ? held : (double)NAN;
}

/* Of what either of two bit rows has, the share that not both have. Whole numbers, so rounded once. */
VB_INLINE double vb_jaccard(double dot, double aa, double xx)
{
    const double all = aa + xx - dot, share = (all - dot) / all;
    return all == 0.0 ? 0.0 : share;
}

/* What two rows have of an angle. */
typedef struct {
    double similarity, distance; /* its cosine, and 1 - that */
    int near;                    /* whether the distance was told by residuals: then it has more digits */
} vb_angle;

/* The value that an epilogue makes of an angle. */
VB_INLINE double vb_value_of_angle(vb_epilogue epilogue, vb_angle angle)
{
    switch (epilogue) {
    case VB_SIMILARITY:
        return angle.similarity;
    case VB_ANGULAR:
        return angle.distance;
    case VB_RAW:
    case VB_SQUARED:
    case VB_ROOT:
    case VB_UNSHARED: /* of other geometries */
        break;
    }
    VB_UNREACHABLE();
}

/* ---- scores: what a search ranks by -------------------------------------------------
 *
 * Smaller is closer. Of a distance the value itself, of a similarity the negative. Of cosines past the edge, which round to
 * 1 and its neighbours, the distance tells more: these rank before all others, by their distance, which is kept in
 * the bits of a number below -1. */

VB_INLINE double vb_near_score(double distance)
{
    uint64_t bits;
    double score;
    memcpy(&bits, &distance, sizeof bits);
    bits = ((uint64_t)0xffe << 52) - bits; /* from -2^1023 (distance 0) up */
    memcpy(&score, &bits, sizeof score);
    return score;
}

VB_INLINE double vb_near_distance(double score)
{
    uint64_t bits;
    double distance;
    memcpy(&bits, &score, sizeof bits);
    bits = ((uint64_t)0xffe << 52) - bits;
    memcpy(&distance, &bits, sizeof distance);
    return distance;
}

#endif
