/* codes.h - rows and queries in int8, and the bound that lets a search rule rows out by them.
 *
 * Codes never decide what a search returns: they only say which rows cannot be in it. See codes.c
 * for the bound and its proof.
 */
#ifndef VB_CODES_H
#define VB_CODES_H

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

size_t vb_center_size(size_t d);

/* Of what type the codes of rows are: VB_B1 of bits, else VB_I8. */
VB_INLINE vb_type vb_code_type(vb_type type) { return vb_type_kind(type) == VB_BITS ? VB_B1 : VB_I8; }

/* A center for these rows: of real ones the mean of some of them, or zeros: any is right; near the mean, rows
 * lose least. Of others what makes bytes of them. sum: d numbers of working space. Returns the exponent of the scale (vb_scale_of),
 * which brings rows that are all tiny, or huge, near 1: center is that of the scaled rows. */
int vb_find_center(const vb_view *rows, size_t n, vb_type type, size_t d, float *center, double *sum);
/* The scale of an exponent, and of encoded rows. */
double vb_scale_of(int exponent);
double vb_panel_scale(const vb_panel *panel);

/* Bytes of working space for vb_encode_rows(), a multiple of VB_LINE. */
size_t vb_encode_scratch(size_t d);
/* Rows [0, n) of the view, n <= VB_PANEL, into a panel; before: the row before them, or NULL. */
void vb_encode_rows(const vb_encoding *encoding, const vb_view *rows, size_t n, const char *before, void *scratch,
                    vb_panel *panel);

/* A query, as the bound sees it; lengths over the query's scale. */
typedef struct {
    double scale;        /* of the codes */
    double whole, lost;  /* |w| and |w - codes|, w being the query or query - center */
    double square;       /* |w|^2 */
    double length;       /* of the query itself */
    double center_dot;   /* query . center */
    double center_slack; /* more than the rounding of that, and of canonical sums on the center's part */
    double scaled;       /* what the query was multiplied by */
    double bar;          /* for which a and t stand */
    int codable;
} vb_suspect;

/* Put a query of d numbers into codes, four at a time, `stride` bytes from four to four, and their
 * `bias`; limit: the largest code. work: d numbers. */
void vb_suspect_init(vb_suspect *suspect, const vb_encoding *encoding, const double *query, int limit, double *work,
                     int8_t *codes, size_t stride, int32_t *bias);
/* The same of d bytes of bits, which are their codes. */
void vb_suspect_init_bits(vb_suspect *suspect, const vb_encoding *encoding, const char *query, int8_t *codes,
                          size_t stride, int32_t *bias);
/* What a row has to reach (vb_coded) for a score of at most `bar` (NaN: any). */
void vb_suspect_bar(vb_suspect *suspect, const vb_encoding *encoding, double bar, float *a, float *t);

#endif
