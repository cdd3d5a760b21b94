/* canonical.h - the canonical sums over 32 lanes, written once for every ISA.
 *
 * An ISA unit includes its vocabulary (simd_<isa>.h), then this file, then canonical.inc once
 * per type. The vocabulary gives:
 *
 *   vd            a vector of VD_LANES float64 numbers; VD_LANES divides 32
 *   VD_REGISTERS  how many vd accumulators fit in registers beside the operands
 *   vd_zero() vd_add(a, b) vd_sub(a, b)
 *   vd_fma(a, b, c)         a * b + c, rounded once
 *   vd_load_<type>(p)       VD_LANES elements at p, any alignment, widened
 *   vd_part_<type>(p, n)    the first n of them (0 < n < VD_LANES; reads no more), then zeros
 *   vd_fold(v)              lanes l + (l + VD_LANES / 2), and so on down to one number
 */
#ifndef VB_KERNELS_CANONICAL_H
#define VB_KERNELS_CANONICAL_H

#include <math.h>

#include "common.h"

#define VD_COUNT (VB_LANES / VD_LANES)
/* vb_size_of_<type>: bytes an element. */
#define VB_SIZE_OF(id, name, element, ...) vb_size_of_##name = sizeof(element),
enum { VB_EACH_TYPE(VB_SIZE_OF) };
#undef VB_SIZE_OF

/* How many of the VD_COUNT vectors of lanes to sum in one pass over the row: all of them if
 * the registers hold the accumulators, else a half, a quarter, ... The lanes do not meet before the
 * fold, so passes over disjoint lanes change no bit, and each element is still read once. */
#define VB_GROUP(sums) \
    (VD_COUNT * (sums) <= VD_REGISTERS ? VD_COUNT : VD_COUNT / 2 * (sums) <= VD_REGISTERS ? VD_COUNT / 2 : VD_COUNT / 4)

/* How many cached rows meet the query at once: each vector of the query is then loaded once for all of them,
 * and loads bound the loop over rows in cache. As many as leave all their accumulators in registers. 10,000 x 128
 * float32: dot, sqdiff and dotnorm in 0.95, 0.84 and 0.78 of the time. From memory it is the other way round, for the
 * hardware's prefetcher follows one stream best: 33 against 39 GB/s (Zen 5). */
#define VB_MOST_AT_ONCE 4
#define VB_AT_ONCE(sums) (VD_COUNT * (sums) * 4 <= VD_REGISTERS ? 4 : VD_COUNT * (sums) * 2 <= VD_REGISTERS ? 2 : 1)

/* One vector of elements into vector j of the lanes. */
VB_INLINE void vb_step(vb_accumulator accumulator, int with_aa, vd a, vd x, vd lanes[VB_MAX_SUMS][VD_COUNT], int j)
{
    if (accumulator == VB_SQDIFF) {
        vd difference = vd_sub(a, x);
        lanes[0][j] = vd_fma(difference, difference, lanes[0][j]);
        return;
    }
    lanes[0][j] = vd_fma(a, x, lanes[0][j]);
    if (accumulator == VB_DOTNORM) {
        lanes[1][j] = vd_fma(x, x, lanes[1][j]);
        if (with_aa)
            lanes[2][j] = vd_fma(a, a, lanes[2][j]);
    }
}

/* Settle the sign of zero and the bits of NaN. In a loop of its own over many sums it
 * vectorises; in the loop over rows it cost a branch a row. */
VB_INLINE double vb_canonicalize(double sum) { return sum == sum ? sum + 0.0 : (double)NAN; }

/* Fold the lanes of one sum. */
VB_INLINE double vb_fold(vd lanes[VD_COUNT])
{
#if VD_COUNT >= 32
    VB_UNROLL
    for (int j = 0; j < 16; j++)
        lanes[j] = vd_add(lanes[j], lanes[j + 16]);
#endif
#if VD_COUNT >= 16
    VB_UNROLL
    for (int j = 0; j < 8; j++)
        lanes[j] = vd_add(lanes[j], lanes[j + 8]);
#endif
#if VD_COUNT >= 8
    VB_UNROLL
    for (int j = 0; j < 4; j++)
        lanes[j] = vd_add(lanes[j], lanes[j + 4]);
#endif
    lanes[0] = vd_add(lanes[0], lanes[2]);
    lanes[1] = vd_add(lanes[1], lanes[3]);
    return vd_fold(vd_add(lanes[0], lanes[1]));
}

#endif
