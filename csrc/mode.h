/* mode.h - the floating-point mode of the calling thread.
 *
 * Kernels count on rounding to nearest, denormal numbers and masked exceptions. A process may have set another mode: a
 * library that was built with -ffast-math flushes denormals to zero in every thread that loads it. To ask costs
 * nothing that can be measured, to set some 10 ns: so whoever comes in from outside asks, and only then goes by way of
 * vb_in_standard_mode().
 */
#ifndef VB_MODE_H
#define VB_MODE_H

#include "vecblade.h"

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
#include <xmmintrin.h>
/* MXCSR but for its sticky flags: all exceptions masked, rounding to nearest, neither flush-to-zero nor denormals-are-zero. */
#define VB_MODE_BITS 0xffc0u
#define VB_MODE_STANDARD 0x1f80u
VB_INLINE uint64_t vb_mode_get(void) { return _mm_getcsr(); }
VB_INLINE void vb_mode_set(uint64_t mode) { _mm_setcsr((unsigned)mode); }
#elif defined(__aarch64__) && defined(__GNUC__)
/* FPCR: FZ, FZ16, the rounding mode, DN, the traps, FIZ, AH and NEP. */
#define VB_MODE_BITS 0x03c89f07u
#define VB_MODE_STANDARD 0u
VB_INLINE uint64_t vb_mode_get(void)
{
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
VB_INLINE void vb_mode_set(uint64_t mode) { __asm__ volatile("msr fpcr, %0" ::"r"(mode) : "memory"); }
#else
/* Not known here: taken for granted. */
#define VB_MODE_BITS 0u
#define VB_MODE_STANDARD 0u
VB_INLINE uint64_t vb_mode_get(void) { return 0; }
VB_INLINE void vb_mode_set(uint64_t mode) { (void)mode; }
#endif

VB_INLINE int vb_mode_is_standard(void) { return (vb_mode_get() & VB_MODE_BITS) == VB_MODE_STANDARD; }

/* Call function(argument) in the standard mode, whatever the thread's is, and set that again; sticky flags of
 * both stay. The function is called by its address, for compilers move arithmetic across the setting of a mode. */
void vb_in_standard_mode(void (*function)(void *), void *argument);
/* The same in the mode `mode` (vb_mode_get()): for what is called back meanwhile. */
void vb_in_mode(uint64_t mode, void (*function)(void *), void *argument);

/* Whether denormal results may be flushed to zero while denormal operands are not, and to do so: for screens, whose bound counts it. */
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
VB_INLINE void vb_mode_flush(int on) { _mm_setcsr((_mm_getcsr() & ~0x8000u) | (on ? 0x8000u : 0u)); }
#else
VB_INLINE void vb_mode_flush(int on) { (void)on; }
#endif

#endif
