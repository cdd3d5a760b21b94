/* Over 500 lines: what a tile is made of, for every type, stands side by side. */
#include "tiles.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "recheck.h"

/* The type of the elements that a tile's kernel reads. */
static vb_type packed_type(const vb_tiling *t) { return t->type == VB_F16 ? VB_F32 : t->type; }

/* Bytes of a row as a kernel reads it. */
static size_t row_bytes(const vb_tiling *t)
{
    return t->type == VB_BF16 ? vb_divide_up(t->d, 2) * 4 : t->d * vb_type_size(packed_type(t));
}

static size_t row_pitch(const vb_tiling *t) { return vb_divide_up(row_bytes(t), VB_LINE) * VB_LINE + VB_LINE; }

static size_t steps_of(const vb_tiling *t) { return vb_divide_up(t->d, 4); }

static vb_geometry geometry_of(const vb_tiling *t) { return vb_metrics[t->metric].geometry; }
static int is_angle(const vb_tiling *t) { return geometry_of(t) == VB_GEOMETRY_ANGLE; }
static int is_square(const vb_tiling *t) { return geometry_of(t) == VB_GEOMETRY_SQUARE; }

void vb_tiling_init(vb_tiling *t, vb_metric metric, vb_type type, size_t d, vb_type out)
{
    /* Elements up to which differences take about as long as products, of which many are measured again. */
    const size_t shortest = 24;
    const size_t longest = 33000; /* bytes whose products and squared differences add up to less than 2^31 */

    *t = (vb_tiling){.metric = metric, .type = type, .d = d, .rows = 8, .columns = 32};
    if (vb_type_kind(type) == VB_REAL) {
        t->value = type == VB_F64 ? VB_F64 : VB_F32;
        t->direct = is_square(t) && d <= shortest && vb_kernels.tile[VB_SQDIFF][packed_type(t)];
        t->tile = vb_kernels.tile[t->direct ? VB_SQDIFF : VB_DOT][packed_type(t)];
        t->rescales = type == VB_F64 && !t->direct && is_square(t);
        t->rows = t->tile->rows;
        t->columns = t->tile->columns;
        t->panel_bytes = row_bytes(t) * t->columns;
    } else {
        t->value = out == VB_I32 && d < longest ? VB_I32 : VB_F64;
        if (d < longest) {
            t->products = vb_kernels.products[vb_types[type].code];
            t->rows = t->products->rows;
            t->columns = t->products->columns;
            t->panel_bytes = steps_of(t) * 4 * VB_PANEL;
        }
    }
}

size_t vb_tiling_lay_out(const vb_tiling *t, size_t width, char *base, vb_columns *columns, vb_group *group)
{
    const size_t numbers = vb_type_kind(t->type) == VB_REAL ? t->d * sizeof(double) : 0;
    size_t used = 0;
    columns->panels = vb_part(base, &used, vb_divide_up(width, t->columns) * t->panel_bytes);
    columns->copies = vb_part(base, &used, 8 * row_pitch(t));
    columns->squares = vb_part(base, &used, width * sizeof *columns->squares);
    columns->scales = vb_part(base, &used, width * sizeof *columns->scales);
    columns->scaled = vb_part(base, &used, t->rescales ? vb_divide_up(width, t->columns) * t->panel_bytes : 0);
    columns->scaled_facts = vb_part(base, &used, t->rescales ? (width + VB_MOST_COLUMNS) * sizeof(double) : 0);
    columns->rescaled = vb_part(base, &used, vb_divide_up(width, t->columns));
    group->scaled_packed = vb_part(base, &used, t->rescales ? VB_MOST_ROWS * row_pitch(t) : 0);
    columns->facts = vb_part(base, &used, (width + VB_MOST_COLUMNS) * sizeof(double));
    columns->sums = vb_part(base, &used, (width + VB_MOST_COLUMNS) * sizeof *columns->sums);
    group->packed = vb_part(base, &used, VB_MOST_ROWS * row_pitch(t));
    group->query = vb_part(base, &used, numbers);
    columns->repeats = vb_part(base, &used, vb_divide_up(width, t->columns) * sizeof *columns->repeats);
    used += vb_recheck_lay_out(t, width, base ? base + used : NULL, &columns->wide, &group->wide);
    return used;
}

/* ---- what a tile may be trusted with -------------------------------------------------
 *
 * Rounding errors of a tile's dot product, in units of |a||b| 2^-24 (float32): at most 64 + d / 64 + 2, were all of them
 * of one sign; some 2 in random rows, up to 16 in the worst rows known (all elements equal). The squared distance
 * t - 2 s has twice that; so where it is over t / 10 >= |a||b| / 5, the distance is right to 5 times
 * that, 5e-6 in the worst rows known and 6e-7 in random ones. A cosine distance over 0.1 likewise. Below,
 * and where norms or sums leave the range in which all that holds, the canonical kernel decides. Errors grow with
 * the root of d, and are measured up to 768: the share of t that is asked for grows likewise, until all values are
 * canonical. In float64 there is room for the bound itself: under 1e-12 from t / 100 on, up to 8192 elements.
 *
 * Sums of squared differences lose nothing to cancellation: 28 roundings at most. They are right where
 * what their terms lose to underflow, at most 24 times 2^-126 (2^-1022) even where denormals are flushed, is nothing. */
static void trust(const vb_tiling *t, vb_finish *finish)
{
    const int narrow = t->value == VB_F32;
    const double length = (double)t->d / (narrow ? 768.0 : 8192.0), more = length > 1.0 ? length : 1.0;
    const double least = narrow ? 0.1 * sqrt(more) : 0.01 * more;
    const vb_metric_info *info = &vb_metrics[t->metric];
    *finish = (vb_finish){.epilogue = info->epilogue};
    switch (info->geometry) {
    case VB_GEOMETRY_SQUARE:
        finish->low = t->direct ? narrow ? 0x1p-90 : 0x1p-960 : least;
        finish->high = narrow ? FLT_MAX : DBL_MAX;
        break;
    case VB_GEOMETRY_ANGLE:
        /* A similarity has nothing to cancel; but it must not pass 1, nor miss it for equal rows. */
        finish->high = 1.0 - (!info->similarity ? least : narrow ? 1e-3 * least : 1e-9 * least);
        break;
    case VB_GEOMETRY_DOT:
        finish->high = narrow ? FLT_MAX : DBL_MAX;
        break;
    case VB_GEOMETRY_OVERLAP: /* of bits, which have no tiles */
        break;
    }
}

/* Whether a bfloat16 row has only elements that contract.h lets into a tile. */
static int suits_pairs(const char *row, size_t d)
{
    const unsigned least = (127 - 50) << 7, most = (127 + 50) << 7;
    int suits = 1;
    for (size_t i = 0; i < d; i++) {
        uint16_t half;
        memcpy(&half, row + i * sizeof half, sizeof half);
        half &= 0x7fff;
        suits &= (half == 0) | ((half >= least) & (half <= most));
    }
    return suits;
}

/* The row's square, if the metric needs it: NaN where a tile's sums may over- or underflow, or may not be made. And its scale: what
 * is to be done to the row beforehand, for a cosine of float64 rows; NaN if the row makes NaN of every value. */
static double square_of(const vb_tiling *t, const char *row, double *scale)
{
    const double least = t->value == VB_F32 ? 0x1p-90 : 0x1p-480, most = t->value == VB_F32 ? 0x1p90 : 0x1p480;
    double square = 0.0;

    *scale = 1.0;
    vb_kernels.pair[VB_DOT][t->type](row, row, t->d, &square);
    if (vb_type_kind(t->type) != VB_REAL)
        return square;
    if (square != square) {
        *scale = NAN;
        return square;
    }
    if (is_angle(t)) {
        if (t->type == VB_F64)
            square = vb_apart_square(row, t->d, square, scale);
        if (!vb_square_is_safe(square)) {
            *scale = NAN;
            return NAN;
        }
        if (t->type == VB_F32 && !(square >= least && square <= most)) {
            *scale = exp2(-floor(log2(square) / 2.0));
            square *= *scale * *scale;
        }
    }
    /* Pairs of rows that are both tiny, or both huge, are scaled alike: a power of two changes no bit of their values, as long as
     * nothing over- or underflows, so the limits of these kinds overlap those of squares that are safe as they are. */
    if (t->rescales)
        *scale = square < 0x1p-200 ? 0x1p600 : square > 0x1p200 ? 0x1p-600 : 1.0;
    if (t->type == VB_BF16 && !suits_pairs(row, t->d))
        return NAN;
    if (geometry_of(t) == VB_GEOMETRY_DOT || t->direct)
        return 0.0;
    return square >= least && square <= most ? square : (double)NAN;
}

/* What the epilogue wants of a row: its square, or one over its length. */
static double fact_of(const vb_tiling *t, double square) { return is_angle(t) ? 1.0 / sqrt(square) : square; }

/* ---- packing ----------------------------------------------------------------------- */

/* `some` columns at a time: whole pieces of lines. */
VB_INLINE void interleave_some(size_t size, size_t some, const char *const *columns, size_t n, size_t count,
                               char *panel)
{
    const char *from[8];
    for (size_t j = 0; j < some; j++)
        from[j] = columns[j];
    for (size_t k = 0; k < count; k++)
        for (size_t j = 0; j < some; j++)
            memcpy(panel + (k * n + j) * size, from[j] + k * size, size);
}

void vb_interleave(size_t size, size_t some, const char *const *columns, size_t n, size_t count, char *panel)
{
    if (some == 8 && size == 4)
        interleave_some(4, 8, columns, n, count, panel);
    else if (some == 8)
        interleave_some(8, 8, columns, n, count, panel);
    else
        interleave_some(size, some, columns, n, count, panel);
}

/* A row as the tile's kernel takes it: itself, or a copy. */
static const char *as_packed(const vb_tiling *t, const char *row, double scale, char *copy)
{
    if (!is_angle(t))
        scale = 1.0;
    if (scale != 1.0 && scale == scale && t->type == VB_F64) {
        vb_apart_scaled(row, t->d, scale, (double *)copy);
        return copy;
    }
    if (scale != 1.0 && scale == scale && t->type == VB_F32) {
        for (size_t i = 0; i < t->d; i++) {
            const float x = (float)(vb_element(VB_F32, row, i) * scale);
            memcpy(copy + i * sizeof x, &x, sizeof x);
        }
        return copy;
    }
    if (t->type == VB_F16) {
        vb_kernels.widen[VB_F16](row, t->d, (float *)copy);
        return copy;
    }
    if (t->type == VB_BF16 && t->d % 2) {
        memset(copy + row_bytes(t) - 4, 0, 4);
        memcpy(copy, row, t->d * sizeof(uint16_t));
        return copy;
    }
    return row;
}

/* The bytes of a row as codes of a column (unsigned) or of a row (signed), and their correction:
 *
 *   i8   column b + 128, row a          a . b = product - 128 sum a
 *   u8   column b, row a - 128          a . b = product + 128 sum b
 *   b1   themselves */
static unsigned column_flip(vb_type type) { return type == VB_I8 ? 128 : 0; }
static unsigned row_flip(vb_type type) { return type == VB_U8 ? 128 : 0; }

static int32_t correction_of(vb_type type, int row, const char *at, size_t d)
{
    int32_t sum = 0;
    if (type == VB_I8 && row)
        for (size_t i = 0; i < d; i++)
            sum -= ((const signed char *)at)[i];
    if (type == VB_U8 && !row)
        for (size_t i = 0; i < d; i++)
            sum += ((const unsigned char *)at)[i];
    return 128 * sum;
}

/* Four bytes a step, the steps `stride` bytes apart; zeros past the end. */
static void place_bytes(const char *row, size_t d, unsigned flip, char *out, size_t stride)
{
    const uint32_t flips = flip * 0x01010101u;
    size_t i = 0;
    uint32_t four;
    for (; i + 4 <= d; i += 4, out += stride) {
        memcpy(&four, row + i, 4);
        four ^= flips;
        memcpy(out, &four, 4);
    }
    if (i < d) {
        unsigned char last[4] = {0};
        for (size_t j = 0; i + j < d; j++)
            last[j] = (unsigned char)((unsigned char)row[i + j] ^ flip);
        memcpy(out, last, 4);
    }
}

/* The square of a row that is multiplied by `scale`. */
static double scaled_square(const char *row, size_t d, double scale)
{
    const vb_apart how = {.scale_a = scale, .scale_x = scale, .wide = 1};
    double square;
    vb_kernels.scaled[VB_DOT][VB_F64](row, row, d, &how, &square);
    return square;
}

/* The panel of columns j on once more, scaled, if any of them is tiny or huge. */
static void pack_scaled(const vb_tiling *t, const vb_rows *from, size_t j, size_t end, size_t first, vb_columns *c)
{
    const size_t n = t->columns, p = (j - first) / n, most = vb_min(end - j, n);
    double *facts = (double *)c->scaled_facts + p * n;

    c->rescaled[p] = 0;
    for (size_t i = 0; i < most; i++) {
        const double scale = c->scales[j - first + i];
        c->rescaled[p] |= scale != 1.0 && scale == scale;
    }
    for (size_t i = 0; c->rescaled[p] && i < n; i += 8) {
        const char *columns[8];
        const size_t some = vb_min(8, n - i);
        for (size_t k = 0; k < some; k++) {
            const size_t at = vb_min(j + i + k, end - 1);
            const double scale = c->scales[at - first] == c->scales[at - first] ? c->scales[at - first] : 1.0;
            columns[k] = c->copies + k * row_pitch(t);
            vb_apart_scaled(vb_row_at(from, at), t->d, scale, (double *)columns[k]);
            facts[i + k] = scaled_square(vb_row_at(from, at), t->d, scale);
        }
        vb_interleave(sizeof(double), some, columns, n, t->d, c->scaled + p * t->panel_bytes + i * sizeof(double));
    }
}

/* Whether row i has the bytes of the row before it. */
static int repeats(const vb_tiling *t, const vb_rows *rows, size_t i)
{
    return memcmp(vb_row_at(rows, i), vb_row_at(rows, i - 1), t->d * vb_type_size(t->type)) == 0;
}

void vb_columns_pack(const vb_tiling *t, const vb_rows *from, size_t first, size_t end, vb_columns *c)
{
    const size_t n = t->columns, size = vb_type_size(t->value), bytes = t->type == VB_F64 ? 8 : 4;

    c->from = *from;
    for (size_t j = first; j < end; j++) {
        const char *column = vb_row_at(from, j);
        const double square = square_of(t, column, &c->scales[j - first]), fact = fact_of(t, square);
        c->squares[j - first] = square;
        if (t->tile) {
            vb_store(t->value, &fact, 1, c->facts + (j - first) * size, 0);
        } else if (t->products) {
            c->sums[j - first] = correction_of(t->type, 0, column, t->d);
            ((int32_t *)c->facts)[j - first] = (int32_t)square;
        }
    }
    if (!t->tile && !t->products)
        return;
    for (size_t j = first; j < end; j += n) {
        const size_t p = (j - first) / n;
        char *panel = c->panels + p * t->panel_bytes;
        if (t->rescales)
            pack_scaled(t, from, j, end, first, c);
        c->repeats[p] = 0;
        for (size_t i = 1; t->tile && i < vb_min(n, end - j); i++)
            c->repeats[p] |= (uint64_t)repeats(t, from, j + i) << i;
        if (c->wide.panels)
            c->wide.ready[p] = 0;
        /* Past the end the last one repeats. */
        for (size_t i = 0; i < n; i += 8) {
            const char *columns[8];
            const size_t some = vb_min(8, n - i);
            for (size_t k = 0; k < some; k++) {
                const size_t at = vb_min(j + i + k, end - 1);
                const char *column = vb_row_at(from, at);
                if (t->products)
                    place_bytes(column, t->d, column_flip(t->type), panel + (i + k) * 4, 4 * VB_PANEL);
                else
                    columns[k] = as_packed(t, column, c->scales[at - first], c->copies + k * row_pitch(t));
            }
            if (t->tile)
                vb_interleave(bytes, some, columns, n, row_bytes(t) / bytes, panel + i * bytes);
        }
    }
}

/* The rows of a group once more, scaled, if any is tiny or huge. */
static void gather_scaled(const vb_tiling *t, const vb_rows *from, vb_group *g)
{
    g->rescaled = 0;
    for (size_t r = 0; r < g->n; r++)
        g->rescaled |= g->scales[r] != 1.0 && g->scales[r] == g->scales[r];
    for (size_t r = 0; g->rescaled && r < g->n; r++) {
        const double scale = g->scales[r] == g->scales[r] ? g->scales[r] : 1.0;
        const char *row = vb_row_at(from, g->first + r);
        vb_apart_scaled(row, t->d, scale, (double *)(g->scaled_packed + r * row_pitch(t)));
        g->scaled_facts[r] = scaled_square(row, t->d, scale);
    }
    g->scaled = (vb_view){g->scaled_packed, (ptrdiff_t)row_pitch(t), g->n < t->rows ? g->ids : NULL, 0};
}

/* Rows as the kernel reads them, which is always its own number: the last one repeats. Rows whose
 * addresses would all fall into a few sets of L1 are copied apart. */
void vb_group_gather(const vb_tiling *t, const vb_rows *from, size_t first, size_t end, vb_group *g)
{
    const size_t pitch = row_pitch(t), few_sets = 4096;
    int scaled = 0;

    g->from = *from;
    g->first = first;
    g->n = vb_min(t->rows, end - first);
    g->rows = (vb_view){vb_row_at(from, first), from->stride, NULL, 0};
    for (size_t r = 0; r < g->n; r++) {
        const char *row = vb_row_at(from, first + r);
        g->squares[r] = square_of(t, row, &g->scales[r]);
        scaled |= is_angle(t) && g->scales[r] != 1.0 && g->scales[r] == g->scales[r];
        if (t->products) {
            g->sums[r] = correction_of(t->type, 1, row, t->d);
            g->wholes[r] = (int32_t)g->squares[r];
            t->products->packing->pack((const int8_t *)row, t->d, row_flip(t->type), t->rows, r, (int8_t *)g->packed);
        }
    }
    if (!t->tile)
        return;
    g->repeats = 0;
    for (size_t r = 1; r < g->n; r++)
        g->repeats |= (uint32_t)repeats(t, from, first + r) << r;
    g->wide.ready = 0;
    for (size_t r = 0; r < t->rows; r++) {
        const double fact = r < g->n ? fact_of(t, g->squares[r]) : 0.0;
        vb_store(t->value, &fact, 1, (char *)g->facts + r * vb_type_size(t->value), 0);
        g->ids[r] = (int64_t)vb_min(r, g->n - 1);
    }
    if (t->type == VB_F16 || (t->type == VB_BF16 && t->d % 2)) {
        for (size_t r = 0; r < g->n; r++)
            as_packed(t, vb_row_at(from, first + r), 1.0, g->packed + r * pitch);
        g->rows = (vb_view){g->packed, (ptrdiff_t)pitch, NULL, 0};
    } else if (scaled || (from->stride % (ptrdiff_t)few_sets == 0 && from->stride)) {
        for (size_t r = 0; r < g->n; r++) {
            const char *row = vb_row_at(from, first + r),
                       *packed = as_packed(t, row, g->scales[r], g->packed + r * pitch);
            if (packed == row)
                memcpy(g->packed + r * pitch, row, row_bytes(t));
        }
        g->rows = (vb_view){g->packed, (ptrdiff_t)pitch, NULL, 0};
    }
    if (g->n < t->rows)
        g->rows.ids = g->ids;
    if (t->rescales)
        gather_scaled(t, from, g);
}

/* ---- values ------------------------------------------------------------------------ */

/* Canonical values of row r of the group with columns `first` + bit, for the bits that are set. */
static void measure(const vb_tiling *t, const vb_group *g, size_t r, const vb_columns *c, size_t first, uint64_t bits,
                    char *line)
{
    const int real = vb_type_kind(t->type) == VB_REAL;
    const char *row = vb_row_at(&g->from, g->first + r);
    int64_t ids[VB_MOST_COLUMNS];
    double values[VB_MOST_COLUMNS];
    const vb_view rows = {vb_row_at(&c->from, first), c->from.stride, ids, 0};
    vb_scorer scorer;
    size_t n = 0;

    for (size_t bit = 0; bit < VB_MOST_COLUMNS; bit++)
        if (bits >> bit & 1)
            ids[n++] = (int64_t)bit;
    if (real)
        vb_widen(t->type, row, t->d, g->query);
    vb_scorer_init(&scorer, t->metric, t->type, t->d, real ? (const void *)g->query : row, t->type);
    vb_scorer_run(&scorer, &rows, n, values);
    for (size_t at = 0; at < n; at++)
        vb_store(t->value, &values[at], 1, line + (size_t)ids[at] * vb_type_size(t->value), 0);
}

/* The pairs of `bits` (of each row) whose rows are tiny, or huge, both: their values by a tile of scaled rows, and off they are from
 * the bits, but for those that it is not sure of. */
static void compute_scaled(const vb_tiling *t, const vb_group *g, const vb_columns *c, size_t p, size_t n,
                           uint64_t *bits, char *values, ptrdiff_t pitch)
{
    const double *scales = c->scales + p * t->columns;
    double made[VB_MOST_ROWS * VB_MOST_COLUMNS];
    uint64_t unsure[VB_MOST_ROWS], alike[VB_MOST_ROWS], any = 0;
    vb_finish finish;

    if (!g->rescaled || !c->rescaled[p])
        return;
    for (size_t r = 0; r < g->n; r++) {
        alike[r] = 0;
        for (size_t j = 0; g->scales[r] != 1.0 && j < n; j++)
            alike[r] |= (uint64_t)(scales[j] == g->scales[r]) << j;
        alike[r] &= bits[r];
        any |= alike[r];
    }
    if (!any)
        return;
    trust(t, &finish);
    finish.row = g->scaled_facts;
    finish.column = (const double *)c->scaled_facts + p * t->columns;
    t->tile->call.tile(&g->scaled, c->scaled + p * t->panel_bytes, t->d, &finish, made,
                       (ptrdiff_t)(t->columns * sizeof *made), unsure);
    for (size_t r = 0; r < g->n; r++) {
        const double back = 1.0 / g->scales[r];
        alike[r] &= ~unsure[r];
        bits[r] &= ~alike[r];
        for (size_t j = 0; alike[r] && j < n; j++) {
            const double value = made[r * t->columns + j] * back;
            const double given = vb_metrics[t->metric].epilogue == VB_ROOT ? value : value * back;
            if (alike[r] >> j & 1)
                memcpy(values + (ptrdiff_t)r * pitch + j * sizeof given, &given, sizeof given);
        }
    }
}

static void compute_real(const vb_tiling *t, vb_group *g, vb_columns *c, size_t p, size_t first, size_t n, char *values,
                         ptrdiff_t pitch)
{
    const size_t at = p * t->columns, size = vb_type_size(t->value);
    const uint64_t all = n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
    uint64_t unsure[VB_MOST_ROWS], apart = 0, dead = 0, any = 0, repeated = 0;
    vb_finish finish;

    trust(t, &finish);
    finish.row = g->facts;
    finish.column = c->facts + at * size;
    t->tile->call.tile(&g->rows, c->panels + p * t->panel_bytes, t->d, &finish, values, pitch, unsure);
    for (size_t j = 0; j < n; j++) {
        apart |= (uint64_t)(c->squares[at + j] != c->squares[at + j]) << j;
        dead |= (uint64_t)(c->scales[at + j] != c->scales[at + j]) << j; /* the tile has made NaN of these */
    }
    for (size_t r = 0; r < g->n; r++) {
        unsure[r] = (g->squares[r] != g->squares[r] ? all : unsure[r] | apart) & all & ~dead;
        /* Dead; or like the row before, whose values it gets. */
        if (g->scales[r] != g->scales[r] || g->repeats >> r & 1)
            unsure[r] = 0;
        any |= unsure[r];
    }
    if (any) {
        repeated = any & c->repeats[p];
        for (size_t r = 0; r < g->n; r++)
            unsure[r] &= ~repeated;
        if (t->rescales)
            compute_scaled(t, g, c, p, n, unsure, values, pitch);
        vb_recheck(t, g, c, p, first, n, unsure, values, pitch);
        for (size_t r = 0; r < g->n; r++)
            if (unsure[r])
                measure(t, g, r, c, first, unsure[r], values + (ptrdiff_t)r * pitch);
    }
    for (size_t r = 0; (repeated || g->repeats) && r < g->n; r++) {
        char *line = values + (ptrdiff_t)r * pitch;
        for (size_t j = 1; repeated && j < n; j++)
            if (repeated >> j & 1)
                memcpy(line + j * size, line + (j - 1) * size, size);
        if (g->repeats >> r & 1)
            memcpy(line, line - pitch, n * size);
    }
}

static void compute_exact(const vb_tiling *t, const vb_group *g, const vb_columns *c, size_t p, size_t n, char *values,
                          ptrdiff_t pitch)
{
    const int distance = is_square(t);
    const double *squares = c->squares + p * t->columns;
    const int32_t *corrections = c->sums + p * t->columns, *wholes = (const int32_t *)c->facts + p * t->columns;
    int32_t made[VB_MOST_ROWS * VB_PANEL];
    vb_scoring scoring = {vb_metrics[t->metric].epilogue, 0, 0.0, vb_near_edge(t->d)};

    t->products->call.products((const uint8_t *)c->panels + p * t->panel_bytes, steps_of(t), (const int8_t *)g->packed,
                               made);
    for (size_t r = 0; r < g->n; r++) {
        int32_t *products = made + r * VB_PANEL;
        char *line = values + (ptrdiff_t)r * pitch;
        double sums[VB_PANEL], found[VB_PANEL];

        /* Modulo 2^32, and right because what comes out is in int32. */
        for (size_t j = 0; j < VB_PANEL; j++)
            products[j] = (int32_t)((uint32_t)products[j] + (uint32_t)g->sums[r] + (uint32_t)corrections[j]);
        for (size_t j = 0; distance && j < VB_PANEL; j++)
            products[j] = (int32_t)((uint32_t)g->wholes[r] + (uint32_t)wholes[j] - 2 * (uint32_t)products[j]);
        if (t->value == VB_I32) {
            if (n == VB_PANEL) /* of a size that is known: no call */
                memcpy(line, products, VB_PANEL * sizeof *products);
            else
                memcpy(line, products, n * sizeof *products);
            continue;
        }
        for (size_t j = 0; j < VB_PANEL; j++)
            sums[j] = (double)products[j];
        scoring.norm = g->squares[r];
        if (vb_kernels.score(&scoring, n, sums, squares, found))
            for (size_t j = 0; j < n; j++)
                if (found[j] != found[j] && squares[j] > 0.0 && g->squares[r] > 0.0)
                    found[j] = vb_integer_angle(t->metric, t->d, sums[j], g->squares[r], squares[j]);
        memcpy(line, found, n * sizeof *found);
    }
}

void vb_tile_compute(const vb_tiling *t, vb_group *g, vb_columns *c, size_t p, size_t first, size_t n, char *values,
                     ptrdiff_t pitch)
{
    if (t->tile)
        compute_real(t, g, c, p, first, n, values, pitch);
    else if (t->products)
        compute_exact(t, g, c, p, n, values, pitch);
    else
        for (size_t r = 0; r < g->n; r++)
            measure(t, g, r, c, first, ((uint64_t)1 << n) - 1, values + (ptrdiff_t)r * pitch);
}
