/* avx512.c - the kernels in AVX-512 (F, VL, DQ, BW). The flags of this unit license AVX-512 everywhere in it:
 * nothing that runs on a lesser CPU may live here. */
#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512BW__)

#include "simd_avx512.h"

/* Shapes for 32 registers. */
#define VB_TILE_dot_f32 12, 2
#define VB_TILE_dot_f64 8, 3
#define VB_TILE_sqdiff_f32 12, 2
#define VB_TILE_sqdiff_f64 8, 3
/* Screens are faster in registers of 256 bits (screen.h): those of AVX2 are used. */
#define VB_LEAVES_OUT_SCREENS

#endif

#define VB_UNIT avx512
#include "../unit.inc"
