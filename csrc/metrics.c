/* metrics.c - a metric is an accumulator, an epilogue on its sums, and an order.
 *
 *   dot                 dot
 *   sqeuclidean         sqdiff
 *   euclidean           sqrt(sqdiff)
 *   cosine_similarity   dot / sqrt(aa * xx), held in [-1, 1]
 *   cosine              1 - cosine_similarity
 *
 * The root of the product, not the product of the roots: for a row with itself dot = aa = xx, and
 * sqrt(x * x) is x in binary floating point when nothing over- or underflows, so cosine(x, x) is exactly
 * 0. A zero row gives 0 / 0, which is NaN. Where float64 sums of squares leave the range in
 * which that holds, extremes.c measures again with scaled rows.
 */
#include "metrics.h"

#include <math.h>
#include <string.h>

#include "extremes.h"

#define VB_SIZE(id, name, element) sizeof(element),
#define VB_TYPE_NAME(id, name, element) #name,
#define VB_METRIC_NAME(id, name, accumulator, similarity) #name,
#define VB_METRIC_ACCUMULATOR(id, name, accumulator, similarity) accumulator,
#define VB_METRIC_SIMILARITY(id, name, accumulator, similarity) similarity,

static const size_t type_sizes[] = {VB_EACH_TYPE(VB_SIZE)};
static const char *const type_names[] = {VB_EACH_TYPE(VB_TYPE_NAME)};
static const char *const metric_names[] = {VB_EACH_METRIC(VB_METRIC_NAME)};
static const vb_accumulator accumulators[] = {VB_EACH_METRIC(VB_METRIC_ACCUMULATOR)};
static const unsigned char similarities[] = {VB_EACH_METRIC(VB_METRIC_SIMILARITY)};

size_t vb_type_size(vb_type type) { return type_sizes[type]; }
const char *vb_type_name(vb_type type) { return type_names[type]; }
const char *vb_metric_name(vb_metric metric) { return metric_names[metric]; }
int vb_metric_is_similarity(vb_metric metric) { return similarities[metric]; }

/* 0 / 0 and inf - inf leave NaNs of either sign: one of them goes out. */
VB_INLINE double settle(double value) { return value == value ? value : (double)NAN; }

VB_INLINE double similarity(double dot, double aa, double xx)
{
    double s = dot / sqrt(aa * xx);
    s = s > 1.0 ? 1.0 : s;
    return settle(s < -1.0 ? -1.0 : s);
}

double vb_pair(vb_metric metric, vb_type type, const void *a, const void *b, size_t d)
{
    double sums[3], s;
    vb_kernels.pair[accumulators[metric]][type](a, b, d, sums);
    switch (metric) {
    case VB_METRIC_EUCLIDEAN:
        return vb_root_is_safe(sums[0]) ? sqrt(sums[0]) : vb_extreme_euclidean(type, a, type, b, d);
    case VB_METRIC_COSINE:
    case VB_METRIC_COSINE_SIMILARITY:
        s = vb_square_is_safe(sums[1]) && vb_square_is_safe(sums[2]) ? similarity(sums[0], sums[1], sums[2])
                                                                     : vb_extreme_cosine(type, a, type, b, d);
        return metric == VB_METRIC_COSINE ? 1.0 - s : s;
    default:
        return sums[0];
    }
}

void vb_scorer_init(vb_scorer *scorer, vb_metric metric, vb_type type, size_t d, const double *query)
{
    *scorer = (vb_scorer){metric, type, d, query, 0.0};
    if (accumulators[metric] == VB_DOTNORM)
        vb_kernels.pair[VB_DOT][VB_F64](query, query, d, &scorer->norm);
}

/* The value that row `row`, with these sums, has. */
VB_INLINE double finish(const vb_scorer *s, const char *row, double sum, double norm)
{
    double cosine;
    switch (s->metric) {
    case VB_METRIC_EUCLIDEAN:
        return vb_root_is_safe(sum) ? sqrt(sum) : vb_extreme_euclidean(VB_F64, s->query, s->type, row, s->d);
    case VB_METRIC_COSINE:
    case VB_METRIC_COSINE_SIMILARITY:
        cosine = vb_square_is_safe(norm) && vb_square_is_safe(s->norm)
                     ? similarity(sum, s->norm, norm)
                     : vb_extreme_cosine(VB_F64, s->query, s->type, row, s->d);
        return s->metric == VB_METRIC_COSINE ? 1.0 - cosine : cosine;
    default:
        return sum;
    }
}

/* Whether finish() needs no row for any of these sums: then the plain loops, which vectorise, do. */
static int all_safe(const vb_scorer *s, size_t n, const double *sums, const double *norms)
{
    size_t safe = 0;
    if (s->metric == VB_METRIC_EUCLIDEAN)
        for (size_t i = 0; i < n; i++)
            safe += vb_root_is_safe(sums[i]);
    else if (vb_square_is_safe(s->norm))
        for (size_t i = 0; i < n; i++)
            safe += vb_square_is_safe(norms[i]);
    return safe == n;
}

void vb_scorer_run(const vb_scorer *s, const vb_view *rows, size_t n, double *values)
{
    double norms[VB_CHUNK];
    const vb_accumulator accumulator = accumulators[s->metric];

    vb_kernels.rows[accumulator][s->type](s->query, rows, n, s->d, values, norms);
    if (s->metric == VB_METRIC_DOT || s->metric == VB_METRIC_SQEUCLIDEAN)
        return;
    if (!all_safe(s, n, values, norms)) {
        for (size_t i = 0; i < n; i++)
            values[i] = finish(s, vb_row(rows, i), values[i], norms[i]);
        return;
    }
    if (s->metric == VB_METRIC_EUCLIDEAN)
        for (size_t i = 0; i < n; i++)
            values[i] = sqrt(values[i]);
    else
        for (size_t i = 0; i < n; i++)
            values[i] = similarity(values[i], s->norm, norms[i]);
    if (s->metric == VB_METRIC_COSINE)
        for (size_t i = 0; i < n; i++)
            values[i] = 1.0 - values[i];
}

/* Rows whose score is surely worse than the bar, from their sums, without roots and quotients:
 * failed[i] = 1. Few that are worse are missed. Each limit is looser by far more than the
 * rounding of both sides (2^-50 where that is some 2^-52; 2^-1000 for what underflow adds to a
 * sum of squares). A NaN never fails. */
static void surely_worse(const vb_scorer *s, const double *sums, const double *norms, size_t n, double bar,
                         uint8_t *failed)
{
    double limit = bar, cosine, factor;
    switch (s->metric) {
    case VB_METRIC_DOT:
        for (size_t i = 0; i < n; i++)
            failed[i] = sums[i] < -bar;
        return;
    case VB_METRIC_EUCLIDEAN:
        limit = bar * bar * (1.0 + 0x1p-50) + 0x1p-1000;
        /* fall through */
    case VB_METRIC_SQEUCLIDEAN:
        for (size_t i = 0; i < n; i++)
            failed[i] = sums[i] > limit;
        return;
    default:
        /* dot / sqrt(norm * x.x) < cosine, for a cosine well over zero: squared, and cleared of
         * the quotient. Of unsafe norms nothing is known. */
        cosine = (s->metric == VB_METRIC_COSINE ? 1.0 - bar : -bar) - 0x1p-50;
        factor = cosine * cosine * s->norm * (1.0 - 0x1p-48);
        if (cosine > 0x1p-20 && vb_square_is_safe(s->norm))
            for (size_t i = 0; i < n; i++)
                failed[i] = (uint8_t)(((sums[i] < 0.0) | (sums[i] * sums[i] < factor * norms[i])) &
                                      vb_square_is_safe(norms[i]));
        else
            memset(failed, 0, n);
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

size_t vb_scorer_closer(const vb_scorer *s, const vb_view *rows, size_t n, double bar, uint32_t *positions,
                        double *scores)
{
    double sums[VB_CHUNK], norms[VB_CHUNK];
    uint8_t failed[VB_CHUNK];
    size_t count;

    vb_kernels.rows[accumulators[s->metric]][s->type](s->query, rows, n, s->d, sums, norms);
    surely_worse(s, sums, norms, n, bar, failed);
    count = positions_of_zeros(failed, n, positions);
    for (size_t i = 0; i < count; i++) {
        const uint32_t at = positions[i];
        const double value = finish(s, vb_row(rows, at), sums[at], norms[at]);
        scores[i] = similarities[s->metric] ? -value : value;
    }
    return count;
}

void vb_widen(vb_type type, const void *row, size_t d, double *out)
{
    float x;
    switch (type) {
    case VB_F32:
        for (size_t i = 0; i < d; i++) {
            memcpy(&x, (const char *)row + i * sizeof x, sizeof x);
            out[i] = x;
        }
        break;
    default:
        memcpy(out, row, d * sizeof *out);
    }
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
