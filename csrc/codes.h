/* codes.h - rows in int8 (kernels/contract.h), a panel at a time. */
#ifndef VB_CODES_H
#define VB_CODES_H

#include "bound.h"

size_t vb_center_size(size_t d);

/* A center for these rows: of real ones the mean of some of them, or zeros: any is right; near the mean, residuals are
 * least. Of integers what makes signed bytes of them. sum: d numbers of working space. Returns the exponent of the scale
 * (vb_scale_of), which brings rows that are all tiny, or huge, near 1: center is that of the scaled rows. */
int vb_find_center(const vb_view *rows, size_t n, vb_type type, size_t d, float *center, double *sum);
/* The scale of encoded rows. */
double vb_panel_scale(const vb_panel *panel);

/* Bytes of working space for vb_encode_rows(), a multiple of VB_LINE. */
size_t vb_encode_scratch(size_t d);
/* Rows [0, n) of the view, n <= VB_PANEL, into a panel; before: the row before them, or NULL. */
void vb_encode_rows(const vb_encoding *encoding, const vb_view *rows, size_t n, const char *before, void *scratch,
                    vb_panel *panel);

#endif
