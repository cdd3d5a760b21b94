/* pairwise.c - the whole matrix of values, by tiles of dot products (kernels/tile.inc).
 *
 * A job's tile is a block of rows of `a` against a block of rows of b, the columns. The columns are packed
 * once, in panels that stay in L2, and row groups of the kernel's height meet all of them:
 *
 *              panel 0   panel 1   ...     columns of the block, packed
 *   group 0    kernel    kernel
 *   group 1    kernel    kernel
 *   ...
 *
 * Distances and angles come from dot products and norms, and where these cancel, so that too few digits are
 * left, from the canonical kernel: see `trust`. An element depends on its two rows alone, and its bits on no tile,
 * thread or ISA.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "metrics.h"

enum { MOST_COLUMNS = 64, MOST_ROWS = 16 };

typedef struct {
    vb_job job;
    vb_metric metric;
    vb_type type;                    /* of both sides */
    size_t d, height, width, blocks; /* rows and columns of a block, and blocks side by side */
    vb_rows a, b;
    vb_layout layout;
    char *out;
    ptrdiff_t out_row, out_column;
    vb_type out_type;
} pairwise;

/* One thread's working space. */
typedef struct {
    char *panels;       /* [panel][k][column] */
    char *rows;         /* a row group, in the tile's type */
    double *query;      /* a row in float64, for repairs */
    char *row, *column; /* a number for each row of the group, each column of the block (vb_finish) */
    char *values;       /* a tile */
} workspace;

static void *part(char *base, size_t *used, size_t bytes)
{
    char *at = base ? base + *used : NULL;
    *used += vb_divide_up(bytes, VB_LINE) * VB_LINE;
    return at;
}

static size_t lay_out(const pairwise *p, char *base, workspace *w)
{
    const size_t size = vb_type_size(p->type);
    size_t used = 0;
    w->panels = part(base, &used, p->width * p->d * size);
    w->rows = part(base, &used, MOST_ROWS * (p->d * size + VB_LINE));
    w->query = part(base, &used, p->d * sizeof(double));
    w->row = part(base, &used, MOST_ROWS * size);
    w->column = part(base, &used, p->width * size);
    w->values = part(base, &used, MOST_ROWS * MOST_COLUMNS * size);
    return used;
}

/* ---- what a tile may be trusted with -------------------------------------------------
 *
 * Rounding errors of a tile's dot product, in units of |a||b| 2^-24 (float32): at most 64 + d / 64 + 2, were all of them
 * of one sign; some 2 in random rows, up to 16 in the worst rows known (all elements equal). The squared distance
 * t - 2 s has twice that; so where it is over t / 10 >= |a||b| / 5, the distance is right to 5 times
 * that, 5e-6 in the worst rows known and 6e-7 in random ones. A cosine distance over 0.1 likewise. Below,
 * and where norms or sums leave the range in which all that holds, the canonical kernel decides. In
 * float64 there is room for the bound itself: under 1e-12 from t / 100 on. */
static void trust(const pairwise *p, vb_finish *finish)
{
    const int narrow = p->type == VB_F32;
    switch (p->metric) {
    case VB_METRIC_EUCLIDEAN:
    case VB_METRIC_SQEUCLIDEAN:
        finish->epilogue = p->metric == VB_METRIC_EUCLIDEAN ? VB_ROOT : VB_SQUARED;
        finish->low = narrow ? 0.1 : 0.01;
        break;
    case VB_METRIC_COSINE:
    case VB_METRIC_COSINE_SIMILARITY:
        finish->epilogue = p->metric == VB_METRIC_COSINE ? VB_ANGULAR : VB_SIMILARITY;
        finish->high = narrow ? 0.9 : 0.99;
        break;
    default:
        finish->epilogue = VB_RAW;
        finish->high = narrow ? FLT_MAX : DBL_MAX;
    }
}

/* The number that the epilogue wants of a row: its square, or one over its length; NaN where a
 * tile's sums may over- or underflow. */
static double fact_of(const pairwise *p, const char *row)
{
    const double least = p->type == VB_F32 ? 0x1p-90 : 0x1p-480, most = p->type == VB_F32 ? 0x1p90 : 0x1p480;
    const int angular = p->metric == VB_METRIC_COSINE || p->metric == VB_METRIC_COSINE_SIMILARITY;
    double square;

    if (p->metric == VB_METRIC_DOT)
        return 0.0;
    vb_kernels.pair[VB_DOT][p->type](row, row, p->d, &square);
    if (!(square >= least && square <= most))
        return NAN;
    return angular ? 1.0 / sqrt(square) : square;
}

static void put(vb_type type, char *at, double value)
{
    const float narrow = (float)value;
    if (type == VB_F32)
        memcpy(at, &narrow, sizeof narrow);
    else
        memcpy(at, &value, sizeof value);
}

static const char *row_of(const vb_rows *rows, size_t i) { return rows->base + (ptrdiff_t)i * rows->stride; }

/* ---- columns ----------------------------------------------------------------------- */

/* Element k of columns[j] to place k * n + j, `some` columns at a time: whole pieces of lines. */
VB_INLINE void interleave(size_t size, size_t some, const char *const *columns, size_t n, size_t d, char *panel)
{
    for (size_t first = 0; first < n; first += some) {
        const char *from[8];
        for (size_t j = 0; j < some; j++)
            from[j] = columns[first + j];
        for (size_t k = 0; k < d; k++)
            for (size_t j = 0; j < some; j++)
                memcpy(panel + (k * n + first + j) * size, from[j] + k * size, size);
    }
}

static void interleave_panel(vb_type type, const char *const *columns, size_t n, size_t d, char *panel)
{
    if (type == VB_F32 && n % 8 == 0)
        interleave(sizeof(float), 8, columns, n, d, panel);
    else if (type == VB_F32)
        interleave(sizeof(float), 1, columns, n, d, panel);
    else if (n % 8 == 0)
        interleave(sizeof(double), 8, columns, n, d, panel);
    else
        interleave(sizeof(double), 1, columns, n, d, panel);
}

/* The columns from `first` to `end`, packed, and their numbers. Past the end the last one repeats. */
static void pack(const pairwise *p, const workspace *w, size_t first, size_t end)
{
    const size_t size = vb_type_size(p->type), n = vb_kernels.tile[p->type]->columns;

    for (size_t j = first; j < end; j++)
        put(p->type, w->column + (j - first) * size, fact_of(p, row_of(&p->b, j)));
    for (size_t j = first; j < end; j += n) {
        const char *columns[MOST_COLUMNS];
        char *panel = w->panels + (j - first) * p->d * size;
        for (size_t i = 0; i < n; i++)
            columns[i] = row_of(&p->b, vb_min(j + i, end - 1));
        interleave_panel(p->type, columns, n, p->d, panel);
    }
}

/* ---- tiles ------------------------------------------------------------------------- */

/* Where element (i, 0) would be: of the condensed form, the place before that of (i, i + 1), and so on. */
static char *line_of(const pairwise *p, size_t i)
{
    const ptrdiff_t n = (ptrdiff_t)p->b.count, at = (ptrdiff_t)i;
    if (p->layout == VB_CONDENSED)
        return p->out + (at * n - at * (at + 1) / 2 - at - 1) * p->out_column;
    return p->out + at * p->out_row;
}

/* A row group: rows i to i + n of a, columns j to j_end of a panel. */
typedef struct {
    vb_view rows;
    int64_t ids[MOST_ROWS];
    size_t i, n;
} group;

/* The rows as the kernel reads them, which is always its own number: the last one repeats. Rows whose
 * addresses would all fall into a few sets of L1 are copied apart. */
static void gather(const pairwise *p, const workspace *w, size_t i, size_t end, group *g)
{
    const size_t rows = vb_kernels.tile[p->type]->rows, bytes = p->d * vb_type_size(p->type);
    const size_t pitch = vb_divide_up(bytes, VB_LINE) * VB_LINE + VB_LINE, few_sets = 4096;

    g->i = i;
    g->n = vb_min(rows, end - i);
    g->rows = (vb_view){row_of(&p->a, i), p->a.stride, NULL};
    if (p->a.stride % (ptrdiff_t)few_sets == 0 && p->a.stride) {
        for (size_t r = 0; r < g->n; r++)
            memcpy(w->rows + r * pitch, row_of(&p->a, i + r), bytes);
        g->rows = (vb_view){w->rows, (ptrdiff_t)pitch, NULL};
    }
    if (g->n < rows) {
        for (size_t r = 0; r < rows; r++)
            g->ids[r] = (int64_t)vb_min(r, g->n - 1);
        g->rows.ids = g->ids;
    }
}

/* Values of row i that the tile could not vouch for: columns j + bit. */
static void repair(const pairwise *p, const workspace *w, size_t i, size_t j, uint64_t unsure, char *line)
{
    int64_t ids[MOST_COLUMNS];
    double values[MOST_COLUMNS];
    const vb_view rows = {row_of(&p->b, j), p->b.stride, ids};
    vb_scorer scorer;
    size_t n = 0;

    for (size_t bit = 0; bit < MOST_COLUMNS; bit++)
        if (unsure >> bit & 1)
            ids[n++] = (int64_t)bit;
    vb_widen(p->a.type, row_of(&p->a, i), p->d, w->query);
    vb_scorer_init(&scorer, p->metric, p->b.type, p->d, w->query);
    vb_scorer_run(&scorer, &rows, n, values);
    for (size_t at = 0; at < n; at++)
        put(p->type, line + (size_t)ids[at] * vb_type_size(p->type), values[at]);
}

/* Columns [from, to) of a line of the tile, to the output. */
static void copy_line(const pairwise *p, size_t i, size_t j, size_t from, size_t to, const char *line)
{
    const size_t size = vb_type_size(p->type);
    char *out = line_of(p, i) + (ptrdiff_t)j * p->out_column;

    if (from >= to)
        return;
    if (p->out_type == p->type && p->out_column == (ptrdiff_t)size) {
        memcpy(out + from * size, line + from * size, (to - from) * size);
        return;
    }
    for (size_t at = from; at < to; at++) {
        float narrow;
        double wide;
        if (p->type == VB_F32) {
            memcpy(&narrow, line + at * size, size);
            wide = narrow;
        } else {
            memcpy(&wide, line + at * size, size);
        }
        put(p->out_type, out + (ptrdiff_t)at * p->out_column, wide);
    }
}

/* Elements of `size` bytes of rows i to i + rows, columns j to j + MIRROR_COLUMNS, to their transposed places, as
 * far as they lie above the diagonal. Through a buffer: lines of the matrix often share a set of L1. */
enum { MIRROR_ROWS = 64, MIRROR_COLUMNS = 16 };

VB_INLINE void mirror_some(const pairwise *p, size_t size, size_t i, size_t rows, size_t j, size_t columns)
{
    char buffer[MIRROR_COLUMNS][MIRROR_ROWS * sizeof(double)];

    for (size_t r = 0; r < rows; r++) {
        const char *from = line_of(p, i + r) + (ptrdiff_t)j * p->out_column;
        for (size_t c = j > i + r ? 0 : i + r + 1 - j; c < columns; c++)
            memcpy(buffer[c] + r * size, from + (ptrdiff_t)c * p->out_column, size);
    }
    for (size_t c = 0; c < columns; c++) {
        const size_t above = j + c > i ? vb_min(j + c - i, rows) : 0;
        char *to = line_of(p, j + c) + (ptrdiff_t)i * p->out_column;
        if (p->out_column == (ptrdiff_t)size)
            memcpy(to, buffer[c], above * size);
        else
            for (size_t r = 0; r < above; r++)
                memcpy(to + (ptrdiff_t)r * p->out_column, buffer[c] + r * size, size);
    }
}

static void mirror(const pairwise *p, size_t i, size_t rows, size_t j, size_t j_end)
{
    for (; j < j_end; j += MIRROR_COLUMNS) {
        const size_t columns = vb_min(MIRROR_COLUMNS, j_end - j);
        if (p->out_type == VB_F32)
            mirror_some(p, sizeof(float), i, rows, j, columns);
        else
            mirror_some(p, sizeof(double), i, rows, j, columns);
    }
}

/* One group of rows with one panel: columns j to j + n. */
static void meet(const pairwise *p, const workspace *w, const group *g, vb_finish *finish, const char *panel, size_t j,
                 size_t n)
{
    const vb_record *tile = vb_kernels.tile[p->type];
    const size_t size = vb_type_size(p->type);
    const int whole = g->n == tile->rows && n == tile->columns &&
                      (p->layout == VB_FULL || (p->layout == VB_MIRRORED && j >= g->i + g->n));
    const int in_place = whole && p->out_type == p->type && p->out_column == (ptrdiff_t)size;
    char *values = in_place ? line_of(p, g->i) + (ptrdiff_t)j * p->out_column : w->values;
    const ptrdiff_t pitch = in_place ? p->out_row : (ptrdiff_t)(tile->columns * size);
    const uint64_t all = n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
    uint64_t unsure[MOST_ROWS];

    tile->call.tile(&g->rows, panel, p->d, finish, values, pitch, unsure);
    for (size_t r = 0; r < g->n; r++)
        if (unsure[r] & all)
            repair(p, w, g->i + r, j, unsure[r] & all, values + (ptrdiff_t)r * pitch);
    if (in_place)
        return;
    for (size_t r = 0; r < g->n; r++) {
        const size_t i = g->i + r, on = p->layout == VB_CONDENSED ? i + 1 : i; /* the first column */
        const size_t from = p->layout == VB_FULL || on <= j ? 0 : on - j;
        copy_line(p, i, j, from, n, values + (ptrdiff_t)r * pitch);
    }
}

static vb_status run_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    const pairwise *p = (const pairwise *)job;
    const size_t i_first = index / p->blocks * p->height, i_end = vb_min(i_first + p->height, p->a.count);
    const size_t j_first = index % p->blocks * p->width, j_end = vb_min(j_first + p->width, p->b.count);
    const size_t size = vb_type_size(p->type), columns = vb_kernels.tile[p->type]->columns;
    size_t mirrored = i_first; /* the rows before are */
    vb_finish finish;
    workspace w;
    group g;

    if (p->layout != VB_FULL && j_end <= i_first)
        return VB_OK;
    lay_out(p, scratch, &w);
    pack(p, &w, j_first, j_end);
    for (size_t i = i_first; i < i_end; i += g.n) {
        size_t met = 0;
        gather(p, &w, i, i_end, &g);
        trust(p, &finish);
        finish.row = w.row;
        for (size_t r = 0; r < vb_kernels.tile[p->type]->rows; r++)
            put(p->type, w.row + r * size, r < g.n ? fact_of(p, row_of(&p->a, i + r)) : 0.0);
        for (size_t j = j_first; j < j_end; j += columns) {
            const size_t n = vb_min(columns, j_end - j);
            if (p->layout != VB_FULL && j + n <= i)
                continue;
            finish.column = w.column + (j - j_first) * size;
            meet(p, &w, &g, &finish, w.panels + (j - j_first) * p->d * size, j, n);
            met += n;
        }
        if (p->layout == VB_MIRRORED && (i + g.n - mirrored > MIRROR_ROWS - MOST_ROWS || i + g.n == i_end)) {
            mirror(p, mirrored, i + g.n - mirrored, vb_max(j_first, mirrored), j_end);
            mirrored = i + g.n;
        }
        if (vb_pulse_beat(pulse, g.n * met * p->d))
            return VB_STOPPED;
    }
    return VB_OK;
}

vb_job *vb_pairwise_new(vb_metric metric, size_t d, const vb_rows *a, const vb_rows *b, vb_layout layout, int threads,
                        char *out, ptrdiff_t out_row, ptrdiff_t out_column, vb_type out_type)
{
    const size_t tiles = threads > 1 ? 6 * (size_t)threads : 1, budget = 768 << 10, tall = 8192, low = 128;
    const size_t columns = vb_kernels.tile[a->type]->columns, rows = vb_kernels.tile[a->type]->rows;
    pairwise *p = calloc(1, sizeof *p);
    workspace ignored;

    if (!p)
        return NULL;
    p->metric = metric;
    p->type = a->type;
    p->d = d;
    p->a = *a;
    p->b = *b;
    p->layout = layout;
    p->out = out;
    p->out_row = out_row;
    p->out_column = out_column;
    p->out_type = out_type;
    /* Panels that fit in L2; and as many rows as leave every thread some tiles, for each block of rows packs the
     * columns again. */
    p->width = vb_max(budget / vb_max(d * vb_type_size(a->type) * columns, 1), 1);
    p->width = vb_min(p->width, vb_divide_up(b->count, columns)) * columns;
    p->width = vb_max(p->width, columns);
    p->blocks = vb_divide_up(b->count, p->width);
    p->height = vb_min(tall, vb_divide_up(a->count, vb_divide_up(tiles, vb_max(p->blocks, 1))));
    p->height = vb_max(vb_divide_up(vb_max(p->height, vb_min(low, a->count)), rows), 1) * rows;
    p->job.tile = run_tile;
    p->job.tiles = vb_divide_up(a->count, p->height) * p->blocks;
    p->job.work = (double)a->count * (double)b->count * (double)d * (layout == VB_FULL ? 1.0 : 0.5);
    p->job.scratch_bytes = lay_out(p, NULL, &ignored);
    return &p->job;
}
