/* scorer.h - one query and many rows: their values, and which of them may be close enough. */
#ifndef VB_SCORER_H
#define VB_SCORER_H

#include "metrics.h"

/* The most rows that the drivers score in one call: the values and norms of a chunk stay in
 * L1 (4 KiB). */
#define VB_CHUNK 256

/* One query, ready to meet many rows of one type. */
typedef struct {
    vb_metric metric;
    vb_type type; /* of the rows */
    size_t d;
    const void *query;   /* of vb_query_type(type) */
    vb_scoring scoring;  /* its norm: where the geometry is the angle or the overlap */
    int dead;            /* whether the value is NaN for any row */
    double norm;         /* |query|^2, likewise and for the screen */
    const float *narrow; /* the query in float32, if rows may be screened with it; else NULL */
    double ratio;        /* |query| over the norm of some row, for the screen */
    int direct;          /* how many chunks to go without the screen, which did not pay */
} vb_scorer;

/* query: d elements of vb_query_type(type), which the scorer does not copy; given: the type that they had. Where the
 * geometry is the angle, those of a real query are scaled in place if their squares leave float64. */
void vb_scorer_init(vb_scorer *scorer, vb_metric metric, vb_type type, size_t d, const void *query, vb_type given);

/* Let vb_scorer_closer() screen float32 rows. narrow: the same d numbers, which float32 holds
 * exactly; the scorer does not copy them. sample: any one of the rows. */
void vb_scorer_screen(vb_scorer *scorer, const float *narrow, const char *sample);

/* values[i] = metric(query, rows[i]), n <= VB_CHUNK. */
void vb_scorer_run(const vb_scorer *scorer, const vb_view *rows, size_t n, double *values);

/* Finds the rows with a score (epilogues.h) of at most `bar` (NaN: all rows), and a few more: their positions, ascending, and
 * their scores. Returns how many; n <= VB_CHUNK. */
size_t vb_scorer_closer(vb_scorer *scorer, const vb_view *rows, size_t n, double bar, uint32_t *positions,
                        double *scores);

/* How many consecutive rows of this width to score at a time, so that they stay in L2 while
 * several queries meet them. */
size_t vb_chunk_rows(vb_type type, size_t d);

/* Whether a filter that left `survivors` of n candidates costs more than it saves: then the next VB_FILTER_PAUSE
 * pieces go without it, and it is tried again. */
enum { VB_FILTER_PAUSE = 16 };
VB_INLINE int vb_filter_is_idle(size_t survivors, size_t n) { return survivors > n / 4; }

#endif
