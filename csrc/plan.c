/* plan.c - the time that each way of searching takes, and the least of these.
 *
 * With n queries, m eligible rows of d elements, and r(k, m) = k (1 + log(m / k)) the number of rows that are among the k closest so far
 * when their turn comes:
 *
 *   rows    n m pairs measured
 *   tiles   m rows packed, n queries packed, n m pairs multiplied, n r measured
 *   sieve   m rows encoded, n queries encoded, n m pairs compared, n r measured
 *   codes   the same, of all rows, none of which has to be encoded
 *
 * each so much per piece and so much per element. What data is like is not known: these are times of ordinary data.
 */
#include "plan.h"

#include <math.h>
#include <string.h>

/* Nanoseconds, per piece and per element. */
typedef struct {
    double piece, element;
} cost;

typedef struct {
    const char *sieve; /* machines whose sieve is of this unit */
    cost pair, pack, place, multiply, begin, encode, ready, compare, measure;
} family;

/* Measured with top-k of float32 rows, one thread: the nonnegative least-squares fit of 110 shapes. Only their ratios matter. */
static const family families[] = {
    /* AMD Zen 4, 2026-11: the rates of its kernels in a quiet process, the rest by Zen 3's */
    {"avx512vnni", .pair = {3.5, 0.043}, .pack = {33, 0.55}, .place = {20, 0.87}, .multiply = {0.4, 0.020},
     .begin = {10000, 0}, .encode = {2, 0.38}, .ready = {170, 9}, .compare = {0.2, 0.004}, .measure = {21, 0.11}},
    /* AMD Zen 3, 2026-11 */
    {"avx2", .pair = {6.4, 0.081}, .pack = {59, 0.99}, .place = {30, 1.6}, .multiply = {0.73, 0.0277},
     .begin = {18000, 0}, .encode = {3.4, 1.08}, .ready = {300, 16}, .compare = {0.84, 0.0158}, .measure = {38, 0.2}},
};

static const family *this_family(void)
{
    const char *name = vb_kernels.sieve[VB_I8] ? vb_kernels.sieve[VB_I8]->name : "";
    const size_t count = sizeof families / sizeof *families;
    for (size_t i = 0; i < count; i++) {
        const size_t at = strlen(name), tail = strlen(families[i].sieve);
        if (at >= tail && strcmp(name + at - tail, families[i].sieve) == 0)
            return &families[i];
    }
    return &families[count - 1];
}

static double of(cost c, double pieces, double d) { return pieces * (c.piece + c.element * d); }

static vb_plan least_real(const vb_request *r, size_t wanted, int tiles)
{
    const family *f = this_family();
    const double n = (double)r->queries.count, m = (double)r->where.eligible, all = (double)r->corpus.count;
    const double d = (double)r->d, k = (double)wanted < m ? (double)wanted : m;
    const double measured = n * k * (1.0 + log(m / k)), pairs = n * m;
    /* Tiles come in whole ones. */
    const vb_record *tile = vb_kernels.tile[VB_DOT][VB_F32];
    const double whole = tiles ? ceil(n / tile->rows) * tile->rows * ceil(m / tile->columns) * tile->columns : 0.0;
    double times[VB_PLANS];
    vb_plan best = VB_PLAN_ROWS;

    for (int p = 0; p < VB_PLANS; p++)
        times[p] = INFINITY;
    times[VB_PLAN_ROWS] = of(f->pair, pairs, d);
    if (tiles)
        times[VB_PLAN_TILES] =
            of(f->pack, m, d) + of(f->place, n, d) + of(f->multiply, whole, d) + of(f->measure, measured, d);
    if (vb_codes_suit(r->d)) {
        const double sift = of(f->ready, n, d) + of(f->measure, measured, d);
        times[VB_PLAN_SIEVE] = of(f->begin, 1, d) + of(f->encode, m, d) + of(f->compare, pairs, d) + sift;
        if (r->codes)
            times[VB_PLAN_CODES] = of(f->compare, n * all, d) + sift;
    }
    for (int p = 0; p < VB_PLANS; p++)
        if (times[p] < times[best])
            best = (vb_plan)p;
    return best;
}

/* Of integers and bits, measured on Zen 4. With codes that are there, a query costs 0.7 ns per row (of 128 numbers), without 9 ns; so where
 * ids leave one row in sixteen, a look at all codes takes about as long. Codes made on the way pay from 24 queries on for 32
 * numbers, 12 for 128, 8 for 768, and another 24 if there are 1000 rows. */
static vb_plan least_exact(const vb_request *r)
{
    const size_t enough_rows = 1024, enough_share = 16, eligible = r->where.eligible;

    if (!vb_codes_suit(r->d))
        return VB_PLAN_ROWS;
    if (r->codes && eligible >= enough_rows && eligible >= r->corpus.count / enough_share)
        return VB_PLAN_CODES;
    return r->queries.count >= 8 + 512 / r->d + 24000 / eligible ? VB_PLAN_SIEVE : VB_PLAN_ROWS;
}

vb_plan vb_choose_plan(const vb_request *r, size_t wanted, int tiles)
{
    if (r->where.eligible == 0 || r->plan == VB_PLAN_ROWS || (r->plan == VB_PLAN_SIEVE && !vb_codes_suit(r->d)))
        return VB_PLAN_ROWS;
    if (r->plan == VB_PLAN_SIEVE)
        return VB_PLAN_SIEVE;
    if (r->plan == VB_PLAN_TILES)
        return tiles ? VB_PLAN_TILES : VB_PLAN_ROWS;
    return vb_type_kind(r->corpus.type) == VB_REAL ? least_real(r, wanted, tiles) : least_exact(r);
}
