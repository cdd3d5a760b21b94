/* screen.h - rule out rows by float32 sums, at half the cost of the canonical ones (scorer.c has the bound that
 * makes it safe).
 *
 * An ISA unit includes its vocabulary and this file, and names the kernels. The vocabulary
 * gives, for float32 as canonical.h for float64:
 *
 *   vf, VF_LANES      a vector of 8 lanes at most; VF_LANES divides 32
 *   vf_zero() vf_add(a, b) vf_sub(a, b) vf_fold(v)
 *   vf_muladd(a, b, c)   a * b + c, rounded once or twice
 *   vf_load(p) vf_part(p, n)
 *
 * Registers of 256 bits, not 512: 1,000,000 rows of 128 from memory took 21.6 ms with these and 23.9 with twice
 * as wide ones (Zen 4).
 * The test is made row by row, not in a pass over all sums, during which the memory would be idle.
 */
#ifndef VB_KERNELS_SCREEN_H
#define VB_KERNELS_SCREEN_H

#include <float.h>

#include "canonical.h"

#define VF_COUNT (VB_LANES / VF_LANES)

VB_INLINE void vb_screen_step(vb_accumulator accumulator, vf q, vf x, vf lanes[2][VF_COUNT], int j)
{
    if (accumulator == VB_SQDIFF) {
        vf difference = vf_sub(q, x);
        lanes[0][j] = vf_muladd(difference, difference, lanes[0][j]);
    } else {
        lanes[0][j] = vf_muladd(q, x, lanes[0][j]);
        lanes[1][j] = vf_muladd(x, x, lanes[1][j]);
    }
}

/* In halves, so that five roundings are enough. */
VB_INLINE float vb_screen_fold(vf lanes[VF_COUNT])
{
#if VF_COUNT >= 32
    VB_UNROLL
    for (int j = 0; j < 16; j++)
        lanes[j] = vf_add(lanes[j], lanes[j + 16]);
    VB_UNROLL
    for (int j = 0; j < 8; j++)
        lanes[j] = vf_add(lanes[j], lanes[j + 8]);
#endif
#if VF_COUNT >= 8
    VB_UNROLL
    for (int j = 0; j < 4; j++)
        lanes[j] = vf_add(lanes[j], lanes[j + 4]);
#endif
    return vf_fold(vf_add(vf_add(lanes[0], lanes[2]), vf_add(lanes[1], lanes[3])));
}

/* s and n (contract.h) of one row. offset: from there to what to ask for meanwhile. */
VB_INLINE void vb_screen_sums(vb_accumulator accumulator, const char *query, const char *x, size_t d, ptrdiff_t offset,
                              float sums[2])
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
        vb_prefetch_lines(x + i * sizeof(float), offset, VB_LANES * sizeof(float));
        VB_UNROLL
        for (int j = 0; j < VF_COUNT; j++) {
            const size_t at = (i + (size_t)j * VF_LANES) * sizeof(float);
            vb_screen_step(accumulator, vf_load(query + at), vf_load(x + at), lanes, j);
        }
    }
    VB_UNROLL
    for (int j = 0; j < VF_COUNT; j++) {
        const size_t element = i + (size_t)j * VF_LANES, at = element * sizeof(float);
        if (element >= d)
            break;
        if (element + VF_LANES <= d)
            vb_screen_step(accumulator, vf_load(query + at), vf_load(x + at), lanes, j);
        else
            vb_screen_step(accumulator, vf_part(query + at, d - element), vf_part(x + at, d - element), lanes, j);
    }
    VB_UNROLL
    for (int s = 0; s < count; s++)
        sums[s] = vb_screen_fold(lanes[s]);
}

/* A NaN is never ruled out. */
VB_INLINE int vb_ruled_out(vb_accumulator accumulator, float s, float n, const vb_screen_bounds *bounds)
{
    if (accumulator == VB_SQDIFF)
        return s > bounds->limit && s <= FLT_MAX;
    if (accumulator == VB_DOT)
        return s + bounds->slope * n < bounds->limit;
    return s * fabsf(s) < bounds->slope * n && n >= bounds->low && n <= FLT_MAX;
}

VB_INLINE size_t vb_screen_rows(vb_accumulator accumulator, const float *query, const vb_view *rows, size_t n, size_t d,
                                const vb_screen_bounds *bounds, uint32_t *passed)
{
    const vb_screen_bounds held = *bounds;
    const size_t ahead = vb_rows_ahead(d * sizeof(float));
    const int beside = vb_side_by_side(rows, d * sizeof(float));
    size_t count = 0;
    for (size_t r = 0; r < n; r++) {
        float sums[2] = {0.0f, 0.0f};
        vb_screen_sums(accumulator, (const char *)query, vb_row(rows, r), d,
                       beside ? VB_SOON : vb_prefetch_offset(rows, r, n, ahead), sums);
        if (!vb_ruled_out(accumulator, sums[0], sums[1], &held))
            passed[count++] = (uint32_t)r;
    }
    return count;
}

#endif
