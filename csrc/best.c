#include "best.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t sign = (uint64_t)1 << 63, nan_key = UINT64_MAX - 1, no_bar = UINT64_MAX;

static uint64_t key_of(double score)
{
    uint64_t bits;
    if (score != score)
        return nan_key;
    score += 0.0; /* -0.0 becomes 0.0 */
    memcpy(&bits, &score, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
}

double vb_best_score(uint64_t key)
{
    const uint64_t bits = key & sign ? key ^ sign : ~key;
    double score;
    memcpy(&score, &bits, sizeof score);
    return key == nan_key ? (double)NAN : score;
}

static int before(const vb_candidate *a, const vb_candidate *b)
{
    return a->key < b->key || (a->key == b->key && a->row < b->row);
}

static int compare(const void *a, const void *b) { return before(b, a) - before(a, b); }

static void swap(vb_candidate *a, vb_candidate *b)
{
    const vb_candidate t = *a;
    *a = *b;
    *b = t;
}

/* Quickselect: the k smallest of items[0..n) to the front, in any order. No two candidates are
 * equal, for rows differ, so no input degenerates into equal halves of nothing; the pivot is
 * random, so none can be built to be slow. */
static void select_smallest(vb_candidate *items, size_t n, size_t k)
{
    size_t low = 0, high = n;
    uint32_t random = 2463534242u;

    while (high - low > 1) {
        size_t middle = low;
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        swap(&items[low + random % (high - low)], &items[high - 1]);
        for (size_t i = low; i < high - 1; i++)
            if (before(&items[i], &items[high - 1]))
                swap(&items[i], &items[middle++]);
        swap(&items[middle], &items[high - 1]);
        if (middle == k)
            return;
        if (middle < k)
            low = middle + 1;
        else
            high = middle;
    }
}

/* The fewer places beyond k, the nearer is the bar to the k-th best, and the fewer rows a search looks at; the more,
 * the fewer selections. */
size_t vb_best_capacity(size_t k) { return k + (k / 8 > 8 ? k / 8 : 8); }

void vb_best_init(vb_best *best, size_t k, vb_candidate *items)
{
    *best = (vb_best){items, 0, k, {no_bar, INT64_MAX}, NAN};
}

static void shrink(vb_best *best)
{
    if (best->count <= best->k)
        return;
    select_smallest(best->items, best->count, best->k);
    best->count = best->k;
    best->bar = best->items[0];
    for (size_t i = 1; i < best->k; i++)
        if (before(&best->bar, &best->items[i]))
            best->bar = best->items[i];
    best->bar_score = vb_best_score(best->bar.key);
}

void vb_best_offer(vb_best *best, const int64_t *rows, const double *scores, size_t n)
{
    const size_t capacity = vb_best_capacity(best->k);

    for (size_t i = 0; i < n; i++) {
        const vb_candidate candidate = {key_of(scores[i]), rows[i]};
        if (!before(&candidate, &best->bar))
            continue;
        best->items[best->count++] = candidate;
        if (best->count == capacity)
            shrink(best);
    }
}

size_t vb_best_finish(vb_best *best)
{
    shrink(best);
    qsort(best->items, best->count, sizeof *best->items, compare);
    return best->count;
}
