/* check_best.c - how many comparisons the k best of a stream take: of rows in every order, and of an adversary's.
 *
 * The adversary (McIlroy, A Killer Adversary for Quicksort, 1999) settles how two rows compare when it is asked, so
 * that what is compared most, a pivot, turns out to be an extreme one. Its answers are of one order, which is then
 * searched again as keys. */
#include <stddef.h>
#include <stdint.h>

static int compares_before(const void *a, const void *b);
#define VB_BEFORE(a, b) compares_before(a, b)

#include "best.c"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 200000 };

/* Comparisons for each item that selections may take, with an adversary and without one; all offers of a stream; and
 * sorts, times the logarithm. */
static const double enough = 20.0, few = 3.0, offers = 48.0, sorts = 6.0;

static vb_candidate items[MOST], copied[MOST];
static size_t comparisons, settled, suspect;
static size_t place[MOST];     /* of each row in the adversary's order; MOST: not settled */
static int adversary, falling; /* whether there is one; and whether what it settles is the largest and not the least */

static int compares_before(const void *left, const void *right)
{
    const vb_candidate *a = left, *b = right;
    size_t x, y;

    comparisons++;
    if (!adversary || a->row >= MOST || b->row >= MOST) /* the first bar is of no row */
        return a->key < b->key || (a->key == b->key && a->row < b->row);
    x = (size_t)a->row;
    y = (size_t)b->row;
    if (x == y)
        return 0;
    if (place[x] == MOST && place[y] == MOST)
        place[x == suspect ? x : y] = settled++;
    if (place[x] == MOST)
        suspect = x;
    else if (place[y] == MOST)
        suspect = y;
    return falling ? place[x] > place[y] : place[x] < place[y];
}

static void begin(int with_adversary, int from_above, size_t n)
{
    adversary = with_adversary;
    falling = from_above;
    comparisons = settled = suspect = 0;
    for (size_t i = 0; i < n; i++)
        place[i] = MOST;
}

/* The adversary's order as keys; rows that it never settled are all on the far side of the others. */
static void take_order(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t key = place[i] == MOST ? settled + i : place[i];
        items[i] = (vb_candidate){falling ? 2 * MOST - key : key, (int64_t)i};
    }
}

static int by_key(const void *left, const void *right)
{
    const vb_candidate *a = left, *b = right;
    return a->key == b->key ? (a->row > b->row) - (a->row < b->row) : a->key < b->key ? -1 : 1;
}

static void fail(const char *what, const char *order, size_t n, size_t k)
{
    printf("%s of %zu, k = %zu, %s: %zu comparisons\n", what, n, k, order, comparisons);
    exit(1);
}

static double select_all(const char *order, size_t n, size_t k, double limit)
{
    memcpy(copied, items, n * sizeof *items);
    select_smallest(items, n, k);
    if ((double)comparisons > limit * (double)n + 100.0)
        fail("selection", order, n, k);
    if (adversary)
        return (double)comparisons / (double)n;
    qsort(copied, n, sizeof *copied, by_key);
    if (memcmp(&items[k], &copied[k], sizeof *items) != 0)
        fail("wrong selection", order, n, k);
    qsort(items, k, sizeof *items, by_key);
    if (memcmp(items, copied, k * sizeof *items) != 0)
        fail("wrong smallest", order, n, k);
    return (double)comparisons / (double)n;
}

static double sort_all(const char *order, size_t n)
{
    const double limit = sorts * log2((double)n + 2.0);

    memcpy(copied, items, n * sizeof *items);
    sort(items, n, UNEVEN);
    if ((double)comparisons > limit * (double)n)
        fail("sort", order, n, n);
    if (!adversary) {
        qsort(copied, n, sizeof *copied, by_key);
        if (memcmp(items, copied, n * sizeof *items) != 0)
            fail("wrong sort", order, n, n);
    }
    return (double)comparisons / (double)n;
}

/* Rows that are offered one after the other; their scores are their keys. */
static double offer_all(const char *order, size_t n, size_t k)
{
    static vb_candidate held[2 * MOST];
    vb_best best;

    vb_best_init(&best, k, held);
    for (size_t i = 0; i < n; i++) {
        const double score = (double)items[i].key;
        vb_best_offer(&best, &items[i].row, &score, 1);
    }
    if ((double)comparisons > offers * (double)n)
        fail("offers", order, n, k);
    if (vb_best_finish(&best) != k)
        fail("too few", order, n, k);
    qsort(items, n, sizeof *items, by_key);
    for (size_t i = 0; i < k && !adversary; i++)
        if (held[i].row != items[i].row)
            fail("wrong best", order, n, k);
    return (double)comparisons / (double)n;
}

static uint64_t next_number(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char *const orders[] = {"random",     "rising",         "falling",    "equal",
                                     "organ pipe", "few of a kind",  "two halves", "rising, then the least",
                                     "saw teeth",  "every other one"};
enum { ORDERS = sizeof orders / sizeof *orders };

static void order_items(size_t order, size_t n)
{
    uint64_t state = 88172645463325252u;

    for (size_t i = 0; i < n; i++) {
        const uint64_t number = next_number(&state);
        const uint64_t keys[ORDERS] = {number >> 12,
                                       i,
                                       n - i,
                                       7,
                                       i < n / 2 ? i : n - i,
                                       number % 4,
                                       i < n / 2 ? i + n : i,
                                       i < n - n / 9 ? i + n : i,
                                       i % 100,
                                       i % 2 ? i : 2 * n - i};
        items[i] = (vb_candidate){keys[order], (int64_t)i};
    }
}

int main(void)
{
    static const size_t sizes[] = {1, 2, 5, 13, 27, 100, 1125, 5000, 22500, 90000};
    double worst = 0.0, usual = 0.0, sorted = 0.0, offered = 0.0;
    size_t made = 0;

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s], ks[] = {0, n / 100, n / 10, n / 2, n * 2 / 3, n * 8 / 9, n - 1};
        for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
            for (size_t order = 0; order < ORDERS; order++) {
                order_items(order, n);
                begin(0, 0, n);
                usual = fmax(usual, n < 1000 ? 0.0 : select_all(orders[order], n, ks[i], few));
            }
            for (int from_above = 0; from_above < 2; from_above++) {
                order_items(1, n);
                begin(1, from_above, n);
                worst = fmax(worst, select_all("adversary", n, ks[i], enough));
                take_order(n);
                begin(0, from_above, n);
                worst = fmax(worst, select_all("adversary's order", n, ks[i], enough));
                made += 2;
            }
        }
        for (size_t order = 0; order < ORDERS; order++) {
            order_items(order, n);
            begin(0, 0, n);
            sort_all(orders[order], n);
            for (size_t k = 1; k <= n; k = k * 7 + 1) {
                order_items(order, n);
                begin(0, 0, n);
                offered = fmax(offered, offer_all(orders[order], n, k));
            }
        }
        for (int from_above = 0; from_above < 2; from_above++) {
            order_items(1, n);
            begin(1, from_above, n);
            sorted = fmax(sorted, sort_all("adversary", n) / log2((double)n + 2.0));
            for (size_t k = 1; k <= n; k = k * 7 + 1) {
                order_items(1, n);
                begin(1, from_above, n);
                offered = fmax(offered, offer_all("adversary", n, k));
            }
        }
    }
    printf("%zu selections: %.1f comparisons an item, of the adversary %.1f, its sorts %.1f times the logarithm, "
           "offers %.1f, right\n",
           made, usual, worst, sorted, offered);
    return 0;
}
