/* contract.h - what a kernel is, and how one is found.
 *
 * An accumulator sums over the elements of two rows a and x:
 *
 *   dot      sum a[i] * x[i]
 *   sqdiff   sum (a[i] - x[i])^2
 *   dotnorm  sum a[i] * x[i], and sum x[i]^2 (and sum a[i]^2 in the pair form)
 *
 * Of whole numbers and bits every sum is exact, up to 2^53. Of real numbers it is the canonical one, so that its
 * bits do not depend on the ISA:
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
    int near;           /* whether the rows are likely to be in cache: a hint */
} vb_view;

VB_INLINE const char *vb_row(const vb_view *view, size_t r)
{
    return view->base + (view->ids ? (ptrdiff_t)view->ids[r] : (ptrdiff_t)r) * view->stride;
}

/* query: d elements, of the kernel's type if that is whole or bits, else float64 (vb_query_type); rows: n rows
 * of d elements of the kernel's type.
 * sums[r]: dot or sqdiff of the query and row r; norms[r]: row r with itself (dotnorm only,
 * else not used and may be NULL). */
typedef void vb_rows_kernel(const void *query, const vb_view *rows, size_t n, size_t d, double *sums, double *norms);

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

/* Sums that are made where those of the accumulator do not tell the value (apart.c), canonical too. With
 * a' = scale_a a and x' = scale_x x, each rounded:
 *
 *   scaled    dot        sum a' x'
 *             sqdiff     sum (scale_a (a - x))^2, the difference rounded, then the product
 *             dotnorm    sum a' x', sum a'^2, sum x'^2
 *   residual  dotnorm    sum r^2, sum r z, where r = y - t z - u z, by two fused multiply-adds in this order; y is a' and z is x',
 *                        or, swapped, y is x' and z is a'
 *
 * a: float64 if wide, else of the kernel's type (scaled kernels: float64 always); x: of the kernel's type. */
typedef struct {
    double scale_a, scale_x, t, u;
    int wide, swapped;
} vb_apart;
typedef void vb_apart_kernel(const void *a, const void *x, size_t d, const vb_apart *how, double *sums);

/* What a value needs beside the sums of its row. */
typedef struct {
    vb_metric metric;
    int wide;    /* whether an element is float64, so that squares may leave the range of float64 */
    double norm; /* of the query, squared; for the cosines a safe one (epilogues.h) */
    double edge; /* cosines from here on are told by residuals (vb_near_edge) */
} vb_scoring;

/* From sums to values of the metric: sums[i] is that of row i, norms[i] its square (dotnorm only). NaN where
 * the sums do not tell the value. Returns whether there is any NaN. */
typedef int vb_score_kernel(const vb_scoring *scoring, size_t n, const double *sums, const double *norms,
                            double *values);

/* ---- tiles: many rows with many, operands packed ------------------------------------ */

/* What a tile makes of its sums s[i][j] of row i and column j, in the tile's type T. Of dot products:
 *
 *   VB_RAW         s                                  unsure if |s| > high, or NaN
 *   VB_SQUARED     t - 2 s, t = row[i] + column[j]    unsure if not at least low * t
 *   VB_ROOT        the root of that                   the same
 *   VB_SIMILARITY  s * row[i] * column[j], not under -1    unsure if not at most high
 *   VB_ANGULAR     1 minus that                            the same
 *
 * and of sqdiff:
 *
 *   VB_SQUARED     s                                  unsure if not low <= s <= high
 *   VB_ROOT        the root of that                   the same
 *
 * Each operation is rounded to T, in the order written. For bfloat16 rows T is float32. */
typedef enum { VB_RAW, VB_SQUARED, VB_ROOT, VB_SIMILARITY, VB_ANGULAR } vb_epilogue;

typedef struct {
    vb_epilogue epilogue;
    double low, high;
    const void *row, *column; /* T each; not used by VB_RAW, nor of sqdiff */
} vb_finish;

/* A block of the tile's shape (rows x columns of its record). panel: element k of column j at
 * [k * columns + j]. out: element (i, j) at out + i * out_stride + j * sizeof(T).
 * Bit j of unsure[i]: the value does not stand (see above).
 *
 * Every s is summed in T in this one order, whatever the tile: element k after element k - 1 by a
 * fused multiply-add from +0 (of sqdiff the square of a rounded difference), in blocks of VB_TILE_BLOCK elements;
 * the sums of the blocks are added up in order. */
#define VB_TILE_BLOCK 64
/* For bfloat16 a pair of elements is in the place of one, d is rounded up to even, and in a pair the
 * second goes first: s + a[1] * b[1], rounded, + a[0] * b[0], rounded. Elements must be 0 or of a magnitude from
 * 2^-50 to 2^50, with which nothing is denormal: sums are multiples of 2^-114. */
typedef void vb_tile_kernel(const vb_view *rows, const void *panel, size_t d, const vb_finish *finish, void *out,
                            ptrdiff_t out_stride, uint64_t *unsure);

/* ---- codes: rows in int8, for the sieve of a search (codes.c has the bound) ---------- */

#define VB_PANEL 32

/* VB_PANEL rows in codes. With steps = d / 4, rounded up, byte i of row r in step k is element
 * 4 k + i of the row, divided by the row's scale, rounded, plus 128:
 *
 *   step 0: row 0 [0 1 2 3]  row 1 [0 1 2 3] ... row 31    step 1: row 0 [4 5 6 7] ...
 */
/* Of bits, the bytes of a row are its codes as they are.
 */
typedef struct {
    float unit[VB_PANEL];   /* 1 / scale; NaN: this row has no codes, and is never ruled out */
    float extent[VB_PANEL]; /* a length of the row, over its scale (which one: codes.c) */
    float loss, reach;      /* the most that any of the rows lost to rounding, and the longest code: lengths */
    float exponent;         /* rows were multiplied by this power of two before */
    uint32_t repeats;       /* bit r: row r has the bytes of the row before it */
    float spare[12];
    uint8_t codes[]; /* [steps][VB_PANEL][4] */
} vb_panel;

VB_INLINE size_t vb_panel_bytes(size_t d) { return sizeof(vb_panel) + (d + 3) / 4 * 4 * VB_PANEL; }

/* Queries in codes, in groups that a sieve meets at once; in the last group some may be missing (a =
 * infinity). Bytes 4 k to 4 k + 3 of query i of group g are at codes + (g * steps + k) * group * 4 + i * 4. */
typedef struct {
    size_t count; /* a multiple of group */
    size_t group; /* 1, the record's rows, or, if those are more, 4 */
    int8_t *codes;
    int32_t *bias;    /* 128 times the sum of the codes */
    float *a, *t, *k; /* what a row has to reach: a * unit + (t * extent - k) */
} vb_coded;

/* Bit r of masks[q]: row r of the panel is not ruled out for query q, that is
 *
 *     ! (D < a[q] * unit[r] + (t[q] * extent[r] - k[q])),
 *
 * where D is the dot product of the codes (of bits: how many both have), exact and then rounded to float32,
 * and both products are fused with the sum to their right or rounded. d under 2^15. */
typedef void vb_sieve_kernel(const vb_panel *panel, size_t steps, const vb_coded *queries, uint32_t *masks);

/* out[i * VB_PANEL + r]: the dot product of row i of a group and row r of a panel's codes, both laid out as above,
 * modulo 2^32. As many rows as the record says. */
typedef void vb_tally_kernel(const uint8_t *panel, size_t steps, const int8_t *group, int32_t *out);

/* What vb_encode_kernel finds out about a row x and y = x - center, in float32. Each sum has at
 * most d / 2 + 12 roundings. */
typedef struct {
    float unit;         /* 127 / max |y|, or 1 if y is zero */
    float most;         /* max |y| */
    float square, norm; /* y.y and x.x */
    float loss, reach;  /* squares: of y * unit - code, and of the code */
} vb_coding;

/* x: d float32; center: d float32, then zeros to a multiple of 32. work: as many float32 as center.
 * codes: as many bytes, codes plus 128. */
typedef void vb_encode_kernel(const char *x, const float *center, size_t d, float *work, uint8_t *codes,
                              vb_coding *found);

/* ---- two-byte floats as float32 ------------------------------------------------------ */

/* d elements of the kernel's type, exactly; NaN may become quiet. */
typedef void vb_widen_kernel(const char *x, size_t d, float *out);

/* ---- records ------------------------------------------------------------------------ */

/* One row per form: enumerator, name. */
#define VB_EACH_FORM(X) \
    X(VB_FORM_PAIR, pair) \
    X(VB_FORM_ROWS, rows) \
    X(VB_FORM_SCORE, score) \
    X(VB_FORM_SCALED, scaled) \
    X(VB_FORM_RESIDUAL, residual) \
    X(VB_FORM_SCREEN, screen) \
    X(VB_FORM_TILE, tile) \
    X(VB_FORM_SIEVE, sieve) \
    X(VB_FORM_TALLY, tally) \
    X(VB_FORM_ENCODE, encode) \
    X(VB_FORM_WIDEN, widen)
#define VB_ENUMERATOR(id, ...) id,
typedef enum { VB_EACH_FORM(VB_ENUMERATOR) VB_FORMS } vb_form;
#undef VB_ENUMERATOR

/* One implementation. */
typedef struct {
    const char *name; /* vb_<accumulator>_<form>_<type>_<isa>, without the form if that is pair */
    vb_form form;
    vb_accumulator accumulator;
    vb_type type;
    union {
        vb_pair_kernel *pair;
        vb_rows_kernel *rows;
        vb_score_kernel *score;
        vb_apart_kernel *apart;
        vb_screen_kernel *screen;
        vb_tile_kernel *tile;
        vb_sieve_kernel *sieve;
        vb_tally_kernel *tally;
        vb_encode_kernel *encode;
        vb_widen_kernel *widen;
    } call;
    unsigned rows,
        columns; /* the shape of a tile; of a sieve or tally, how many queries it takes at once, and VB_PANEL */
    int limit;   /* of a sieve: the largest code of a query */
} vb_record;

#define VB_PAIR(name, accumulator, type) {#name, VB_FORM_PAIR, accumulator, type, {.pair = name}, 0, 0, 0}
#define VB_ROWS(name, accumulator, type) {#name, VB_FORM_ROWS, accumulator, type, {.rows = name}, 0, 0, 0}
/* The records of the kernels that canonical.inc or exact.inc defines for a type: vb_dot_<T>_<isa>,
 * vb_dot_rows_<T>_<isa>, vb_sqdiff_<T>_<isa> and so on. */
#define VB_EACH_SUM(T, type, isa) \
    VB_PAIR(vb_dot_##T##_##isa, VB_DOT, type), VB_ROWS(vb_dot_rows_##T##_##isa, VB_DOT, type), \
        VB_PAIR(vb_sqdiff_##T##_##isa, VB_SQDIFF, type), VB_ROWS(vb_sqdiff_rows_##T##_##isa, VB_SQDIFF, type), \
        VB_PAIR(vb_dotnorm_##T##_##isa, VB_DOTNORM, type), VB_ROWS(vb_dotnorm_rows_##T##_##isa, VB_DOTNORM, type)
#define VB_APART(name, form, accumulator, type) {#name, form, accumulator, type, {.apart = name}, 0, 0, 0}
/* The same of a real type, with what apart.inc defines. */
#define VB_EACH_REAL_SUM(T, type, isa) \
    VB_EACH_SUM(T, type, isa), VB_APART(vb_dot_scaled_##T##_##isa, VB_FORM_SCALED, VB_DOT, type), \
        VB_APART(vb_sqdiff_scaled_##T##_##isa, VB_FORM_SCALED, VB_SQDIFF, type), \
        VB_APART(vb_dotnorm_scaled_##T##_##isa, VB_FORM_SCALED, VB_DOTNORM, type), \
        VB_APART(vb_dotnorm_residual_##T##_##isa, VB_FORM_RESIDUAL, VB_DOTNORM, type)
#define VB_SCORE(name) {#name, VB_FORM_SCORE, VB_DOT, VB_F64, {.score = name}, 0, 0, 0}
#define VB_SCREEN(name, accumulator, type) {#name, VB_FORM_SCREEN, accumulator, type, {.screen = name}, 0, 0, 0}
#define VB_TILE(name, sum, type, rows, columns) {#name, VB_FORM_TILE, sum, type, {.tile = name}, rows, columns, 0}
#define VB_SIEVE(name, type, rows, limit) {#name, VB_FORM_SIEVE, VB_DOT, type, {.sieve = name}, rows, VB_PANEL, limit}
#define VB_TALLY(name, type, rows) {#name, VB_FORM_TALLY, VB_DOT, type, {.tally = name}, rows, VB_PANEL, 0}
#define VB_WIDEN(name, type) {#name, VB_FORM_WIDEN, VB_DOT, type, {.widen = name}, 0, 0, 0}
#define VB_ENCODE(name) {#name, VB_FORM_ENCODE, VB_DOT, VB_F32, {.encode = name}, 0, 0, 0}

/* Each ISA unit ends in its list, closed by a record without a name. A level may implement
 * only some kernels: the rest comes from the levels below it that this CPU runs. */
extern const vb_record vb_records_avx512popcnt[], vb_records_avx512bf16[], vb_records_avx512vnni[], vb_records_avx512[],
    vb_records_avx2[], vb_records_neondot[], vb_records_neon[], vb_records_scalar[];

/* The kernels in use. */
typedef struct {
    vb_pair_kernel *pair[VB_ACCUMULATORS][VB_TYPES];
    vb_rows_kernel *rows[VB_ACCUMULATORS][VB_TYPES];
    vb_apart_kernel *scaled[VB_ACCUMULATORS][VB_TYPES], *residual[VB_TYPES]; /* of real types */
    /* NULL where there is none: */
    vb_screen_kernel *screen[VB_ACCUMULATORS][VB_TYPES];
    const vb_record *tile[VB_ACCUMULATORS][VB_TYPES], *sieve[VB_TYPES], *tally[VB_TYPES];
    const vb_record *encode;
    vb_widen_kernel *widen[VB_TYPES]; /* of f16 and bf16 */
    vb_score_kernel *score;
} vb_table;
extern vb_table vb_kernels;

/* Whoever comes first fills the table. */
VB_INLINE void vb_need_kernels(void)
{
    if (!vb_kernels.encode)
        vb_init(NULL);
}

/* Record i of the whole registry (every level of this build), and whether this CPU runs it and
 * whether it is in the table; NULL past the last. */
const vb_record *vb_registry(size_t i, const char **level, int *runs, int *active);

#endif
