/* common.h - what the descriptions of kernels share. */
#ifndef VB_KERNELS_COMMON_H
#define VB_KERNELS_COMMON_H

#include "contract.h"

#if defined(__clang__)
#define VB_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define VB_UNROLL _Pragma("GCC unroll 32")
#else
#define VB_UNROLL
#endif

/* Ask for a line to be brought into L1, to be read or to be written. */
#if defined(__GNUC__)
#define VB_FETCH(p) __builtin_prefetch(p)
#define VB_FETCH_OUT(p) __builtin_prefetch(p, 1)
#else
#define VB_FETCH(p) (void)(p)
#define VB_FETCH_OUT(p) (void)(p)
#endif

/* Loops over rows ask for the lines that they are going to read some rows from now. They have so few instructions a
 * line that loads far ahead fill the miss buffers, and the hardware's prefetcher falls behind: 100,000 x 768 from
 * memory took 8.7 ms in float32, 4.8 in float16 and 2.1 in int8 without, 7.5, 3.8 and 1.6 with it (Zen 5; a plain
 * read takes 9.0, 4.2 and 2.0). 4 KiB ahead is too near, 16 is no better. */
VB_INLINE size_t vb_rows_ahead(size_t row_bytes) { return 8192 / (row_bytes + 1) + 1; }

/* The row to ask for while row r of n is read. It need not be there: a request for an address that is not
 * mapped is dropped. */
VB_INLINE const char *vb_later_row(const vb_view *rows, size_t r, size_t n, size_t ahead)
{
    const size_t later = r + ahead;
    const ptrdiff_t row = !rows->ids ? (ptrdiff_t)later : (ptrdiff_t)rows->ids[later < n ? later : n - 1];
    return (const char *)((uintptr_t)rows->base + (uintptr_t)row * (uintptr_t)rows->stride);
}

VB_INLINE void vb_fetch_lines(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        VB_FETCH((const char *)((uintptr_t)at + i));
}

/* The most sums that one accumulator keeps. */
#define VB_MAX_SUMS 3

/* Number of sums that the accumulator keeps: dotnorm drops a.a if the caller has it. */
#define VB_SUMS(accumulator, with_aa) ((accumulator) != VB_DOTNORM ? 1 : (with_aa) ? 3 : 2)

#endif
