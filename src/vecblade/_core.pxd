"""The C core's headers, as far as `_core.pyx` uses them."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "vecblade.h":
    ctypedef enum vb_type:
        VB_F32, VB_F64, VB_F16, VB_BF16, VB_I8, VB_U8, VB_B1, VB_I32, VB_I64
    ctypedef enum vb_kind:
        VB_REAL, VB_INTEGER, VB_BITS
    ctypedef enum vb_accumulator:
        VB_DOT, VB_SQDIFF, VB_DOTNORM
    ctypedef enum vb_metric:
        VB_METRIC_DOT, VB_METRIC_COSINE_SIMILARITY, VB_METRIC_COSINE
        VB_METRIC_EUCLIDEAN, VB_METRIC_SQEUCLIDEAN, VB_METRIC_HAMMING, VB_METRIC_JACCARD
    ctypedef enum vb_epilogue:
        pass
    enum: VB_TYPES, VB_EPILOGUES, VB_METRICS, VB_PLANS
    ctypedef struct vb_type_info:
        const char *name
        size_t size
        vb_kind kind
    ctypedef enum vb_geometry:
        VB_GEOMETRY_ANGLE
    ctypedef struct vb_metric_info:
        const char *name
        bint similarity, bits_only, integral
        vb_geometry geometry
    const vb_type_info vb_types[]
    const char *const vb_accumulators[]
    const char *const vb_epilogues[]
    const vb_metric_info vb_metrics[]
    ctypedef enum vb_status:
        VB_OK, VB_STOPPED, VB_NO_MEMORY
    ctypedef struct vb_job:
        pass
    ctypedef struct vb_rows:
        const char *base
        ptrdiff_t stride
        size_t count
        vb_type type
    ctypedef struct vb_operand:
        char *base
        vb_type type
        ptrdiff_t strides[64]
    ctypedef struct vb_where:
        const uint8_t *mask
        const int64_t *ids
        size_t eligible
    ctypedef struct vb_codes:
        const char *panels
        const float *center
    ctypedef enum vb_plan:
        VB_PLAN_ROWS, VB_PLAN_SIEVE, VB_PLAN_CODES, VB_PLAN_TILES
    const char *const vb_plans[]
    ctypedef struct vb_request:
        vb_metric metric
        size_t d
        vb_rows queries, corpus
        const vb_codes *codes
        vb_where where
        vb_plan plan
        int threads
    ctypedef struct vb_search_stats:
        vb_plan plan
        int64_t visited, sifted, rescored
    ctypedef int (*vb_poll)(void *context, double done, double total) noexcept

    int vb_init(const char *level)
    const char *vb_level_name(size_t i)
    bint vb_level_runs(size_t i)
    const char *vb_level_active()
    int vb_peak(vb_type type, double wanted) noexcept nogil
    int vb_peak_read(const char *block, size_t bytes, size_t times) noexcept nogil
    double vb_pair(vb_metric metric, vb_type type, const void *a, const void *b, size_t d) noexcept nogil
    vb_status vb_job_run(vb_job *job, vb_poll poll, void *context) noexcept nogil
    void vb_job_stop(vb_job *job) noexcept nogil
    size_t vb_job_tiles(const vb_job *job)
    double vb_job_work(const vb_job *job)
    void vb_job_free(vb_job *job)
    vb_job *vb_measure_new(vb_metric, size_t, int, const size_t *, const vb_operand *, const vb_operand *,
                           const vb_operand *)
    ctypedef enum vb_layout:
        VB_FULL, VB_MIRRORED, VB_CONDENSED
    vb_job *vb_pairwise_new(vb_metric, size_t, const vb_rows *, const vb_rows *, vb_layout, int, char *, ptrdiff_t,
                            ptrdiff_t, vb_type)
    vb_job *vb_normalize_new(size_t, const vb_rows *, char *, ptrdiff_t, vb_type)
    vb_job *vb_convert_new(size_t, const vb_rows *, char *, ptrdiff_t, vb_type)
    size_t vb_codes_bytes(size_t, size_t)
    size_t vb_codes_center_bytes(size_t)
    bint vb_codes_suit(size_t)
    vb_job *vb_codes_new(vb_metric, size_t, const vb_rows *, size_t, char *, float *)
    vb_job *vb_topk_new(const vb_request *, size_t, int64_t *, double *)
    void vb_topk_finish(vb_job *) noexcept nogil
    ctypedef struct vb_kept:
        pass
    vb_kept *vb_kept_new(size_t, size_t)
    vb_job *vb_topk_part_new(const vb_request *, vb_kept *, int64_t)
    void vb_kept_emit(vb_kept *, int64_t *, double *) noexcept nogil
    void vb_kept_free(vb_kept *)
    void vb_values(vb_metric, size_t, size_t, double *) noexcept nogil
    void vb_narrow(size_t, const double *, float *) noexcept nogil
    vb_job *vb_within_new(const vb_request *, double, vb_type)
    int64_t vb_within_offsets(vb_job *, int64_t *) noexcept nogil
    void vb_within_emit(vb_job *, int64_t *, int64_t *, double *) noexcept nogil
    void vb_search_stats_of(const vb_job *, vb_search_stats *)

cdef extern from "kernels/contract.h":
    ctypedef void vb_pair_kernel(const void *, const void *, size_t, double *) noexcept nogil
    ctypedef struct vb_view:
        const char *base
        ptrdiff_t stride
        const int64_t *ids
        int cached
    ctypedef void vb_rows_kernel(const void *, const vb_view *, size_t, size_t, double *, double *) noexcept nogil
    ctypedef struct vb_screen_bounds:
        float limit, slope, low
    ctypedef size_t vb_screen_kernel(const float *, const vb_view *, size_t, size_t, const vb_screen_bounds *,
                                     uint32_t *) noexcept nogil
    ctypedef enum vb_form:
        VB_FORM_PAIR, VB_FORM_ROWS, VB_FORM_SCORE, VB_FORM_SCALED, VB_FORM_RESIDUAL, VB_FORM_SCREEN, VB_FORM_TILE
        VB_FORM_SIEVE, VB_FORM_PRODUCTS, VB_FORM_ENCODE, VB_FORM_WIDEN
    ctypedef struct vb_form_info:
        const char *name
        bint has_accumulator
    const vb_form_info vb_forms[]
    ctypedef struct vb_finish:
        vb_epilogue epilogue
        double low, high
        const void *row
        const void *column
    ctypedef void vb_tile_kernel(const vb_view *, const void *, size_t, const vb_finish *, void *, ptrdiff_t,
                                 uint64_t *) noexcept nogil
    ctypedef struct vb_panel:
        pass
    size_t vb_panel_bytes(size_t d)
    ctypedef struct vb_packing:
        size_t (*group)(size_t) noexcept
        size_t (*bytes)(size_t, size_t) noexcept
        void (*pack)(const int8_t *, size_t, unsigned, size_t, size_t, int8_t *) noexcept
    ctypedef struct vb_coded:
        size_t count, group
        int8_t *codes
        int32_t *bias
        float *a
        float *t
        float *k
    ctypedef void vb_sieve_kernel(const vb_panel *, size_t, const vb_coded *, uint32_t *) noexcept nogil
    ctypedef void vb_products_kernel(const uint8_t *, size_t, const int8_t *, int32_t *) noexcept nogil
    ctypedef void vb_widen_kernel(const char *, size_t, float *) noexcept nogil
    ctypedef struct vb_apart:
        double scale_a, scale_x, t, u
        int wide, swapped
    ctypedef void vb_apart_kernel(const void *, const void *, size_t, const vb_apart *, double *) noexcept nogil
    ctypedef struct vb_scoring:
        vb_epilogue epilogue
        int wide
        double norm, edge
    ctypedef int vb_score_kernel(const vb_scoring *, size_t, const double *, const double *, double *) noexcept nogil
    ctypedef struct vb_coding:
        float unit, most, square, norm, residual, code
    ctypedef void vb_encode_kernel(const char *, const float *, size_t, float *, uint8_t *, vb_coding *) noexcept nogil
    ctypedef union vb_call:
        vb_pair_kernel *pair
        vb_rows_kernel *rows
        vb_screen_kernel *screen
        vb_tile_kernel *tile
        vb_sieve_kernel *sieve
        vb_products_kernel *products
        vb_widen_kernel *widen
        vb_score_kernel *score
        vb_apart_kernel *apart
        vb_encode_kernel *encode
    ctypedef struct vb_record:
        const char *name
        vb_form form
        vb_accumulator accumulator
        vb_type type
        vb_call call
        unsigned rows, columns
        int largest_code
        const vb_packing *packing
    ctypedef struct vb_record_place:
        const char *level
        const char *unit
        bint runs, active
    const char *vb_row(const vb_view *view, size_t r)
    const vb_record *vb_registry(size_t i, vb_record_place *place)

cdef extern from "mode.h":
    uint64_t VB_MODE_BITS, VB_MODE_STANDARD
    uint64_t vb_mode_get() noexcept nogil
    void vb_mode_set(uint64_t mode) noexcept nogil

cdef extern from "numbers.h":
    vb_type vb_query_type(vb_type type) nogil
    void vb_widen(vb_type type, const void *row, size_t d, double *out) nogil

cdef extern from "numpy/arrayobject.h":
    enum: NPY_HALF

# The rows of the core's tables.
cdef inline const vb_type_info *of_type(int type) noexcept nogil:
    return &vb_types[type]

cdef inline const vb_metric_info *of_metric(int metric) noexcept nogil:
    return &vb_metrics[metric]
