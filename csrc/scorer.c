/* scorer.c - the sums of one query and many rows, made values, or scores of the rows that may be close enough.
 *
 * Two tests rule rows out without a root or a quotient: one of the canonical sums, and for float32 rows, before it,
 * one of float32 sums, the screen, at half the cost. The second bound, with its proof, is at screen_bounds().
 */
#include "scorer.h"

#include <math.h>
#include <string.h>

#include "mode.h"

static vb_accumulator accumulator_of(const vb_scorer *s) { return vb_metrics[s->metric].accumulator; }
static vb_geometry geometry_of(const vb_scorer *s) { return vb_metrics[s->metric].geometry; }

void vb_scorer_init(vb_scorer *scorer, vb_metric metric, vb_type type, size_t d, const void *query, vb_type given)
{
    const vb_type query_type = vb_query_type(type);
    const int wide = type == VB_F64 || given == VB_F64, needs_norm = vb_metrics[metric].accumulator == VB_DOTNORM;

    VB_ASSERT(type == given || (vb_type_kind(type) == VB_REAL && vb_type_kind(given) == VB_REAL));
    *scorer = (vb_scorer){.metric = metric, .type = type, .d = d, .query = query, .ratio = 1.0};
    scorer->scoring = (vb_scoring){vb_metrics[metric].epilogue, wide, 0.0, vb_near_edge(d)};
    if (!needs_norm && query_type != VB_F64)
        return;
    vb_kernels.pair[VB_DOT][query_type](query, query, d, &scorer->norm);
    scorer->dead = scorer->norm != scorer->norm;
    if (!needs_norm)
        return;
    if (vb_metrics[metric].geometry == VB_GEOMETRY_ANGLE) {
        double scale = 1.0;
        if (wide)
            scorer->norm = vb_apart_square(query, d, scorer->norm, &scale);
        if (scale != 1.0)
            vb_apart_scaled(query, d, scale, (double *)query);
        scorer->dead = !vb_square_is_safe(scorer->norm);
    }
    scorer->scoring.norm = scorer->norm;
}

static vb_pair_of_rows pair_with(const vb_scorer *s, const char *row)
{
    return (vb_pair_of_rows){vb_query_type(s->type), s->type, s->query, row, s->d};
}

/* The value that row `row`, with these sums, has, where vb_kernels.score() does not tell. */
static double value_apart(const vb_scorer *s, const char *row, double sum, double norm)
{
    const vb_pair_of_rows pair = pair_with(s, row);
    switch (s->scoring.epilogue) {
    case VB_RAW:
        return s->scoring.wide ? vb_apart_dot(&pair, sum) : sum;
    case VB_ROOT:
        return vb_apart_euclidean(&pair, sum);
    case VB_SIMILARITY:
    case VB_ANGULAR:
        return vb_value_of_angle(s->scoring.epilogue, vb_apart_angle(&pair, sum, s->norm, norm));
    case VB_SQUARED:
    case VB_UNSHARED: /* their sums always tell */
        break;
    }
    VB_UNREACHABLE();
}

void vb_scorer_run(const vb_scorer *s, const vb_view *rows, size_t n, double *values)
{
    double sums[VB_CHUNK], norms[VB_CHUNK];

    VB_ASSERT(n <= VB_CHUNK);
    if (s->dead) {
        for (size_t i = 0; i < n; i++)
            values[i] = (double)NAN;
        return;
    }
    vb_kernels.rows[accumulator_of(s)][s->type](s->query, rows, n, s->d, sums, norms);
    if (vb_kernels.score(&s->scoring, n, sums, norms, values))
        for (size_t i = 0; i < n; i++)
            if (values[i] != values[i])
                values[i] = value_apart(s, vb_row(rows, i), sums[i], norms[i]);
}

/* ---- scores -------------------------------------------------------------------------------- */

/* Of rows with these canonical sums. */
static void scores_of(const vb_scorer *s, const vb_view *rows, const uint32_t *positions, size_t n, const double *sums,
                      const double *norms, double *scores)
{
    const int negate = vb_metrics[s->metric].similarity, cosine = negate && geometry_of(s) == VB_GEOMETRY_ANGLE;
    const int unsure = vb_kernels.score(&s->scoring, n, sums, norms, scores);

    for (size_t i = 0; i < n; i++) {
        const char *row = unsure && scores[i] != scores[i] ? vb_row(rows, positions[i]) : NULL;
        if (row && cosine) {
            const vb_pair_of_rows pair = pair_with(s, row);
            const vb_angle angle = vb_apart_angle(&pair, sums[i], s->norm, norms[i]);
            scores[i] = angle.near ? vb_near_score(angle.distance) : -angle.similarity;
            continue;
        }
        if (row)
            scores[i] = value_apart(s, row, sums[i], norms[i]);
        scores[i] = negate ? -scores[i] : scores[i];
    }
}

/* ---- which rows need a closer look --------------------------------------------------
 *
 * A search has a bar: the score of its k-th best row so far, or its threshold. From the sums of a
 * row, without roots and quotients, these tests tell whether its score is surely worse:
 * failed[i] = 1. They miss few that are, and a NaN never fails. */

/* From canonical sums. Each limit is looser by more than the rounding of both sides: 2^-50 or
 * 2^-48 where that is some 2^-52, 2^-1000 for what underflow adds to a sum of squares. */
static void surely_worse(const vb_scorer *s, const double *sums, const double *norms, size_t n, double bar,
                         uint8_t *failed)
{
    double limit, factor;
    switch (geometry_of(s)) {
    case VB_GEOMETRY_DOT:
        for (size_t i = 0; i < n; i++)
            failed[i] = sums[i] < -bar;
        for (size_t i = 0; s->scoring.wide && i < n; i++) /* infinite: it may have overflown on the way (apart.h) */
            failed[i] &= sums[i] >= -DBL_MAX;
        return;
    case VB_GEOMETRY_SQUARE:
        limit = vb_most_square(s->metric, bar);
        for (size_t i = 0; i < n; i++)
            failed[i] = sums[i] > limit;
        return;
    case VB_GEOMETRY_OVERLAP:
        limit = bar * (1.0 + 0x1p-50);
        for (size_t i = 0; i < n; i++)
            failed[i] = s->norm + norms[i] - 2.0 * sums[i] > limit * (s->norm + norms[i] - sums[i]);
        return;
    case VB_GEOMETRY_ANGLE:
        /* sum / sqrt(norm * x.x) < limit, squared, and cleared of the quotient. */
        limit = vb_least_cosine(s->metric, s->d, bar);
        factor = limit * limit * s->norm * (1.0 - 0x1p-48);
        if (limit > 0x1p-20 && vb_square_is_safe(s->norm))
            for (size_t i = 0; i < n; i++)
                failed[i] = (uint8_t)(((sums[i] < 0.0) | (sums[i] * sums[i] < factor * norms[i])) &
                                      vb_square_is_safe(norms[i]));
        else
            memset(failed, 0, n);
        return;
    }
    VB_UNREACHABLE();
}

/* From float32 sums, which the screen kernels make and test. Let u = 2^-24 and e = (d / 32 + 12) u, so that
 * such a sum s of terms t_i, if nothing overflowed, has
 *
 *     |s - sum t_i| <= 1.01 e sum |t_i| + tiny,    tiny = (d + 64) 2^-125,
 *
 * tiny being what underflows, even where denormal results are flushed to zero, each of which loses up to 2^-126,
 * with the roundings of the test itself in it; the canonical sum is nearer by far. For a query q,
 * and a row x with such a sum n of squares:
 *
 *     (1 - 1.1 e) (n - tiny) <= |x|^2 <= (1 + 1.1 e) (n + tiny)
 *     s <= (1 + 1.01 e) |q - x|^2 + tiny                       sqdiff
 *     q.x <= s + 1.01 e |q| |x| + tiny                         dot, by Cauchy-Schwarz on sum |q_i x_i|
 *
 * sqdiff:  |q - x|^2 > limit if s > (1 + 1.3 e) limit + 2 tiny.
 * dot:     2 |q| |x| <= a |x|^2 + |q|^2 / a for any a > 0, so q.x < limit if
 *          s + 0.65 e a n < limit - 0.65 e |q|^2 / a - 2 tiny; a should be |q| / |x|, and is that of some
 *          row. Below |q|^2 = 2^120 no sum overflows unless n does, and then the left side is
 *          not below anything.
 * dotnorm: q.x < c |q| |x| if s < (c - 1.3 e) |q| |x|. With |q|^2 and n over (d + 64) 2^-90, tiny is in
 *          that; squared with its sign, with (1 - 1.3 e) n for |x|^2 and 1 - 8 u for the test.
 *
 * Bounds are rounded away from the rows that pass. e stays under 0.02 by screen_most_d.
 * Returns 0 if the bar rules nothing out. */
static const size_t screen_most_d = 8000000;

static int screen_bounds(const vb_scorer *s, double bar, vb_screen_bounds *bounds)
{
    const double u = 0x1p-24, e = ((double)s->d / 32.0 + 12.0) * u, tiny = ((double)s->d + 64.0) * 0x1p-125;
    const double least = ((double)s->d + 64.0) * 0x1p-90, a = s->ratio;
    double cosine, slope;

    switch (geometry_of(s)) {
    case VB_GEOMETRY_SQUARE:
        bounds->limit = vb_at_least((1.0 + 1.3 * e) * vb_most_square(s->metric, bar) + 2.0 * tiny);
        return bounds->limit < FLT_MAX;
    case VB_GEOMETRY_DOT:
        bounds->slope = vb_at_least(0.65 * e * a + 0x1p-120);
        bounds->limit = vb_at_most(-bar - 0.65 * e * s->norm / a - 2.0 * tiny);
        return s->norm <= 0x1p120;
    case VB_GEOMETRY_ANGLE:
        cosine = vb_least_cosine(s->metric, s->d, bar) - 1.3 * e;
        slope = cosine * cosine * s->norm * (1.0 - 1.3 * e) * (1.0 - 8.0 * u);
        bounds->slope = vb_at_most(slope);
        bounds->low = vb_at_least(least > 0x1p-100 / slope ? least : 0x1p-100 / slope);
        return cosine > 0x1p-10 && s->norm > least && slope > 0x1p-100 && slope < 0x1p120;
    case VB_GEOMETRY_OVERLAP: /* of bits, which no float32 screens */
        break;
    }
    VB_UNREACHABLE();
}

/* The positions of zeros, skipping eight rows at a time where all failed. */
static size_t positions_of_zeros(const uint8_t *failed, size_t n, uint32_t *positions)
{
    const uint64_t ones = 0x0101010101010101u;
    size_t count = 0;
    for (size_t i = 0; i < n;) {
        uint64_t eight;
        if (i + 8 <= n) {
            memcpy(&eight, failed + i, 8);
            if (eight == ones) {
                i += 8;
                continue;
            }
        }
        for (const size_t end = i + 8 < n ? i + 8 : n; i < end; i++)
            if (!failed[i])
                positions[count++] = (uint32_t)i;
    }
    return count;
}

/* Positions of the rows that the canonical sums do not rule out, and their scores. */
static size_t closer_directly(const vb_scorer *s, const vb_view *rows, size_t n, double bar, uint32_t *positions,
                              double *scores)
{
    double sums[VB_CHUNK], norms[VB_CHUNK];
    uint8_t failed[VB_CHUNK];
    size_t count;

    vb_kernels.rows[accumulator_of(s)][s->type](s->query, rows, n, s->d, sums, norms);
    surely_worse(s, sums, norms, n, bar, failed);
    count = positions_of_zeros(failed, n, positions);
    for (size_t i = 0; count < n && i < count; i++) {
        sums[i] = sums[positions[i]];
        norms[i] = norms[positions[i]];
    }
    scores_of(s, rows, positions, count, sums, norms, scores);
    return count;
}

/* Each denormal result costs some CPUs 150 cycles: of rows near 1e-20, where all products are denormal, a screen took 300
 * times as long. (A function of its own, so that no other arithmetic gets between the two settings.) */
VB_NOINLINE static size_t screened(const vb_scorer *s, const vb_view *rows, size_t n, const vb_screen_bounds *bounds,
                                   uint32_t *positions)
{
    const size_t many = 16;
    size_t count;

    if (n >= many)
        vb_mode_flush(1);
    count = vb_kernels.screen[accumulator_of(s)][VB_F32](s->narrow, rows, n, s->d, bounds, positions);
    if (n >= many)
        vb_mode_flush(0);
    return count;
}

void vb_scorer_screen(vb_scorer *s, const float *narrow, const char *sample)
{
    double square;

    if (s->type != VB_F32 || geometry_of(s) == VB_GEOMETRY_OVERLAP || s->d > screen_most_d)
        return;
    s->narrow = narrow;
    if (geometry_of(s) == VB_GEOMETRY_DOT) {
        vb_kernels.pair[VB_DOT][VB_F64](s->query, s->query, s->d, &s->norm);
        vb_kernels.pair[VB_DOT][VB_F32](sample, sample, s->d, &square);
        s->ratio = sqrt(s->norm / square);
        s->ratio = s->ratio > 0x1p-60 && s->ratio < 0x1p60 ? s->ratio : 1.0;
    }
}

/* The canonical sums, with the query in float32, which the screen has just read: in float64 it is twice as long,
 * and with a thousand queries no longer in L2. */
static void sums_of_few(const vb_scorer *s, const vb_view *rows, size_t n, double *sums, double *norms)
{
    const vb_accumulator accumulator = accumulator_of(s);
    const size_t few = 2;
    double pair[3];

    if (n > few) {
        vb_kernels.rows[accumulator][s->type](s->query, rows, n, s->d, sums, norms);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        vb_kernels.pair[accumulator][s->type](s->narrow, vb_row(rows, i), s->d, pair);
        sums[i] = pair[0];
        norms[i] = accumulator == VB_DOTNORM ? pair[2] : 0.0;
    }
}

size_t vb_scorer_closer(vb_scorer *s, const vb_view *rows, size_t n, double bar, uint32_t *positions, double *scores)
{
    const size_t enough = 64; /* rows that tell whether the screen pays */
    int64_t ids[VB_CHUNK];
    vb_view survivors = {rows->base, rows->stride, ids, 0};
    double sums[VB_CHUNK], norms[VB_CHUNK];
    vb_screen_bounds bounds;
    size_t count;

    VB_ASSERT(n <= VB_CHUNK);
    if (s->dead) { /* NaN is never within a bar */
        for (count = 0; bar != bar && count < n; count++) {
            positions[count] = (uint32_t)count;
            scores[count] = (double)NAN;
        }
        return count;
    }
    if (!s->narrow || s->direct > 0 || bar != bar || !screen_bounds(s, bar, &bounds)) {
        s->direct -= s->direct > 0;
        return closer_directly(s, rows, n, bar, positions, scores);
    }
    count = screened(s, rows, n, &bounds, positions);
    if (n >= enough && vb_filter_is_idle(count, n))
        s->direct = VB_FILTER_PAUSE;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        ids[i] = rows->ids ? rows->ids[positions[i]] : (int64_t)positions[i];
    sums_of_few(s, &survivors, count, sums, norms);
    scores_of(s, rows, positions, count, sums, norms, scores);
    return count;
}

size_t vb_chunk_rows(vb_type type, size_t d)
{
    const size_t bytes = 128 << 10, row = d * vb_type_size(type) + 1;
    const size_t rows = bytes / row;
    return rows < 8 ? 8 : rows > VB_CHUNK ? VB_CHUNK : rows;
}
