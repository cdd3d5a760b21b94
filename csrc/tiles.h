/* tiles.h - a small block of a pairwise matrix: some rows with one panel of columns.
 *
 * Columns are packed once for many groups of rows. What is packed, and which kernel meets it, depends on
 * the type of the rows:
 *
 *   float32, float64      themselves         tile    (kernels/tile.inc): of dot products, and of squared differences
 *                                                    for the distances of short rows
 *   float16               as float32         tile
 *   bfloat16              in pairs           tile
 *   integers, bits        as codes           products   (kernels/sieve.inc), exact
 *   very long ones        not packed         rows    (a sum might leave int32)
 *
 * An element depends on its two rows alone, and its bits on no tile or ISA.
 */
#ifndef VB_TILES_H
#define VB_TILES_H

#include "scorer.h"

enum { VB_MOST_COLUMNS = 64, VB_MOST_ROWS = 16 };

/* How the rows of one matrix product are going to be met. */
typedef struct {
    vb_metric metric;
    vb_type type;                     /* of the rows */
    vb_type value;                    /* of the values that a tile holds: f32, f64 or i32 */
    int direct;                       /* whether distances come from differences, not from products */
    int rescales;                     /* whether pairs of tiny rows, and of huge ones, are met scaled */
    size_t d, rows, columns;          /* the shape of a tile */
    size_t panel_bytes;               /* of packed columns */
    const vb_record *tile, *products; /* the kernel; none: rows one by one */
} vb_tiling;

/* out: the type that results are going to have. */
void vb_tiling_init(vb_tiling *tiling, vb_metric metric, vb_type type, size_t d, vb_type out);

/* Columns and rows in float64, if ever they are needed (recheck.h). */
typedef struct {
    char *panels, *copies; /* NULL: there are none */
    double *norms;
    uint8_t *ready; /* the panels that are made */
} vb_wide_columns;

typedef struct {
    char *base;
    int ready, skips;
    double norms[VB_MOST_ROWS];
} vb_wide_rows;

/* Columns, packed, and what is known of each. */
typedef struct {
    vb_rows from;
    char *panels, *copies;       /* copies: room for eight columns as the kernel takes them */
    double *squares;             /* of each column: its square; NaN where it must be measured by its elements; */
    double *scales;              /* what it is multiplied by, so that its square is safe; NaN: its values are NaN */
    char *scaled, *scaled_facts; /* panels and facts once more, of scaled columns, where t->rescales; */
    uint8_t *rescaled;           /* the panels that have any */
    char *facts;                 /* of each column: for the epilogue of a tile; of codes the square as int32 */
    int32_t *sums;               /* of each column of codes: what products have to be corrected by */
    uint64_t *repeats;           /* of each panel: the columns that have the bytes of the column before */
    vb_wide_columns wide;
} vb_columns;

/* A row group: `n` rows, the kernel's number or fewer. */
typedef struct {
    vb_view rows;
    size_t n;
    vb_rows from;
    size_t first;
    int64_t ids[VB_MOST_ROWS];
    char *packed;        /* room for the rows as the kernel takes them */
    vb_view scaled;      /* the rows scaled, where t->rescales; */
    char *scaled_packed; /* room for them; */
    double scaled_facts[VB_MOST_ROWS];
    int rescaled; /* whether any is */
    double squares[VB_MOST_ROWS], scales[VB_MOST_ROWS];
    double facts[VB_MOST_ROWS];
    int32_t sums[VB_MOST_ROWS], wholes[VB_MOST_ROWS]; /* of codes: corrections, and squares */
    double *query;                                    /* room for d numbers */
    uint32_t repeats;                                 /* the rows that have the bytes of the row before */
    vb_wide_rows wide;
} vb_group;

/* Divide `base` (NULL: only count) for `width` columns and a group; returns the bytes used. */
size_t vb_tiling_lay_out(const vb_tiling *tiling, size_t width, char *base, vb_columns *columns, vb_group *group);

/* Columns first to end of `from`. */
void vb_columns_pack(const vb_tiling *tiling, const vb_rows *from, size_t first, size_t end, vb_columns *columns);
/* Rows first to end of `from`, at most. */
void vb_group_gather(const vb_tiling *tiling, const vb_rows *from, size_t first, size_t end, vb_group *group);

/* The group's rows with panel p, whose columns are `first` to first + n of their matrix: values, `pitch` bytes from row to
 * row; room for whole tiles. */
void vb_tile_compute(const vb_tiling *tiling, vb_group *group, vb_columns *columns, size_t p, size_t first, size_t n,
                     char *values, ptrdiff_t pitch);

/* ---- for those who make tiles of their own ---- */

VB_INLINE unsigned vb_count_bits(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned)(bits * 0x0101010101010101u >> 56);
}

VB_INLINE const char *vb_row_at(const vb_rows *rows, size_t i) { return rows->base + (ptrdiff_t)i * rows->stride; }

/* Element k of columns[j] to place k * n + j of a panel, for up to eight columns of `count` elements of 4 or 8 bytes. */
void vb_interleave(size_t size, size_t some, const char *const *columns, size_t n, size_t count, char *panel);

#endif
