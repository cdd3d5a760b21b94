/* metrics.c - a metric is an accumulator, an epilogue on its sums (epilogues.h), and an order.
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

#include "mode.h"

#define VB_NAME(id, name, ...) #name,
#define VB_GEOMETRY(id, name, geometry) geometry_of_##id = geometry,
#define VB_METRIC(id, name, accumulator, epilogue, similarity, bits_only, integral) \
    {#name, accumulator, (vb_geometry)geometry_of_##epilogue, epilogue, similarity, bits_only, integral},

enum { VB_EACH_EPILOGUE(VB_GEOMETRY) };
const char *const vb_accumulators[] = {VB_EACH_ACCUMULATOR(VB_NAME)};
const char *const vb_epilogues[] = {VB_EACH_EPILOGUE(VB_NAME)};
const vb_metric_info vb_metrics[] = {VB_EACH_METRIC(VB_METRIC)};

/* ---- values -------------------------------------------------------------------------------- */

double vb_integer_angle(vb_metric metric, size_t d, double dot, double aa, double xx)
{
    const vb_pair_of_rows pair = {VB_I8, VB_I8, NULL, NULL, d};
    return vb_value_of_angle(vb_metrics[metric].epilogue, vb_apart_angle(&pair, dot, aa, xx));
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
    const vb_epilogue epilogue = vb_metrics[metric].epilogue;
    switch (epilogue) {
    case VB_RAW:
        return vb_apart_dot(&pair, sums[0]);
    case VB_ROOT:
        return vb_apart_euclidean(&pair, sums[0]);
    case VB_SIMILARITY:
    case VB_ANGULAR:
        return vb_value_of_angle(epilogue, vb_apart_angle(&pair, sums[0], sums[1], sums[2]));
    case VB_SQUARED:
    case VB_UNSHARED: /* their sums always tell */
        break;
    }
    VB_UNREACHABLE();
}

double vb_pair(vb_metric metric, vb_type type, const void *a, const void *b, size_t d)
{
    const vb_metric_info *info = &vb_metrics[metric];
    double sums[3], s;

    if (!vb_mode_is_standard())
        return pair_in_standard_mode(metric, type, a, b, d);
    vb_need_kernels();
    vb_kernels.pair[info->accumulator][type](a, b, d, sums);
    switch (info->epilogue) {
    case VB_RAW:
        return fabs(sums[0]) <= DBL_MAX ? sums[0] : pair_apart(metric, type, a, b, d, sums);
    case VB_SQUARED:
        return sums[0];
    case VB_ROOT:
        return vb_root_is_safe(sums[0]) ? sqrt(sums[0]) : pair_apart(metric, type, a, b, d, sums);
    case VB_SIMILARITY:
    case VB_ANGULAR:
        s = vb_square_is_safe(sums[1]) ? vb_similarity(sums[0], sums[1], sums[2], vb_near_edge(d)) : (double)NAN;
        if (s != s)
            return pair_apart(metric, type, a, b, d, sums);
        return vb_value_of_angle(info->epilogue, (vb_angle){s, 1.0 - s, 0});
    case VB_UNSHARED:
        return vb_jaccard(sums[0], sums[1], sums[2]);
    }
    VB_UNREACHABLE();
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

/* ---- scores -------------------------------------------------------------------------------- */

/* Whether scores tell more than values: of angles whose cosine rounds to 1 (epilogues.h). */
static int is_cosine(const vb_metric_info *info) { return info->similarity && info->geometry == VB_GEOMETRY_ANGLE; }

double vb_score_value(vb_metric metric, size_t d, double score)
{
    const vb_metric_info *info = &vb_metrics[metric];
    const double edge = vb_near_edge(d);
    double s;

    if (!info->similarity)
        return score;
    if (!is_cosine(info) || !(score < -1.0))
        return 0.0 - score; /* zero is positive */
    s = 1.0 - vb_near_distance(score);
    return s > edge ? s : edge;
}

double vb_score_bar(vb_metric metric, size_t d, double threshold)
{
    const vb_metric_info *info = &vb_metrics[metric];
    double distance;

    if (!info->similarity)
        return threshold;
    if (!is_cosine(info) || !(threshold > vb_near_edge(d)))
        return -threshold;
    if (threshold > 1.0)
        return -INFINITY;
    /* The largest distance that leaves the similarity, 1 - distance, rounded, at the threshold. */
    distance = (1.0 - threshold) + 0x1p-54;
    return vb_near_score(1.0 - distance < threshold ? nextafter(distance, 0.0) : distance);
}

double vb_most_square(vb_metric metric, double bar)
{
    switch (vb_metrics[metric].epilogue) {
    case VB_SQUARED:
        return bar;
    case VB_ROOT:
        return bar * bar * (1.0 + 0x1p-50) + 0x1p-1000;
    case VB_RAW:
    case VB_SIMILARITY:
    case VB_ANGULAR:
    case VB_UNSHARED:
        break;
    }
    VB_UNREACHABLE();
}

double vb_most_scaled_square(vb_metric metric, double bar, double slack, double scale)
{
    switch (vb_metrics[metric].epilogue) {
    case VB_SQUARED:
        return (bar + slack) * scale * scale;
    case VB_ROOT:
        return vb_most_square(metric, bar * scale);
    case VB_RAW:
    case VB_SIMILARITY:
    case VB_ANGULAR:
    case VB_UNSHARED:
        break;
    }
    VB_UNREACHABLE();
}

double vb_least_cosine(vb_metric metric, size_t d, double bar)
{
    const double rounding = vb_cosine_error(d) + 0x1p-50;
    switch (vb_metrics[metric].epilogue) {
    case VB_SIMILARITY:
        return (bar < -1.0 ? 1.0 - vb_near_distance(bar) : -bar) - rounding;
    case VB_ANGULAR:
        return (1.0 - bar) - rounding;
    case VB_RAW:
    case VB_SQUARED:
    case VB_ROOT:
    case VB_UNSHARED:
        break;
    }
    VB_UNREACHABLE();
}
