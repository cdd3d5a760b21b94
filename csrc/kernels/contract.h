/* contract.h - what a kernel is, and how one is found.
 *
 * An accumulator sums over the elements of two rows a and x:
 *
 *   dot      sum a[i] * x[i]
 *   sqdiff   sum (a[i] - x[i])^2
 *   dotnorm  sum a[i] * x[i], and sum x[i]^2 (and sum a[i]^2 in the pair form)
 *
 * Every sum is the canonical one, so that its bits do not depend on the ISA:
 *
 *   - each element is widened to float64 (exact), and a difference is rounded to float64;
 *   - there are 32 lanes, all +0.0 at the start; element i goes to lane i mod 32 by one fused
 *     multiply-add; an absent element (past the end) adds 0 * 0, which changes no value;
 *   - the lanes are folded in halves: l + (l + 16), l + (l + 8), l + 4, l + 2, l + 1;
 *   - a zero sum is +0.0, and a NaN sum is the one quiet NaN, whichever way it came about.
 *
 *   lane    0     1   ...  15  |  16    17   ...  31
 *          x[0]  x[1]    x[15] | x[16] x[17]     x[31]
 *          x[32] x[33]   x[47] | x[48] x[49]     x[63]
 *           ...
 *   fold    +<-----------------+   then 16 -> 8 -> 4 -> 2 -> 1
 *
 * A kernel reads exactly d elements of each row, at any address. d may be zero.
 */
#ifndef VB_KERNELS_CONTRACT_H
#define VB_KERNELS_CONTRACT_H

#include "../vecblade.h"

#define VB_LANES 32

/* a and x: d elements of the kernel's type. sums: dot or sqdiff, one number; dotnorm, three:
 * a.x, a.a, x.x. */
typedef void vb_pair_kernel(const void *a, const void *x, size_t d, double *sums);

/* Some rows of a matrix: row r is at base + r * stride, or at base + ids[r] * stride. Computed in
 * the kernel: a list of addresses would cost a pass during which the memory is idle. */
typedef struct {
    const char *base;
    ptrdiff_t stride;
    const int64_t *ids; /* or NULL */
} vb_view;

VB_INLINE const char *vb_row(const vb_view *view, size_t r)
{
    return view->base + (view->ids ? (ptrdiff_t)view->ids[r] : (ptrdiff_t)r) * view->stride;
}

/* query: d float64 elements; rows: n rows of d elements of the kernel's type.
 * sums[r]: dot or sqdiff of the query and row r; norms[r]: row r with itself (dotnorm only,
 * else not used and may be NULL). */
typedef void vb_rows_kernel(const double *query, const vb_view *rows, size_t n, size_t d, double *sums, double *norms);

/* Which rows a screen rules out, from float32 sums: of a row, s is the accumulator's sum with the
 * query, and n the sum of its squares.
 *
 *   sqdiff   s > limit, and s is finite
 *   dot      s + slope * n < limit
 *   dotnorm  s * |s| < slope * n, and low <= n, and n is finite */
typedef struct {
    float limit, slope, low;
} vb_limits;

/* Positions of the rows, of n, that are not ruled out: ascending in passed[]; returns how many. The
 * sums are not canonical, but between a term and its sum, and in the test, lie at most d / 32 + 12
 * roundings. Of float32 rows only; a level may lack them, and then screens nothing. */
typedef size_t vb_screen_kernel(const float *query, const vb_view *rows, size_t n, size_t d, const vb_limits *limits,
                                uint32_t *passed);

/* One implementation. Exactly one of pair, rows and screen is set. */
typedef struct {
    const char *name; /* vb_<accumulator>[_rows|_screen]_<type>_<isa> */
    vb_accumulator accumulator;
    vb_type type;
    vb_pair_kernel *pair;
    vb_rows_kernel *rows;
    vb_screen_kernel *screen;
} vb_record;

#define VB_PAIR(name, accumulator, type) {#name, accumulator, type, name, NULL, NULL}
#define VB_ROWS(name, accumulator, type) {#name, accumulator, type, NULL, name, NULL}
#define VB_SCREEN(name, accumulator, type) {#name, accumulator, type, NULL, NULL, name}

/* Each ISA unit ends in its list, closed by a record without a name. A level may implement
 * only some kernels: the rest comes from the levels below it that this CPU runs. */
extern const vb_record vb_records_avx512[], vb_records_avx2[], vb_records_neon[], vb_records_scalar[];

/* The kernels in use. */
typedef struct {
    vb_pair_kernel *pair[VB_ACCUMULATORS][VB_TYPES];
    vb_rows_kernel *rows[VB_ACCUMULATORS][VB_TYPES];
    vb_screen_kernel *screen[VB_ACCUMULATORS][VB_TYPES]; /* NULL where there is none */
} vb_table;
extern vb_table vb_kernels;

/* Record i of the whole registry (every level of this build), and whether this CPU runs it and
 * whether it is in the table; NULL past the last. */
const vb_record *vb_registry(size_t i, const char **level, int *runs, int *active);

#endif
