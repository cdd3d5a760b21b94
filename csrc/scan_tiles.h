/* scan_tiles.h - a search by products of float32 tiles, as pairwise makes them, where codes would not pay (scan.c).
 *
 * A tile makes for each pair a number in whose order the rows rank, but for a known error; only rows that may be among those wanted
 * are measured by their elements.
 */
#ifndef VB_SCAN_TILES_H
#define VB_SCAN_TILES_H

#include "scan.h"

/* One thread's working space. */
typedef struct {
    struct tile_query *queries;
    float *packed;         /* the queries, as a tile takes them */
    double *row;           /* one row in float64 */
    float *copies;         /* eight rows */
    char *panels;          /* the rows of a chunk */
    float *facts, *doubts; /* of each: what its square is less its error; and twice that error */
    float *values;         /* of a group of queries with a chunk */
    uint64_t *masks;       /* the pairs of a panel and a group that a bar leaves: [panel][query] */
    int64_t *ids, *apart,
        *found;         /* of the rows of a chunk; of those that tiles tell nothing of; and of those left of both */
    const char *before; /* the last row that was packed, */
    size_t run, dead;   /* how often it came again; and how many rows had no value for any query */
} vb_by_tiles;

/* Whether rows of this type and dimension can be searched by tiles. */
int vb_by_tiles_take(const vb_search *search);

/* Whether these rows can; and for that, from a few of them, what is subtracted from all, in s->center (or NULL), and about the square of
 * what remains, in s->scale. */
vb_status vb_by_tiles_init(vb_search *search, int *suits);

size_t vb_by_tiles_lay_out(const vb_search *search, char *base, vb_by_tiles *w);

/* Queries [0, count) of a block, whose scorers are ready: `wide` has their elements, `pitch` numbers from one to the next. */
void vb_by_tiles_begin(const vb_search *search, vb_by_tiles *w, const vb_scorer *scorers, size_t count,
                       const double *wide, size_t pitch);

/* What is left of some rows for a query: to the collector. */
typedef vb_status vb_measure_rows(void *context, size_t q, const int64_t *ids, size_t n);

/* The eligible rows of a stretch, for all queries. */
vb_status vb_by_tiles_scan(vb_search *search, vb_by_tiles *w, size_t count, size_t start, size_t end, vb_pulse *pulse,
                           const vb_collector *to, vb_measure_rows *measure, void *context);

#endif
