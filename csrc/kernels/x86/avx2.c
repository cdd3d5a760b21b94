/* avx2.c - the kernels in AVX2 and FMA. The flags of this unit license AVX2 everywhere in it:
 * nothing that runs on a lesser CPU may live here. */
#if defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))

#include "simd_avx2.h"

/* Shapes for 16 registers. Of squared differences one more is live. */
#define VB_TILE_dot_f32 6, 2
#define VB_TILE_dot_f64 6, 2
#define VB_TILE_sqdiff_f32 4, 2
#define VB_TILE_sqdiff_f64 4, 2
#define VB_TILE_dot_bf16 4, 2
#define VB_SIEVE_STEP_i8 vi_dot
#define VB_PRODUCT_STEP_i8 vi_wide_dot
#define VB_SIEVE_STEP_b1 vi_both
#define VB_PRODUCT_STEP_b1 vi_both

#endif

#define VB_UNIT avx2
#include "../unit.inc"
