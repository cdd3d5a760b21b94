/* best.h - the k best of a stream of scored rows.
 *
 * Knows no metric: a score is a float64, smaller is better, NaN is worst. Scores become integer
 * keys in the same order, in which -0.0 equals 0.0 and all NaNs are one. Rows may come in any order; of those
 * with equal scores the first ones are the best.
 */
#ifndef VB_BEST_H
#define VB_BEST_H

#include "vecblade.h"

typedef struct {
    uint64_t key;
    int64_t row;
} vb_candidate;

/* A reservoir: the k best so far are among the first `count` items; when it is full, all but
 * the k best are dropped. Amortised constant time a row for any k. */
typedef struct {
    vb_candidate *items; /* room for vb_best_capacity(k) */
    size_t count, k;
    vb_candidate bar; /* only what is before it can still get in */
    double bar_score; /* its score; NaN: any score may get in */
} vb_best;

size_t vb_best_capacity(size_t k);
void vb_best_init(vb_best *best, size_t k, vb_candidate *items);
/* Offer rows[i] with scores[i], i < n. */
void vb_best_offer(vb_best *best, const int64_t *rows, const double *scores, size_t n);
/* Sort the k best (or as many as came) to the front and return how many. */
size_t vb_best_finish(vb_best *best);

/* Whether there are k, so that the bar is that of the worst of them. */
int vb_best_is_full(const vb_best *best);

double vb_best_score(uint64_t key);

#endif
