/* codes.c - which rows cannot be near a query, from a quarter of their bytes.
 *
 * Notation: |v| a length, . a dot product; u = 2^-24. A query is measured with row x, both real
 * vectors of d numbers; c is the center, y = x - c.
 *
 *   row      code C, unit U:     y U = C + r      |r| <= loss,   |C| <= reach
 *   query    code Q, scale S:    w / S = Q + f    |f| = lost,    |w| / S = whole
 *
 * where w is the query q, or for Euclidean distances q - c. Then, by Cauchy-Schwarz,
 *
 *   (w . y) U / S = (Q + f) . C + (w / S) . r >= or <= Q . C -+ (lost reach + whole loss)         (1)
 *
 * and each metric says which w . y a row needs for a score of at most the bar:
 *
 *   dot        q . x = q . y + q . c >= -bar                     w . y >= -bar - q . c
 *   cosine     q . x >= cos |q| |x|                              w . y >= cos |q| |x| - q . c
 *   Euclidean  |q - x|^2 = |w|^2 + |y|^2 - 2 w . y <= bar        w . y >= (|w|^2 - bar) / 2 + |y|^2 / 2
 *
 * that is, w . y >= A + T e(x) with e = 0, |x| or |y|^2 / 2. In (1): a row is ruled out if
 *
 *   Q . C  <  (A / S) U + (T / S) (e(x) U) - k,      k = lost reach + whole loss.                  (2)
 *
 * Whole numbers of a byte are their own codes (C = y, with c = 128 if they are unsigned), and so are bits: they
 * lose nothing. For bits there is one metric more:
 *
 *   jaccard    (u - q . x) / u <= bar, u = |q|^2 + |x|^2 - q . x
 *                                                   w . y >= (1 - bar) / (2 - bar) (|w|^2 + |y|^2)
 *
 * Every rounding is paid for, each on the side on which no row is lost:
 *
 *   - float64 sums, canonical or not: at most g = (d + 64) 2^-52 of the sum of |terms|, so of |q| |x| for a dot
 *     product, 4 g for a cosine, 4 g of itself for a square. |x| <= |c| + |y|: the part with |c| goes
 *     into A, that with |y| (|y| U <= reach + loss) into `lost` and `whole`;
 *   - A itself, with q . c: 2^-50 of its terms, and g |q| |c|;
 *   - y, rounded to float32, and for float64 rows narrowed: u |y|, so u (reach + loss) in `loss`; (two-byte
 *     floats are float32 to begin with;)
 *   - the code's own arithmetic: the sums of vb_coding are within h = (d / 2 + 16) 2u of the truth,
 *     and y U - C within 2u reach more; e(x) U is within h of the truth, which goes into T;
 *   - Q . C, rounded to float32: u |Q| reach, in `lost`; products and sums on the right of (2): less
 *     than 4 u of each term: a and t are smaller, and k larger, by 2^-21 of themselves.
 *
 * Rows are multiplied by a power of two, the scale, beforehand, which brings tiny and huge ones near 1, and so are queries: for
 * Euclidean distances by the same one. Bars are, too.
 *
 * A row whose squares would leave float32 (|y| elements outside 2^-50 .. 2^50, NaN, infinity), has
 * unit NaN: no comparison with NaN rules it out. A query of that kind gets a = NaN.
 */
#include "codes.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apart.h"
#include "job.h"

static const double smallest_unit_range = 0x1p-50, largest_unit_range = VB_LARGEST_CODED;

/* More than the relative errors of float64 sums in any order, and of vb_coding's. */
static double canonical_error(size_t d) { return ((double)d + 64.0) * 0x1p-52; }
static double coding_error(size_t d) { return ((double)d / 2.0 + 16.0) * 0x1p-23; }

size_t vb_center_size(size_t d) { return vb_divide_up(d, VB_LANES) * VB_LANES; }

static size_t round_up(size_t bytes) { return vb_divide_up(bytes, VB_LINE) * VB_LINE; }

/* ---- rows -------------------------------------------------------------------------- */

/* How many rows are encoded before their codes go to the panel, whole pieces of its cache lines. */
enum { AT_ONCE = 8 };

/* Working space: y in float32, y once more and zeros for a center (float64 rows), codes. */
size_t vb_encode_scratch(size_t d)
{
    return 3 * round_up(vb_center_size(d) * sizeof(float)) + AT_ONCE * round_up(vb_center_size(d));
}

/* Codes of AT_ONCE rows, `pitch` bytes apart, to the panel: at[step][row]. Row by row, where every step of a
 * row goes to another line, 768 numbers took 170 ns and not 50. */
static void interleave(const uint8_t *codes, size_t pitch, size_t steps, uint8_t *at)
{
    size_t step = 0;

    for (; step + 2 <= steps; step += 2)
        for (size_t r = 0; r < AT_ONCE; r += 2) {
            uint32_t from[2][2], to[2][2];
            uint8_t *place = at + (step * VB_PANEL + r) * 4;
            memcpy(from[0], codes + r * pitch + step * 4, sizeof from[0]);
            memcpy(from[1], codes + (r + 1) * pitch + step * 4, sizeof from[1]);
            to[0][0] = from[0][0];
            to[0][1] = from[1][0];
            to[1][0] = from[0][1];
            to[1][1] = from[1][1];
            memcpy(place, to[0], sizeof to[0]);
            memcpy(place + 4 * VB_PANEL, to[1], sizeof to[1]);
        }
    for (size_t r = 0; step < steps && r < AT_ONCE; r++)
        memcpy(at + (step * VB_PANEL + r) * 4, codes + r * pitch + step * 4, 4);
}

/* e(x), from float32 sums or, where they are at the edge of float32, from the row. NaN: it has none. Infinite: the row's value is
 * NaN, whatever the query; no number is as bad, and it need not be looked at. */
static double extent_of(const vb_encoding *e, const char *row, const vb_coding *coding)
{
    double square, length, scale = 1.0;
    if (vb_type_kind(e->type) == VB_REAL && coding->norm != coding->norm)
        return INFINITY;
    switch (e->metric) {
    case VB_METRIC_DOT:
        return 0.0;
    case VB_METRIC_EUCLIDEAN:
    case VB_METRIC_SQEUCLIDEAN:
    case VB_METRIC_HAMMING:
    case VB_METRIC_JACCARD:
        return coding->square <= FLT_MAX ? coding->square / 2.0 : (double)NAN;
    default:
        if (e->type != VB_F64 && coding->norm >= 0x1p-90f && coding->norm <= 0x1p90f)
            return sqrt((double)coding->norm);
        vb_kernels.pair[VB_DOT][e->type](row, row, e->d, &square);
        if (e->type == VB_F64)
            square = vb_apart_square(row, e->d, square, &scale);
        if (!vb_square_is_safe(square))
            return INFINITY;
        length = sqrt(square) / scale * e->scale;
        return length <= DBL_MAX ? length : (double)NAN; /* huge, where most rows are tiny: no codes, but a cosine */
    }
}

/* A whole row is its codes: the bytes plus 128, or less 128 plus 128. Sums are exact, for d is under 2^15. */
static void encode_whole(vb_type type, const char *row, size_t d, uint8_t *codes, vb_coding *found)
{
    const unsigned flip = type == VB_I8 ? 128 : 0;
    int32_t square = 0, norm = 0;

    for (size_t i = 0; i < d; i++) {
        const unsigned code = (unsigned char)row[i] ^ flip;
        const int32_t y = (int32_t)code - 128, x = flip ? y : (int32_t)code;
        codes[i] = (uint8_t)code;
        square += y * y;
        norm += x * x;
    }
    *found = (vb_coding){.unit = 1.0f, .square = (float)square, .norm = (float)norm, .reach = (float)square};
}

static void encode_bits(const char *row, size_t d, uint8_t *codes, vb_coding *found)
{
    double count;
    memcpy(codes, row, d);
    vb_kernels.pair[VB_DOT][VB_B1](row, row, d, &count);
    *found = (vb_coding){.unit = 1.0f, .square = (float)count, .norm = (float)count, .reach = (float)count};
}

/* The codes of one row, and what is known of it. work: as vb_encode_scratch() has it. */
static void encode_row(const vb_encoding *e, const char *row, void *scratch, uint8_t *codes, vb_coding *found)
{
    const size_t floats = round_up(vb_center_size(e->d) * sizeof(float));
    float *work = scratch, *narrow = (float *)((char *)scratch + floats), *zeros = (float *)((char *)narrow + floats);

    switch (e->type) {
    case VB_F32:
        if (e->scale != 1.0) {
            for (size_t i = 0; i < e->d; i++)
                narrow[i] = (float)(vb_element(VB_F32, row, i) * e->scale);
            row = (const char *)narrow;
        }
        vb_kernels.encode->call.encode(row, e->center, e->d, work, codes, found);
        break;
    case VB_F64:
        for (size_t i = 0; i < e->d; i++) {
            double wide;
            memcpy(&wide, row + i * sizeof wide, sizeof wide);
            narrow[i] = (float)(wide * e->scale - (double)e->center[i]);
        }
        vb_kernels.encode->call.encode((const char *)narrow, zeros, e->d, work, codes, found);
        break;
    case VB_F16:
    case VB_BF16:
        vb_kernels.widen[e->type](row, e->d, narrow);
        for (size_t i = 0; e->scale != 1.0 && i < e->d; i++)
            narrow[i] = (float)(narrow[i] * e->scale);
        vb_kernels.encode->call.encode((const char *)narrow, e->center, e->d, work, codes, found);
        break;
    case VB_B1:
        encode_bits(row, e->d, codes, found);
        break;
    default:
        encode_whole(e->type, row, e->d, codes, found);
    }
}

void vb_encode_rows(const vb_encoding *e, const vb_view *rows, size_t n, const char *before, void *scratch,
                    vb_panel *panel)
{
    const size_t row_bytes = e->d * vb_type_size(e->type);
    const size_t steps = (e->d + 3) / 4, floats = round_up(vb_center_size(e->d) * sizeof(float));
    const int real = vb_type_kind(e->type) == VB_REAL;
    const double h = coding_error(e->d);
    uint8_t *codes = (uint8_t *)scratch + 3 * floats;
    const size_t pitch = round_up(vb_center_size(e->d));

    if (e->type == VB_F64)
        memset((char *)scratch + 2 * floats, 0, floats);
    if (n < VB_PANEL)
        memset(panel, 0, vb_panel_bytes(e->d));
    if (!real) /* what lies between the last byte of a row and the next four */
        memset(codes, 0, AT_ONCE * pitch);
    panel->loss = panel->reach = 0.0f;
    panel->exponent = (float)ilogb(e->scale);
    panel->repeats = 0;
    memset(panel->spare, 0, sizeof panel->spare);
    for (size_t r = 0; r < n; r++) {
        const char *row = vb_row(rows, r);
        uint8_t *code = codes + r % AT_ONCE * pitch;
        vb_coding found;
        double extent;

        if (r % AT_ONCE == 0 && n - r < AT_ONCE)
            memset(codes, 0, AT_ONCE * pitch);
        /* While one row is encoded, another may come from memory; the hardware's prefetcher stops between
         * rows. 768 float32: 800 ns a row without this, 500 with it. */
        if (r + 4 < n)
            vb_fetch(vb_row(rows, r + 4), e->d * vb_type_size(e->type));
        if (before && memcmp(before, row, row_bytes) == 0)
            panel->repeats |= (uint32_t)1 << r;
        before = row;
        encode_row(e, row, scratch, code, &found);
        extent = extent_of(e, row, &found);
        if (extent > DBL_MAX) {
            panel->unit[r] = 1.0f;
            panel->extent[r] = INFINITY;
        } else if (!real ||
                   ((found.most == 0.0f || (found.most >= smallest_unit_range && found.most <= largest_unit_range)) &&
                    found.square <= FLT_MAX && extent == extent)) {
            const double loss = sqrt((double)found.loss), reach = sqrt((double)found.reach);
            const float worst = vb_at_least((loss + 0x1p-22 * (loss + reach)) * (1.0 + h)),
                        far = vb_at_least(reach * (1.0 + h));
            panel->unit[r] = found.unit;
            panel->extent[r] = (float)(extent * found.unit);
            if (real)
                panel->loss = worst > panel->loss ? worst : panel->loss;
            panel->reach = far > panel->reach ? far : panel->reach;
        } else {
            panel->unit[r] = NAN;
            panel->extent[r] = 0.0f;
        }
        if (r % AT_ONCE == AT_ONCE - 1 || r == n - 1)
            interleave(codes, pitch, steps, panel->codes + r / AT_ONCE * (AT_ONCE * 4));
    }
}

/* ---- a whole corpus ---------------------------------------------------------------- */

typedef struct {
    vb_job job;
    vb_encoding encoding;
    vb_rows rows;
    size_t first; /* panel */
    char *panels;
} encoder;

enum { TILE_PANELS = 256 };

size_t vb_codes_bytes(size_t count, size_t d) { return vb_divide_up(count, VB_PANEL) * vb_panel_bytes(d); }
size_t vb_codes_center_bytes(size_t d) { return vb_center_size(d) * sizeof(float); }

/* In rows of a few numbers the code's overhead is all there is; in longer ones sums of products might
 * overflow int32. */
int vb_codes_suit(size_t d) { return d >= 8 && d < 1 << 15; }

static vb_status encode_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    const encoder *e = (const encoder *)job;
    const size_t all = vb_divide_up(e->rows.count, VB_PANEL), first = e->first + index * TILE_PANELS;

    for (size_t p = first; p < vb_min(first + TILE_PANELS, all); p++) {
        const size_t n = vb_min(e->rows.count - p * VB_PANEL, VB_PANEL);
        const vb_view rows = {e->rows.base + (ptrdiff_t)(p * VB_PANEL) * e->rows.stride, e->rows.stride, NULL, 0};
        const char *before = p ? rows.base - e->rows.stride : NULL;
        vb_encode_rows(&e->encoding, &rows, n, before, scratch,
                       (vb_panel *)(e->panels + p * vb_panel_bytes(e->encoding.d)));
        if (vb_pulse_beat(pulse, n * e->encoding.d))
            return VB_STOPPED;
    }
    return VB_OK;
}

vb_job *vb_codes_new(vb_metric metric, size_t d, const vb_rows *rows, size_t first, char *panels, float *center)
{
    encoder *e = calloc(1, sizeof *e);
    const vb_view view = {rows->base, rows->stride, NULL, 0};
    double *sum = vb_alloc(d, sizeof *sum);

    vb_need_kernels();
    if (!e || !sum) {
        free(e);
        free(sum);
        return NULL;
    }
    e->encoding = (vb_encoding){metric, rows->type, d, center, 1.0};
    if (first == 0)
        e->encoding.scale = vb_scale_of(vb_find_center(&view, rows->count, rows->type, d, center, sum));
    else
        e->encoding.scale = vb_panel_scale((const vb_panel *)panels);
    free(sum);
    e->rows = *rows;
    e->first = first / VB_PANEL;
    e->panels = panels;
    e->job.tile = encode_tile;
    e->job.tiles = vb_divide_up(vb_divide_up(rows->count, VB_PANEL) - e->first, TILE_PANELS);
    e->job.work = (double)(rows->count - e->first * VB_PANEL) * (double)d;
    e->job.scratch_bytes = vb_encode_scratch(d);
    return &e->job;
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

void vb_suspect_init(vb_suspect *s, const vb_encoding *e, const double *query, int limit, double *w, int8_t *codes,
                     size_t stride, int32_t *bias)
{
    const int euclidean = e->metric == VB_METRIC_EUCLIDEAN || e->metric == VB_METRIC_SQEUCLIDEAN;
    const double g = canonical_error(e->d), least_code = limit == 127 ? -128.0 : -limit;
    double most = 0.0, least = 0.0, square = 0.0, center_square = 0.0, lost = 0.0, reach = 0.0;
    int32_t sum = 0;

    *s = (vb_suspect){.scale = 1.0, .scaled = euclidean ? e->scale : scale_for(query, e->d), .bar = NAN};
    for (size_t i = 0; i < e->d; i++) {
        const double q = query[i] * s->scaled, c = e->center[i];
        w[i] = euclidean ? q - c : q;
        most = w[i] > most ? w[i] : most;
        least = w[i] < least ? w[i] : least;
        s->square += w[i] * w[i];
        square += q * q;
        s->center_dot += q * c;
        center_square += c * c;
    }
    /* Whole numbers that are small enough are their own codes. */
    const int own = vb_type_kind(e->type) == VB_WHOLE && most <= limit && least >= least_code;
    most = -least > most ? -least : most;
    s->codable = s->square <= largest_unit_range * largest_unit_range && (most == 0.0 || most >= smallest_unit_range) &&
                 square <= largest_unit_range * largest_unit_range;
    if (!s->codable)
        most = 0.0;
    if (most > 0.0 && !own)
        s->scale = most / limit;
    for (size_t i = 0; i < e->d; i++) {
        const double exact = most > 0.0 ? w[i] / s->scale : 0.0, code = nearbyint(exact);
        codes[i / 4 * stride + i % 4] = (int8_t)code;
        sum += (int8_t)code;
        lost += (exact - code) * (exact - code);
        reach += code * code;
    }
    for (size_t i = e->d; i % 4; i++)
        codes[i / 4 * stride + i % 4] = 0;
    *bias = 128 * sum;
    s->length = sqrt(square);
    s->whole = sqrt(s->square) / s->scale * (1.0 + 0x1p-30);
    s->lost = sqrt(lost) + 4.0 * g * s->length / s->scale + (s->whole + sqrt(reach)) * 0x1p-22;
    s->center_slack = 4.0 * g * s->length * sqrt(center_square) + 0x1p-50 * fabs(s->center_dot);
}

void vb_suspect_init_bits(vb_suspect *s, const vb_encoding *e, const char *query, int8_t *codes, size_t stride,
                          int32_t *bias)
{
    *s = (vb_suspect){.scale = 1.0, .scaled = 1.0, .bar = NAN, .codable = 1};
    for (size_t i = 0; i < e->d || i % 4; i++)
        codes[i / 4 * stride + i % 4] = (int8_t)(i < e->d ? query[i] : 0);
    *bias = 0;
    vb_kernels.pair[VB_DOT][VB_B1](query, query, e->d, &s->square);
    s->length = s->whole = sqrt(s->square);
    s->lost = (s->whole + s->length) * 0x1p-22;
}

/* x, less by what float32 arithmetic and a relative error of h can add. */
static float no_more_than(double x, double h) { return vb_at_most(x - fabs(x) * (0x1p-21 + h)); }

void vb_suspect_bar(vb_suspect *s, const vb_encoding *e, double bar, float *a, float *t)
{
    const double g = canonical_error(e->d), h = coding_error(e->d);
    /* What canonical sums lose to underflow. */
    const double underflow = ((double)e->d + 64.0) * 0x1p-1073;
    double most, least = NAN, slope = 0.0, share;

    s->bar = bar;
    switch (e->metric) {
    case VB_METRIC_DOT:
        least = ((-bar - 0x1p-50 * fabs(bar)) - underflow) * s->scaled * e->scale - s->center_dot - s->center_slack;
        slope = 0x1p-60; /* e is 0, or infinite */
        break;
    case VB_METRIC_JACCARD:
        share = 1.0 - bar - 0x1p-50;
        share = share > 0.0 ? share / (1.0 + share) : share;
        least = share * s->square;
        slope = 2.0 * share;
        break;
    case VB_METRIC_EUCLIDEAN:
    case VB_METRIC_SQEUCLIDEAN:
    case VB_METRIC_HAMMING:
        most = e->metric == VB_METRIC_EUCLIDEAN ? vb_most_square(e->metric, bar * e->scale)
                                                : (bar + underflow) * e->scale * e->scale;
        most *= 1.0 + 4.0 * g;
        least = (s->square * (1.0 - 4.0 * g) - most) / 2.0 - 0x1p-50 * (s->square + most);
        slope = 1.0;
        break;
    default:
        slope = (vb_least_cosine(e->metric, e->d, bar) - 4.0 * g) * s->length;
        least = -s->center_dot - s->center_slack;
    }
    *a = s->codable && fabs(bar) <= DBL_MAX ? no_more_than(least / s->scale, 0.0) : NAN;
    *t = no_more_than(slope / s->scale, h);
    if (bar == INFINITY) { /* anything but NaN */
        *a = -0x1p100f;
        *t = 0x1p-60f;
    }
}
