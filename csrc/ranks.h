/* ranks.h - the smallest of many float32 numbers, each of them known but for an error. */
#ifndef VB_RANKS_H
#define VB_RANKS_H

#include "util.h"

/* A number that at least k of n ranks do not exceed with their doubts added: the k-th smallest of these sums, or little more. None is NaN.
 * work: n numbers. */
float vb_bar_among(const float *ranks, const float *doubts, size_t n, size_t k, float *work);

/* The ids of ranks that are not above the limit, in order; returns how many. */
size_t vb_rows_up_to(const float *ranks, float limit, size_t n, const int64_t *ids, int64_t *out);

#endif
