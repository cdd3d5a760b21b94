#include "extremes.h"

#include <math.h>
#include <string.h>

#include "kernels/contract.h"
#include "numbers.h"

/* A row, and the power of two to divide it by. */
typedef struct {
    vb_type type;
    const char *at;
    int exponent;
} scaled_row;

static double scaled(const scaled_row *row, size_t i)
{
    return ldexp(vb_element(row->type, row->at, i), -row->exponent);
}

static int exponent_of(double x)
{
    int e;
    frexp(x, &e);
    return e;
}

static double largest(vb_type type, const char *row, size_t d)
{
    double most = 0.0;
    for (size_t i = 0; i < d; i++) {
        const double x = fabs(vb_element(type, row, i));
        if (!(x <= most)) /* a NaN stays: nothing compares with it */
            most = x;
        if (most != most)
            break;
    }
    return most;
}

/* The canonical fold (contract.h). */
static double fold(double *lanes)
{
    for (size_t half = VB_LANES / 2; half; half /= 2)
        for (size_t l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

/* Elements i on of a row of float32 or float64, as far as they go. */
VB_INLINE void read_some(vb_type type, const char *row, size_t n, double *out)
{
    float narrow[16];
    if (type == VB_F64) {
        memcpy(out, row, n * sizeof *out);
        return;
    }
    memcpy(narrow, row, n * sizeof *narrow);
    for (size_t i = 0; i < n; i++)
        out[i] = narrow[i];
}

/* Whether all differences are zero. Equal rows are what mostly comes here, and there may be many. */
VB_INLINE int all_equal(vb_type a_type, const char *a, vb_type x_type, const char *x, size_t d)
{
    double p[16] = {0}, q[16] = {0};
    for (size_t i = 0; i < d; i += 16) {
        const size_t n = d - i < 16 ? d - i : 16;
        int differ = 0;
        if (n < 16) {
            read_some(a_type, a + i * vb_type_size(a_type), n, p);
            read_some(x_type, x + i * vb_type_size(x_type), n, q);
        } else {
            read_some(a_type, a + i * vb_type_size(a_type), 16, p);
            read_some(x_type, x + i * vb_type_size(x_type), 16, q);
        }
        for (size_t j = 0; j < n; j++)
            differ |= !(p[j] - q[j] == 0.0); /* infinities differ from themselves */
        if (differ)
            return 0;
    }
    return 1;
}

double vb_extreme_euclidean(vb_type a_type, const void *a, vb_type x_type, const void *x, size_t d)
{
    double lanes[VB_LANES] = {0}, most = 0.0;
    int exponent;

    if (a_type == VB_F64 && x_type == VB_F32) {
        if (all_equal(VB_F64, a, VB_F32, x, d))
            return 0.0;
    } else if (a_type == VB_F32 && x_type == VB_F32) {
        if (all_equal(VB_F32, a, VB_F32, x, d))
            return 0.0;
    } else if (a_type == VB_F64 && x_type == VB_F64) {
        if (all_equal(VB_F64, a, VB_F64, x, d))
            return 0.0;
    }
    for (size_t i = 0; i < d; i++) {
        const double difference = fabs(vb_element(a_type, a, i) - vb_element(x_type, x, i));
        if (difference != difference)
            return NAN;
        most = difference > most ? difference : most;
    }
    if (most == 0.0 || most > DBL_MAX)
        return most;
    exponent = exponent_of(most);
    for (size_t i = 0; i < d; i++) {
        const double difference = ldexp(vb_element(a_type, a, i) - vb_element(x_type, x, i), -exponent);
        lanes[i % VB_LANES] = fma(difference, difference, lanes[i % VB_LANES]);
    }
    return ldexp(sqrt(fold(lanes)), exponent);
}

double vb_extreme_cosine(vb_type a_type, const void *a, vb_type x_type, const void *x, size_t d)
{
    double dot[VB_LANES] = {0}, aa[VB_LANES] = {0}, xx[VB_LANES] = {0}, s;
    const double a_most = largest(a_type, a, d), x_most = largest(x_type, x, d);
    scaled_row sa, sx;

    /* No direction: zero, NaN, or infinite (inf / inf). */
    if (!(a_most > 0.0 && a_most <= DBL_MAX && x_most > 0.0 && x_most <= DBL_MAX))
        return NAN;
    sa = (scaled_row){a_type, a, exponent_of(a_most)};
    sx = (scaled_row){x_type, x, exponent_of(x_most)};
    for (size_t i = 0; i < d; i++) {
        const double ai = scaled(&sa, i), xi = scaled(&sx, i);
        const size_t l = i % VB_LANES;
        dot[l] = fma(ai, xi, dot[l]);
        aa[l] = fma(ai, ai, aa[l]);
        xx[l] = fma(xi, xi, xx[l]);
    }
    s = fold(dot) / sqrt(fold(aa) * fold(xx));
    return s > 1.0 ? 1.0 : s < -1.0 ? -1.0 : s + 0.0;
}

double vb_extreme_rescale(double *row, size_t d)
{
    const double most = largest(VB_F64, (const char *)row, d);
    double square = NAN;

    if (most > 0.0 && most <= DBL_MAX) {
        const int exponent = exponent_of(most);
        for (size_t i = 0; i < d; i++)
            row[i] = ldexp(row[i], -exponent);
        vb_kernels.pair[VB_DOT][VB_F64](row, row, d, &square);
        return square;
    }
    for (size_t i = 0; i < d; i++)
        row[i] = NAN;
    return square;
}
