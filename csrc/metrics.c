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

static void finish_euclidean(const vb_scorer *s, const char *const *rows, size_t n, double *values)
{
    for (size_t i = 0; i < n; i++)
        if (vb_root_is_safe(values[i]))
            values[i] = sqrt(values[i]);
        else
            values[i] = vb_extreme_euclidean(VB_F64, s->query, s->type, rows[i], s->d);
}

/* The plain formula over all rows (it vectorises), then again for the few out of range. */
static void finish_cosine(const vb_scorer *s, const char *const *rows, size_t n, double *values, const double *norms)
{
    const int query_is_safe = vb_square_is_safe(s->norm);

    for (size_t i = 0; i < n; i++)
        values[i] = similarity(values[i], s->norm, norms[i]);
    for (size_t i = 0; i < n; i++)
        if (!(query_is_safe && vb_square_is_safe(norms[i])))
            values[i] = vb_extreme_cosine(VB_F64, s->query, s->type, rows[i], s->d);
    if (s->metric == VB_METRIC_COSINE)
        for (size_t i = 0; i < n; i++)
            values[i] = 1.0 - values[i];
}

void vb_scorer_run(const vb_scorer *s, const char *const *rows, size_t n, double *values)
{
    double norms[VB_CHUNK];
    vb_kernels.rows[accumulators[s->metric]][s->type](s->query, rows, n, s->d, values, norms);
    if (s->metric == VB_METRIC_EUCLIDEAN)
        finish_euclidean(s, rows, n, values);
    else if (accumulators[s->metric] == VB_DOTNORM)
        finish_cosine(s, rows, n, values, norms);
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
