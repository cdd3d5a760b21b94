/* encode.h - a float32 row in int8 codes, and what the bound of the sieve must know of it (vb_coding).
 *
 * Over the float32 vocabulary of screen.h, and:
 *
 *   vf_set1(x) vf_mul(a, b) vf_max(a, b) vf_store(p, v)
 *   vf_most(v)              the largest lane
 *   vf_low_bytes(p, v)      the low byte of each lane to p, p + 1, ...
 */
#ifndef VB_KERNELS_ENCODE_H
#define VB_KERNELS_ENCODE_H

#include <float.h>

#include "canonical.h"

/* Added to a float32 of at most 2^22, this rounds it to an integer, and leaves that integer plus
 * 128 in the low byte of the sum. */
#define VB_ROUNDER (0x1.8p23f + 128.0f)

VB_INLINE void vb_encode(const char *x, const float *center, size_t d, float *work, uint8_t *codes, vb_coding *found)
{
    const size_t padded = (d + VB_LANES - 1) / VB_LANES * VB_LANES;
    size_t i = 0;
    vf most[4], square[4], norm[4], residual[2], code_square[2], unit, minus_rounder;

    VB_UNROLL
    for (int j = 0; j < 4; j++)
        most[j] = square[j] = norm[j] = vf_zero();
    residual[0] = residual[1] = code_square[0] = code_square[1] = vf_zero();
    for (; i + 4 * VF_LANES <= d; i += 4 * VF_LANES) {
        VB_UNROLL
        for (size_t j = 0; j < 4; j++) {
            const size_t at = i + j * VF_LANES;
            const vf xj = vf_load(x + at * sizeof(float)), y = vf_sub(xj, vf_load((const char *)(center + at)));
            vf_store(work + at, y);
            most[j] = vf_max(most[j], vf_max(y, vf_sub(vf_zero(), y)));
            square[j] = vf_muladd(y, y, square[j]);
            norm[j] = vf_muladd(xj, xj, norm[j]);
        }
    }
    for (; i < d; i += VF_LANES) {
        const char *at = x + i * sizeof(float);
        const vf xj = i + VF_LANES <= d ? vf_load(at) : vf_part(at, d - i);
        const vf y = vf_sub(xj, vf_load((const char *)(center + i)));
        vf_store(work + i, y);
        most[0] = vf_max(most[0], vf_max(y, vf_sub(vf_zero(), y)));
        square[0] = vf_muladd(y, y, square[0]);
        norm[0] = vf_muladd(xj, xj, norm[0]);
    }
    for (; i < padded; i++)
        work[i] = 0.0f;
    found->most = vf_most(vf_max(vf_max(most[0], most[1]), vf_max(most[2], most[3])));
    found->square = vf_fold(vf_add(vf_add(square[0], square[1]), vf_add(square[2], square[3])));
    found->norm = vf_fold(vf_add(vf_add(norm[0], norm[1]), vf_add(norm[2], norm[3])));
    found->unit = found->most > 0.0f ? 127.0f / found->most : 1.0f;
    unit = vf_set1(found->unit);
    minus_rounder = vf_set1(-VB_ROUNDER);
    for (i = 0; i < padded; i += 2 * VF_LANES) {
        VB_UNROLL
        for (size_t j = 0; j < 2; j++) {
            const vf y = vf_load((const char *)(work + i + j * VF_LANES));
            const vf rounded = vf_sub(vf_mul(y, unit), minus_rounder), code = vf_add(rounded, minus_rounder);
            const vf left = vf_muladd(y, unit, vf_sub(vf_zero(), code));
            residual[j] = vf_muladd(left, left, residual[j]);
            code_square[j] = vf_muladd(code, code, code_square[j]);
            vf_low_bytes(codes + i + j * VF_LANES, rounded);
        }
    }
    found->residual = vf_fold(vf_add(residual[0], residual[1]));
    found->code = vf_fold(vf_add(code_square[0], code_square[1]));
}

#endif
