#include "best.h"

#include <math.h>
#include <string.h>

#include "job.h"

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

int vb_best_is_full(const vb_best *best) { return best->bar.key != no_bar; }

double vb_best_score(uint64_t key)
{
    const uint64_t bits = key & sign ? key ^ sign : ~key;
    double score;
    memcpy(&score, &bits, sizeof score);
    return key == nan_key ? (double)NAN : score;
}

/* No two candidates are equal, for rows differ. (A test has an adversary in this place.) */
#ifndef VB_BEFORE
#define VB_BEFORE(a, b) ((a)->key < (b)->key || ((a)->key == (b)->key && (a)->row < (b)->row))
#endif

static int before(const vb_candidate *a, const vb_candidate *b) { return VB_BEFORE(a, b); }

static void swap(vb_candidate *a, vb_candidate *b)
{
    const vb_candidate t = *a;
    *a = *b;
    *b = t;
}

/* ---- the smallest of many ---------------------------------------------------------- */

/* How few items are sorted one by one, how many have a sample, and how many uneven parts of a sort are bad luck. */
enum { FEW = 12, SAMPLED = 64, UNEVEN = 8 };

static void sort_few(vb_candidate *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const vb_candidate item = items[i];
        size_t at = i;
        for (; at > 0 && before(&item, &items[at - 1]); at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* Move what is before items[pivot] to the front, the pivot behind it, and return where that is. (Two scans that meet: one
 * scan without branches stores each item where the next one is loaded, and took twice as long.) */
static size_t partition(vb_candidate *items, size_t n, size_t pivot)
{
    size_t low = 0, high = n;

    swap(&items[0], &items[pivot]);
    for (;;) {
        do
            low++;
        while (low < n && before(&items[low], &items[0]));
        do
            high--;
        while (before(&items[0], &items[high]));
        if (low >= high)
            break;
        swap(&items[low], &items[high]);
    }
    swap(&items[0], &items[high]);
    return high;
}

static size_t median(const vb_candidate *items, size_t a, size_t b, size_t c)
{
    const int ab = before(&items[a], &items[b]), bc = before(&items[b], &items[c]);

    if (ab == bc)
        return b;
    return before(&items[a], &items[c]) == ab ? c : a;
}

/* Near the middle: the median of three, or of three such. */
static size_t middle_pivot(const vb_candidate *items, size_t n)
{
    const size_t part = n / 9, middle = n / 2;

    if (n < 128)
        return median(items, 0, middle, n - 1);
    return median(items, median(items, 0, part, 2 * part), median(items, middle - part, middle, middle + part),
                  median(items, n - 1 - 2 * part, n - 1 - part, n - 1));
}

static void select_smallest(vb_candidate *items, size_t n, size_t k);

/* A pivot that is likely to leave little: of a sample from everywhere the one that should lie just beyond number k, as
 * seen from the nearer end. */
static size_t likely_pivot(vb_candidate *items, size_t n, size_t k)
{
    const double root = sqrt((double)n);
    const size_t sample = (size_t)(2.0 * root), step = n / sample, margin = (size_t)sqrt(root);
    size_t rank = (size_t)((double)k / (double)n * (double)sample);

    if (n < SAMPLED)
        return middle_pivot(items, n);
    for (size_t i = 1; i < sample; i++) /* not every `step`-th: rows may come in turns */
        swap(&items[i], &items[i * step + i * 40503u % 65521u % step]);
    if (k < n / 2)
        rank = vb_min(rank + margin, sample - 1);
    else
        rank = rank > margin ? rank - margin : 0;
    select_smallest(items, sample, rank);
    return rank;
}

/* A pivot that has at least three tenths of the others on either side, but for a few: the median of medians of five
 * (Blum, Floyd, Pratt, Rivest, Tarjan 1973). */
static size_t sure_pivot(vb_candidate *items, size_t n)
{
    const size_t groups = n / 5;

    for (size_t i = 0; i < groups; i++) {
        sort_few(items + 5 * i, 5);
        swap(&items[i], &items[5 * i + 2]);
    }
    select_smallest(items, groups, groups / 2);
    return groups / 2;
}

/* Item number k of n, k < n, to its place, and the k before it to the front, in any order. As a rule each item is
 * compared 1.3 times. When more than four times as many have been, by pivots with which it is linear for any input:
 * there is no chance in it, so an input could be made for whatever pivots are only likely to be good. */
static void select_smallest(vb_candidate *items, size_t n, size_t k)
{
    const size_t enough = 4 * n;
    size_t done = 0;

    while (n > FEW) {
        const size_t front = partition(items, n, done < enough ? likely_pivot(items, n, k) : sure_pivot(items, n));
        done += n;
        if (front == k)
            return;
        if (front < k) {
            items += front + 1;
            n -= front + 1;
            k -= front + 1;
        } else {
            n = front;
        }
    }
    sort_few(items, n);
}

/* Quicksort, the shorter side first, and by medians after so many uneven parts: n log n for any input, which qsort of
 * some C libraries is not. */
static void sort(vb_candidate *items, size_t n, int uneven)
{
    while (n > FEW) {
        size_t front = n / 2;
        if (uneven > 0)
            front = partition(items, n, middle_pivot(items, n));
        else
            select_smallest(items, n, front);
        uneven -= front < n / 8 || front >= n - n / 8;
        if (front < n / 2) {
            sort(items, front, uneven);
            items += front + 1;
            n -= front + 1;
        } else {
            sort(items + front + 1, n - front - 1, uneven);
            n = front;
        }
    }
    sort_few(items, n);
}

/* ---- the best of a stream ---------------------------------------------------------- */

/* The fewer places beyond k, the nearer is the bar to the k-th best, and the fewer rows a search looks at; the more, the
 * fewer selections. With an eighth of k, rows that come from far to near, all of which get in, took five times as long
 * as others (100 of 100,000 x 128); with half of it twice, and others as long as before. */
size_t vb_best_capacity(size_t k) { return k + (k / 2 > 8 ? k / 2 : 8); }

void vb_best_init(vb_best *best, size_t k, vb_candidate *items)
{
    *best = (vb_best){items, 0, k, {no_bar, INT64_MAX}, NAN};
}

static void shrink(vb_best *best)
{
    if (best->count <= best->k)
        return;
    select_smallest(best->items, best->count, best->k - 1);
    best->count = best->k;
    best->bar = best->items[best->k - 1];
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
    sort(best->items, best->count, UNEVEN);
    return best->count;
}
