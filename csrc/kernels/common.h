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

/* The most sums that one accumulator keeps. */
#define VB_MAX_SUMS 3

/* Number of sums that the accumulator keeps: dotnorm drops a.a if the caller has it. */
#define VB_SUMS(accumulator, with_aa) ((accumulator) != VB_DOTNORM ? 1 : (with_aa) ? 3 : 2)

#endif
