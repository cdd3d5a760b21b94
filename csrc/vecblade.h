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

/* One row per element type: enumerator, name, C type, what a number in it is, and of what type the codes of a row are
 * and what they are made from (vb_coding_way):
 *
 *   VB_REAL      a floating-point number, widened to float64 without loss and summed there
 *   VB_INTEGER   an integer, summed exactly
 *   VB_BITS      eight numbers, each 0 or 1: "d elements" are d bytes of them
 *
 * Real rows of two types may be measured with each other; others only with rows of their own type. */
#define VB_EACH_TYPE(X) \
    X(VB_F32, f32, float, VB_REAL, VB_I8, VB_CODES_OF_FLOATS) \
    X(VB_F64, f64, double, VB_REAL, VB_I8, VB_CODES_OF_DOUBLES) \
    X(VB_F16, f16, uint16_t, VB_REAL, VB_I8, VB_CODES_OF_WIDENED) \
    X(VB_BF16, bf16, uint16_t, VB_REAL, VB_I8, VB_CODES_OF_WIDENED) \
    X(VB_I8, i8, int8_t, VB_INTEGER, VB_I8, VB_CODES_OF_INTEGERS) \
    X(VB_U8, u8, uint8_t, VB_INTEGER, VB_I8, VB_CODES_OF_INTEGERS) \
    X(VB_B1, b1, uint8_t, VB_BITS, VB_B1, VB_CODES_OF_BITS)

typedef enum { VB_REAL, VB_INTEGER, VB_BITS } vb_kind;

/* What codes (kernels/contract.h) are made from: float32, by the encode kernel; float64, narrowed once the center is off;
 * a smaller float, by way of the widen kernel; an integer of a byte, or bits, which are their own codes. */
typedef enum {
    VB_CODES_OF_FLOATS,
    VB_CODES_OF_DOUBLES,
    VB_CODES_OF_WIDENED,
    VB_CODES_OF_INTEGERS,
    VB_CODES_OF_BITS,
} vb_coding_way;

/* One row per accumulator: enumerator, name. What each sums: kernels/contract.h. */
#define VB_EACH_ACCUMULATOR(X) \
    X(VB_DOT, dot) \
    X(VB_SQDIFF, sqdiff) \
    X(VB_DOTNORM, dotnorm)

/* What a metric measures of two rows. Code that is of some metrics only goes by this, never by a metric's name:
 *
 *   VB_GEOMETRY_DOT       the dot product, of which the lengths of both rows are a part
 *   VB_GEOMETRY_ANGLE     the angle: a row and any multiple of it are one
 *   VB_GEOMETRY_SQUARE    the square of the difference
 *   VB_GEOMETRY_OVERLAP   two sets of bits: what both have, among what either has
 */
typedef enum { VB_GEOMETRY_DOT, VB_GEOMETRY_ANGLE, VB_GEOMETRY_SQUARE, VB_GEOMETRY_OVERLAP } vb_geometry;

/* One row per epilogue, which makes a value of the sums: enumerator, name, geometry. What each computes: epilogues.h. */
#define VB_EACH_EPILOGUE(X) \
    X(VB_RAW, raw, VB_GEOMETRY_DOT) \
    X(VB_SQUARED, squared, VB_GEOMETRY_SQUARE) \
    X(VB_ROOT, root, VB_GEOMETRY_SQUARE) \
    X(VB_SIMILARITY, similarity, VB_GEOMETRY_ANGLE) \
    X(VB_ANGULAR, angular, VB_GEOMETRY_ANGLE) \
    X(VB_UNSHARED, unshared, VB_GEOMETRY_OVERLAP)

/* One row per metric: enumerator, name, accumulator, epilogue, 1 if larger is closer, 1 if it is of bits and of nothing
 * else, 1 if it is an integer where rows are of integers or bits. (Every metric is of every type to the core: of bits,
 * hamming is what sqeuclidean is.) */
#define VB_EACH_METRIC(X) \
    X(VB_METRIC_DOT, dot, VB_DOT, VB_RAW, 1, 0, 1) \
    X(VB_METRIC_COSINE_SIMILARITY, cosine_similarity, VB_DOTNORM, VB_SIMILARITY, 1, 0, 0) \
    X(VB_METRIC_COSINE, cosine, VB_DOTNORM, VB_ANGULAR, 0, 0, 0) \
    X(VB_METRIC_EUCLIDEAN, euclidean, VB_SQDIFF, VB_ROOT, 0, 0, 0) \
    X(VB_METRIC_SQEUCLIDEAN, sqeuclidean, VB_SQDIFF, VB_SQUARED, 0, 0, 1) \
    X(VB_METRIC_HAMMING, hamming, VB_SQDIFF, VB_SQUARED, 0, 1, 1) \
    X(VB_METRIC_JACCARD, jaccard, VB_DOTNORM, VB_UNSHARED, 0, 1, 0)

/* The enumerations, and how many of each there are. These are constants of their own, so that a switch over an
 * enumeration is complete, which the compiler checks (-Wswitch-enum), if it has a case for every row. */
#define VB_ENUMERATOR(id, ...) id,
#define VB_ONE(...) +1
/* Types of rows, and two more that only results have. */
typedef enum { VB_EACH_TYPE(VB_ENUMERATOR) VB_I32, VB_I64 } vb_type;
typedef enum { VB_EACH_ACCUMULATOR(VB_ENUMERATOR) } vb_accumulator;
typedef enum { VB_EACH_EPILOGUE(VB_ENUMERATOR) } vb_epilogue;
typedef enum { VB_EACH_METRIC(VB_ENUMERATOR) } vb_metric;
enum {
    VB_TYPES = 0 VB_EACH_TYPE(VB_ONE),
    VB_ACCUMULATORS = 0 VB_EACH_ACCUMULATOR(VB_ONE),
    VB_EPILOGUES = 0 VB_EACH_EPILOGUE(VB_ONE),
    VB_METRICS = 0 VB_EACH_METRIC(VB_ONE),
};
#undef VB_ENUMERATOR
#undef VB_ONE

typedef enum {
    VB_OK,
    VB_STOPPED,   /* vb_job_stop() was called, or the poll function asked for it */
    VB_NO_MEMORY, /* an allocation failed; the job has stopped */
} vb_status;

/* The rows of the tables above, for whoever asks about a type (results' types too), an accumulator, an epilogue or a
 * metric. */
typedef struct {
    const char *name;
    size_t size; /* bytes of an element */
    vb_kind kind;
    vb_type code;         /* of rows' types */
    vb_coding_way coding; /* likewise */
} vb_type_info;

typedef struct {
    const char *name;
    vb_accumulator accumulator;
    vb_geometry geometry;
    vb_epilogue epilogue;
    int similarity; /* whether larger is closer */
    int bits_only;
    int integral;
} vb_metric_info;

extern const vb_type_info vb_types[];
extern const char *const vb_accumulators[], *const vb_epilogues[]; /* names */
extern const vb_metric_info vb_metrics[];

VB_INLINE size_t vb_type_size(vb_type type) { return vb_types[type].size; }
VB_INLINE const char *vb_type_name(vb_type type) { return vb_types[type].name; }
VB_INLINE vb_kind vb_type_kind(vb_type type) { return vb_types[type].kind; }

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
int vb_peak(vb_type type, double wanted);
/* Loads of a block of memory (a multiple of 512 bytes), so many times over; likewise. */
int vb_peak_read(const char *block, size_t bytes, size_t times);

/* ---- one pair ---------------------------------------------------------------------- */

/* The metric's value for two rows of d elements of the same type. Of integers and bits, dot, sqeuclidean and
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
 * relative errors of distances stay small (pairwise.c). threads: how many will run the job, which decides how it is cut. NULL if memory is short. */
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

/* How a search goes about its work (plan.c): it measures rows by their elements, or makes codes first, which rule most
 * of them out, or uses codes that there are, or has products in float32 rule rows out. */
#define VB_EACH_PLAN(X) \
    X(VB_PLAN_ROWS, rows) \
    X(VB_PLAN_SIEVE, sieve) \
    X(VB_PLAN_CODES, codes) \
    X(VB_PLAN_TILES, tiles)
#define VB_ENUMERATOR(id, name) id,
#define VB_ONE(...) +1
typedef enum { VB_EACH_PLAN(VB_ENUMERATOR) } vb_plan;
enum { VB_PLANS = 0 VB_EACH_PLAN(VB_ONE) };
#undef VB_ENUMERATOR
#undef VB_ONE
extern const char *const vb_plans[]; /* names */

/* What is searched for, in what, and how. */
typedef struct {
    vb_metric metric;
    size_t d;
    vb_rows queries, corpus;
    const vb_codes *codes; /* of the corpus, or NULL */
    vb_where where;
    /* VB_PLAN_CODES: what is likely to be fastest; VB_PLAN_SIEVE: codes made wherever rows can have them; VB_PLAN_ROWS: no
     * look at any. Results are the same. */
    vb_plan plan;
    int threads; /* how many will run the job: it decides how the rows are split, nothing else */
} vb_request;

/* The k best corpus rows of each query, best first: indices[q * k + i] and scores[q * k + i], of which
 * vb_values() makes values. A search ranks by scores: smaller is closer, NaN ranks last, ties rank by row. They tell more than
 * values where many similarities round to 1. 1 <= k <= eligible. NULL if memory is short. */
vb_job *vb_topk_new(const vb_request *request, size_t k, int64_t *indices, double *scores);
/* After the job is complete: gather what the threads found. */
void vb_topk_finish(vb_job *job);

/* The same of a corpus that comes in parts: one job after the other, each with one part, whose row 0 is number `first` of all, and the
 * same queries, adds to what is kept. So later parts begin with the bars that earlier ones have left. k is at most the number of
 * eligible rows of all parts: else places behind those that are found stay as they were. NULL if memory is short. */
typedef struct vb_kept vb_kept;
vb_kept *vb_kept_new(size_t queries, size_t k);
vb_job *vb_topk_part_new(const vb_request *request, vb_kept *kept, int64_t first);
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
vb_job *vb_within_new(const vb_request *request, double threshold, vb_type value);
/* After the job is complete: offsets[q] .. offsets[q + 1] will hold the rows of query q
 * (queries + 1 numbers); returns the total. */
int64_t vb_within_offsets(vb_job *job, int64_t *offsets);
/* Then: the rows, ascending within a query, and the metric's float64 for each. offsets is
 * what vb_within_offsets() left, and is so again afterwards. */
void vb_within_emit(vb_job *job, int64_t *offsets, int64_t *indices, double *values);

/* What a search has done: its plan, and pairs of a query and a row that it visited, that it compared by codes, and that it
 * measured by their elements. */
typedef struct {
    vb_plan plan;
    int64_t visited, sifted, rescored;
} vb_search_stats;
void vb_search_stats_of(const vb_job *job, vb_search_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
