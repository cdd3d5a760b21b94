#include "apart.h"

#include <math.h>
#include <string.h>

#include "kernels/contract.h"
#include "numbers.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#define VB_SSE2
#endif

/* For differences and products: what it moves past 2^1024 or below 2^-1074 is nothing beside the rest. */
static const double shrink = 0x1p-600, swell = 0x1p600;

/* ---- scaled sums --------------------------------------------------------------------------- */

/* Element i of a float64 row at any address. */
VB_INLINE double wide_at(const char *row, size_t i)
{
    double x;
    memcpy(&x, row + i * sizeof x, sizeof x);
    return x;
}

double vb_apart_dot(const vb_pair_of_rows *pair, double sum)
{
    const vb_apart how = {.scale_a = shrink, .scale_x = shrink, .wide = 1};
    double scaled;

    if (fabs(sum) <= DBL_MAX || pair->a_type != VB_F64)
        return sum;
    vb_kernels.scaled[VB_DOT][pair->x_type](pair->a, pair->x, pair->d, &how, &scaled);
    return scaled == scaled ? scaled * swell * swell : sum; /* NaN only of rows that are not finite */
}

double vb_apart_euclidean(const vb_pair_of_rows *pair, double sum)
{
    const int tiny = sum < 1.0;
    const vb_apart how = {.scale_a = tiny ? swell : shrink, .scale_x = 1.0, .wide = 1};
    double scaled;

    /* NaN; or of narrow types, whose squares are exact enough: 0, or infinite. */
    if (sum != sum || vb_root_is_safe(sum) || pair->a_type != VB_F64)
        return sqrt(sum);
    vb_kernels.scaled[VB_SQDIFF][pair->x_type](pair->a, pair->x, pair->d, &how, &scaled);
    return sqrt(scaled) * (tiny ? shrink : swell);
}

/* The largest of the upper 16 bits of d elements, without their signs: exponents, and four bits more. In order of magnitude these
 * are integers, and an element may be denormal. */
static unsigned largest_upper(const char *row, size_t d)
{
    unsigned most = 0;
    size_t i = 0;
#ifdef VB_SSE2 /* compilers do not find it */
    const __m128i unsigned_part = _mm_set1_epi16(0x7fff);
    __m128i both = _mm_setzero_si128();
    for (; i + 2 <= d; i += 2)
        both = _mm_max_epi16(
            both, _mm_and_si128(_mm_loadu_si128((const __m128i *)(row + i * sizeof(double))), unsigned_part));
    most = (unsigned)_mm_extract_epi16(_mm_max_epi16(both, _mm_unpackhi_epi64(both, both)), 3);
#endif
    for (; i < d; i++) {
        uint64_t bits;
        memcpy(&bits, row + i * sizeof bits, sizeof bits);
        bits = bits >> 48 & 0x7fffu;
        most = bits > most ? (unsigned)bits : most;
    }
    return most;
}

/* The power of two that brings the largest element of a row into [1/2, 1), or less where that is past 2^1000. */
static double scale_of(const char *row, size_t d)
{
    const unsigned most = largest_upper(row, d);
    const int exponent = 1022 - (int)(most >> 4);
    return most >= 0x7ff0u ? NAN : ldexp(1.0, exponent < 1000 ? exponent : 1000);
}

double vb_apart_square(const char *row, size_t d, double square, double *scale)
{
    vb_apart how = {.scale_x = 1.0, .wide = 1};
    double sums[3];

    *scale = 1.0;
    if (vb_square_is_safe(square) || square != square)
        return square;
    how.scale_a = scale_of(row, d);
    if (how.scale_a != how.scale_a)
        return NAN;
    vb_kernels.scaled[VB_DOTNORM][VB_F64](row, row, d, &how, sums);
    *scale = how.scale_a;
    return sums[1];
}

void vb_apart_scaled(const char *row, size_t d, double scale, double *out)
{
    for (size_t i = 0; i < d; i++)
        out[i] = wide_at(row, i) * scale;
}

/* ---- angles -------------------------------------------------------------------------------- */

/* Whether both rows have the same elements. */
static int are_equal(const vb_pair_of_rows *pair)
{
    double chunk[64];

    if (pair->a_type == pair->x_type)
        return memcmp(pair->a, pair->x, pair->d * vb_type_size(pair->x_type)) == 0;
    for (size_t i = 0, n; i < pair->d; i += n) {
        n = pair->d - i < 64 ? pair->d - i : 64;
        vb_widen(pair->x_type, (const char *)pair->x + i * vb_type_size(pair->x_type), n, chunk);
        if (memcmp((const char *)pair->a + i * sizeof *chunk, chunk, n * sizeof *chunk) != 0)
            return 0;
    }
    return 1;
}

/* A square of a row as if the row were scaled, by a power of two, to a norm in [1, 2): scaling does not change a cosine. */
static double unit_square(double square, double *scale)
{
    int exponent;
    const double fraction = frexp(square, &exponent); /* square = fraction 2^exponent, 1/2 <= fraction < 1 */
    const int half = (exponent - 1) >> 1;
    *scale = ldexp(1.0, -half);
    return ldexp(fraction, exponent - 2 * half);
}

/* Whether it is x that is projected on a. Either would do; for symmetry it is the row that is longer once both are scaled by powers of
 * two, and of equally long ones the second in the order of their elements. */
static int projects_x(const vb_pair_of_rows *pair, const vb_apart *how, double aa, double xx)
{
    double scale_a, scale_x;
    const double unit_a = unit_square(aa, &scale_a), unit_x = unit_square(xx, &scale_x);

    if (unit_a != unit_x)
        return unit_x > unit_a;
    for (size_t i = 0; i < pair->d; i++) {
        const double a = vb_element(pair->a_type, pair->a, i) * how->scale_a * scale_a;
        const double x = vb_element(pair->x_type, pair->x, i) * how->scale_x * scale_x;
        if (a != x)
            return x < a;
    }
    return 0;
}

/* 1 - the cosine of rows y and z that point nearly the same way, where `how` says which is which: |r|^2 / (|y|^2 (1 + cos)), r being what
 * remains of y after projection on z.
 *
 * With t = y.z / z.z, wrong by a factor of 1 + e, the row y - t z is r - e t z, and r.z = 0. So |r|^2 = |y - t z|^2 -
 * ((y - t z).z)^2 / z.z, where nothing is lost while the second term is not much more than half of the first. It is less for distances
 * over e^2, some 1e-30. Below, the row is projected once more. */
static double residual_distance(const vb_pair_of_rows *pair, vb_apart *how, double dot, double yy, double zz,
                                double cosine)
{
    vb_apart_kernel *const residual = vb_kernels.residual[pair->x_type];
    /* Less than this share of the first residual is rounding of its elements: the rows are parallel. */
    const double rounding = ((double)pair->d / 32.0 + 16.0) * 0x1p-52;
    double sums[2], square, distance;

    how->t = dot / zz;
    how->u = 0.0;
    residual(pair->a, pair->x, pair->d, how, sums);
    square = sums[0] - sums[1] * sums[1] / zz;
    if (!(square >= sums[0] / 2.0)) {
        const double first = sums[0];
        how->u = sums[1] / zz;
        residual(pair->a, pair->x, pair->d, how, sums);
        square = sums[0] > rounding * rounding * first ? sums[0] : 0.0;
    }
    distance = square / (yy * (1.0 + cosine));
    return distance < 0x1p-190 ? 0.0 : distance;
}

static double near_distance(const vb_pair_of_rows *pair, vb_apart *how, double dot, double aa, double xx, double cosine)
{
    if (aa == xx && dot == aa && are_equal(pair))
        return 0.0;
    how->swapped = projects_x(pair, how, aa, xx);
    return how->swapped ? residual_distance(pair, how, dot, xx, aa, cosine)
                        : residual_distance(pair, how, dot, aa, xx, cosine);
}

/* The same of integers, whose sums are exact: (aa xx - dot^2) / (n (n + dot)), n^2 = aa xx. Both products are taken
 * with what their rounding lost; they differ by less than a factor of two, so their difference is exact. */
static double integer_distance(double dot, double aa, double xx)
{
    const double lengths = aa * xx, square = dot * dot, n = sqrt(lengths);
    const double rest = fma(aa, xx, -lengths) - fma(dot, dot, -square);
    return ((lengths - square) + rest) / (n * (n + dot));
}

static vb_angle angle_of(double cosine)
{
    const double s = cosine > 1.0 ? 1.0 : cosine < -1.0 ? -1.0 : cosine == cosine ? cosine + 0.0 : (double)NAN;
    return (vb_angle){s, 1.0 - s, 0};
}

vb_angle vb_apart_angle(const vb_pair_of_rows *pair, double dot, double aa, double xx)
{
    const double edge = vb_near_edge(pair->d);
    vb_apart how = {1.0, 1.0, 0.0, 0.0, pair->a_type == VB_F64, 0};
    double cosine, distance, similarity;

    if (!vb_square_is_safe(aa) || !vb_square_is_safe(xx)) {
        double sums[3];
        /* Of narrow types only rows without a direction have such squares. A row in float64 beside another type has been
         * scaled before. */
        if (pair->x_type != VB_F64 || aa != aa || xx != xx)
            return angle_of(NAN);
        if (!vb_square_is_safe(aa))
            how.scale_a = scale_of(pair->a, pair->d);
        if (!vb_square_is_safe(xx))
            how.scale_x = scale_of(pair->x, pair->d);
        vb_kernels.scaled[VB_DOTNORM][VB_F64](pair->a, pair->x, pair->d, &how, sums);
        dot = sums[0];
        aa = sums[1];
        xx = sums[2];
    }
    cosine = dot / sqrt(aa * xx);
    if (!(cosine >= edge)) /* NaN too */
        return angle_of(cosine);
    cosine = cosine > 1.0 ? 1.0 : cosine;
    distance = vb_type_kind(pair->x_type) == VB_REAL ? near_distance(pair, &how, dot, aa, xx, cosine)
                                                     : integer_distance(dot, aa, xx);
    similarity = 1.0 - distance;
    return (vb_angle){similarity > edge ? similarity : edge, distance, 1};
}
