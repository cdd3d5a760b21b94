/* vecblade.h - the C core: distances, dot products and cosines over rows of numbers.
 *
 * No Python in here, no threads, no global state but the kernel table that vb_init() fills.
 *
 *   rows      d numbers of one type, contiguous; rows lie anywhere (any stride, any alignment)
 *   kernels   csrc/kernels/: one accumulator over pairs of rows, per type and ISA level
 *   numbers   what an element of each type is (numbers.c)
 *   metrics   an accumulator, an epilogue and an order (metrics.c)
 *   drivers   measure.c, pairwise.c, search.c: cut the work into tiles, and name no ISA
 *   jobs      job.c: any number of the caller's threads claim a job's tiles
 *
 * Strides are in bytes, counts in rows or elements. Nothing here reads past the d-th element
 * of a row. Functions that can fail return a vb_status; pointers must not be NULL unless the
 * comment says so. A job may be run by many threads at once; building and ending one is the
 * business of a single thread.
 */
#ifndef VECBLADE_H
#define VECBLADE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#define VB_INLINE static __forceinline
#define VB_NOINLINE __declspec(noinline)
#else
#define VB_INLINE static inline __attribute__((always_inline))
#define VB_NOINLINE __attribute__((noinline))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* One row per element type: enumerator, name, C type, what a number in it is:
 *
 *   VB_REAL    a floating-point number, widened to float64 without loss and summed there
 *   VB_WHOLE   an integer, summed exactly
 *   VB_BITS    eight numbers, each 0 or 1: "d elements" are d bytes of them
 *
 * Real rows of two types may be measured with each other; others only with rows of their own type. */
#define VB_EACH_TYPE(X) \
    X(VB_F32, f32, float, VB_REAL) \
    X(VB_F64, f64, double, VB_REAL) \
    X(VB_F16, f16, uint16_t, VB_REAL) \
    X(VB_BF16, bf16, uint16_t, VB_REAL) \
    X(VB_I8, i8, int8_t, VB_WHOLE) \
    X(VB_U8, u8, uint8_t, VB_WHOLE) \
    X(VB_B1, b1, uint8_t, VB_BITS)

typedef enum { VB_REAL, VB_WHOLE, VB_BITS } vb_kind;

/* One row per accumulator: enumerator, name. What each sums: kernels/contract.h. */
#define VB_EACH_ACCUMULATOR(X) \
    X(VB_DOT, dot) \
    X(VB_SQDIFF, sqdiff) \
    X(VB_DOTNORM, dotnorm)

/* One row per metric: enumerator, name, accumulator, 1 if larger is closer. Any metric of any type: of
 * bits, hamming is what sqeuclidean is. */
#define VB_EACH_METRIC(X) \
    X(VB_METRIC_DOT, dot, VB_DOT, 1) \
    X(VB_METRIC_COSINE_SIMILARITY, cosine_similarity, VB_DOTNORM, 1) \
    X(VB_METRIC_COSINE, cosine, VB_DOTNORM, 0) \
    X(VB_METRIC_EUCLIDEAN, euclidean, VB_SQDIFF, 0) \
    X(VB_METRIC_SQEUCLIDEAN, sqeuclidean, VB_SQDIFF, 0) \
    X(VB_METRIC_HAMMING, hamming, VB_SQDIFF, 0) \
    X(VB_METRIC_JACCARD, jaccard, VB_DOTNORM, 0)

#define VB_ENUMERATOR(id, ...) id,
/* Types of rows, and two more that only results have. */
typedef enum { VB_EACH_TYPE(VB_ENUMERATOR) VB_TYPES, VB_I32 = VB_TYPES, VB_I64 } vb_type;
typedef enum { VB_EACH_ACCUMULATOR(VB_ENUMERATOR) VB_ACCUMULATORS } vb_accumulator;
typedef enum { VB_EACH_METRIC(VB_ENUMERATOR) VB_METRICS } vb_metric;
#undef VB_ENUMERATOR

typedef enum {
    VB_OK,
    VB_STOPPED,   /* vb_job_stop() was called, or the poll function asked for it */
    VB_NO_MEMORY, /* an allocation failed; the job has stopped */
} vb_status;

size_t vb_type_size(vb_type type);
const char *vb_type_name(vb_type type);
vb_kind vb_type_kind(vb_type type);
const char *vb_metric_name(vb_metric metric);
/* 1 if a larger value of this metric is closer, 0 if a smaller one is. */
int vb_metric_is_similarity(vb_metric metric);

/* ---- the kernel table -------------------------------------------------------------- */

/* Fill the kernel table: the best level this CPU has, or `level` if it is not NULL.
 * Returns 0; -1 if there is no such level; -2 if this CPU, or this build, lacks it.
 * Not thread-safe: for the first call of a process, and for tests. Where it has not been called, vb_pair() and the
 * functions that make jobs call it, with NULL. */
int vb_init(const char *level);

/* Name of level i, best first, or NULL past the last; whether this CPU and build run it. */
const char *vb_level_name(size_t i);
int vb_level_runs(size_t i);
/* Name of the level in use. */
const char *vb_level_active(void);

/* So many multiply-adds (of bits: pairs) in the fastest instruction that this CPU has for the type, in registers:
 * what kernels may be compared with. Returns 0, and has done nothing, if none is known. */
int vb_limit(vb_type type, double wanted);
/* Loads of a block of memory (a multiple of 512 bytes), so many times over; likewise. */
int vb_limit_read(const char *block, size_t bytes, size_t times);

/* ---- one pair ---------------------------------------------------------------------- */

/* The metric's value for two rows of d elements of the same type. Of whole numbers and bits, dot, sqeuclidean and
 * hamming are exact up to 2^53. */
double vb_pair(vb_metric metric, vb_type type, const void *a, const void *b, size_t d);

/* ---- jobs -------------------------------------------------------------------------- */

typedef struct vb_job vb_job;

/* Called now and then (ten times a second) by the thread that passed it; non-zero stops the
 * job. done and total: elements met so far and in all. */
typedef int (*vb_poll)(void *context, double done, double total);

/* Take tiles of the job and work on them until none is left or the job has stopped. Call it
 * from as many threads as you like; poll may be NULL. The job is complete when every call
 * has returned, and at least one has. */
vb_status vb_job_run(vb_job *job, vb_poll poll, void *context);
/* Make every vb_job_run() return VB_STOPPED soon. */
void vb_job_stop(vb_job *job);
/* How many tiles the job has, and how many elements its kernels will meet. */
size_t vb_job_tiles(const vb_job *job);
double vb_job_work(const vb_job *job);
/* Free the job and all it holds. NULL is allowed. */
void vb_job_free(vb_job *job);

/* Rows of one matrix. stride may be zero, negative, and no multiple of the element size. */
typedef struct {
    const char *base;
    ptrdiff_t stride;
    size_t count;
    vb_type type;
} vb_rows;

#define VB_MAX_DIMS 64

/* One operand of an elementwise measurement: where element 0 of the first row lies and the
 * stride of each leading axis. For the output an "element" is one value, and its type may be a result's. */
typedef struct {
    char *base;
    vb_type type;
    ptrdiff_t strides[VB_MAX_DIMS];
} vb_operand;

/* out[...] = metric(a[...], b[...]) over the leading axes shape[0..ndim). Operands repeat
 * along an axis by a zero stride. NULL if memory is short. */
vb_job *vb_measure_new(vb_metric metric, size_t d, int ndim, const size_t *shape, const vb_operand *a,
                       const vb_operand *b, const vb_operand *out);

/* What of the matrix of a pairwise measurement to compute. Mirrored and condensed: a and b are one
 * matrix of n rows, and each pair is computed once. Condensed: element (i, j), i < j, only, at place
 * i n - i (i + 1) / 2 + j - i - 1 (out_column bytes each). */
typedef enum { VB_FULL, VB_MIRRORED, VB_CONDENSED } vb_layout;

/* out[i, j] = metric(a[i], b[j]), both sides of one type. Values are not the canonical ones: float32 rows
 * are accumulated in float32, in an order that is the same everywhere (kernels/contract.h), but
 * relative errors of distances stay small (pairwise.c). threads: as in vb_topk_new(). NULL if memory is short. */
vb_job *vb_pairwise_new(vb_metric metric, size_t d, const vb_rows *a, const vb_rows *b, vb_layout layout, int threads,
                        char *out, ptrdiff_t out_row, ptrdiff_t out_column, vb_type out_type);

/* out[i] = rows[i] / |rows[i]|, rounded once to a real type; NaN for a zero row. Not of bits. */
vb_job *vb_normalize_new(size_t d, const vb_rows *rows, char *out, ptrdiff_t out_stride, vb_type out_type);

/* out[i] = rows[i], each element rounded to a real type, to nearest even. Not of bits. */
vb_job *vb_convert_new(size_t d, const vb_rows *rows, char *out, ptrdiff_t out_stride, vb_type out_type);

/* Which corpus rows a search may return. mask (one byte a row) or ids (ascending, distinct,
 * in range) may be NULL; not both given. */
typedef struct {
    const uint8_t *mask;
    const int64_t *ids;
    size_t eligible; /* how many rows that leaves */
} vb_where;

/* The rows of a corpus in int8 codes (kernels/contract.h), for vb_topk_new() and vb_within_new() with
 * the same metric, or for the two Euclidean and the two cosine ones with either. panels: one for
 * every 32 rows, vb_codes_bytes() in all, on a multiple of 64; center: vb_codes_center_bytes(). Both are the caller's. */
typedef struct {
    const char *panels;
    const float *center;
} vb_codes;

size_t vb_codes_bytes(size_t count, size_t d);
size_t vb_codes_center_bytes(size_t d);
/* Whether rows of d numbers are worth codes, and can have them. */
int vb_codes_suit(size_t d);
/* Encode the rows from the panel of row `first` on. If first is 0, the center is found, else it is
 * read. NULL if memory is short. */
vb_job *vb_codes_new(vb_metric metric, size_t d, const vb_rows *rows, size_t first, char *panels, float *center);

/* The k best corpus rows of each query, best first: indices[q * k + i] and scores[q * k + i], of which
 * vb_values() makes values. A search ranks by scores: smaller is closer, NaN ranks last, ties rank by row. They tell more than
 * values where many similarities round to 1. 1 <= k <= eligible.
 * codes may be NULL. threads: how many threads will run the job (it decides how the rows are split,
 * nothing else). NULL if memory is short. */
vb_job *vb_topk_new(vb_metric metric, size_t d, const vb_rows *queries, const vb_rows *corpus, const vb_codes *codes,
                    const vb_where *where, size_t k, int threads, int64_t *indices, double *scores);
/* After the job is complete: gather what the threads found. */
void vb_topk_finish(vb_job *job);

/* The same of a corpus that comes in parts: one job after the other, each with one part, whose row 0 is number `first` of all, and the
 * same queries, adds to what is kept. So later parts begin with the bars that earlier ones have left. k is at most the number of
 * eligible rows of all parts: else places behind those that are found stay as they were. NULL if memory is short. */
typedef struct vb_kept vb_kept;
vb_kept *vb_kept_new(size_t queries, size_t k);
vb_job *vb_topk_part_new(vb_metric metric, size_t d, const vb_rows *queries, const vb_rows *corpus,
                         const vb_codes *codes, const vb_where *where, int threads, vb_kept *kept, int64_t first);
/* Between jobs, or after the last one: what vb_topk_new() leaves. */
void vb_kept_emit(vb_kept *kept, int64_t *indices, double *scores);
/* NULL is allowed. Not while a job uses it. */
void vb_kept_free(vb_kept *kept);

/* n scores, of rows of d elements, to the metric's float64 values, in place. */
void vb_values(vb_metric metric, size_t d, size_t n, double *scores);
/* n float64 values to float32, rounded; past its range they are infinite. */
void vb_narrow(size_t n, const double *values, float *out);

/* Every corpus row at least as close as the threshold, for each query. value: the type, float32 or another, to which values will
 * be rounded, and the threshold with them: a row is found if its rounded value is at least as close as the rounded threshold. */
vb_job *vb_within_new(vb_metric metric, size_t d, const vb_rows *queries, const vb_rows *corpus, const vb_codes *codes,
                      const vb_where *where, double threshold, vb_type value, int threads);
/* After the job is complete: offsets[q] .. offsets[q + 1] will hold the rows of query q
 * (queries + 1 numbers); returns the total. */
int64_t vb_within_offsets(vb_job *job, int64_t *offsets);
/* Then: the rows, ascending within a query, and the metric's float64 for each. offsets is
 * what vb_within_offsets() left, and is so again afterwards. */
void vb_within_emit(vb_job *job, int64_t *offsets, int64_t *indices, double *values);

/* How a search goes about its work (scan.c), and what it has done: pairs of a query and a row that it
 * met, that it compared by codes, and that it measured by their elements. */
typedef enum { VB_PLAN_ROWS, VB_PLAN_SIEVE, VB_PLAN_CODES } vb_plan;
/* What searches made from now on do: with VB_PLAN_CODES what is likely to be fastest, with VB_PLAN_SIEVE make codes
 * wherever rows can have them, with VB_PLAN_ROWS never look at any. Results are the same. */
void vb_use_plan(vb_plan plan);
typedef struct {
    vb_plan plan;
    int64_t met, sifted, rescored;
} vb_search_told;
void vb_search_tell(const vb_job *job, vb_search_told *told);

#ifdef __cplusplus
}
#endif

#endif
