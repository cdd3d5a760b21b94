/* bound.h - what lets a search rule rows out by their codes: see bound.c for the bound and its proof.
 *
 * Codes never decide what a search returns: they only say which rows cannot be in it.
 */
#ifndef VB_BOUND_H
#define VB_BOUND_H

#include "metrics.h"

/* How the rows of one corpus are encoded. */
typedef struct {
    vb_metric metric;
    vb_type type;
    size_t d;
    const float *center; /* subtracted from every row; vb_center_size(d) numbers, the last of them zeros */
    double scale;        /* a power of two, by which rows are multiplied before */
} vb_encoding;

/* Rows with elements past this, or its inverse, get no codes; scales are powers of two up to this one. */
#define VB_LARGEST_CODED 0x1p50
enum { VB_MOST_EXPONENT = 1000 };
double vb_scale_of(int exponent);

/* What the bound has to know of row r of a panel, which was encoded with these findings. Before the first row of a
 * panel, vb_bound_clear(). */
void vb_bound_clear(vb_panel *panel);
void vb_bound_row(const vb_encoding *encoding, const char *row, const vb_coding *found, size_t r, vb_panel *panel);

/* A query, as the bound sees it; norms over the query's scale. */
typedef struct {
    double scale;          /* of the codes */
    double norm, residual; /* |w| and |w - codes|, w being the query or query - center */
    double square;         /* |w|^2 */
    double query_norm;     /* of the query itself, not over the scale */
    double center_dot;     /* query . center */
    double center_slack;   /* more than the rounding of that, and of canonical sums on the center's part */
    double scaled;         /* what the query was multiplied by */
    double bar;            /* for which a and t stand */
    int codable;
} vb_query_bound;

/* Encode a query of d numbers: its codes, zeros up to a multiple of four, and their `bias` (vb_coded).
 * largest: the largest code that may be used. work: d numbers. */
void vb_bound_query(vb_query_bound *bound, const vb_encoding *encoding, const double *query, int largest, double *work,
                    int8_t *codes, int32_t *bias);
/* The same of d bytes of bits, which are their codes. */
void vb_bound_query_bits(vb_query_bound *bound, const vb_encoding *encoding, const char *query, int8_t *codes,
                         int32_t *bias);

/* a and t (vb_coded): what a row has to reach for a score of at most `bar` (NaN: any). */
void vb_bound_bar(vb_query_bound *bound, const vb_encoding *encoding, double bar, float *a, float *t);

/* k (vb_coded) of n queries, for some panels. norms, residuals: those of the queries, by vb_bound_floats(). */
void vb_bound_floats(const vb_query_bound *bound, float *norm, float *residual);
void vb_bound_slack(const char *panels, size_t count, size_t d, const float *norms, const float *residuals, size_t n,
                    float *k);

#endif
