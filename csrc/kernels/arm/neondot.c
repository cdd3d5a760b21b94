/* neondot.c - what NEON does better with the dot products of bytes (Armv8.2). The flags of this unit license both
 * everywhere in it. */
#if defined(__ARM_FEATURE_DOTPROD) || defined(_M_ARM64)

#include <arm_neon.h>

#include "../few_bytes.h"

/* ---- integers (exact.h) ---- */

#define VE_COUNT_i8 16
#define VE_COUNT_u8 16

typedef int8x16_t ve_i8;
typedef int32x4_t vn_i8;
typedef uint8x16_t ve_u8;
typedef uint32x4_t vn_u8;

VB_INLINE uint8x16_t ve_few(const char *p, size_t n)
{
    uint64_t words[2];
    vb_few_bytes(p, n, words);
    return vcombine_u8(vcreate_u8(words[0]), vcreate_u8(words[1]));
}

VB_INLINE ve_u8 ve_load_u8(const char *p) { return vld1q_u8((const uint8_t *)p); }
VB_INLINE ve_u8 ve_part_u8(const char *p, size_t n) { return ve_few(p, n); }
VB_INLINE vn_u8 ve_dot_u8(vn_u8 sum, ve_u8 a, ve_u8 x) { return vdotq_u32(sum, a, x); }

VB_INLINE vn_u8 ve_sqdiff_u8(vn_u8 sum, ve_u8 a, ve_u8 x)
{
    const uint8x16_t distance = vabdq_u8(a, x);
    return vdotq_u32(sum, distance, distance);
}

VB_INLINE vn_u8 vn_zero_u8(void) { return vdupq_n_u32(0); }
VB_INLINE vn_u8 vn_add_u8(vn_u8 a, vn_u8 b) { return vaddq_u32(a, b); }
VB_INLINE double vn_fold_u8(vn_u8 v) { return vaddvq_u32(v); }

VB_INLINE ve_i8 ve_load_i8(const char *p) { return vld1q_s8((const int8_t *)p); }
VB_INLINE ve_i8 ve_part_i8(const char *p, size_t n) { return vreinterpretq_s8_u8(ve_few(p, n)); }
VB_INLINE vn_i8 ve_dot_i8(vn_i8 sum, ve_i8 a, ve_i8 x) { return vdotq_s32(sum, a, x); }

/* A distance is up to 255: an unsigned byte. */
VB_INLINE vn_i8 ve_sqdiff_i8(vn_i8 sum, ve_i8 a, ve_i8 x)
{
    const uint8x16_t distance = vreinterpretq_u8_s8(vabdq_s8(a, x));
    return vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(sum), distance, distance));
}

VB_INLINE vn_i8 vn_zero_i8(void) { return vdupq_n_s32(0); }
VB_INLINE vn_i8 vn_add_i8(vn_i8 a, vn_i8 b) { return vaddq_s32(a, b); }
VB_INLINE double vn_fold_i8(vn_i8 v) { return vaddvq_s32(v); }

#endif

#define VB_UNIT neondot
#include "../unit.inc"
