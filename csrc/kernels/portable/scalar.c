/* scalar.c - the kernels in portable C. Every level falls back on it, so it leaves nothing out. */

#include "simd_scalar.h"

#define VB_TILE_dot_f32 4, 4
#define VB_TILE_dot_f64 4, 4
#define VB_TILE_sqdiff_f32 4, 4
#define VB_TILE_sqdiff_f64 4, 4
#define VB_TILE_dot_bf16 4, 4
#define VB_SIEVE_STEP_i8 vi_dot
#define VB_PRODUCT_STEP_i8 vi_dot
#define VB_SIEVE_STEP_b1 vi_both
#define VB_PRODUCT_STEP_b1 vi_both

#define VB_UNIT scalar
#include "../unit.inc"
