/* center.c - what rows are multiplied by before they get codes, and what is subtracted: from a sample of them. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "job.h"

double vb_scale_of(int exponent) { return ldexp(1.0, exponent); }
double vb_panel_scale(const vb_panel *panel) { return vb_scale_of((int)panel->exponent); }

enum { NOT_ONE = INT_MIN };

/* Of the largest element of a row; NOT_ONE if that is zero, or no number. */
static int exponent_of(vb_type type, const char *row, size_t d)
{
    double most = 0.0;
    int exponent;
    for (size_t i = 0; i < d; i++) {
        const double x = fabs(vb_element(type, row, i));
        most = x > most ? x : most;
    }
    frexp(most, &exponent);
    return most > 0.0 && most <= DBL_MAX ? exponent : NOT_ONE;
}

static int compare_exponents(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* What brings the middle one of some rows near 1, if it is not near it as it is. */
static int exponent_for(const vb_view *rows, size_t n, vb_type type, size_t d)
{
    enum { SAMPLE = 33, ORDINARY = 24 };
    int found[SAMPLE], exponent;
    size_t count = 0;

    if (type == VB_F16)
        return 0;
    for (size_t r = 0; r < n && count < SAMPLE; r += vb_max(n / SAMPLE, 1)) {
        const int e = exponent_of(type, vb_row(rows, r), d);
        if (e != NOT_ONE)
            found[count++] = e;
    }
    if (!count)
        return 0;
    qsort(found, count, sizeof *found, compare_exponents);
    exponent = -found[count / 2];
    if (exponent >= -ORDINARY && exponent <= ORDINARY)
        return 0;
    return exponent > VB_MOST_EXPONENT ? VB_MOST_EXPONENT : exponent < -VB_MOST_EXPONENT ? -VB_MOST_EXPONENT : exponent;
}

int vb_find_center(const vb_view *rows, size_t n, vb_type type, size_t d, float *center, double *sum)
{
    enum { PIECE = 64 };
    const size_t most = 512, step = vb_max(n / most, 1);
    double square, scale;
    size_t count = 0;
    int exponent;

    memset(sum, 0, d * sizeof *sum);
    memset(center, 0, vb_center_size(d) * sizeof *center);
    for (size_t i = 0; type == VB_U8 && i < d; i++)
        center[i] = 128.0f;
    if (vb_type_kind(type) != VB_REAL)
        return 0;
    exponent = exponent_for(rows, n, type, d);
    scale = vb_scale_of(exponent);
    for (size_t r = 0; r < n; r += step) {
        const char *row = vb_row(rows, r);
        vb_kernels.pair[VB_DOT][type](row, row, d, &square);
        if (exponent == 0 ? !(square <= VB_LARGEST_CODED) : exponent_of(type, row, d) + exponent > 25)
            continue;
        count++;
        for (size_t i = 0; i < d; i += PIECE) {
            double piece[PIECE];
            const size_t end = vb_min(d - i, PIECE);
            vb_widen(type, row + i * vb_type_size(type), end, piece);
            for (size_t j = 0; j < end; j++)
                sum[i + j] += piece[j] * scale;
        }
    }
    for (size_t i = 0; count && i < d; i++)
        center[i] = (float)(sum[i] / (double)count);
    return exponent;
}
