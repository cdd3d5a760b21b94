/* sieve.h - rule rows out by their int8 codes: many queries against one panel of rows.
 *
 * An ISA unit includes its vocabulary and this file, and names the kernel. The vocabulary gives:
 *
 *   vi, VI_LANES           int32 lanes, one a row; VI_LANES divides VB_PANEL
 *   VI_GROUP               how many queries' accumulators fit in registers at once
 *   VI_LIMIT               the largest code of a query with which vi_dot() cannot saturate
 *   vi_set1(x)
 *   vi_rows(p)             4 unsigned bytes of VI_LANES rows
 *   vi_query(p)            4 signed bytes, repeated in every lane
 *   vi_dot(sum, rows, query)    sum + the products of the bytes, lane by lane
 *   vi_passed(sum, unit, extent, a, t, k)    a bit a lane (vb_sieve_kernel)
 *   VB_KEEP(x)             an empty statement that holds x in a register
 *
 * Each step reads 4 bytes of every row once and of every query of the group once:
 *
 *                 rows 0..31
 *   query 0  4b   + + + + + +     a group of 12 by two 512-bit vectors keeps 24 accumulators
 *   query 1  4b   + + + + + +
 *   ...
 */
#ifndef VB_KERNELS_SIEVE_H
#define VB_KERNELS_SIEVE_H

#include "canonical.h"

#define VI_COUNT (VB_PANEL / VI_LANES)

VB_INLINE void vb_sift_some(size_t count, const vb_panel *panel, size_t steps, const vb_coded *queries, size_t first,
                            uint32_t *masks)
{
    const int8_t *codes = queries->codes + first * steps * 4;
    vi sums[VI_GROUP][VI_COUNT];

    VB_UNROLL
    for (size_t q = 0; q < count; q++) {
        const vi start = vi_set1(-queries->bias[first + q]);
        VB_UNROLL
        for (size_t v = 0; v < VI_COUNT; v++)
            sums[q][v] = start;
    }
    for (size_t step = 0; step < steps; step++) {
        const uint8_t *at = panel->codes + step * (4 * VB_PANEL);
        vi rows[VI_COUNT];
        VB_UNROLL
        for (size_t v = 0; v < VI_COUNT; v++)
            rows[v] = vi_rows(at + v * (4 * VI_LANES));
        VB_UNROLL
        for (size_t q = 0; q < count; q++) {
            const vi query = vi_query(codes + (step * count + q) * 4);
            VB_UNROLL
            for (size_t v = 0; v < VI_COUNT; v++)
                sums[q][v] = vi_dot(sums[q][v], rows[v], query);
        }
        /* gcc 12 spills the accumulators without: 75 to 120 GMAC/s, not 214 to 230 (Zen 4). */
        VB_UNROLL
        for (size_t q = 0; q < count; q++) {
            VB_UNROLL
            for (size_t v = 0; v < VI_COUNT; v++)
                VB_KEEP(sums[q][v]);
        }
    }
    VB_UNROLL
    for (size_t q = 0; q < count; q++) {
        uint32_t passed = 0;
        VB_UNROLL
        for (size_t v = 0; v < VI_COUNT; v++)
            passed |= vi_passed(sums[q][v], panel->unit + v * VI_LANES, panel->extent + v * VI_LANES,
                                queries->a[first + q], queries->t[first + q], queries->k[first + q])
                      << v * VI_LANES;
        masks[first + q] = passed;
    }
}

VB_INLINE void vb_sift(const vb_panel *panel, size_t steps, const vb_coded *queries, uint32_t *masks)
{
    if (queries->group == 1)
        for (size_t q = 0; q < queries->count; q++)
            vb_sift_some(1, panel, steps, queries, q, masks);
    else if (queries->group == VI_GROUP)
        for (size_t q = 0; q < queries->count; q += VI_GROUP)
            vb_sift_some(VI_GROUP, panel, steps, queries, q, masks);
#if VI_GROUP > 4
    else
        for (size_t q = 0; q < queries->count; q += 4)
            vb_sift_some(4, panel, steps, queries, q, masks);
#endif
}

#endif
