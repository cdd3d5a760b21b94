/* bound.c - which rows cannot be near a query, from a quarter of their bytes.
 *
 * Notation: |v| a norm, . a dot product; u = 2^-24. A query is measured with row x, both real
 * vectors of d numbers; c is the center, y = x - c.
 *
 *   row      code C, unit U:     y U = C + r      |r| <= R, the largest residual,   |C| <= K, the code norm
 *   query    code Q, scale S:    w / S = Q + f    |f| = F, the residual norm,       |w| / S = N, the norm
 *
 * where w is the query q, or for Euclidean distances q - c. Then, by Cauchy-Schwarz,
 *
 *   (w . y) U / S = (Q + f) . C + (w / S) . r >= or <= Q . C -+ (F K + N R)         (1)
 *
 * and each metric says which w . y a row needs for a score of at most the bar:
 *
 *   dot        q . x = q . y + q . c >= -bar                     w . y >= -bar - q . c
 *   cosine     q . x >= cos |q| |x|                              w . y >= cos |q| |x| - q . c
 *   Euclidean  |q - x|^2 = |w|^2 + |y|^2 - 2 w . y <= bar        w . y >= (|w|^2 - bar) / 2 + |y|^2 / 2
 *
 * that is, w . y >= A + T e(x) with e = 0, |x| or |y|^2 / 2. In (1): a row is ruled out if
 *
 *   Q . C  <  (A / S) U + (T / S) (e(x) U) - k,      k = F K + N R.                  (2)
 *
 * Integers of a byte are their own codes (C = y, with c = 128 if they are unsigned), and so are bits: they
 * lose nothing. For bits there is one metric more:
 *
 *   jaccard    (u - q . x) / u <= bar, u = |q|^2 + |x|^2 - q . x
 *                                                   w . y >= (1 - bar) / (2 - bar) (|w|^2 + |y|^2)
 *
 * Every rounding is paid for, each on the side on which no row is lost:
 *
 *   - float64 sums, canonical or not: at most g = (d + 64) 2^-52 of the sum of |terms|, so of |q| |x| for a dot
 *     product, 4 g for a cosine, 4 g of itself for a square. |x| <= |c| + |y|: the part with |c| goes
 *     into A, that with |y| (|y| U <= K + R) into F and N;
 *   - A itself, with q . c: 2^-50 of its terms, and g |q| |c|;
 *   - y, rounded to float32, and for float64 rows narrowed: u |y|, so u (K + R) in R; (two-byte
 *     floats are float32 to begin with;)
 *   - the code's own arithmetic: the sums of vb_coding are within h = (d / 2 + 16) 2u of the truth,
 *     and y U - C within 2u K more; e(x) U is within h of the truth, which goes into T;
 *   - Q . C, rounded to float32: u |Q| K, in F; products and sums on the right of (2): less
 *     than 4 u of each term: a and t are smaller, and k larger, by 2^-21 of themselves.
 *
 * Rows are multiplied by a power of two, the scale, beforehand, which brings tiny and huge ones near 1, and so are queries: for
 * Euclidean distances by the same one. Bars are, too.
 *
 * A row whose squares would leave float32 (|y| elements outside 2^-50 .. 2^50, NaN, infinity), has
 * unit NaN: no comparison with NaN rules it out. A query of that kind gets a = NaN.
 */
#include "bound.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const double smallest_unit_range = 0x1p-50, largest_unit_range = VB_LARGEST_CODED;

/* More than the relative errors of float64 sums in any order, and of vb_coding's. */
static double canonical_error(size_t d) { return ((double)d + 64.0) * 0x1p-52; }
static double coding_error(size_t d) { return ((double)d / 2.0 + 16.0) * 0x1p-23; }

/* ---- rows -------------------------------------------------------------------------- */

void vb_bound_clear(vb_panel *panel) { panel->largest_residual = panel->code_norm = 0.0f; }

/* |x|, from a float32 sum or, where it is at the edge of float32, from the row. */
static double norm_of(const vb_encoding *e, const char *row, const vb_coding *found)
{
    double square, norm, scale = 1.0;

    if (e->type != VB_F64 && found->norm >= 0x1p-90f && found->norm <= 0x1p90f)
        return sqrt((double)found->norm);
    vb_kernels.pair[VB_DOT][e->type](row, row, e->d, &square);
    if (e->type == VB_F64)
        square = vb_apart_square(row, e->d, square, &scale);
    if (!vb_square_is_safe(square))
        return INFINITY;
    norm = sqrt(square) / scale * e->scale;
    return norm <= DBL_MAX ? norm : (double)NAN; /* huge, where most rows are tiny: no codes, but a cosine */
}

/* e(x). NaN: it has none. Infinite: the row's value is NaN, whatever the query; no number is as bad, and it need not be
 * looked at. */
static double norm_term_of(const vb_encoding *e, const char *row, const vb_coding *found)
{
    if (vb_type_kind(e->type) == VB_REAL && found->norm != found->norm)
        return INFINITY;
    switch (vb_metrics[e->metric].geometry) {
    case VB_GEOMETRY_DOT:
        return 0.0;
    case VB_GEOMETRY_SQUARE:
    case VB_GEOMETRY_OVERLAP:
        return found->square <= FLT_MAX ? found->square / 2.0 : (double)NAN;
    case VB_GEOMETRY_ANGLE:
        return norm_of(e, row, found);
    }
    VB_UNREACHABLE();
}

static int is_codable(const vb_coding *found, double norm_term)
{
    const int most_fits = found->most >= smallest_unit_range && found->most <= largest_unit_range;
    return (found->most == 0.0f || most_fits) && found->square <= FLT_MAX && norm_term == norm_term;
}

void vb_bound_row(const vb_encoding *e, const char *row, const vb_coding *found, size_t r, vb_panel *panel)
{
    const int real = vb_type_kind(e->type) == VB_REAL;
    const double h = coding_error(e->d), norm_term = norm_term_of(e, row, found);

    VB_ASSERT(r < VB_PANEL);
    if (norm_term > DBL_MAX) {
        panel->unit[r] = 1.0f;
        panel->norm_term[r] = INFINITY;
    } else if (!real || is_codable(found, norm_term)) {
        const double residual = sqrt((double)found->residual), code = sqrt((double)found->code);
        const float worst = vb_at_least((residual + 0x1p-22 * (residual + code)) * (1.0 + h)),
                    far = vb_at_least(code * (1.0 + h));
        panel->unit[r] = found->unit;
        panel->norm_term[r] = (float)(norm_term * found->unit);
        if (real)
            panel->largest_residual = worst > panel->largest_residual ? worst : panel->largest_residual;
        panel->code_norm = far > panel->code_norm ? far : panel->code_norm;
    } else {
        panel->unit[r] = NAN;
        panel->norm_term[r] = 0.0f;
    }
}

/* ---- queries ----------------------------------------------------------------------- */

/* What brings a query that is not to be subtracted near 1, if it is far. */
static double scale_for(const double *query, size_t d)
{
    enum { ORDINARY = 24 };
    double most = 0.0;
    int exponent;

    for (size_t i = 0; i < d; i++)
        most = fabs(query[i]) > most ? fabs(query[i]) : most;
    if (!(most > 0.0 && most <= DBL_MAX))
        return 1.0;
    frexp(most, &exponent);
    if (exponent >= -ORDINARY && exponent <= ORDINARY)
        return 1.0;
    return vb_scale_of(exponent < -VB_MOST_EXPONENT  ? VB_MOST_EXPONENT
                       : exponent > VB_MOST_EXPONENT ? -VB_MOST_EXPONENT
                                                     : -exponent);
}

void vb_bound_query(vb_query_bound *s, const vb_encoding *e, const double *query, int largest, double *w, int8_t *codes,
                    int32_t *bias)
{
    const int square_geometry = vb_metrics[e->metric].geometry == VB_GEOMETRY_SQUARE;
    const double g = canonical_error(e->d), least_code = largest == 127 ? -128.0 : -largest;
    double most = 0.0, least = 0.0, square = 0.0, center_square = 0.0, residual = 0.0, code_square = 0.0;
    int32_t sum = 0;

    *s = (vb_query_bound){.scale = 1.0, .scaled = square_geometry ? e->scale : scale_for(query, e->d), .bar = NAN};
    VB_ASSERT(1 <= largest && largest <= 127);
    for (size_t i = 0; i < e->d; i++) {
        const double q = query[i] * s->scaled, c = e->center[i];
        w[i] = square_geometry ? q - c : q;
        most = w[i] > most ? w[i] : most;
        least = w[i] < least ? w[i] : least;
        s->square += w[i] * w[i];
        square += q * q;
        s->center_dot += q * c;
        center_square += c * c;
    }
    /* Integers that are small enough are their own codes. */
    const int own = vb_type_kind(e->type) == VB_INTEGER && most <= largest && least >= least_code;
    most = -least > most ? -least : most;
    s->codable = s->square <= largest_unit_range * largest_unit_range && (most == 0.0 || most >= smallest_unit_range) &&
                 square <= largest_unit_range * largest_unit_range;
    if (!s->codable)
        most = 0.0;
    if (most > 0.0 && !own)
        s->scale = most / largest;
    for (size_t i = 0; i < e->d; i++) {
        const double exact = most > 0.0 ? w[i] / s->scale : 0.0, code = nearbyint(exact);
        codes[i] = (int8_t)code;
        sum += (int8_t)code;
        residual += (exact - code) * (exact - code);
        code_square += code * code;
    }
    for (size_t i = e->d; i % 4; i++)
        codes[i] = 0;
    *bias = 128 * sum;
    s->query_norm = sqrt(square);
    s->norm = sqrt(s->square) / s->scale * (1.0 + 0x1p-30);
    s->residual = sqrt(residual) + 4.0 * g * s->query_norm / s->scale + (s->norm + sqrt(code_square)) * 0x1p-22;
    s->center_slack = 4.0 * g * s->query_norm * sqrt(center_square) + 0x1p-50 * fabs(s->center_dot);
}

void vb_bound_query_bits(vb_query_bound *s, const vb_encoding *e, const char *query, int8_t *codes, int32_t *bias)
{
    *s = (vb_query_bound){.scale = 1.0, .scaled = 1.0, .bar = NAN, .codable = 1};
    for (size_t i = 0; i < e->d || i % 4; i++)
        codes[i] = (int8_t)(i < e->d ? query[i] : 0);
    *bias = 0;
    vb_kernels.pair[VB_DOT][VB_B1](query, query, e->d, &s->square);
    s->query_norm = s->norm = sqrt(s->square);
    s->residual = (s->norm + s->query_norm) * 0x1p-22;
}

/* ---- bars -------------------------------------------------------------------------- */

/* x, less by what float32 arithmetic and a relative error of h can add. */
static float no_more_than(double x, double h) { return vb_at_most(x - fabs(x) * (0x1p-21 + h)); }

void vb_bound_bar(vb_query_bound *s, const vb_encoding *e, double bar, float *a, float *t)
{
    const double g = canonical_error(e->d), h = coding_error(e->d);
    /* What canonical sums lose to underflow. */
    const double underflow = ((double)e->d + 64.0) * 0x1p-1073;
    double most, least = NAN, slope = 0.0, share;

    s->bar = bar;
    switch (vb_metrics[e->metric].geometry) {
    case VB_GEOMETRY_DOT:
        least = ((-bar - 0x1p-50 * fabs(bar)) - underflow) * s->scaled * e->scale - s->center_dot - s->center_slack;
        slope = 0x1p-60; /* e is 0, or infinite */
        break;
    case VB_GEOMETRY_OVERLAP:
        share = 1.0 - bar - 0x1p-50;
        share = share > 0.0 ? share / (1.0 + share) : share;
        least = share * s->square;
        slope = 2.0 * share;
        break;
    case VB_GEOMETRY_SQUARE:
        most = vb_most_scaled_square(e->metric, bar, underflow, e->scale) * (1.0 + 4.0 * g);
        least = (s->square * (1.0 - 4.0 * g) - most) / 2.0 - 0x1p-50 * (s->square + most);
        slope = 1.0;
        break;
    case VB_GEOMETRY_ANGLE:
        slope = (vb_least_cosine(e->metric, e->d, bar) - 4.0 * g) * s->query_norm;
        least = -s->center_dot - s->center_slack;
        break;
    }
    *a = s->codable && fabs(bar) <= DBL_MAX ? no_more_than(least / s->scale, 0.0) : NAN;
    *t = no_more_than(slope / s->scale, h);
    if (bar == INFINITY) { /* anything but NaN */
        *a = -0x1p100f;
        *t = 0x1p-60f;
    }
}

/* What k and its terms lose by being float32, and by the arithmetic of (2). */
static const float rounded_up = 1.0f + 0x1p-20f, at_least = 0x1p-20f;

void vb_bound_floats(const vb_query_bound *bound, float *norm, float *residual)
{
    *norm = (float)(bound->norm * (1.0 + 0x1p-22));
    *residual = (float)(bound->residual * (1.0 + 0x1p-22));
}

void vb_bound_slack(const char *panels, size_t count, size_t d, const float *norms, const float *residuals, size_t n,
                    float *k)
{
    float largest_residual = 0.0f, code_norm = 0.0f;

    for (size_t p = 0; p < count; p++) {
        const vb_panel *panel = (const vb_panel *)(panels + p * vb_panel_bytes(d));
        largest_residual = panel->largest_residual > largest_residual ? panel->largest_residual : largest_residual;
        code_norm = panel->code_norm > code_norm ? panel->code_norm : code_norm;
    }
    for (size_t q = 0; q < n; q++)
        k[q] = (norms[q] * largest_residual + residuals[q] * code_norm) * rounded_up + at_least;
}
