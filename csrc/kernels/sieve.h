/* sieve.h - products of codes: many queries (rows of the other side) against one panel of rows. The
 * sieve rules rows out by them, the other kernel stores them.
 *
 * An ISA unit includes its vocabulary and this file, then sieve.inc once per type. The vocabulary gives:
 *
 *   vi, VI_LANES           int32 lanes, one a row; VI_LANES divides VB_PANEL
 *   VI_GROUP               how many queries' accumulators fit in registers at once; of fewer queries a sieve takes
 *                          VI_FEW at once, if those are fewer, or one
 *   VI_LIMIT               the largest code of a query with which vi_dot() cannot saturate
 *   vi_set1(x) vi_store(p, v)
 *   vi_rows(p)             4 unsigned bytes of VI_LANES rows
 *   vi_query(p)            4 signed bytes, repeated in every lane
 *   vi_dot(sum, rows, query)    sum + the products of the bytes, lane by lane
 *   vi_both(sum, rows, query)   sum + the number of bits that both have
 *   vi_passed(sum, unit, norm_term, a, t, k)    a bit a lane (vb_sieve_kernel)
 *   VB_KEEP(x)             an empty statement that holds x in a register
 *
 * Each step reads 4 bytes of every row once and of every query of the group once:
 *
 *                 rows 0..31
 *   query 0  4b   + + + + + +     a group of 12 by two 512-bit vectors keeps 24 accumulators
 *   query 1  4b   + + + + + +
 *   ...
 *
 * so that is how queries are packed: bytes 4 k to 4 k + 3 of query i of a group at [k][i], then the next four.
 */
#ifndef VB_KERNELS_SIEVE_H
#define VB_KERNELS_SIEVE_H

#include <string.h>

#include "common.h"

#define VI_COUNT (VB_PANEL / VI_LANES)
#define VI_FEW 4

static size_t vb_code_group(size_t queries)
{
    return queries >= VI_GROUP ? VI_GROUP : VI_GROUP > VI_FEW && queries >= VI_FEW ? VI_FEW : 1;
}

static size_t vb_code_group_bytes(size_t group, size_t d) { return group * vb_round_up(d, 4); }

static void vb_pack_codes(const int8_t *codes, size_t d, unsigned flip, size_t group, size_t place, int8_t *packed)
{
    const uint32_t flips = flip * 0x01010101u;
    int8_t *out = packed + place * 4;
    uint32_t four;
    size_t i = 0;

    VB_ASSERT(place < group && flip < 256);
    for (; i + 4 <= d; i += 4, out += group * 4) {
        memcpy(&four, codes + i, 4);
        four ^= flips;
        memcpy(out, &four, 4);
    }
    if (i < d) {
        uint8_t last[4] = {0};
        for (size_t j = 0; i + j < d; j++)
            last[j] = (uint8_t)((uint8_t)codes[i + j] ^ flip);
        memcpy(out, last, 4);
    }
}

static const vb_packing vb_code_packing = {vb_code_group, vb_code_group_bytes, vb_pack_codes};

#endif
