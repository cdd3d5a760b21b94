/* metrics.c - a metric is an accumulator, an epilogue on its sums, and an order.
 *
 *   dot                 dot
 *   sqeuclidean         sqdiff
 *   euclidean           sqrt(sqdiff)
 *   cosine_similarity   dot / sqrt(aa * xx), clamped to [-1, 1]
 *   cosine              1 - cosine_similarity, near 0 by residuals (apart.c)
 *   hamming             sqdiff
 *   jaccard             (u - dot) / u, u = aa + xx - dot; 0 where u is
 */
#include "metrics.h"

#include <math.h>
#include <string.h>

#include "mode.h"

#define VB_METRIC_NAME(id, name, accumulator, similarity) #name,
#define VB_METRIC_ACCUMULATOR(id, name, accumulator, similarity) accumulator,
#define VB_METRIC_SIMILARITY(id, name, accumulator, similarity) similarity,

static const char *const metric_names[] = {VB_EACH_METRIC(VB_METRIC_NAME)};
static const vb_accumulator accumulators[] = {VB_EACH_METRIC(VB_METRIC_ACCUMULATOR)};
static const unsigned char similarities[] = {VB_EACH_METRIC(VB_METRIC_SIMILARITY)};

const char *vb_metric_name(vb_metric metric) { return metric_names[metric]; }
int vb_metric_is_similarity(vb_metric metric) { return similarities[metric]; }

/* ---- values -------------------------------------------------------------------------------- */

static double value_of_angle(vb_metric metric, vb_angle angle)
{
    return metric == VB_METRIC_COSINE ? angle.distance : angle.similarity;
}

double vb_whole_angle(vb_metric metric, size_t d, double dot, double aa, double xx)
{
    const vb_pair_of_rows pair = {VB_I8, VB_I8, NULL, NULL, d};
    return value_of_angle(metric, vb_apart_angle(&pair, dot, aa, xx));
}

typedef struct {
    vb_metric metric;
    vb_type type;
    const void *a, *b;
    size_t d;
    double value;
} pair_call;

static void measure_pair(void *argument)
{
    pair_call *call = argument;
    call->value = vb_pair(call->metric, call->type, call->a, call->b, call->d);
}

/* What is seldom is in functions of its own, so that a pair of short rows, of 20 ns, has none of it to set up. */
VB_NOINLINE static double pair_in_standard_mode(vb_metric metric, vb_type type, const void *a, const void *b, size_t d)
{
    pair_call call = {metric, type, a, b, d, 0.0};
    vb_in_standard_mode(measure_pair, &call);
    return call.value;
}

VB_NOINLINE static double pair_apart(vb_metric metric, vb_type type, const void *a, const void *b, size_t d,
                                     const double *sums)
{
    const vb_pair_of_rows pair = {type, type, a, b, d};
    switch (metric) {
    case VB_METRIC_DOT:
        return vb_apart_dot(&pair, sums[0]);
    case VB_METRIC_EUCLIDEAN:
        return vb_apart_euclidean(&pair, sums[0]);
    default:
        return value_of_angle(metric, vb_apart_angle(&pair, sums[0], sums[1], sums[2]));
    }
}

double vb_pair(vb_metric metric, vb_type type, const void *a, const void *b, size_t d)
{
    double sums[3], s;

    if (!vb_mode_is_standard())
        return pair_in_standard_mode(metric, type, a, b, d);
    vb_need_kernels();
    vb_kernels.pair[accumulators[metric]][type](a, b, d, sums);
    switch (metric) {
    case VB_METRIC_DOT:
        return fabs(sums[0]) <= DBL_MAX ? sums[0] : pair_apart(metric, type, a, b, d, sums);
    case VB_METRIC_EUCLIDEAN:
        return vb_root_is_safe(sums[0]) ? sqrt(sums[0]) : pair_apart(metric, type, a, b, d, sums);
    case VB_METRIC_COSINE:
    case VB_METRIC_COSINE_SIMILARITY:
        s = vb_square_is_safe(sums[1]) ? vb_similarity(sums[0], sums[1], sums[2], vb_near_edge(d)) : (double)NAN;
        if (s != s)
            return pair_apart(metric, type, a, b, d, sums);
        return metric == VB_METRIC_COSINE ? 1.0 - s : s;
    case VB_METRIC_JACCARD:
        return vb_jaccard(sums[0], sums[1], sums[2]);
    default:
        return sums[0];
    }
}

void vb_scorer_init(vb_scorer *scorer, vb_metric metric, vb_type type, size_t d, const void *query, vb_type given)
{
    const vb_type query_type = vb_query_type(type);
    const int wide = type == VB_F64 || given == VB_F64;

    *scorer = (vb_scorer){.metric = metric, .type = type, .d = d, .query = query, .ratio = 1.0};
    scorer->scoring = (vb_scoring){metric, wide, 0.0, vb_near_edge(d)};
    if (accumulators[metric] != VB_DOTNORM && query_type != VB_F64)
        return;
    vb_kernels.pair[VB_DOT][query_type](query, query, d, &scorer->norm);
    scorer->dead = scorer->norm != scorer->norm;
    if (accumulators[metric] != VB_DOTNORM)
        return;
    if (metric != VB_METRIC_JACCARD) {
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
    switch (s->metric) {
    case VB_METRIC_DOT:
        return s->scoring.wide ? vb_apart_dot(&pair, sum) : sum;
    case VB_METRIC_EUCLIDEAN:
        return vb_apart_euclidean(&pair, sum);
    case VB_METRIC_COSINE:
    case VB_METRIC_COSINE_SIMILARITY:
        return value_of_angle(s->metric, vb_apart_angle(&pair, sum, s->norm, norm));
    default:
        return (double)NAN;
    }
}

void vb_scorer_run(const vb_scorer *s, const vb_view *rows, size_t n, double *values)
{
    double sums[VB_CHUNK], norms[VB_CHUNK];

    if (s->dead) {
        for (size_t i = 0; i < n; i++)
            values[i] = (double)NAN;
        return;
    }
    vb_kernels.rows[accumulators[s->metric]][s->type](s->query, rows, n, s->d, sums, norms);
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
    const int negate = similarities[s->metric];
    const int unsure = vb_kernels.score(&s->scoring, n, sums, norms, scores);

    for (size_t i = 0; i < n; i++) {
        const char *row = unsure && scores[i] != scores[i] ? vb_row(rows, positions[i]) : NULL;
        if (row && s->metric == VB_METRIC_COSINE_SIMILARITY) {
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

double vb_score_value(vb_metric metric, size_t d, double score)
{
    const double edge = vb_near_edge(d);
    double s;

    if (!similarities[metric])
        return score;
    if (metric != VB_METRIC_COSINE_SIMILARITY || !(score < -1.0))
        return 0.0 - score; /* zero is positive */
    s = 1.0 - vb_near_distance(score);
    return s > edge ? s : edge;
}

double vb_score_bar(vb_metric metric, size_t d, double threshold)
{
    double distance;

    if (!similarities[metric])
        return threshold;
    if (metric != VB_METRIC_COSINE_SIMILARITY || !(threshold > vb_near_edge(d)))
        return -threshold;
    if (threshold > 1.0)
        return -INFINITY;
    /* The largest distance that leaves the similarity, 1 - distance, rounded, at the threshold. */
    distance = (1.0 - threshold) + 0x1p-54;
    return vb_near_score(1.0 - distance < threshold ? nextafter(distance, 0.0) : distance);
}

/* ---- which rows need a closer look --------------------------------------------------
 *
 * A search has a bar: the score of its k-th best row so far, or its threshold. From the sums of a
 * row, without roots and quotients, these tests tell whether its score is surely worse:
 * failed[i] = 1. They miss few that are, and a NaN never fails. */

double vb_most_square(vb_metric metric, double bar)
{
    return metric != VB_METRIC_EUCLIDEAN ? bar : bar * bar * (1.0 + 0x1p-50) + 0x1p-1000;
}

double vb_least_cosine(vb_metric metric, size_t d, double bar)
{
    const double cosine = metric == VB_METRIC_COSINE ? 1.0 - bar : bar < -1.0 ? 1.0 - vb_near_distance(bar) : -bar;
    return cosine - 0x1p-50 - vb_cosine_error(d);
}

/* From canonical sums. Each limit is looser by more than the rounding of both sides: 2^-50 or
 * 2^-48 where that is some 2^-52, 2^-1000 for what underflow adds to a sum of squares. */
static void surely_worse(const vb_scorer *s, const double *sums, const double *norms, size_t n, double bar,
                         uint8_t *failed)
{
    double limit, factor;
    switch (accumulators[s->metric]) {
    case VB_DOT:
        for (size_t i = 0; i < n; i++)
            failed[i] = sums[i] < -bar;
        for (size_t i = 0; s->scoring.wide && i < n; i++) /* infinite: it may have overflown on the way (apart.h) */
            failed[i] &= sums[i] >= -DBL_MAX;
        return;
    case VB_SQDIFF:
        limit = vb_most_square(s->metric, bar);
        for (size_t i = 0; i < n; i++)
            failed[i] = sums[i] > limit;
        return;
    default:
        if (s->metric == VB_METRIC_JACCARD) {
            limit = bar * (1.0 + 0x1p-50);
            for (size_t i = 0; i < n; i++)
                failed[i] = s->norm + norms[i] - 2.0 * sums[i] > limit * (s->norm + norms[i] - sums[i]);
            return;
        }
        /* sum / sqrt(norm * x.x) < limit, squared, and cleared of the quotient. */
        limit = vb_least_cosine(s->metric, s->d, bar);
        factor = limit * limit * s->norm * (1.0 - 0x1p-48);
        if (limit > 0x1p-20 && vb_square_is_safe(s->norm))
            for (size_t i = 0; i < n; i++)
                failed[i] = (uint8_t)(((sums[i] < 0.0) | (sums[i] * sums[i] < factor * norms[i])) &
                                      vb_square_is_safe(norms[i]));
        else
            memset(failed, 0, n);
    }
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
 * Limits are rounded away from the rows that pass. e stays under 0.02 by screen_most_d.
 * Returns 0 if the bar rules nothing out. */
static const size_t screen_most_d = 8000000;

static int screen_limits(const vb_scorer *s, double bar, vb_limits *limits)
{
    const double u = 0x1p-24, e = ((double)s->d / 32.0 + 12.0) * u, tiny = ((double)s->d + 64.0) * 0x1p-125;
    const double least = ((double)s->d + 64.0) * 0x1p-90, a = s->ratio;
    double cosine, slope;

    switch (accumulators[s->metric]) {
    case VB_SQDIFF:
        limits->limit = vb_at_least((1.0 + 1.3 * e) * vb_most_square(s->metric, bar) + 2.0 * tiny);
        return limits->limit < FLT_MAX;
    case VB_DOT:
        limits->slope = vb_at_least(0.65 * e * a + 0x1p-120);
        limits->limit = vb_at_most(-bar - 0.65 * e * s->norm / a - 2.0 * tiny);
        return s->norm <= 0x1p120;
    default:
        cosine = vb_least_cosine(s->metric, s->d, bar) - 1.3 * e;
        slope = cosine * cosine * s->norm * (1.0 - 1.3 * e) * (1.0 - 8.0 * u);
        limits->slope = vb_at_most(slope);
        limits->low = vb_at_least(least > 0x1p-100 / slope ? least : 0x1p-100 / slope);
        return cosine > 0x1p-10 && s->norm > least && slope > 0x1p-100 && slope < 0x1p120;
    }
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

    vb_kernels.rows[accumulators[s->metric]][s->type](s->query, rows, n, s->d, sums, norms);
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
VB_NOINLINE static size_t screened(const vb_scorer *s, const vb_view *rows, size_t n, const vb_limits *limits,
                                   uint32_t *positions)
{
    const size_t many = 16;
    size_t count;

    if (n >= many)
        vb_mode_flush(1);
    count = vb_kernels.screen[accumulators[s->metric]][VB_F32](s->narrow, rows, n, s->d, limits, positions);
    if (n >= many)
        vb_mode_flush(0);
    return count;
}

void vb_scorer_screen(vb_scorer *s, const float *narrow, const char *sample)
{
    double square;

    if (s->type != VB_F32 || s->metric == VB_METRIC_JACCARD || !vb_kernels.screen[accumulators[s->metric]][VB_F32] ||
        s->d > screen_most_d)
        return;
    s->narrow = narrow;
    if (s->metric == VB_METRIC_DOT) {
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
    const vb_accumulator accumulator = accumulators[s->metric];
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
    /* More than this share left over costs more than the screen saves; then it is tried again
     * only now and then. */
    const size_t worth = n / 4, enough = 64, pause = 16;
    int64_t ids[VB_CHUNK];
    vb_view left = {rows->base, rows->stride, ids, 0};
    double sums[VB_CHUNK], norms[VB_CHUNK];
    vb_limits limits;
    size_t count;

    if (s->dead) { /* NaN is never within a bar */
        for (count = 0; bar != bar && count < n; count++) {
            positions[count] = (uint32_t)count;
            scores[count] = (double)NAN;
        }
        return count;
    }
    if (!s->narrow || s->direct > 0 || bar != bar || !screen_limits(s, bar, &limits)) {
        s->direct -= s->direct > 0;
        return closer_directly(s, rows, n, bar, positions, scores);
    }
    count = screened(s, rows, n, &limits, positions);
    if (count > worth && n >= enough)
        s->direct = (int)pause;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        ids[i] = rows->ids ? rows->ids[positions[i]] : (int64_t)positions[i];
    sums_of_few(s, &left, count, sums, norms);
    scores_of(s, rows, positions, count, sums, norms, scores);
    return count;
}

void vb_unit(double *row, size_t d)
{
    double square, scale, length;
    vb_kernels.pair[VB_DOT][VB_F64](row, row, d, &square);
    square = vb_apart_square((const char *)row, d, square, &scale);
    if (scale != 1.0)
        vb_apart_scaled((const char *)row, d, scale, row);
    length = vb_square_is_safe(square) ? sqrt(square) : (double)NAN;
    for (size_t i = 0; i < d; i++)
        row[i] /= length;
}

size_t vb_chunk_rows(vb_type type, size_t d)
{
    const size_t bytes = 128 << 10, row = d * vb_type_size(type) + 1;
    const size_t rows = bytes / row;
    return rows < 8 ? 8 : rows > VB_CHUNK ? VB_CHUNK : rows;
}
