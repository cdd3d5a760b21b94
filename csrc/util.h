/* util.h - small things that all of the core uses: checks, sizes, working space, prefetches. */
#ifndef VB_UTIL_H
#define VB_UTIL_H

#include "vecblade.h"

/* Preconditions that callers have to keep: checked where VB_DEBUG is defined, as it is in builds for sanitizers, fuzzing
 * and coverage; in all others they cost nothing. */
#ifdef VB_DEBUG
#include <stdio.h>
#include <stdlib.h>
#if defined(_MSC_VER) && !defined(__clang__)
__declspec(noreturn)
#else
__attribute__((noreturn))
#endif
static inline void vb_assertion_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}
#define VB_ASSERT(condition) ((condition) ? (void)0 : vb_assertion_failed(#condition, __FILE__, __LINE__))
#define VB_UNREACHABLE() vb_assertion_failed("this is not reached", __FILE__, __LINE__)
#else
#define VB_ASSERT(condition) ((void)0)
#if defined(__GNUC__)
#define VB_UNREACHABLE() __builtin_unreachable()
#else
#define VB_UNREACHABLE() __assume(0)
#endif
#endif

/* Bytes in a cache line, and in the widest vector. Scratch memory begins on a line, and float64 queries should:
 * loads that cross lines made 512-bit kernels half as fast (24 against 12 ns for 128 float32). */
#define VB_LINE 64

VB_INLINE size_t vb_divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }
VB_INLINE size_t vb_round_up(size_t a, size_t b) { return vb_divide_up(a, b) * b; }
VB_INLINE size_t vb_min(size_t a, size_t b) { return a < b ? a : b; }
VB_INLINE size_t vb_max(size_t a, size_t b) { return a > b ? a : b; }

/* The next `bytes` of working space, from the next cache line on; base NULL: only count. */
VB_INLINE void *vb_part(char *base, size_t *used, size_t bytes)
{
    char *at = base ? base + *used : NULL;
    *used += vb_round_up(bytes, VB_LINE);
    return at;
}

/* malloc(count * size), NULL when the product overflows; never NULL for nothing. */
void *vb_alloc(size_t count, size_t size);

/* Prefetch a row into L2. */
VB_INLINE void vb_prefetch(const char *row, size_t bytes)
{
#if defined(__GNUC__)
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(row + i, 0, 2);
#else
    (void)row;
    (void)bytes;
#endif
}

#endif
