# Codes, `topk` and `within`. Part of _core.pyx.

cdef extern from "kernels/contract.h":
    enum:
        VB_PANEL

# How many rows have their codes together.
PANEL = VB_PANEL


def codes_bytes(size_t rows, size_t d):
    """Bytes of the codes of so many rows, and of their center; none if rows of d numbers get no codes."""
    if not vb_codes_suit(d):
        return 0, 0
    return vb_codes_bytes(rows, d), vb_codes_center_bytes(d)


cdef char *aligned_bytes(array, size_t size) except NULL:
    cdef cnp.ndarray data = array
    if (data.dtype != np.uint8 or data.ndim != 1 or not data.flags.c_contiguous or <size_t>data.size < size
            or <size_t>cnp.PyArray_DATA(data) % 64):
        raise ValueError("the core takes codes as contiguous bytes on a multiple of 64")
    return <char *>cnp.PyArray_DATA(data)


def encode(int metric, rows, size_t first, panels, center):
    """Codes of the rows from the panel of row `first` on; if that is 0 the center is found too."""
    cdef vb_rows matrix = rows_of(rows, rows.shape[1])
    cdef size_t d = rows.shape[1]
    cdef char *codes = aligned_bytes(panels, vb_codes_bytes(len(rows), d))
    cdef char *middle = aligned_bytes(center, vb_codes_center_bytes(d))
    if not vb_codes_suit(d) or first > <size_t>len(rows) or not (panels.flags.writeable and center.flags.writeable):
        raise ValueError("the core has no codes for such rows")
    cdef Job job = holder((rows, panels, center))
    return held(job, vb_codes_new(<vb_metric>metric, d, &matrix, first, codes, <float *>middle))


cdef vb_where where_of(corpus, mask, ids, size_t eligible) except *:
    cdef vb_where where
    where.mask = NULL
    where.ids = NULL
    where.eligible = eligible
    if mask is not None:
        if mask.dtype != np.bool_ or not mask.flags.c_contiguous or mask.shape != corpus.shape[:1]:
            raise ValueError("the core takes a contiguous boolean mask")
        where.mask = <const uint8_t *>cnp.PyArray_DATA(mask)
    if ids is not None:
        if (ids.dtype != np.int64 or not ids.flags.c_contiguous or ids.ndim != 1 or <size_t>len(ids) != eligible
                or (len(ids) and (ids[0] < 0 or ids[-1] >= len(corpus)))):
            raise ValueError("the core takes contiguous ascending row ids")
        where.ids = <const int64_t *>cnp.PyArray_DATA(ids)
    return where


# The plan of the requests below (vb_request).
cdef vb_plan wanted_plan = VB_PLAN_CODES


def use_plan(str plan):
    """What searches do: "codes", what is likely to be fastest; for tests "sieve", wherever it can be, or "rows"."""
    global wanted_plan
    wanted_plan = <vb_plan><int>PLANS.index(plan)


cdef vb_request request_of(int metric, vb_rows queries, vb_rows corpus, size_t d, const vb_codes *codes,
                           vb_where where, int threads) except *:
    cdef vb_request request
    if value_number(<vb_metric>metric, queries.type, corpus.type, d) < 0:
        raise ValueError("the core takes two real types, or one type twice")
    request.metric, request.d, request.codes, request.threads = <vb_metric>metric, d, codes, threads
    request.queries, request.corpus, request.where, request.plan = queries, corpus, where, wanted_plan
    return request


cdef class TopKJob(Job):
    def finish(self):
        with nogil:
            vb_topk_finish(self.job)


cdef const vb_codes *codes_of(vb_codes *place, corpus, codes) except? NULL:
    """The codes of the corpus as (panels, center), if there are any."""
    if codes is None:
        return NULL
    if not vb_codes_suit(corpus.shape[1]):
        raise ValueError("the core has no codes for such rows")
    place.panels = aligned_bytes(codes[0], vb_codes_bytes(len(corpus), corpus.shape[1]))
    place.center = <const float *>aligned_bytes(codes[1], vb_codes_center_bytes(corpus.shape[1]))
    return place


def topk(int metric, queries, corpus, codes, mask, ids, size_t eligible, size_t k, int threads, indices, scores):
    """A search that leaves scores, which rank: `values_of` makes values of them."""
    cdef size_t d = corpus.shape[1]
    cdef vb_codes place
    cdef vb_request request = request_of(metric, rows_of(queries, d), rows_of(corpus, d), d,
                                         codes_of(&place, corpus, codes), where_of(corpus, mask, ids, eligible),
                                         threads)
    if (indices.dtype != np.int64 or scores.dtype != np.float64 or not 1 <= k <= eligible
            or indices.shape != (len(queries), k) or scores.shape != indices.shape
            or not (indices.flags.c_contiguous and scores.flags.c_contiguous)):
        raise ValueError("the core takes contiguous results of shape (queries, k)")
    cdef Job job = holder((queries, corpus, codes, mask, ids, indices, scores), TopKJob)
    return held(job, vb_topk_new(&request, k, <int64_t *>cnp.PyArray_DATA(indices),
                                 <double *>cnp.PyArray_DATA(scores)))


cdef class Kept:
    """The k best of each query in the parts of a corpus that have been searched so far."""
    cdef vb_kept *kept
    cdef size_t queries, k

    def __cinit__(self, size_t queries, size_t k):
        self.queries, self.k = queries, k
        self.kept = vb_kept_new(queries, k)
        if self.kept is NULL:
            raise MemoryError("not enough memory for the results of a search")

    def __dealloc__(self):
        vb_kept_free(self.kept)

    def found(self):
        """Row numbers and scores, best first: of shape (queries, k), of which fewer are written if there were fewer rows."""
        cdef cnp.npy_intp shape[2]
        shape[0], shape[1] = self.queries, self.k
        indices = cnp.PyArray_EMPTY(2, shape, cnp.NPY_INT64, 0)
        scores = cnp.PyArray_EMPTY(2, shape, cnp.NPY_DOUBLE, 0)
        cdef int64_t *rows = <int64_t *>cnp.PyArray_DATA(indices)
        cdef double *numbers = <double *>cnp.PyArray_DATA(scores)
        with nogil:
            vb_kept_emit(self.kept, rows, numbers)
        return indices, scores


def topk_part(int metric, queries, corpus, codes, mask, ids, size_t eligible, int threads, Kept kept, int64_t first):
    """A search of one part of a corpus, whose row 0 is number `first`, for the same queries as those of the parts before."""
    cdef size_t d = corpus.shape[1]
    cdef vb_codes place
    cdef vb_request request = request_of(metric, rows_of(queries, d), rows_of(corpus, d), d,
                                         codes_of(&place, corpus, codes), where_of(corpus, mask, ids, eligible),
                                         threads)
    if kept.queries != request.queries.count or first < 0 or kept.k < 1:
        raise ValueError("the core takes the same queries for all parts of a corpus")
    cdef Job job = holder((queries, corpus, codes, mask, ids, kept), Job)
    return held(job, vb_topk_part_new(&request, kept.kept, first))


cdef bint plain_rows(vb_metric metric, object array, vb_rows *rows, size_t *d) except -1:
    """Whether it is a plain array of rows (1-D: one row) that the metric takes, and not empty; which, if so."""
    cdef cnp.ndarray given
    cdef int kind = plain_type(metric, array), last
    if kind < 0:
        return False
    given = <cnp.ndarray>array
    last = cnp.PyArray_NDIM(given) - 1
    if last > 1:
        return False
    rows.base = cnp.PyArray_BYTES(given)
    rows.stride = cnp.PyArray_STRIDE(given, 0)
    rows.count = cnp.PyArray_DIM(given, 0) if last else 1
    rows.type = <vb_type>kind
    d[0] = cnp.PyArray_DIM(given, last)
    return cnp.PyArray_SIZE(given) > 0


def topk_plain(int metric, queries, corpus, k, codes=None):
    """The job, indices, values and scores of a small search of plain arrays, done at once; None for any other."""
    cdef vb_rows left, right
    cdef vb_codes place
    cdef vb_where everything
    cdef vb_request request
    cdef size_t d, width
    cdef cnp.npy_intp shape[2]
    cdef int kind, axes
    cdef cnp.ndarray indices, values
    cdef Job job
    if (type(k) is not int or k < 1 or not plain_rows(<vb_metric>metric, queries, &left, &d)
            or not plain_rows(<vb_metric>metric, corpus, &right, &width) or d != width
            or cnp.PyArray_NDIM(<cnp.ndarray>corpus) != 2):
        return None
    kind = value_number(<vb_metric>metric, left.type, right.type, d)
    if kind < 0 or <double>left.count * <double>right.count * <double>d >= SMALL_WORK:
        return None
    axes = cnp.PyArray_NDIM(<cnp.ndarray>queries)
    shape[0], shape[axes - 1] = left.count, min(k, right.count)
    indices = cnp.PyArray_EMPTY(axes, shape, cnp.NPY_INT64, 0)
    values = cnp.PyArray_EMPTY(axes, shape, cnp.NPY_DOUBLE, 0)
    everything.mask, everything.ids, everything.eligible = NULL, NULL, right.count
    request = request_of(metric, left, right, d, codes_of(&place, corpus, codes), everything, 1)
    job = holder((queries, corpus, codes, indices, values), TopKJob)
    held(job, vb_topk_new(&request, shape[axes - 1], <int64_t *>cnp.PyArray_DATA(indices),
                          <double *>cnp.PyArray_DATA(values)))
    job.run()
    job.finish()
    if kind == cnp.NPY_FLOAT and not of_metric(metric).similarity:
        return job, indices, narrowed(values), values
    keys = cnp.PyArray_NewCopy(values, cnp.NPY_CORDER)
    vb_values(<vb_metric>metric, d, cnp.PyArray_SIZE(values), <double *>cnp.PyArray_DATA(values))
    if kind == cnp.NPY_FLOAT:
        return job, indices, narrowed(values), keys
    return job, indices, values.astype(cnp.PyArray_DescrFromType(kind), copy=False), keys


cdef class WithinJob(Job):
    cdef size_t queries

    def found(self):
        """Offsets, indices and values, after the job is complete."""
        cdef int64_t total
        offsets = np.empty(self.queries + 1, np.int64)
        cdef int64_t *places = <int64_t *>cnp.PyArray_DATA(offsets)
        with nogil:
            total = vb_within_offsets(self.job, places)
        indices, values = np.empty(total, np.int64), np.empty(total, np.float64)
        cdef int64_t *rows = <int64_t *>cnp.PyArray_DATA(indices)
        cdef double *numbers = <double *>cnp.PyArray_DATA(values)
        with nogil:
            vb_within_emit(self.job, places, rows, numbers)
        return offsets, indices, values


def within(int metric, queries, corpus, codes, mask, ids, size_t eligible, double threshold, dtype, int threads):
    """`dtype`: the type to which values will be rounded, and the threshold with them."""
    cdef size_t d = corpus.shape[1]
    cdef vb_codes place
    cdef vb_request request = request_of(metric, rows_of(queries, d), rows_of(corpus, d), d,
                                         codes_of(&place, corpus, codes), where_of(corpus, mask, ids, eligible),
                                         threads)
    cdef WithinJob job = holder((queries, corpus, codes, mask, ids), WithinJob)
    job.queries = len(queries)
    return held(job, vb_within_new(&request, threshold, VB_F32 if dtype == np.float32 else VB_F64))
