/* common.h - what the descriptions of kernels share. */
#ifndef VB_KERNELS_COMMON_H
#define VB_KERNELS_COMMON_H

#include "../util.h"
#include "contract.h"

#if defined(__clang__)
#define VB_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define VB_UNROLL _Pragma("GCC unroll 32")
#else
#define VB_UNROLL
#endif

/* Ask for a line to be brought into L1, to be read or to be written; or into L2. */
#if defined(__GNUC__)
#define VB_PREFETCH(p) __builtin_prefetch(p)
#define VB_PREFETCH_OUT(p) __builtin_prefetch(p, 1)
#define VB_PREFETCH_L2(p) __builtin_prefetch(p, 0, 2)
#else
#define VB_PREFETCH(p) (void)(p)
#define VB_PREFETCH_OUT(p) (void)(p)
#define VB_PREFETCH_L2(p) (void)(p)
#endif

/* The compiler shall step this address as it is, not make it from a base and an index: with indexed loads 100,000 x 768
 * float32 came from memory at 24 GB/s, with stepped ones at 30 (Zen 4). */
#if defined(__GNUC__)
#define VB_KEEP_ADDRESS(p) __asm__("" : "+r"(p))
#else
#define VB_KEEP_ADDRESS(p) (void)(p)
#endif

/* Loops over rows ask for lines that they are going to read: the hardware's prefetcher alone falls behind, or is not
 * woken. Into L2, from where it is soon enough: a line on its way to L1 holds one of few miss buffers. Rows that are
 * side by side, and whose sums are made faster than memory delivers, ask VB_SOON bytes ahead, where the prefetcher
 * takes over; beyond the page it does not. Slower ones (two-byte floats, distances of bytes), and rows that are not
 * side by side, ask VB_AHEAD bytes ahead.
 * 100,000 x 768 from memory, GB/s of dot, L2 and cosine (Zen 4; a plain read has 30):
 *
 *              no requests     VB_SOON         VB_AHEAD        8 KiB, into L1
 *   float32    21, 30, 27      27, 30, 28      22, 23, 23      12, 16, 12
 *   float16    11, 16, 20      14, 13, 13      26, 20, 20      14, 18, 17 */
#define VB_SOON 1024
#define VB_AHEAD 16384

VB_INLINE int vb_side_by_side(const vb_view *rows, size_t row_bytes)
{
    return !rows->ids && rows->stride == (ptrdiff_t)row_bytes;
}

VB_INLINE size_t vb_rows_ahead(size_t row_bytes) { return VB_AHEAD / (row_bytes + 1) + 1; }

/* How far from row r of n the row lies that is to be asked for while r is read. It need not be there: a request for
 * an address that is not mapped is dropped. */
VB_INLINE ptrdiff_t vb_prefetch_offset(const vb_view *rows, size_t r, size_t n, size_t ahead)
{
    const size_t later = r + ahead;
    ptrdiff_t steps = (ptrdiff_t)ahead;
    if (rows->ids)
        steps = (ptrdiff_t)(rows->ids[later < n ? later : n - 1] - rows->ids[r]);
    return (ptrdiff_t)((size_t)steps * (size_t)rows->stride);
}

/* The lines of `bytes` bytes at x + offset. */
VB_INLINE void vb_prefetch_lines(const char *x, ptrdiff_t offset, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        VB_PREFETCH_L2((const char *)((uintptr_t)x + (uintptr_t)offset + i));
}

/* The most sums that one accumulator keeps. */
#define VB_MAX_SUMS 3

/* Number of sums that the accumulator keeps: dotnorm drops a.a if the caller has it. */
#define VB_SUMS(accumulator, with_aa) ((accumulator) != VB_DOTNORM ? 1 : (with_aa) ? 3 : 2)

#endif
