#include "recheck.h"

#include <math.h>
#include <string.h>

#include "job.h"

/* More memory than that, for rows of 100,000 elements and more, is not asked for. */
static const size_t most_bytes = (size_t)64 << 20;

/* A tile is worth its while from one unsure pair in so many on: a canonical value takes as long as about ten of a tile. */
enum { FEW = 8 };

static const vb_record *products(void) { return vb_kernels.tile[VB_DOT][VB_F64]; }

/* Of differences: takes two to three times as long, but loses nothing where rows are near. It reads the same panels. */
static const vb_record *differences(void)
{
    const vb_record *record = vb_kernels.tile[VB_SQDIFF][VB_F64];
    return record && record->columns == products()->columns ? record : NULL;
}

static size_t pitch_of(size_t d) { return vb_divide_up(d * sizeof(double), VB_LINE) * VB_LINE + VB_LINE; }

/* A panel of float32 columns has so many of float64. */
static size_t parts_of(const vb_tiling *t) { return vb_divide_up(t->columns, products()->columns); }
static size_t part_bytes(const vb_tiling *t) { return products()->columns * t->d * sizeof(double); }

size_t vb_recheck_lay_out(const vb_tiling *t, size_t width, char *base, vb_wide_columns *columns, vb_wide_rows *rows)
{
    const size_t panels = vb_divide_up(width, t->columns), pitch = pitch_of(t->d);
    size_t used = 0, bytes;

    *columns = (vb_wide_columns){NULL, NULL, NULL, NULL};
    *rows = (vb_wide_rows){NULL, 0, 0, {0.0}};
    if (t->value != VB_F32 || !products())
        return 0;
    bytes = panels * parts_of(t) * part_bytes(t);
    if (bytes > most_bytes)
        return 0;
    columns->panels = vb_part(base, &used, bytes);
    columns->copies = vb_part(base, &used, 8 * pitch);
    columns->norms = vb_part(base, &used, panels * parts_of(t) * products()->columns * sizeof(double));
    columns->ready = vb_part(base, &used, panels);
    rows->base = vb_part(base, &used, VB_MOST_ROWS * pitch);
    return used;
}

/* ---- rows and columns in float64 ------------------------------------------------------------- */

static double norm_of(const vb_tiling *t, const char *row)
{
    double square;
    vb_kernels.pair[VB_DOT][t->type](row, row, t->d, &square);
    return sqrt(square);
}

/* Columns past the last one repeat it. */
static void widen_panel(const vb_tiling *t, const vb_columns *c, size_t p, size_t first, size_t n)
{
    const vb_wide_columns *w = &c->wide;
    const size_t columns = products()->columns, all = parts_of(t) * columns, pitch = pitch_of(t->d);

    for (size_t j = 0, some; j < all; j += some) {
        const size_t part = j / columns, within = j % columns;
        char *panel = w->panels + (p * parts_of(t) + part) * part_bytes(t);
        const char *copies[8];
        some = vb_min(8, columns - within);
        for (size_t k = 0; k < some; k++) {
            const char *row = vb_row_at(&c->from, first + vb_min(j + k, n - 1));
            copies[k] = w->copies + k * pitch;
            vb_widen(t->type, row, t->d, (double *)(w->copies + k * pitch));
            w->norms[p * all + j + k] = norm_of(t, row);
        }
        vb_interleave(sizeof(double), some, copies, columns, t->d, panel + within * sizeof(double));
    }
    w->ready[p] = 1;
}

static void widen_rows(const vb_tiling *t, vb_group *g)
{
    for (size_t r = 0; r < g->n; r++) {
        const char *row = vb_row_at(&g->from, g->first + r);
        vb_widen(t->type, row, t->d, (double *)(g->wide.base + r * pitch_of(t->d)));
        g->wide.norms[r] = norm_of(t, row);
    }
    g->wide.ready = 1;
}

/* ---- what a value may be off -------------------------------------------------------------------
 *
 * Let u = 2^-53. A tile's sum of d terms has at most 64 + d / 64 + 2 roundings (contract.h), a canonical one d / 32 + 6; both have an
 * error of at most that times u times the sum of the terms' magnitudes: |a||x| at most of products, the sum itself of squares.
 * Elements were float32 or narrower, so that nothing over- or underflows. With t = a.a + x.x >= 2 |a||x| the bounds below hold for
 * the distance to the canonical value; they are some tens of u more than the roundings of the sums, which is what the steps
 * from sums to values have, and what the products of two small errors are. */

typedef struct {
    double value, error; /* the canonical value is no further off than that */
} estimate;

/* A dot product: (66 + d / 64 + d / 32 + 6) u |a||x|. */
VB_INLINE estimate dot_by_products(size_t d, double s, double a, double x)
{
    return (estimate){s, ((double)d / 16.0 + 96.0) * 0x1p-53 * (a * x)};
}

/* A squared distance: the above twice, d / 32 + 6 of the squares, and of the canonical value, which is 2 t at most, as much twice. */
VB_INLINE estimate square_by_products(size_t d, double s, double a, double x)
{
    const double t = a * a + x * x;
    return (estimate){t - 2.0 * s, ((double)d / 8.0 + 128.0) * 0x1p-53 * t};
}

VB_INLINE estimate square_by_differences(size_t d, double s)
{
    return (estimate){s, ((double)d / 16.0 + 96.0) * 0x1p-53 * s};
}

/* The error of a canonical cosine distance near `distance`: of residuals 2^-39 of it or, of the smallest, 2e-28; from about
 * half of the edge on it may be 1 - s, with the error of s. */
static double angle_error(size_t d, double distance)
{
    const double residual = 0x1p-39 * fabs(distance) + 2e-28;
    return distance > 0.5 * (1.0 - vb_near_edge(d)) ? residual + vb_cosine_error(d) : residual;
}

/* A cosine distance. That of the sums is off by 66 + d / 64 for s, half of d / 32 + 6 for each norm, and a few. */
VB_INLINE estimate angle_by_products(size_t d, double s, double a, double x)
{
    const double distance = 1.0 - s / (a * x);
    return (estimate){distance, ((double)d / 16.0 + 96.0) * 0x1p-53 + angle_error(d, distance)};
}

/* 1 - cos = (|a - x|^2 - (|a| - |x|)^2) / (2 |a||x|). A norm has half of the error of its square, and the root's: k u of it. */
VB_INLINE estimate angle_by_differences(size_t d, double s, double a, double x)
{
    const double k = ((double)d / 64.0 + 5.0) * 0x1p-53, m = a - x, both = a + x, scale = 0.5 / (a * x);
    const double distance = (s - m * m) * scale;
    const double error = ((double)d / 16.0 + 100.0) * 0x1p-53 * s + 2.0 * fabs(m) * k * both + k * k * both * both;
    return (estimate){distance,
                      error * scale + ((double)d / 16.0 + 32.0) * 0x1p-53 * fabs(distance) + angle_error(d, distance)};
}

/* ---- a tile ------------------------------------------------------------------------------------ */

VB_INLINE estimate estimate_of(vb_geometry geometry, int by_differences, size_t d, double s, double a, double x)
{
    switch (geometry) {
    case VB_GEOMETRY_SQUARE:
        return by_differences ? square_by_differences(d, s) : square_by_products(d, s, a, x);
    case VB_GEOMETRY_ANGLE:
        return by_differences ? angle_by_differences(d, s, a, x) : angle_by_products(d, s, a, x);
    case VB_GEOMETRY_DOT:
        return dot_by_products(d, s, a, x);
    case VB_GEOMETRY_OVERLAP: /* of bits, which have no such tiles */
        break;
    }
    VB_UNREACHABLE();
}

/* From bounds of the estimate to bounds of the value. */
VB_INLINE void make_values(vb_epilogue epilogue, double *least, double *most)
{
    const double low = *least, high = *most;
    switch (epilogue) {
    case VB_RAW:
    case VB_SQUARED:
    case VB_ANGULAR:
        return;
    case VB_ROOT:
        *least = sqrt(low); /* NaN of what is negative, which equals nothing */
        *most = sqrt(high);
        return;
    case VB_SIMILARITY:
        *least = (1.0 - high) * (1.0 - 0x1p-52);
        *least = *least < -1.0 ? -1.0 : *least;
        *most = (1.0 - low) * (1.0 + 0x1p-52);
        *most = *most > 1.0 ? 1.0 : *most;
        return;
    case VB_UNSHARED:
        break;
    }
    VB_UNREACHABLE();
}

/* The float32 next to the canonical values of one row's pairs, where it is plain: else low[j] and high[j] differ. */
VB_INLINE void bounds_of(vb_geometry geometry, vb_epilogue epilogue, int by_differences, size_t d, double a,
                         const double *norms, const double *sums, size_t n, float *low, float *high)
{
    for (size_t j = 0; j < n; j++) {
        const estimate e = estimate_of(geometry, by_differences, d, sums[j], a, norms[j]);
        const double error = e.error * (1.0 + 0x1p-20) + fabs(e.value) * 0x1p-52;
        double least = e.value - error, most = e.value + error;
        make_values(epilogue, &least, &most);
        low[j] = (float)least + 0.0f; /* zero is positive */
        high[j] = (float)most + 0.0f;
    }
}

/* Loops of their own where they pay: the compiler makes vectors of them. */
static void bounds(const vb_tiling *t, int by_differences, double a, const double *norms, const double *sums, size_t n,
                   float *low, float *high)
{
    const vb_metric_info *info = &vb_metrics[t->metric];

    if (info->epilogue == VB_ROOT && by_differences)
        bounds_of(VB_GEOMETRY_SQUARE, VB_ROOT, 1, t->d, a, norms, sums, n, low, high);
    else if (info->epilogue == VB_ROOT)
        bounds_of(VB_GEOMETRY_SQUARE, VB_ROOT, 0, t->d, a, norms, sums, n, low, high);
    else if (info->epilogue == VB_ANGULAR && by_differences)
        bounds_of(VB_GEOMETRY_ANGLE, VB_ANGULAR, 1, t->d, a, norms, sums, n, low, high);
    else if (info->epilogue == VB_ANGULAR)
        bounds_of(VB_GEOMETRY_ANGLE, VB_ANGULAR, 0, t->d, a, norms, sums, n, low, high);
    else
        bounds_of(info->geometry, info->epilogue, by_differences, t->d, a, norms, sums, n, low, high);
}

/* Those of n values of one row that are settled, as bits; they go to `out`. */
static uint64_t settle(const float *low, const float *high, size_t n, uint64_t unsure, char *out)
{
    uint64_t settled = 0;
    for (size_t j = 0; j < n; j++)
        settled |= (uint64_t)(low[j] == high[j]) << j;
    settled &= unsure;
    for (size_t j = 0; j < n; j++)
        if (settled >> j & 1)
            memcpy(out + j * sizeof *low, &low[j], sizeof *low);
    return settled;
}

/* What of a group's unsure pairs lies in some rows and columns. */
static unsigned unsure_in(const uint64_t *unsure, size_t r, size_t end, uint64_t columns)
{
    unsigned count = 0;
    for (; r < end; r++)
        count += vb_count_bits(unsure[r] & columns);
    return count;
}

/* By one of the two kernels, all tiles in which there are more than a few. Returns how many pairs it was tried on. */
static unsigned pass(const vb_tiling *t, const vb_record *record, int by_differences, vb_group *g, vb_columns *c,
                     size_t p, size_t first, size_t n, uint64_t *unsure, char *values, ptrdiff_t pitch)
{
    const size_t columns = record->columns, all = parts_of(t) * columns, wide = pitch_of(t->d);
    const vb_finish finish = {by_differences ? VB_SQUARED : VB_RAW, 0.0, INFINITY, NULL, NULL};
    unsigned tried = 0;

    for (size_t part = 0; part * columns < n; part++) {
        const size_t j = part * columns, some = vb_min(columns, n - j);
        const uint64_t here = (some < 64 ? ((uint64_t)1 << some) - 1 : UINT64_MAX) << j;
        for (size_t r = 0; r < g->n; r += record->rows) {
            const size_t end = vb_min(r + record->rows, g->n);
            const unsigned count = unsure_in(unsure, r, end, here);
            double sums[VB_MOST_ROWS * VB_MOST_COLUMNS];
            uint64_t ignored[VB_MOST_ROWS];
            int64_t ids[VB_MOST_ROWS];
            vb_view rows = {g->wide.base + r * wide, (ptrdiff_t)wide, NULL, 0};

            if (count * FEW < record->rows * columns)
                continue;
            if (!c->wide.ready[p])
                widen_panel(t, c, p, first, n);
            if (!g->wide.ready)
                widen_rows(t, g);
            for (size_t i = 0; i < record->rows; i++)
                ids[i] = (int64_t)vb_min(i, end - r - 1);
            rows.ids = end - r < record->rows ? ids : NULL;
            record->call.tile(&rows, c->wide.panels + (p * parts_of(t) + part) * part_bytes(t), t->d, &finish, sums,
                              (ptrdiff_t)(columns * sizeof *sums), ignored);
            tried += count;
            for (size_t i = r; i < end; i++) {
                float low[VB_MOST_COLUMNS], high[VB_MOST_COLUMNS];
                if (!(unsure[i] & here))
                    continue;
                bounds(t, by_differences, g->wide.norms[i], c->wide.norms + p * all + j, sums + (i - r) * columns, some,
                       low, high);
                unsure[i] &=
                    ~(settle(low, high, some, (unsure[i] & here) >> j, values + (ptrdiff_t)i * pitch + j * sizeof *low)
                      << j);
            }
        }
    }
    return tried;
}

void vb_recheck(const vb_tiling *t, vb_group *g, vb_columns *c, size_t p, size_t first, size_t n, uint64_t *unsure,
                char *values, ptrdiff_t pitch)
{
    const int is_dot = vb_metrics[t->metric].geometry == VB_GEOMETRY_DOT;

    if (!c->wide.panels || unsure_in(unsure, 0, g->n, UINT64_MAX) < FEW)
        return;
    /* Products do not tell rows that are very near from each other: where they left many pairs open, the next tiles go without. */
    if (g->wide.skips == 0 || is_dot) {
        const unsigned tried = pass(t, products(), 0, g, c, p, first, n, unsure, values, pitch);
        if (is_dot)
            return;
        if (FEW * unsure_in(unsure, 0, g->n, UINT64_MAX) > tried)
            g->wide.skips = 31;
    } else {
        g->wide.skips--;
    }
    if (differences())
        pass(t, differences(), 1, g, c, p, first, n, unsure, values, pitch);
}
