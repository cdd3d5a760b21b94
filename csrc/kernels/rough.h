/* rough.h - float32 sums over float32 rows, at half the cost of the canonical ones: a screen that tells
 * which rows a search need not look at again (metrics.c has the bound).
 *
 * An ISA unit includes its vocabulary and this file, and names the kernels. The vocabulary
 * gives, for float32 as canonical.h for float64:
 *
 *   vf, VF_LANES      a vector of 8 lanes at most; VF_LANES divides 32
 *   vf_zero() vf_add(a, b) vf_sub(a, b) vf_fold(v)
 *   vf_fma(a, b, c)   a * b + c, rounded once or twice
 *   vf_load(p) vf_part(p, n)
 *
 * Registers of 256 bits, not 512, for the same reason as vd_pace() in simd_avx512.h: rows
 * from memory came at 24 GB/s with these and at 20 with twice as wide ones (Zen 4).
 */
#ifndef VB_KERNELS_ROUGH_H
#define VB_KERNELS_ROUGH_H

#include "canonical.h"

#define VF_COUNT (VB_LANES / VF_LANES)

VB_INLINE void vb_rough_step(vb_accumulator accumulator, vf q, vf x, vf lanes[2][VF_COUNT], int j)
{
    if (accumulator == VB_SQDIFF) {
        vf difference = vf_sub(q, x);
        lanes[0][j] = vf_fma(difference, difference, lanes[0][j]);
    } else {
        lanes[0][j] = vf_fma(q, x, lanes[0][j]);
        lanes[1][j] = vf_fma(x, x, lanes[1][j]);
    }
}

VB_INLINE float vb_rough_fold(vf lanes[VF_COUNT])
{
    vf sum = lanes[0];
    VB_UNROLL
    for (int j = 1; j < VF_COUNT; j++)
        sum = vf_add(sum, lanes[j]);
    return vf_fold(sum);
}

/* sqdiff, or dotnorm (dot needs the norms too, for its bound). */
VB_INLINE void vb_rough_sum(vb_accumulator accumulator, const char *query, const char *x, size_t d, float sums[2])
{
    const int count = accumulator == VB_SQDIFF ? 1 : 2;
    vf lanes[2][VF_COUNT];
    size_t i = 0;

    VB_UNROLL
    for (int s = 0; s < count; s++) {
        VB_UNROLL
        for (int j = 0; j < VF_COUNT; j++)
            lanes[s][j] = vf_zero();
    }
    for (; i + VB_LANES <= d; i += VB_LANES) {
        VB_UNROLL
        for (int j = 0; j < VF_COUNT; j++) {
            const size_t at = (i + (size_t)j * VF_LANES) * sizeof(float);
            vb_rough_step(accumulator, vf_load(query + at), vf_load(x + at), lanes, j);
        }
    }
    VB_UNROLL
    for (int j = 0; j < VF_COUNT; j++) {
        const size_t element = i + (size_t)j * VF_LANES, at = element * sizeof(float);
        if (element >= d)
            break;
        if (element + VF_LANES <= d)
            vb_rough_step(accumulator, vf_load(query + at), vf_load(x + at), lanes, j);
        else
            vb_rough_step(accumulator, vf_part(query + at, d - element), vf_part(x + at, d - element), lanes, j);
    }
    VB_UNROLL
    for (int s = 0; s < count; s++)
        sums[s] = vb_rough_fold(lanes[s]);
}

VB_INLINE void vb_rough_rows(vb_accumulator accumulator, const float *query, const vb_view *rows, size_t n, size_t d,
                             float *sums, float *norms)
{
    for (size_t r = 0; r < n; r++) {
        float found[2];
        vb_rough_sum(accumulator, (const char *)query, vb_row(rows, r), d, found);
        sums[r] = found[0];
        if (accumulator != VB_SQDIFF)
            norms[r] = found[1];
    }
}

#endif
