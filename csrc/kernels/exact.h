/* exact.h - the sums of integers and bits: exact, so in any order.
 *
 * An ISA unit includes its vocabulary, then this file, then exact.inc once per type. The vocabulary
 * gives, for each type T that the unit implements:
 *
 *   ve_<T>, VE_COUNT_<T>        a vector of elements, and how many
 *   ve_load_<T>(p) ve_part_<T>(p, n)    that many at p; the first n of them (0 < n < VE_COUNT; reads no more),
 *                                       then zeros
 *   ve_dot_<T>(sum, a, x)       sum + the products, in some lanes
 *   ve_sqdiff_<T>(sum, a, x)    sum + the squares of the differences
 *   vn_<T>                      a vector of integer sums
 *   vn_zero_<T>() vn_add_<T>(a, b) vn_fold_<T>(v)    the last gives the sum of the lanes, which is
 *                                                            below 2^31 in magnitude, as a double
 *
 * Where the CPU multiplies unsigned bytes with signed ones only, 128 is added to or taken from the elements of x, and
 * VE_BIASED_<T> is defined as 1:
 *
 *   ve_dot_<T>(sum, a, x)       gives so many times the sum of the elements of a too much or too little,
 *   ve_plus_<T>(sum, a)         adds those up,
 *   vn_unbias_<T>(sum, elements)    and takes the bias away, all in the same lanes
 *
 * Bits: a byte is eight elements that are 0 or 1; products are ands, and squared differences xors.
 */
#ifndef VB_KERNELS_EXACT_H
#define VB_KERNELS_EXACT_H

#include <string.h>

#include "common.h"

/* How many bytes of a row are summed before the sum leaves int32: 255 * 255 * 2^15 is less than 2^31. */
#define VE_BLOCK 32768
/* Chains of sums that do not wait for each other. */
#define VE_CHAINS 4

#endif
