/* metrics.h - from accumulators to the values that users see. */
#ifndef VB_METRICS_H
#define VB_METRICS_H

#include "apart.h"
#include "kernels/contract.h"
#include "numbers.h"

/* The most rows that the drivers score in one call: the values and norms of a chunk stay in
 * L1 (4 KiB). */
#define VB_CHUNK 256

/* One query, ready to meet many rows of one type. */
typedef struct {
    vb_metric metric;
    vb_type type; /* of the rows */
    size_t d;
    const void *query;   /* of vb_query_type(type) */
    vb_scoring scoring;  /* its norm: for the cosines */
    int dead;            /* whether the value is NaN for any row */
    double norm;         /* |query|^2, for the cosines and the screen */
    const float *narrow; /* the query in float32, if rows may be screened with it; else NULL */
    double ratio;        /* |query| over the length of some row, for the screen */
    int direct;          /* how many chunks to go without the screen, which did not pay */
} vb_scorer;

/* query: d elements of vb_query_type(type), which the scorer does not copy; given: the type that they had. For cosines
 * those of a real query are scaled in place if their squares leave float64. */
void vb_scorer_init(vb_scorer *scorer, vb_metric metric, vb_type type, size_t d, const void *query, vb_type given);

/* Let vb_scorer_closer() screen float32 rows. narrow: the same d numbers, which float32 holds
 * exactly; the scorer does not copy them. sample: any one of the rows. */
void vb_scorer_screen(vb_scorer *scorer, const float *narrow, const char *sample);

/* A cosine, or cosine distance, of whole rows of d elements that are not zero: from their sums alone. */
double vb_whole_angle(vb_metric metric, size_t d, double dot, double aa, double xx);

/* values[i] = metric(query, rows[i]), n <= VB_CHUNK. */
void vb_scorer_run(const vb_scorer *scorer, const vb_view *rows, size_t n, double *values);

/* Finds the rows with a score (epilogues.h) of at most `bar` (NaN: all rows), and a few more: their positions, ascending, and
 * their scores. Returns how many; n <= VB_CHUNK. */
size_t vb_scorer_closer(vb_scorer *scorer, const vb_view *rows, size_t n, double bar, uint32_t *positions,
                        double *scores);

/* The metric's value that a score stands for, of rows of d elements; and the largest score of a row that is at least as close as a
 * threshold. */
double vb_score_value(vb_metric metric, size_t d, double score);
double vb_score_bar(vb_metric metric, size_t d, double threshold);

/* What the sums of a row with a score of at most `bar` satisfy: for a Euclidean metric (and hamming) the squared
 * distance, for a cosine the similarity. Looser than the rounding of the epilogues; of a cosine also than that of the
 * sums, for beyond the edge a score is no function of them. */
double vb_most_square(vb_metric metric, double bar);
double vb_least_cosine(vb_metric metric, size_t d, double bar);

/* Ask for a row to be brought into L2. */
VB_INLINE void vb_fetch(const char *row, size_t bytes)
{
#if defined(__GNUC__)
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(row + i, 0, 2);
#else
    (void)row;
    (void)bytes;
#endif
}

/* row /= |row|, d numbers in place; all NaN if the row has no direction (zero, infinite, NaN). */
void vb_unit(double *row, size_t d);

/* How many consecutive rows of this width to score at a time, so that they stay in L2 while
 * several queries meet them. */
size_t vb_chunk_rows(vb_type type, size_t d);

#endif
