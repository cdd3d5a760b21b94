/* few_bytes.h - the end of a row on processors without masked loads. */
#ifndef VB_KERNELS_FEW_BYTES_H
#define VB_KERNELS_FEW_BYTES_H

#include <string.h>

#include "../vecblade.h"

/* The first n bytes at p, 0 < n < 16, as two little-endian words, then zeros; in loads that may overlap each other, but
 * nothing else. */
VB_INLINE void vb_few_bytes(const char *p, size_t n, uint64_t words[2])
{
    uint32_t low, high;
    words[1] = 0;
    if (n >= 8) {
        memcpy(&words[0], p, 8);
        if (n > 8) {
            memcpy(&words[1], p + n - 8, 8);
            words[1] >>= 8 * (16 - n);
        }
    } else if (n >= 4) {
        memcpy(&low, p, 4);
        memcpy(&high, p + n - 4, 4);
        words[0] = low | (uint64_t)high << 8 * (n - 4);
    } else {
        const unsigned char *byte = (const unsigned char *)p;
        words[0] = byte[0] | (uint64_t)byte[n / 2] << 8 * (n / 2) | (uint64_t)byte[n - 1] << 8 * (n - 1);
    }
}

#endif
