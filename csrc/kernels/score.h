/* score.h - the epilogues of the metrics over many sums: plain loops, for the compiler to vectorise with the flags of
 * the unit that includes them. (With those of any CPU a cosine cost 4 ns, as much as the sum of 128 bytes
 * from memory.)
 */
#ifndef VB_KERNELS_SCORE_H
#define VB_KERNELS_SCORE_H

#include "../epilogues.h"
#include "contract.h"

VB_INLINE int vb_score(vb_metric metric, size_t n, double norm, const double *restrict norms, double *restrict values)
{
    size_t safe = 0;
    switch (metric) {
    case VB_METRIC_EUCLIDEAN:
        for (size_t i = 0; i < n; i++)
            safe += vb_root_is_safe(values[i]);
        if (safe < n)
            return 0;
        for (size_t i = 0; i < n; i++)
            values[i] = sqrt(values[i]);
        return 1;
    case VB_METRIC_COSINE:
    case VB_METRIC_COSINE_SIMILARITY:
        for (size_t i = 0; i < n; i++)
            safe += vb_square_is_safe(norms[i]);
        if (safe < n || !vb_square_is_safe(norm))
            return 0;
        if (metric == VB_METRIC_COSINE)
            for (size_t i = 0; i < n; i++)
                values[i] = 1.0 - vb_similarity(values[i], norm, norms[i]);
        else
            for (size_t i = 0; i < n; i++)
                values[i] = vb_similarity(values[i], norm, norms[i]);
        return 1;
    case VB_METRIC_JACCARD:
        for (size_t i = 0; i < n; i++)
            values[i] = vb_jaccard(values[i], norm, norms[i]);
        return 1;
    default:
        return 1;
    }
}

#endif
