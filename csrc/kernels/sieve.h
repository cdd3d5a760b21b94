/* sieve.h - products of codes: many queries (rows of the other side) against one panel of rows. The
 * sieve rules rows out by them, the tally stores them.
 *
 * An ISA unit includes its vocabulary and this file, then sieve.inc once per type. The vocabulary gives:
 *
 *   vi, VI_LANES           int32 lanes, one a row; VI_LANES divides VB_PANEL
 *   VI_GROUP               how many queries' accumulators fit in registers at once
 *   VI_LIMIT               the largest code of a query with which vi_dot() cannot saturate
 *   vi_set1(x) vi_store(p, v)
 *   vi_rows(p)             4 unsigned bytes of VI_LANES rows
 *   vi_query(p)            4 signed bytes, repeated in every lane
 *   vi_dot(sum, rows, query)    sum + the products of the bytes, lane by lane
 *   vi_both(sum, rows, query)   sum + the number of bits that both have
 *   vi_passed(sum, unit, extent, a, t, k)    a bit a lane (vb_sieve_kernel)
 *   VB_KEEP(x)             an empty statement that holds x in a register
 *
 * Each step reads 4 bytes of every row once and of every query of the group once:
 *
 *                 rows 0..31
 *   query 0  4b   + + + + + +     a group of 12 by two 512-bit vectors keeps 24 accumulators
 *   query 1  4b   + + + + + +
 *   ...
 */
#ifndef VB_KERNELS_SIEVE_H
#define VB_KERNELS_SIEVE_H

#include "common.h"

#define VI_COUNT (VB_PANEL / VI_LANES)

#endif
