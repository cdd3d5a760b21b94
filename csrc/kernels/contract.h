/* contract.h - what a kernel is, and how one is found.
 *
 * An accumulator sums over the elements of two rows a and x:
 *
 *   dot      sum a[i] * x[i]
 *   sqdiff   sum (a[i] - x[i])^2
 *   dotnorm  sum a[i] * x[i], and sum x[i]^2 (and sum a[i]^2 in the pair form)
 *
 * Of integers and bits every sum is exact, up to 2^53. Of real numbers it is the canonical one, so that its
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
    int cached;         /* whether the rows are likely to be in cache: a hint */
} vb_view;

VB_INLINE const char *vb_row(const vb_view *view, size_t r)
{
    return view->base + (view->ids ? (ptrdiff_t)view->ids[r] : (ptrdiff_t)r) * view->stride;
}

/* query: d elements, of the kernel's type if that is an integer or bits, else float64 (vb_query_type); rows: n rows
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
} vb_screen_bounds;

/* Positions of the rows, of n, that are not ruled out: ascending in passed[]; returns how many. The
 * sums are not canonical, but between a term and its sum, and in the test, lie at most d / 32 + 12
 * roundings. Of float32 rows only. */
typedef size_t vb_screen_kernel(const float *query, const vb_view *rows, size_t n, size_t d,
                                const vb_screen_bounds *bounds, uint32_t *passed);

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
    vb_epilogue epilogue;
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

/* ---- codes: rows in int8, for the sieve of a search (bound.c has the bound) ---------- */

#define VB_PANEL 32

/* VB_PANEL rows in codes. With steps = d / 4, rounded up, byte i of row r in step k is element
 * 4 k + i of the row, divided by the row's scale, rounded, plus 128:
 *
 *   step 0: row 0 [0 1 2 3]  row 1 [0 1 2 3] ... row 31    step 1: row 0 [4 5 6 7] ...
 */
/* Of bits, the bytes of a row are its codes as they are.
 */
typedef struct {
    float unit[VB_PANEL];      /* 1 / scale; NaN: this row has no codes, and is never ruled out */
    float norm_term[VB_PANEL]; /* what of the row's norm the metric asks for, over its scale (bound.c) */
    float largest_residual;    /* the largest norm of what any of the rows lost to rounding */
    float code_norm;           /* the largest norm of a row's code */
    float exponent;            /* rows were multiplied by this power of two before */
    uint32_t repeats;          /* bit r: row r has the bytes of the row before it */
    float spare[12];
    uint8_t codes[]; /* [steps][VB_PANEL][4] */
} vb_panel;

VB_INLINE size_t vb_panel_bytes(size_t d) { return sizeof(vb_panel) + (d + 3) / 4 * 4 * VB_PANEL; }

/* How a kernel wants the codes of queries, or of the rows of a product, laid out: nobody else's business. They come in
 * groups, which it meets at once. */
typedef struct {
    /* How many are met at once, if there are so many; a product's number is always its record's rows. */
    size_t (*group)(size_t queries);
    /* Bytes of a group of queries with d codes each, and zeros in them. */
    size_t (*bytes)(size_t group, size_t d);
    /* Number `place` of a group: d codes, each with the bits of `flip` inverted; what else there is of it is zeroed. */
    void (*pack)(const int8_t *codes, size_t d, unsigned flip, size_t group, size_t place, int8_t *packed);
} vb_packing;

/* Queries in codes, packed; in the last group some may be missing (a = infinity). */
typedef struct {
    size_t count; /* a multiple of group */
    size_t group; /* as the packing says */
    int8_t *codes;
    int32_t *bias;    /* 128 times the sum of the codes */
    float *a, *t, *k; /* what a row has to reach: a * unit + (t * norm_term - k) */
} vb_coded;

/* Bit r of masks[q]: row r of the panel is not ruled out for query q, that is
 *
 *     ! (D < a[q] * unit[r] + (t[q] * norm_term[r] - k[q])),
 *
 * where D is the dot product of the codes (of bits: how many both have), exact and then rounded to float32,
 * and both products are fused with the sum to their right or rounded. d under 2^15. */
typedef void vb_sieve_kernel(const vb_panel *panel, size_t steps, const vb_coded *queries, uint32_t *masks);

/* out[i * VB_PANEL + r]: the dot product of row i of a group, packed, and row r of a panel's codes, modulo 2^32. As many
 * rows as the record says. */
typedef void vb_products_kernel(const uint8_t *panel, size_t steps, const int8_t *rows, int32_t *out);

/* What vb_encode_kernel finds out about a row x and y = x - center, in float32. Each sum has at
 * most d / 2 + 12 roundings. */
typedef struct {
    float unit;           /* 127 / max |y|, or 1 if y is zero */
    float most;           /* max |y| */
    float square, norm;   /* y.y and x.x */
    float residual, code; /* squares: of y * unit - code, and of the code */
} vb_coding;

/* x: d float32; center: d float32, then zeros to a multiple of 32. work: as many float32 as center.
 * codes: as many bytes, codes plus 128. */
typedef void vb_encode_kernel(const char *x, const float *center, size_t d, float *work, uint8_t *codes,
                              vb_coding *found);

/* ---- two-byte floats as float32 ------------------------------------------------------ */

/* d elements of the kernel's type, exactly; NaN may become quiet. */
typedef void vb_widen_kernel(const char *x, size_t d, float *out);

/* ---- records ------------------------------------------------------------------------ */

/* One row per form: enumerator, name, 1 if there is a kernel per accumulator. */
#define VB_EACH_FORM(X) \
    X(VB_FORM_PAIR, pair, 1) \
    X(VB_FORM_ROWS, rows, 1) \
    X(VB_FORM_SCORE, score, 0) \
    X(VB_FORM_SCALED, scaled, 1) \
    X(VB_FORM_RESIDUAL, residual, 1) \
    X(VB_FORM_SCREEN, screen, 1) \
    X(VB_FORM_TILE, tile, 1) \
    X(VB_FORM_SIEVE, sieve, 0) \
    X(VB_FORM_PRODUCTS, products, 0) \
    X(VB_FORM_ENCODE, encode, 0) \
    X(VB_FORM_WIDEN, widen, 0)
#define VB_ENUMERATOR(id, ...) id,
#define VB_ONE(...) +1
typedef enum { VB_EACH_FORM(VB_ENUMERATOR) } vb_form;
enum { VB_FORMS = 0 VB_EACH_FORM(VB_ONE) };
#undef VB_ENUMERATOR
#undef VB_ONE

typedef struct {
    const char *name;
    int has_accumulator;
} vb_form_info;
extern const vb_form_info vb_forms[];

/* One implementation. */
typedef struct {
    const char
        *name; /* vb_<accumulator>_<form>_<type>_<unit>, without the accumulator if the form has none, and without
                         the form if that is pair */
    vb_form form;
    vb_accumulator accumulator; /* VB_DOT if the form has none */
    vb_type type;
    union {
        vb_pair_kernel *pair;
        vb_rows_kernel *rows;
        vb_score_kernel *score;
        vb_apart_kernel *apart;
        vb_screen_kernel *screen;
        vb_tile_kernel *tile;
        vb_sieve_kernel *sieve;
        vb_products_kernel *products;
        vb_encode_kernel *encode;
        vb_widen_kernel *widen;
    } call;
    /* The shape of a tile; of a sieve or products, how many queries or rows it takes at once, and VB_PANEL. */
    unsigned rows, columns;
    /* Of a sieve: the largest code of a query. Of both: how queries are packed, and what a thread does before its first
     * call and after its last, if anything. */
    int largest_code;
    const vb_packing *packing;
    void (*enter)(void);
    void (*leave)(void);
} vb_record;

/* Each unit has its list (unit.inc), closed by a record without a name. A level may implement
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
    const vb_record *tile[VB_ACCUMULATORS][VB_TYPES], *sieve[VB_TYPES], *products[VB_TYPES];
    vb_encode_kernel *encode;
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

/* Record i of the whole registry (every level of this build), where it is from, and whether this CPU runs it and
 * whether it is in the table; NULL past the last. */
typedef struct {
    const char *level, *unit;
    int runs, active;
} vb_record_place;
const vb_record *vb_registry(size_t i, vb_record_place *place);

#endif
