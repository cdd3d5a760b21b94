/* widen.h - rows of two-byte floats as float32, for what reads rows of any type as such: encoders and tiles.
 *
 * Over the float32 vocabulary of encode.h, and for T of f16, bf16:
 *
 *   vf_load_<T>(p) vf_part_<T>(p, n)    VF_LANES elements at p; the first n of them (0 < n < VF_LANES; reads
 *                                       no more), then zeros
 */
#ifndef VB_KERNELS_WIDEN_H
#define VB_KERNELS_WIDEN_H

#include <string.h>

#include "common.h"

VB_INLINE vf vb_widened(vb_type type, const char *p) { return type == VB_F16 ? vf_load_f16(p) : vf_load_bf16(p); }

VB_INLINE void vb_widen_row(vb_type type, const char *x, size_t d, float *out)
{
    size_t i = 0;
    for (; i + VF_LANES <= d; i += VF_LANES)
        vf_store(out + i, vb_widened(type, x + 2 * i));
    if (i < d) {
        float last[VF_LANES];
        vf_store(last, type == VB_F16 ? vf_part_f16(x + 2 * i, d - i) : vf_part_bf16(x + 2 * i, d - i));
        memcpy(out + i, last, (d - i) * sizeof *last);
    }
}

#endif
