/* neon.c - the kernels in NEON, which every aarch64 CPU has. */
#if defined(__aarch64__) || defined(_M_ARM64)

#include "simd_neon.h"

/* Shapes for 32 registers. */
#define VB_TILE_dot_f32 6, 4
#define VB_TILE_dot_f64 6, 4
#define VB_TILE_sqdiff_f32 6, 4
#define VB_TILE_sqdiff_f64 6, 4
#define VB_TILE_dot_bf16 6, 4
#define VB_SIEVE_STEP_i8 vi_dot
#define VB_PRODUCT_STEP_i8 vi_dot
#define VB_SIEVE_STEP_b1 vi_both
#define VB_PRODUCT_STEP_b1 vi_both

#endif

#define VB_UNIT neon
#include "../unit.inc"
