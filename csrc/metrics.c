/* metrics.c - a metric is an accumulator, an epilogue on its sums, and an order.
 *
 *   dot                 dot
 *   sqeuclidean         sqdiff
 *   euclidean           sqrt(sqdiff)
 *   cosine_similarity   dot / sqrt(aa * xx), held in [-1, 1]
 *   cosine              1 - cosine_similarity
 *   hamming             sqdiff
 *   jaccard             (u - dot) / u, u = aa + xx - dot; 0 where u is
 */
#include "metrics.h"

#include <math.h>
#include <string.h>

#include "extremes.h"

#define VB_METRIC_NAME(id, name, accumulator, similarity) #name,
#define VB_METRIC_ACCUMULATOR(id, name, accumulator, similarity) accumulator,
#define VB_METRIC_SIMILARITY(id, name, accumulator, similarity) similarity,

static const char *const metric_names[] = {VB_EACH_METRIC(VB_METRIC_NAME)};
static const vb_accumulator accumulators[] = {VB_EACH_METRIC(VB_METRIC_ACCUMULATOR)};
static const unsigned char similarities[] = {VB_EACH_METRIC(VB_METRIC_SIMILARITY)};

const char *vb_metric_name(vb_metric metric) { return metric_names[metric]; }
int vb_metric_is_similarity(vb_metric metric) { return similarities[metric]; }

double vb_pair(vb_metric metric, vb_type type, const void *a, const void *b, size_t d)
{
    double sums[3], s;
    vb_kernels.pair[accumulators[metric]][type](a, b, d, sums);
    switch (metric) {
    case VB_METRIC_EUCLIDEAN:
        return vb_root_is_safe(sums[0]) ? sqrt(sums[0]) : vb_extreme_euclidean(type, a, type, b, d);
    case VB_METRIC_COSINE:
    case VB_METRIC_COSINE_SIMILARITY:
        s = vb_square_is_safe(sums[1]) && vb_square_is_safe(sums[2]) ? vb_similarity(sums[0], sums[1], sums[2])
                                                                     : vb_extreme_cosine(type, a, type, b, d);
        return metric == VB_METRIC_COSINE ? 1.0 - s : s;
    case VB_METRIC_JACCARD:
        return vb_jaccard(sums[0], sums[1], sums[2]);
    default:
        return sums[0];
    }
}

void vb_scorer_init(vb_scorer *scorer, vb_metric metric, vb_type type, size_t d, const void *query)
{
    *scorer = (vb_scorer){metric, type, d, query, 0.0, NULL, 1.0, 0};
    if (accumulators[metric] == VB_DOTNORM)
        vb_kernels.pair[VB_DOT][vb_query_type(type)](query, query, d, &scorer->norm);
}

/* The value that row `row`, with these sums, has. */
VB_INLINE double finish(const vb_scorer *s, const char *row, double sum, double norm)
{
    const vb_type type = vb_query_type(s->type);
    double cosine;
    switch (s->metric) {
    case VB_METRIC_EUCLIDEAN:
        return vb_root_is_safe(sum) ? sqrt(sum) : vb_extreme_euclidean(type, s->query, s->type, row, s->d);
    case VB_METRIC_COSINE:
    case VB_METRIC_COSINE_SIMILARITY:
        cosine = vb_square_is_safe(norm) && vb_square_is_safe(s->norm)
                     ? vb_similarity(sum, s->norm, norm)
                     : vb_extreme_cosine(type, s->query, s->type, row, s->d);
        return s->metric == VB_METRIC_COSINE ? 1.0 - cosine : cosine;
    case VB_METRIC_JACCARD:
        return vb_jaccard(sum, s->norm, norm);
    default:
        return sum;
    }
}

void vb_scorer_run(const vb_scorer *s, const vb_view *rows, size_t n, double *values)
{
    double norms[VB_CHUNK];
    const vb_accumulator accumulator = accumulators[s->metric];

    vb_kernels.rows[accumulator][s->type](s->query, rows, n, s->d, values, norms);
    if (!vb_kernels.score(s->metric, n, s->norm, norms, values))
        for (size_t i = 0; i < n; i++)
            values[i] = finish(s, vb_row(rows, i), values[i], norms[i]);
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

double vb_least_cosine(vb_metric metric, double bar)
{
    return (metric == VB_METRIC_COSINE ? 1.0 - bar : -bar) - 0x1p-50;
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
        limit = vb_least_cosine(s->metric, bar);
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
 *     |s - sum t_i| <= 1.01 e sum |t_i| + tiny,    tiny = d 2^-149 for what underflowed,
 *
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
 * dotnorm: q.x < c |q| |x| if s < (c - 1.3 e) |q| |x|. With |q|^2 and n over d 2^-100, tiny is in
 *          that; squared with its sign, with (1 - 1.3 e) n for |x|^2 and 1 - 8 u for the test.
 *
 * Limits are rounded away from the rows that pass. e stays under 0.02 by screen_most_d.
 * Returns 0 if the bar rules nothing out. */
static const size_t screen_most_d = 8000000;

static int screen_limits(const vb_scorer *s, double bar, vb_limits *limits)
{
    const double u = 0x1p-24, e = ((double)s->d / 32.0 + 12.0) * u, tiny = (double)s->d * 0x1p-149;
    const double least = (double)(s->d + 1) * 0x1p-100, a = s->ratio;
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
        cosine = vb_least_cosine(s->metric, bar) - 1.3 * e;
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

/* The score of a row with these canonical sums. */
VB_INLINE double score_of(const vb_scorer *s, const char *row, double sum, double norm)
{
    const double value = finish(s, row, sum, norm);
    return similarities[s->metric] ? -value : value;
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
    for (size_t i = 0; i < count; i++)
        scores[i] = score_of(s, vb_row(rows, positions[i]), sums[positions[i]], norms[positions[i]]);
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

    if (!s->narrow || s->direct > 0 || bar != bar || !screen_limits(s, bar, &limits)) {
        s->direct -= s->direct > 0;
        return closer_directly(s, rows, n, bar, positions, scores);
    }
    count = vb_kernels.screen[accumulators[s->metric]][VB_F32](s->narrow, rows, n, s->d, &limits, positions);
    if (count > worth && n >= enough)
        s->direct = (int)pause;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        ids[i] = rows->ids ? rows->ids[positions[i]] : (int64_t)positions[i];
    sums_of_few(s, &left, count, sums, norms);
    for (size_t i = 0; i < count; i++)
        scores[i] = score_of(s, vb_row(&left, i), sums[i], norms[i]);
    return count;
}

void vb_unit(double *row, size_t d)
{
    double square, length;
    vb_kernels.pair[VB_DOT][VB_F64](row, row, d, &square);
    if (!vb_square_is_safe(square))
        square = vb_extreme_rescale(row, d);
    length = sqrt(square);
    for (size_t i = 0; i < d; i++)
        row[i] /= length;
}

size_t vb_chunk_rows(vb_type type, size_t d)
{
    const size_t bytes = 128 << 10, row = d * vb_type_size(type) + 1;
    const size_t rows = bytes / row;
    return rows < 8 ? 8 : rows > VB_CHUNK ? VB_CHUNK : rows;
}
