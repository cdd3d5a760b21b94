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

double vb_extreme_euclidean(vb_type a_type, const void *a, vb_type x_type, const void *x, size_t d)
{
    double lanes[VB_LANES] = {0}, most = 0.0;
    int exponent;

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
