/* pairwise.c - the whole matrix of values, by tiles (tiles.h).
 *
 * A job's tile is a block of rows of `a` against a block of rows of b, the columns. The columns are packed
 * once, in panels that stay in L2, and row groups of the kernel's height meet all of them:
 *
 *              panel 0   panel 1   ...     columns of the block, packed
 *   group 0    kernel    kernel
 *   group 1    kernel    kernel
 *   ...
 */
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "tiles.h"

typedef struct {
    vb_job job;
    vb_tiling tiling;
    size_t d, height, width, blocks; /* rows and columns of a block, and blocks side by side */
    vb_rows a, b;
    vb_layout layout;
    char *out;
    ptrdiff_t out_row, out_column;
    vb_type out_type;
} pairwise;

/* One thread's working space. */
typedef struct {
    vb_columns columns;
    vb_group group;
    char *values; /* a tile */
} workspace;

static size_t lay_out(const pairwise *p, char *base, workspace *w)
{
    const size_t used = vb_tiling_lay_out(&p->tiling, p->width, base, &w->columns, &w->group);
    w->values = base ? base + used : NULL;
    return used + VB_MOST_ROWS * VB_MOST_COLUMNS * sizeof(double);
}

/* Where element (i, 0) would be: of the condensed form, the place before that of (i, i + 1), and so on. */
static char *line_of(const pairwise *p, size_t i)
{
    const ptrdiff_t n = (ptrdiff_t)p->b.count, at = (ptrdiff_t)i;
    if (p->layout == VB_CONDENSED)
        return p->out + (at * n - at * (at + 1) / 2 - at - 1) * p->out_column;
    return p->out + at * p->out_row;
}

/* Columns [from, to) of a line of the tile, to the output. */
static void copy_line(const pairwise *p, size_t i, size_t j, size_t from, size_t to, const char *line)
{
    const vb_type type = p->tiling.value;
    const size_t size = vb_type_size(type);
    char *out = line_of(p, i) + (ptrdiff_t)j * p->out_column;
    double values[VB_MOST_COLUMNS];

    if (from >= to)
        return;
    if (p->out_type == type && p->out_column == (ptrdiff_t)size) {
        memcpy(out + from * size, line + from * size, (to - from) * size);
        return;
    }
    vb_widen(type, line + from * size, to - from, values);
    vb_store(p->out_type, values, to - from, out + (ptrdiff_t)from * p->out_column, p->out_column);
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
        if (vb_type_size(p->out_type) == sizeof(float))
            mirror_some(p, sizeof(float), i, rows, j, columns);
        else
            mirror_some(p, sizeof(double), i, rows, j, columns);
    }
}

/* One group of rows, from i on, with one panel: columns j to j + n. */
static void meet(const pairwise *p, workspace *w, size_t i, size_t panel, size_t j, size_t n)
{
    const vb_tiling *t = &p->tiling;
    vb_group *g = &w->group;
    const size_t size = vb_type_size(t->value);
    const int whole =
        g->n == t->rows && n == t->columns && (p->layout == VB_FULL || (p->layout == VB_MIRRORED && j >= i + g->n));
    const int in_place = whole && p->out_type == t->value && p->out_column == (ptrdiff_t)size;
    char *values = in_place ? line_of(p, i) + (ptrdiff_t)j * p->out_column : w->values;
    const ptrdiff_t pitch = in_place ? p->out_row : (ptrdiff_t)(t->columns * size);

    vb_tile_compute(t, g, &w->columns, panel, j, n, values, pitch);
    if (in_place)
        return;
    for (size_t r = 0; r < g->n; r++) {
        const size_t on = p->layout == VB_CONDENSED ? i + r + 1 : i + r; /* the first column */
        const size_t from = p->layout == VB_FULL || on <= j ? 0 : on - j;
        copy_line(p, i + r, j, from, n, values + (ptrdiff_t)r * pitch);
    }
}

static vb_status run_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    const pairwise *p = (const pairwise *)job;
    const size_t i_first = index / p->blocks * p->height, i_end = vb_min(i_first + p->height, p->a.count);
    const size_t j_first = index % p->blocks * p->width, j_end = vb_min(j_first + p->width, p->b.count);
    const size_t columns = p->tiling.columns;
    size_t mirrored = i_first; /* the rows before are */
    workspace w;

    if (p->layout != VB_FULL && j_end <= i_first)
        return VB_OK;
    lay_out(p, scratch, &w);
    vb_columns_pack(&p->tiling, &p->b, j_first, j_end, &w.columns);
    for (size_t i = i_first; i < i_end; i += w.group.n) {
        size_t met = 0;
        vb_group_gather(&p->tiling, &p->a, i, i_end, &w.group);
        for (size_t j = j_first; j < j_end; j += columns) {
            const size_t n = vb_min(columns, j_end - j);
            if (p->layout != VB_FULL && j + n <= i)
                continue;
            meet(p, &w, i, (j - j_first) / columns, j, n);
            met += n;
        }
        if (p->layout == VB_MIRRORED &&
            (i + w.group.n - mirrored > MIRROR_ROWS - VB_MOST_ROWS || i + w.group.n == i_end)) {
            mirror(p, mirrored, i + w.group.n - mirrored, vb_max(j_first, mirrored), j_end);
            mirrored = i + w.group.n;
        }
        if (vb_pulse_beat(pulse, w.group.n * met * p->d))
            return VB_STOPPED;
    }
    return VB_OK;
}

vb_job *vb_pairwise_new(vb_metric metric, size_t d, const vb_rows *a, const vb_rows *b, vb_layout layout, int threads,
                        char *out, ptrdiff_t out_row, ptrdiff_t out_column, vb_type out_type)
{
    const size_t tiles = threads > 1 ? 6 * (size_t)threads : 1, budget = 768 << 10, tall = 8192, low = 128;
    pairwise *p = calloc(1, sizeof *p);
    size_t columns, rows;
    workspace ignored;

    VB_ASSERT(a->type == b->type);
    VB_ASSERT(layout == VB_FULL || (a->base == b->base && a->count == b->count && a->stride == b->stride));
    if (!p)
        return NULL;
    vb_need_kernels();
    vb_tiling_init(&p->tiling, metric, a->type, d, out_type);
    columns = p->tiling.columns;
    rows = p->tiling.rows;
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
    p->width = vb_max(budget / vb_max(p->tiling.panel_bytes, 1), 1);
    p->width = vb_min(p->width, vb_divide_up(b->count, columns)) * columns;
    p->width = vb_max(p->width, columns);
    p->blocks = vb_divide_up(b->count, p->width);
    p->height = vb_min(tall, vb_divide_up(a->count, vb_divide_up(tiles, vb_max(p->blocks, 1))));
    p->height = vb_max(vb_divide_up(vb_max(p->height, vb_min(low, a->count)), rows), 1) * rows;
    if (p->tiling.products) {
        p->job.enter = p->tiling.products->enter;
        p->job.leave = p->tiling.products->leave;
    }
    p->job.tile = run_tile;
    p->job.tiles = vb_divide_up(a->count, p->height) * p->blocks;
    p->job.work = (double)a->count * (double)b->count * (double)d * (layout == VB_FULL ? 1.0 : 0.5);
    p->job.scratch_bytes = lay_out(p, NULL, &ignored);
    return &p->job;
}
