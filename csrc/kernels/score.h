/* score.h - the epilogues of the metrics over many sums: plain loops, for the compiler to vectorise with the flags of
 * the unit that includes them. (With those of any CPU a cosine cost 4 ns, as much as the sum of 128 bytes
 * from memory.)
 */
#ifndef VB_KERNELS_SCORE_H
#define VB_KERNELS_SCORE_H

#include "../epilogues.h"
#include "contract.h"

VB_INLINE int vb_score(const vb_scoring *scoring, size_t n, const double *restrict sums, const double *restrict norms,
                       double *restrict values)
{
    const double norm = scoring->norm, edge = scoring->edge;
    size_t known = 0;
    switch (scoring->epilogue) {
    case VB_ROOT:
        for (size_t i = 0; i < n; i++)
            values[i] = sqrt(sums[i]);
        for (size_t i = 0; scoring->wide && i < n; i++)
            values[i] = vb_root_is_safe(sums[i]) ? values[i] : (double)NAN;
        break;
    case VB_ANGULAR:
        for (size_t i = 0; i < n; i++)
            values[i] = 1.0 - vb_similarity(sums[i], norm, norms[i], edge);
        break;
    case VB_SIMILARITY:
        for (size_t i = 0; i < n; i++)
            values[i] = vb_similarity(sums[i], norm, norms[i], edge);
        break;
    case VB_UNSHARED:
        for (size_t i = 0; i < n; i++)
            values[i] = vb_jaccard(sums[i], norm, norms[i]);
        break;
    case VB_RAW:
        for (size_t i = 0; i < n; i++)
            values[i] = (!scoring->wide | (fabs(sums[i]) <= DBL_MAX)) ? sums[i] : (double)NAN;
        break;
    case VB_SQUARED:
        memcpy(values, sums, n * sizeof *values);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        known += values[i] == values[i];
    return known < n;
}

#endif
