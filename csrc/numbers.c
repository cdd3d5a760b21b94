#include "numbers.h"

#include <math.h>
#include <string.h>

#define VB_TYPE(id, name, element, kind, code, coding) {#name, sizeof(element), kind, code, coding},

/* The last two, which only results have, have no codes. */
const vb_type_info vb_types[] = {
    VB_EACH_TYPE(VB_TYPE){"i32", sizeof(int32_t), VB_INTEGER, VB_I32, VB_CODES_OF_INTEGERS},
    {"i64", sizeof(int64_t), VB_INTEGER, VB_I64, VB_CODES_OF_INTEGERS},
};

/* ---- two-byte floats, in integer arithmetic ------------------------------------------------ */

VB_INLINE float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 1 sign, 5 exponent, 10 fraction. A float32 has 112 more in its exponent, and a denormal is a multiple
 * of 2^-24. */
VB_INLINE float from_f16(uint16_t half)
{
    const uint32_t rest = half & 0x7fffu, sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t more = rest >= 0x7c00u ? 224u << 23 : 112u << 23;
    const float denormal = (float)(int32_t)rest * 0x1p-24f;
    uint32_t bits;
    memcpy(&bits, &denormal, sizeof bits);
    bits = rest >= 0x0400u ? (rest << 13) + more : bits;
    return float_of(bits | sign);
}

VB_INLINE float from_bf16(uint16_t half) { return float_of((uint32_t)half << 16); }

/* To a float of two bytes with so many bits of exponent: to nearest, ties to even. */
VB_INLINE uint16_t to_half(double x, unsigned exponent_bits)
{
    const unsigned fraction = 15 - exponent_bits, drop = 52 - fraction;
    const uint64_t bias = ((uint64_t)1 << (exponent_bits - 1)) - 1, infinity = ((uint64_t)1 << 15) - (1u << fraction);
    uint64_t bits, sign, half;

    memcpy(&bits, &x, sizeof bits);
    sign = bits >> 48 & 0x8000u;
    bits &= ~((uint64_t)1 << 63);
    if (x != x)
        return (uint16_t)(infinity | (uint64_t)1 << (fraction - 1));
    if (bits < (1024 - bias) << 52) /* below the least normal number: a multiple of the least denormal */
        half = (uint64_t)nearbyint(ldexp(fabs(x), (int)(bias + fraction) - 1));
    else
        half = (bits - ((1023 - bias) << 52) + (bits >> drop & 1) + (((uint64_t)1 << (drop - 1)) - 1)) >> drop;
    return (uint16_t)(sign | (half < infinity ? half : infinity));
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* What differs from type to type in the loops below: element i at p. */
VB_INLINE double read_one(vb_type type, const char *p)
{
    uint16_t half;
    int32_t number;
    int64_t large;
    float narrow;
    double wide;
    switch (type) {
    case VB_I64:
        memcpy(&large, p, sizeof large);
        return (double)large;
    case VB_I32:
        memcpy(&number, p, sizeof number);
        return number;
    case VB_F32:
        memcpy(&narrow, p, sizeof narrow);
        return narrow;
    case VB_F64:
        memcpy(&wide, p, sizeof wide);
        return wide;
    case VB_F16:
        memcpy(&half, p, sizeof half);
        return from_f16(half);
    case VB_BF16:
        memcpy(&half, p, sizeof half);
        return from_bf16(half);
    case VB_I8:
        return *(const signed char *)p;
    case VB_U8:
    case VB_B1:
        return *(const unsigned char *)p;
    }
    VB_UNREACHABLE();
}

double vb_element(vb_type type, const char *row, size_t i) { return read_one(type, row + i * vb_type_size(type)); }

VB_INLINE void widen_some(vb_type type, const char *row, size_t d, double *out)
{
    for (size_t i = 0; i < d; i++)
        out[i] = read_one(type, row + i * vb_type_size(type));
}

void vb_widen(vb_type type, const void *row, size_t d, double *out)
{
    switch (type) {
    case VB_F32:
        widen_some(VB_F32, row, d, out);
        break;
    case VB_F64:
        memcpy(out, row, d * sizeof *out);
        break;
    case VB_F16:
        widen_some(VB_F16, row, d, out);
        break;
    case VB_BF16:
        widen_some(VB_BF16, row, d, out);
        break;
    case VB_I8:
        widen_some(VB_I8, row, d, out);
        break;
    case VB_U8:
        widen_some(VB_U8, row, d, out);
        break;
    case VB_I32:
        widen_some(VB_I32, row, d, out);
        break;
    case VB_I64:
        widen_some(VB_I64, row, d, out);
        break;
    case VB_B1:
        for (size_t i = 0; i < 8 * d; i++)
            out[i] = ((const unsigned char *)row)[i / 8] >> (7 - i % 8) & 1;
    }
}

VB_INLINE void store_some(vb_type type, const double *values, size_t n, char *out, ptrdiff_t stride)
{
    for (size_t i = 0; i < n; i++, out += stride) {
        const double x = values[i];
        const float narrow = (float)x;
        uint16_t half;
        int32_t number;
        int64_t large;
        switch (type) {
        case VB_F32:
            memcpy(out, &narrow, sizeof narrow);
            break;
        case VB_F64:
            memcpy(out, &x, sizeof x);
            break;
        case VB_F16:
        case VB_BF16:
            half = to_half(x, type == VB_F16 ? 5 : 8);
            memcpy(out, &half, sizeof half);
            break;
        case VB_I32:
            number = (int32_t)x;
            memcpy(out, &number, sizeof number);
            break;
        case VB_I64:
            large = (int64_t)x;
            memcpy(out, &large, sizeof large);
            break;
        case VB_I8:
        case VB_U8:
        case VB_B1: /* nothing rounds to these */
            VB_UNREACHABLE();
        }
    }
}

/* The first three are what row functions return: they vectorise. */
void vb_store(vb_type type, const double *values, size_t n, char *out, ptrdiff_t stride)
{
    VB_ASSERT(vb_type_kind(type) != VB_BITS && (vb_type_kind(type) == VB_REAL || vb_type_size(type) > 1));
    if (type == VB_F32 && stride == sizeof(float))
        store_some(VB_F32, values, n, out, sizeof(float));
    else if (type == VB_F64 && stride == sizeof(double))
        store_some(VB_F64, values, n, out, sizeof(double));
    else if (type == VB_I32 && stride == sizeof(int32_t))
        store_some(VB_I32, values, n, out, sizeof(int32_t));
    else
        store_some(type, values, n, out, stride);
}
