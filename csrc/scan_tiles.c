/* Over 500 lines: the bound, the rows and queries that it is of, and what it leaves stand together. */
#include "scan_tiles.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ranks.h"
#include "tiles.h"

/* What a tile makes of a query q and a row x is called their rank here: smaller is closer. With c, the center,
 *
 *   squared distances   |q - x|^2 = |Q - X|^2            Q = q - c          X = x - c
 *   angles              2 (1 - cos) = |Q - X|^2          Q = q / |q| - c    X = x / |x| - c
 *   dot products        2 p (q.c - q.x) = -2 Q.X         Q = p q            X = x - c
 *
 * p being a power of two that brings |Q| near the length of rows. Let A = Q.Q and B = X.X. Where there is no A + B, as with
 * dot products, it is left out of the rank, but not of the error:
 *
 * Elements of Q and X are rounded to float32, which changes the rank by at most 4.1 u (A + B), u = 2^-24: their vectors
 * move by 1.01 u of their lengths, the distance by at most 1.01 u (|Q| + |X|), its square by twice that times |Q| + |X|. The
 * tile's sum has at most 66 + d / 64 roundings (kernels/contract.h), so twice the sum is off by that times u (A + B), for
 * 2 |Q||X| <= A + B. With the roundings of the steps from the sum to the rank,
 *
 *     |rank - what it would be| <= e (A + B) + 8 u |bar|,    e = (d / 64 + 96) u,
 *
 * where a bar has been subtracted in between. What is compared are canonical values, which are off themselves: squared
 * distances by less than is left in e; cosines by vb_cosine_error; dot products by (d / 16 + 16) 2^-53 of |q|^2 + |x|^2 (both
 * scaled by p), and q.c, summed one by one, by 2 d 2^-53 of |q|^2 + |c|^2.
 *
 * So a row may be kept for a bar b if rank - e (A + B) <= b + some: as
 *
 *     ((1 - e) A - b - some) + (1 - e) B - 2 s <= 0,
 *
 * the sum of a fact of the query and one of the row, less twice the tile's sum: that is what the epilogue VB_SQUARED of a tile makes,
 * which flags what is below zero. And of n such numbers the k-th smallest, each with twice its error added, is a bar
 * for all of them.
 */

enum { MOST_ROWS = 1024, SAMPLE = 32 };

/* Squares of rows, and of queries, that tiles can be trusted with; or 0. */
static const double least_square = 0x1p-60, most_square = 0x1p60;
/* Facts of rows that are never, and of queries that are always flagged. */
static const float beyond = 0x1p100f;

struct tile_query {
    double square, doubt, shift,
        factor;   /* A; the error that is the query's own; a score's bar is factor * bar + shift */
    float offset; /* the bar that was subtracted from its ranks, or 0 */
    int direct;   /* whether tiles tell nothing of it */
};

static const vb_record *tile_of(void) { return vb_kernels.tile[VB_DOT][VB_F32]; }

static int is_angle(const vb_search *s) { return vb_metrics[s->metric].geometry == VB_GEOMETRY_ANGLE; }
static int is_dot(const vb_search *s) { return vb_metrics[s->metric].geometry == VB_GEOMETRY_DOT; }

static double error_of(size_t d) { return ((double)d / 64.0 + 96.0) * 0x1p-24; }

/* More than what dot products, in units of |q|^2 + |x|^2, and ranks of angles, are off for being canonical values. */
static double dot_error(size_t d) { return (2.0 * (double)d + 64.0) * 0x1p-53; }
static double angle_error(size_t d) { return 4.0 * vb_cosine_error(d) + 0x1p-64; }

/* The rows of a chunk: whole panels, which stay in L2. */
static size_t most_rows(const vb_search *s)
{
    const size_t columns = tile_of()->columns, fit = (384 << 10) / (s->d * sizeof(float) + 1) / columns * columns;
    return vb_max(vb_min(fit, MOST_ROWS), columns);
}

static size_t pitch_of(const vb_search *s)
{
    return (vb_divide_up(s->d * sizeof(float), VB_LINE) * VB_LINE + VB_LINE) / sizeof(float);
}

size_t vb_by_tiles_lay_out(const vb_search *s, char *base, vb_by_tiles *w)
{
    const vb_record *tile = tile_of();
    const size_t rows = most_rows(s), panels = rows / tile->columns;
    size_t used = 0;

    w->queries = vb_part(base, &used, s->block * sizeof *w->queries);
    w->packed = vb_part(base, &used, (s->block + VB_MOST_ROWS) * pitch_of(s) * sizeof *w->packed);
    w->row = vb_part(base, &used, s->d * sizeof *w->row);
    w->copies = vb_part(base, &used, 8 * pitch_of(s) * sizeof *w->copies);
    w->panels = vb_part(base, &used, rows * s->d * sizeof(float));
    w->facts = vb_part(base, &used, (rows + VB_MOST_COLUMNS) * sizeof *w->facts);
    w->doubts = vb_part(base, &used, (rows + VB_MOST_COLUMNS) * sizeof *w->doubts);
    w->values = vb_part(base, &used, VB_MOST_ROWS * rows * sizeof *w->values);
    w->masks = vb_part(base, &used, panels * VB_MOST_ROWS * sizeof *w->masks);
    w->ids = vb_part(base, &used, rows * sizeof *w->ids);
    w->apart = vb_part(base, &used, rows * sizeof *w->apart);
    w->found = vb_part(base, &used, 2 * rows * sizeof *w->found);
    return used;
}

/* ---- rows as tiles take them ------------------------------------------------------------------- */

typedef enum { ORDINARY, APART, DEAD } standing;

/* Row x in float64, of unit norm for angles, and its square; DEAD: it makes NaN of every value. */
static standing widen(const vb_search *s, const char *x, double *out, double *square)
{
    vb_kernels.pair[VB_DOT][s->corpus.type](x, x, s->d, square);
    if (*square != *square)
        return DEAD;
    vb_widen(s->corpus.type, x, s->d, out);
    if (is_angle(s)) {
        double scale = 1.0, inverse;
        if (s->corpus.type == VB_F64)
            *square = vb_apart_square((const char *)out, s->d, *square, &scale);
        if (!vb_square_is_safe(*square))
            return DEAD;
        if (scale != 1.0)
            vb_apart_scaled((const char *)out, s->d, scale, out);
        inverse = 1.0 / sqrt(*square);
        for (size_t i = 0; i < s->d; i++)
            out[i] *= inverse;
        *square = 1.0;
    }
    return ORDINARY;
}

/* What is left after the center, in float32; returns its square. */
static double center_row(const vb_search *s, const double *x, const float *center, float *out)
{
    double square;
    if (center)
        for (size_t i = 0; i < s->d; i++)
            out[i] = (float)(x[i] - (double)center[i]);
    else
        for (size_t i = 0; i < s->d; i++)
            out[i] = (float)x[i];
    vb_kernels.pair[VB_DOT][VB_F32](out, out, s->d, &square);
    return square;
}

static int is_fit(double square) { return (square >= least_square) & (square <= most_square); }

int vb_by_tiles_take(const vb_search *s)
{
    const size_t most_d = (size_t)1 << 22; /* past which the error is no bound */
    return vb_type_kind(s->corpus.type) == VB_REAL && tile_of() && s->d <= most_d;
}

/* Of few rows anywhere. */
vb_status vb_by_tiles_init(vb_search *s, int *suits)
{
    const vb_view rows = {s->corpus.base, s->corpus.stride, s->where.ids, 0};
    const size_t step = vb_max(s->span / SAMPLE, 1);
    double squares = 0.0, mean = 0.0, *sum, *row;
    size_t count = 0, fit = 0, seen = 0;

    *suits = 0;
    sum = calloc(2 * s->d, sizeof *sum);
    if (!sum)
        return VB_NO_MEMORY;
    row = sum + s->d;
    for (size_t r = 0; r < s->span; r += step) {
        double square;
        seen++;
        if (widen(s, vb_row(&rows, r), row, &square) == DEAD) {
            fit++; /* no trouble */
            continue;
        }
        if (!is_fit(square) && !(square == 0.0 && !is_dot(s)))
            continue;
        fit++;
        count++;
        squares += square;
        for (size_t i = 0; i < s->d; i++)
            sum[i] += row[i];
    }
    *suits = 4 * fit >= 3 * seen;
    s->scale = 1.0;
    for (size_t i = 0; count && i < s->d; i++) {
        sum[i] /= (double)count;
        mean += sum[i] * sum[i];
    }
    if (count)
        s->scale = squares / (double)count;
    /* Without much of a center there is nothing to gain. */
    if (*suits && mean > 0.25 * s->scale) {
        s->center = vb_alloc(s->d, sizeof *s->center);
        for (size_t i = 0; s->center && i < s->d; i++)
            s->center[i] = (float)sum[i];
        s->scale = fmax(s->scale - mean, 0x1p-40 * s->scale);
        free(sum);
        return s->center ? VB_OK : VB_NO_MEMORY;
    }
    free(sum);
    return VB_OK;
}

void vb_by_tiles_begin(const vb_search *s, vb_by_tiles *w, const vb_scorer *scorers, size_t count, const double *wide,
                       size_t pitch)
{
    const double error = error_of(s->d);

    w->dead = 0;
    for (size_t q = 0; q < count; q++) {
        struct tile_query *query = &w->queries[q];
        const double *x = wide + q * pitch;
        float *out = w->packed + q * pitch_of(s);

        *query = (struct tile_query){.factor = 1.0};
        if (scorers[q].dead) {
            query->direct = 1;
        } else if (is_angle(s)) {
            const double inverse = 1.0 / sqrt(scorers[q].norm);
            for (size_t i = 0; i < s->d; i++)
                w->row[i] = x[i] * inverse;
            query->square = center_row(s, w->row, s->center, out);
            query->doubt = error * query->square + angle_error(s->d);
        } else if (is_dot(s)) {
            double square = 0.0, shift = 0.0, center = 0.0;
            vb_kernels.pair[VB_DOT][VB_F64](x, x, s->d, &square);
            if (is_fit(square)) {
                query->factor = ldexp(1.0, (ilogb(s->scale) - ilogb(square)) / 2);
                for (size_t i = 0; i < s->d; i++)
                    w->row[i] = x[i] * query->factor;
                query->square = center_row(s, w->row, NULL, out);
                for (size_t i = 0; s->center && i < s->d; i++) {
                    shift += w->row[i] * (double)s->center[i];
                    center += (double)s->center[i] * (double)s->center[i];
                }
                query->shift = 2.0 * shift;
                query->factor *= 2.0;
                query->doubt = error * query->square + dot_error(s->d) * (2.0 * query->square + center);
            }
        } else {
            query->square = center_row(s, x, s->center, out);
            query->doubt = error * query->square;
        }
        query->direct |= !(query->square == 0.0 && !is_dot(s)) && !is_fit(query->square);
        if (query->direct) {
            memset(out, 0, s->d * sizeof *out);
            query->square = query->doubt = 0.0;
        }
    }
    /* Past the last one, for the last group: zeros. */
    memset(w->packed + count * pitch_of(s), 0, VB_MOST_ROWS * pitch_of(s) * sizeof *w->packed);
}

/* The last `held` of n rows, from their copies to their panel. */
static void place(const vb_search *s, const vb_by_tiles *w, size_t held, size_t n)
{
    const size_t columns = tile_of()->columns, first = n - held;
    const char *copies[8];

    for (size_t i = 0; i < held; i++)
        copies[i] = (const char *)(w->copies + i * pitch_of(s));
    vb_interleave(sizeof(float), held, copies, columns, s->d,
                  w->panels + (first / columns * s->d * columns + first % columns) * sizeof(float));
}

/* The next rows of the span that can be of use, as panels; of those that tiles tell nothing of, only the ids. Returns how many rows
 * there were, of which *n are packed. */
static size_t pack_rows(const vb_search *s, vb_by_tiles *w, size_t *at, size_t end, size_t most_equal, size_t *n,
                        size_t *n_apart)
{
    const size_t columns = tile_of()->columns, most = most_rows(s), bytes = s->d * vb_type_size(s->corpus.type);
    const size_t most_dead = most_equal == SIZE_MAX ? 0 : most_equal; /* no threshold finds them */
    const double error = error_of(s->d);
    size_t met = 0, held = 0;

    *n = *n_apart = 0;
    for (; *at < end && *n < most && *n_apart < most; ++*at) {
        const int64_t id = s->where.ids ? s->where.ids[*at] : (int64_t)*at;
        const char *x = s->corpus.base + (ptrdiff_t)id * s->corpus.stride;
        float *copy = w->copies + held * pitch_of(s);
        double own, square;
        standing how;

        if (s->where.mask && !s->where.mask[*at])
            continue;
        met++;
        w->run = w->before && most_equal != SIZE_MAX && memcmp(w->before, x, bytes) == 0 ? w->run + 1 : 0;
        w->before = x;
        if (w->run >= most_equal)
            continue;
        how = widen(s, x, w->row, &own);
        if (how == DEAD) {
            if (w->dead++ < most_dead)
                w->apart[(*n_apart)++] = id;
            continue;
        }
        square = center_row(s, w->row, s->center, copy);
        if (!is_fit(square) && !(square == 0.0 && !is_dot(s))) {
            w->apart[(*n_apart)++] = id;
            continue;
        }
        w->ids[*n] = id;
        {
            double doubt = error * square;
            if (is_dot(s))
                doubt += 2.0 * dot_error(s->d) * (own + square);
            w->facts[*n] = vb_at_most((is_dot(s) ? 0.0 : square) - doubt);
            w->doubts[*n] = vb_at_least(2.0 * doubt);
        }
        ++*n;
        if (++held == vb_min(8, columns)) {
            place(s, w, held, *n);
            held = 0;
        }
    }
    if (held)
        place(s, w, held, *n);
    for (size_t j = *n; j % columns; j++) {
        float *column = (float *)w->panels + j / columns * s->d * columns + j % columns;
        for (size_t i = 0; i < s->d; i++)
            column[i * columns] = 0.0f;
        w->facts[j] = w->doubts[j] = beyond;
    }
    return met;
}

/* ---- which rows are left ------------------------------------------------------------------------- */

/* The rank that a row with a score of at most `bar` has at most; infinite if any will do. */
static double rank_of_bar(const vb_search *s, const struct tile_query *query, double bar)
{
    if (bar != bar)
        return INFINITY;
    switch (vb_metrics[s->metric].geometry) {
    case VB_GEOMETRY_ANGLE:
        return 2.0 * (1.0 - vb_least_cosine(s->metric, s->d, bar));
    case VB_GEOMETRY_DOT:
        return query->factor * bar + query->shift;
    case VB_GEOMETRY_SQUARE:
        return vb_most_square(s->metric, bar);
    case VB_GEOMETRY_OVERLAP: /* of bits, which have no tiles */
        break;
    }
    VB_UNREACHABLE();
}

/* The fact of a query: its square less its error and the bar. */
static float fact_of(const vb_search *s, struct tile_query *query, double bar)
{
    const double own = (is_dot(s) ? 0.0 : query->square) - query->doubt;
    const double loose = bar + 8.0 * 0x1p-24 * fabs(bar);

    query->offset = 0.0f;
    if (!(loose < (double)beyond)) /* nothing is flagged that need be: all is taken */
        return vb_at_most(own);
    if (loose < -(double)beyond)
        return beyond;
    query->offset = vb_at_least(loose);
    return vb_at_most(own - (double)query->offset - 0x1p-100); /* flagged is what is below 0, not 0 */
}

static size_t flagged_in(uint64_t mask, size_t first, size_t n, const int64_t *ids, int64_t *out)
{
    size_t count = 0;
    for (size_t j = 0; mask && first + j < n; j++, mask >>= 1)
        if (mask & 1)
            out[count++] = ids[first + j];
    return count;
}

/* The rows of a chunk of n that may be among the wanted of query q: to w->found. Returns how many. */
static size_t rows_left(const vb_search *s, vb_by_tiles *w, size_t r, struct tile_query *query, int barred, size_t n,
                        size_t k)
{
    const size_t columns = tile_of()->columns, panels = vb_divide_up(n, columns);
    const float *ranks = w->values + r * most_rows(s);
    size_t count = 0;

    if (query->direct) {
        memcpy(w->found, w->ids, n * sizeof *w->ids);
        return n;
    }
    if (barred) {
        for (size_t p = 0; p < panels; p++)
            count += vb_count_bits(w->masks[p * VB_MOST_ROWS + r]);
        if (count <= k || count < 8) {
            count = 0;
            for (size_t p = 0; p < panels; p++)
                count += flagged_in(w->masks[p * VB_MOST_ROWS + r], p * columns, n, w->ids, w->found + count);
            return count;
        }
        count = 0;
    }
    if (k < n) {
        /* The smallest k, by their upper bounds, are closer than what is past that. */
        const float most = vb_bar_among(ranks, w->doubts, n, k, (float *)w->found);
        const double slack = 2.0 * query->doubt + 16.0 * 0x1p-24 * (fabs((double)query->offset) + fabs((double)most));
        float limit = vb_at_least((double)most + slack);
        if (barred && limit > 0.0f)
            limit = 0.0f;
        return vb_rows_up_to(ranks, limit, n, w->ids, w->found);
    }
    return vb_rows_up_to(ranks, barred ? 0.0f : FLT_MAX, n, w->ids, w->found);
}

/* `more` rows among n others, all in order; returns how many there are. */
static size_t merge(int64_t *rows, size_t n, const int64_t *others, size_t more)
{
    const size_t all = n + more;
    for (size_t to = all; more; to--)
        rows[to - 1] = n && rows[n - 1] > others[more - 1] ? rows[--n] : others[--more];
    return all;
}

vb_status vb_by_tiles_scan(vb_search *s, vb_by_tiles *w, size_t count, size_t start, size_t end, vb_pulse *pulse,
                           const vb_collector *to, vb_measure_rows *measure, void *context)
{
    const vb_record *tile = tile_of();
    const size_t columns = tile->columns, pitch = pitch_of(s), most = most_rows(s);
    size_t n, n_apart, met;

    w->before = NULL;
    w->run = 0;
    for (size_t at = start; (met = pack_rows(s, w, &at, end, to->most_equal, &n, &n_apart)) || at < end;) {
        const size_t panels = vb_divide_up(n, columns);
        size_t left = 0;

        for (size_t q = 0; q < count; q += tile->rows) {
            const size_t here = vb_min(tile->rows, count - q);
            float facts[VB_MOST_ROWS] = {0.0f};
            int barred[VB_MOST_ROWS];
            vb_finish finish = {VB_SQUARED, 0.0, 0.0, facts, NULL};
            const vb_view rows = {(const char *)(w->packed + q * pitch), (ptrdiff_t)(pitch * sizeof(float)), NULL, 0};

            for (size_t r = 0; r < here; r++) {
                struct tile_query *query = &w->queries[q + r];
                const double bar =
                    n + n_apart ? to->bar(to->context, q + r, to->first + (n ? w->ids[0] : w->apart[0])) : 0.0;
                const double rank = rank_of_bar(s, query, bar);
                facts[r] = fact_of(s, query, rank);
                barred[r] = query->offset != 0.0f || rank <= (double)beyond;
            }
            for (size_t p = 0; p < panels; p++) {
                finish.column = w->facts + p * columns;
                tile->call.tile(&rows, w->panels + p * columns * s->d * sizeof(float), s->d, &finish,
                                w->values + p * columns, (ptrdiff_t)(most * sizeof(float)),
                                w->masks + p * VB_MOST_ROWS);
            }
            for (size_t r = 0; r < here; r++) {
                size_t some = rows_left(s, w, r, &w->queries[q + r], barred[r], n, to->most_equal);
                some = merge(w->found, some, w->apart, n_apart);
                left += some;
                if (some) {
                    const vb_status status = measure(context, q + r, w->found, some);
                    if (status != VB_OK)
                        return status;
                }
            }
            if (vb_pulse_beat(pulse, here * n * s->d))
                return VB_STOPPED;
        }
        vb_counter_add(&s->visited, (int64_t)(met * count));
        vb_counter_add(&s->sifted, (int64_t)(n * count));
        vb_counter_add(&s->rescored, (int64_t)left);
    }
    return VB_OK;
}
