"""The C core, as Python sees it: array addresses in, calls without the GIL, exceptions out.

Nothing here is public but the five row functions, which `vecblade` re-exports. User-facing checks
of arguments are in the Python modules; what arrives here is checked once more, but only for what would
make the core touch memory that is not the arrays' own.
"""

import os

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

import numpy as np

cnp.import_array()

cdef extern from "vecblade.h":
    ctypedef enum vb_type:
        VB_F32, VB_F64, VB_TYPES
    ctypedef enum vb_accumulator:
        VB_DOT, VB_SQDIFF, VB_DOTNORM, VB_ACCUMULATORS
    ctypedef enum vb_metric:
        VB_METRIC_DOT, VB_METRIC_COSINE_SIMILARITY, VB_METRIC_COSINE
        VB_METRIC_EUCLIDEAN, VB_METRIC_SQEUCLIDEAN, VB_METRICS
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
        VB_PLAN_ROWS, VB_PLAN_SIEVE, VB_PLAN_CODES
    void vb_use_plans(vb_plan)
    ctypedef struct vb_search_told:
        vb_plan plan
        int64_t met, sifted, rescored
    ctypedef int (*vb_poll)(void *context, double done, double total) noexcept

    const char *vb_type_name(vb_type type)
    const char *vb_metric_name(vb_metric metric)
    bint vb_metric_is_similarity(vb_metric metric)
    int vb_init(const char *level)
    const char *vb_level_name(size_t i)
    bint vb_level_runs(size_t i)
    const char *vb_level_active()
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
    vb_job *vb_normalize_new(size_t, const vb_rows *, char *, ptrdiff_t)
    size_t vb_codes_bytes(size_t, size_t)
    size_t vb_codes_center_bytes(size_t)
    bint vb_codes_suit(size_t)
    vb_job *vb_codes_new(vb_metric, size_t, const vb_rows *, size_t, char *, float *)
    vb_job *vb_topk_new(vb_metric, size_t, const vb_rows *, const vb_rows *, const vb_codes *, const vb_where *,
                        size_t, int, int64_t *, double *)
    void vb_topk_finish(vb_job *) noexcept nogil
    vb_job *vb_within_new(vb_metric, size_t, const vb_rows *, const vb_rows *, const vb_codes *, const vb_where *,
                          double, int)
    int64_t vb_within_offsets(vb_job *, int64_t *) noexcept nogil
    void vb_within_emit(vb_job *, int64_t *, int64_t *, double *) noexcept nogil
    void vb_search_tell(const vb_job *, vb_search_told *)

cdef extern from "kernels/contract.h":
    ctypedef void vb_pair_kernel(const void *, const void *, size_t, double *) noexcept nogil
    ctypedef struct vb_view:
        const char *base
        ptrdiff_t stride
        const int64_t *ids
    ctypedef void vb_rows_kernel(const double *, const vb_view *, size_t, size_t, double *, double *) noexcept nogil
    ctypedef struct vb_limits:
        float limit, slope, low
    ctypedef size_t vb_screen_kernel(const float *, const vb_view *, size_t, size_t, const vb_limits *,
                                     uint32_t *) noexcept nogil
    ctypedef enum vb_form:
        VB_FORM_PAIR, VB_FORM_ROWS, VB_FORM_SCREEN, VB_FORM_TILE, VB_FORM_SIEVE, VB_FORM_ENCODE
    ctypedef enum vb_epilogue:
        VB_RAW, VB_SQUARED, VB_ROOT, VB_SIMILARITY, VB_ANGULAR
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
    ctypedef struct vb_coded:
        size_t count, group
        int8_t *codes
        int32_t *bias
        float *a
        float *t
        float *k
    ctypedef void vb_sieve_kernel(const vb_panel *, size_t, const vb_coded *, uint32_t *) noexcept nogil
    ctypedef struct vb_coding:
        float unit, most, square, norm, loss, reach
    ctypedef void vb_encode_kernel(const char *, const float *, size_t, float *, uint8_t *, vb_coding *) noexcept nogil
    ctypedef union vb_call:
        vb_pair_kernel *pair
        vb_rows_kernel *rows
        vb_screen_kernel *screen
        vb_tile_kernel *tile
        vb_sieve_kernel *sieve
        vb_encode_kernel *encode
    ctypedef struct vb_record:
        const char *name
        vb_form form
        vb_accumulator accumulator
        vb_type type
        vb_call call
        unsigned rows, columns
        int limit
    const char *vb_row(const vb_view *view, size_t r)
    const vb_record *vb_registry(size_t i, const char **level, int *runs, int *active)

METRICS = {vb_metric_name(<vb_metric>m).decode(): m for m in range(VB_METRICS)}
SIMILARITIES = frozenset(name for name, m in METRICS.items() if vb_metric_is_similarity(<vb_metric>m))

PLANS = ("rows", "sieve", "codes")
FORMS = ("pair", "rows", "screen", "tile", "sieve", "encode")
EPILOGUES = ("raw", "squared", "root", "similarity", "angular")

cdef enum:
    MAX_DIMS = 64
    # A call of fewer elements than this (some microseconds) lets no other thread run; of fewer
    # than that (under a millisecond) asks for no helpers.
    LONG_ROW = 16384
    SMALL_WORK = 4000000


# ---- the kernel table ---------------------------------------------------------------------


def levels():
    """Every ISA level, best first, as ``{name: whether this CPU and build run it}``."""
    found, i = {}, 0
    while vb_level_name(i) is not NULL:
        found[vb_level_name(i).decode()] = vb_level_runs(i)
        i += 1
    return found


def active_level():
    return vb_level_active().decode()


def use_level(name, source="level"):
    """Fill the kernel table from this level down (None: the best). Not while a job runs."""
    cdef bytes encoded = b"" if name is None else name.encode()
    cdef int status = vb_init(NULL if name is None else <const char *>encoded)
    if status:
        runnable = ", ".join(level for level, runs in levels().items() if runs)
        reason = "is not an ISA level" if status == -1 else "does not run on this machine"
        raise ValueError(f"{source}={name!r} {reason}; levels that do, best first: {runnable}")


def registry():
    """Every kernel of this build, as a list of dicts; its place in the list is its number."""
    cdef const char *level
    cdef int runs, active
    cdef const vb_record *record
    found = []
    while (record := vb_registry(len(found), &level, &runs, &active)) is not NULL:
        found.append({
            "name": record.name.decode(),
            "accumulator": ("dot", "sqdiff", "dotnorm")[record.accumulator],
            "type": vb_type_name(record.type).decode(),
            "form": FORMS[record.form],
            "isa": level.decode(),
            "runs": bool(runs),
            "active": bool(active),
            "shape": (record.rows, record.columns),
            "limit": record.limit,
        })
    return found


cdef const vb_record *runnable(size_t number, cnp.ndarray a, cnp.ndarray rows) except NULL:
    """A kernel of the registry, for tests, if it takes these arguments and runs here."""
    cdef const char *level
    cdef int runs, active
    cdef const vb_record *record = vb_registry(number, &level, &runs, &active)
    if record is NULL or not runs:
        raise ValueError(f"kernel {number} is not in the registry, or does not run here")
    if (type_of(rows) != record.type or not contiguous(a) or a.ndim != 1
            or type_of(a) != (VB_F64 if record.form == VB_FORM_ROWS else record.type)):
        raise ValueError("a kernel takes a contiguous 1-D row and rows of its own type")
    return record


cdef vb_view view_of(cnp.ndarray rows, size_t d, cnp.ndarray ids) except *:
    cdef vb_rows matrix = rows_of(rows, d)
    cdef vb_view view
    if ids is not None and (ids.dtype != np.int64 or not contiguous(ids)
                            or not all(0 <= i < len(rows) for i in ids)):
        raise ValueError("a kernel takes int64 ids of the rows")
    view.base, view.stride = matrix.base, matrix.stride
    view.ids = NULL if ids is None else <const int64_t *>cnp.PyArray_DATA(ids)
    return view


def run_kernel(size_t number, cnp.ndarray a, cnp.ndarray rows, cnp.ndarray ids=None):
    """Call a pair or rows kernel: for each row (of the ids, if any) a list of its sums."""
    cdef const vb_record *record = runnable(number, a, rows)
    cdef size_t d = len(a), n = len(rows) if ids is None else len(ids), i
    cdef vb_view view = view_of(rows, d, ids)
    cdef double *out
    if record.form == VB_FORM_PAIR:
        found = np.zeros((n, 3))
        out = <double *>cnp.PyArray_DATA(found)
        for i in range(n):
            record.call.pair(cnp.PyArray_DATA(a), vb_row(&view, i), d, out + 3 * i)
        return found[:, : 3 if record.accumulator == VB_DOTNORM else 1].tolist()
    if record.form != VB_FORM_ROWS:
        raise ValueError(f"kernel {number} gives no sums")
    found = np.zeros((2, n))
    out = <double *>cnp.PyArray_DATA(found)
    record.call.rows(<const double *>cnp.PyArray_DATA(a), &view, n, d, out, out + n)
    return found[: 2 if record.accumulator == VB_DOTNORM else 1].T.tolist()


def run_screen(size_t number, cnp.ndarray a, cnp.ndarray rows, float limit, float slope, float low):
    """Call a screen kernel: the positions that pass."""
    cdef const vb_record *record = runnable(number, a, rows)
    cdef vb_view view = view_of(rows, len(a), None)
    cdef vb_limits limits
    cdef size_t count
    if record.form != VB_FORM_SCREEN:
        raise ValueError(f"kernel {number} is no screen")
    limits.limit, limits.slope, limits.low = limit, slope, low
    passed = np.empty(len(rows), np.uint32)
    count = record.call.screen(<const float *>cnp.PyArray_DATA(a), &view, len(rows), len(a), &limits,
                               <uint32_t *>cnp.PyArray_DATA(passed))
    return passed[:count].tolist()


cdef const vb_record *runnable_form(size_t number, vb_form form) except NULL:
    """A kernel of the registry of this form, for tests, if it runs here."""
    cdef const char *level
    cdef int runs, active
    cdef const vb_record *record = vb_registry(number, &level, &runs, &active)
    if record is NULL or not runs or record.form != form:
        raise ValueError(f"kernel {number} is no {FORMS[form]}, or does not run here")
    return record


cdef void *data_of(array, dtype, shape) except? NULL:
    """The address of an array of exactly this type and shape."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        raise ValueError(f"a kernel takes a contiguous array of {np.dtype(dtype)} of shape {shape}")
    return cnp.PyArray_DATA(array)


def run_tile(size_t number, cnp.ndarray rows, panel, str epilogue, double low, double high, row, column):
    """Call a tile kernel: its values, and for each row the columns it is not sure of, as bits."""
    cdef const vb_record *record = runnable_form(number, VB_FORM_TILE)
    cdef size_t d = rows.shape[1]
    cdef vb_view view = view_of(rows, d, None)
    cdef vb_finish finish
    dtype = np.float32 if record.type == VB_F32 else np.float64
    if rows.dtype != dtype or <size_t>len(rows) != record.rows:
        raise ValueError("a tile takes as many rows as its shape says, of its type")
    finish.epilogue = <vb_epilogue><int>EPILOGUES.index(epilogue)
    finish.low, finish.high = low, high
    finish.row = data_of(row, dtype, (record.rows,))
    finish.column = data_of(column, dtype, (record.columns,))
    values = np.empty((record.rows, record.columns), dtype)
    unsure = np.empty(record.rows, np.uint64)
    record.call.tile(&view, data_of(panel, dtype, (d, record.columns)), d, &finish, cnp.PyArray_DATA(values),
                     cnp.PyArray_STRIDE(values, 0), <uint64_t *>cnp.PyArray_DATA(unsure))
    return values, unsure.tolist()


def run_sieve(size_t number, size_t d, panel, size_t group, codes, bias, a, t, k):
    """Call a sieve kernel: for each query the rows that pass, as bits."""
    cdef const vb_record *record = runnable_form(number, VB_FORM_SIEVE)
    cdef vb_coded coded
    count, steps = len(bias), (d + 3) // 4
    if group not in ({1, record.rows} | ({4} if record.rows > 4 else set())) or count % group or d >= 1 << 15:
        raise ValueError(f"a sieve takes whole groups of 1, 4 or {record.rows} queries")
    coded.count, coded.group = count, group
    coded.codes = <int8_t *>data_of(codes, np.int8, (count // group, steps, group, 4))
    coded.bias = <int32_t *>data_of(bias, np.int32, (count,))
    coded.a = <float *>data_of(a, np.float32, (count,))
    coded.t = <float *>data_of(t, np.float32, (count,))
    coded.k = <float *>data_of(k, np.float32, (count,))
    masks = np.empty(count, np.uint32)
    record.call.sieve(<const vb_panel *>data_of(panel, np.uint8, (vb_panel_bytes(d),)), steps, &coded,
                      <uint32_t *>cnp.PyArray_DATA(masks))
    return masks.tolist()


def run_encode(size_t number, x, center):
    """Call an encode kernel: the codes, and what it found out about the row."""
    cdef const vb_record *record = runnable_form(number, VB_FORM_ENCODE)
    cdef vb_coding found
    d = len(x)
    padded = (d + 31) // 32 * 32
    work, codes = np.empty(padded, np.float32), np.empty(padded, np.uint8)
    record.call.encode(<const char *>data_of(x, np.float32, (d,)), <const float *>data_of(center, np.float32, (padded,)),
                       d, <float *>cnp.PyArray_DATA(work), <uint8_t *>cnp.PyArray_DATA(codes), &found)
    return codes, found


use_level(os.environ.get("VECBLADE_ISA") or None, "VECBLADE_ISA")


# ---- one pair -----------------------------------------------------------------------------

cdef object general = None
cdef object run_job = None


def install(general_function, run_function):
    """Set what the row functions call for anything but plain arrays, and to share work."""
    global general, run_job
    general, run_job = general_function, run_function


cdef inline bint plain_pair(object a, object b) noexcept:
    """Whether a and b are contiguous native 1-D ndarrays of one supported type and length."""
    cdef int kind
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)):
        return False
    kind = cnp.PyArray_TYPE(<cnp.ndarray>a)
    return (
        cnp.PyArray_NDIM(<cnp.ndarray>a) == 1 and cnp.PyArray_NDIM(<cnp.ndarray>b) == 1
        and (kind == cnp.NPY_FLOAT or kind == cnp.NPY_DOUBLE)
        and cnp.PyArray_TYPE(<cnp.ndarray>b) == kind
        and cnp.PyArray_DIM(<cnp.ndarray>a, 0) == cnp.PyArray_DIM(<cnp.ndarray>b, 0)
        and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>a) and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>b)
        and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>a) and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>b)
    )


cdef inline object measure_pair(vb_metric metric, object a, object b):
    cdef vb_type kind = VB_F32 if cnp.PyArray_TYPE(<cnp.ndarray>a) == cnp.NPY_FLOAT else VB_F64
    cdef const void *a_data = cnp.PyArray_DATA(<cnp.ndarray>a)
    cdef const void *b_data = cnp.PyArray_DATA(<cnp.ndarray>b)
    cdef size_t d = cnp.PyArray_DIM(<cnp.ndarray>a, 0)
    cdef double value
    if d < LONG_ROW:
        return vb_pair(metric, kind, a_data, b_data, d)
    with nogil:
        value = vb_pair(metric, kind, a_data, b_data, d)
    return value


cdef inline object measure_any(vb_metric metric, object a, object b, object out, object threads):
    """Two plain rows at once, plain arrays soon, everything else in due course."""
    if out is None and threads is None:
        if plain_pair(a, b):
            return measure_pair(metric, a, b)
        values = measure_plain(metric, a, b, threads)
        if values is not None:
            return values
    return general(vb_metric_name(metric).decode(), a, b, out, threads)


def dot(a, b, *, out=None, threads=None):
    """
    Dot product of the rows of `a` and `b`.

    Parameters
    ----------
    a, b : array_like, shape (..., d)
        Rows of numbers. The leading axes broadcast as in `numpy.vecdot`: one row with one row,
        one with many, row by row. float32 and float64 rows may be strided and are not copied.
    out : ndarray, optional
        Where to put the values: an array of the broadcast leading shape and the result's type.
    threads : int, optional
        How many threads may work on the call. Default: see `set_num_threads`.

    Returns
    -------
    float or ndarray
        A Python float for two 1-D rows. Else an array, float32 if both sides are float32 (or
        float16), float64 otherwise: the float64 sum, rounded once.

    Raises
    ------
    ValueError
        The last axes differ in length, the leading axes do not broadcast, or `out` does not fit.
    TypeError
        An argument is not numeric, or a conversion to float would change values.

    Notes
    -----
    The sum is accumulated in float64 in one fixed order, so its bits do not depend on the CPU, the
    number of threads or the layout of the arrays.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.dot(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    32.0
    >>> vb.dot(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([3.0, 4.0]))
    array([3., 8.])
    """
    return measure_any(VB_METRIC_DOT, a, b, out, threads)


def sqeuclidean(a, b, *, out=None, threads=None):
    """
    Squared Euclidean distance, the sum of ``(a - b)**2``, of the rows of `a` and `b`.

    Parameters, results and errors are those of `dot`.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.sqeuclidean(np.array([0.0, 0.0]), np.array([3.0, 4.0]))
    25.0
    """
    return measure_any(VB_METRIC_SQEUCLIDEAN, a, b, out, threads)


def euclidean(a, b, *, out=None, threads=None):
    """
    Euclidean (L2) distance, the root of the sum of ``(a - b)**2``, of the rows of `a` and `b`.

    Parameters, results and errors are those of `dot`.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.euclidean(np.array([0.0, 0.0]), np.array([3.0, 4.0]))
    5.0
    """
    return measure_any(VB_METRIC_EUCLIDEAN, a, b, out, threads)


def cosine_similarity(a, b, *, out=None, threads=None):
    """
    Cosine of the angle between the rows of `a` and `b`: ``a . b / sqrt(a . a * b . b)``.

    Parameters, results and errors are those of `dot`. Values lie in [-1, 1]; a row with itself
    gives exactly 1. A row without a direction (all zeros, or with an infinity) gives NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.cosine_similarity(np.array([1.0, 0.0]), np.array([3.0, 4.0]))
    0.6
    """
    return measure_any(VB_METRIC_COSINE_SIMILARITY, a, b, out, threads)


def cosine(a, b, *, out=None, threads=None):
    """
    Cosine distance, 1 - `cosine_similarity`, of the rows of `a` and `b`.

    Parameters, results and errors are those of `dot`. Values lie in [0, 2]; a row with itself
    gives exactly 0. A row without a direction (all zeros, or with an infinity) gives NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.cosine(np.array([1.0, 0.0]), np.array([3.0, 4.0]))
    0.4
    """
    return measure_any(VB_METRIC_COSINE, a, b, out, threads)


# ---- arrays -------------------------------------------------------------------------------


cdef vb_type type_of(cnp.ndarray array) except *:
    cdef int kind = cnp.PyArray_TYPE(array)
    if not cnp.PyArray_ISNOTSWAPPED(array) or (kind != cnp.NPY_FLOAT and kind != cnp.NPY_DOUBLE):
        raise ValueError(f"the core does not take {array.dtype}")
    return VB_F32 if kind == cnp.NPY_FLOAT else VB_F64


cdef bint contiguous(cnp.ndarray array):
    """Whether each row of the array (its last axis) is one run of elements."""
    cdef int last = cnp.PyArray_NDIM(array) - 1
    return last >= 0 and (
        cnp.PyArray_SIZE(array) == 0
        or cnp.PyArray_DIM(array, last) == 1
        or cnp.PyArray_STRIDE(array, last) == cnp.PyArray_ITEMSIZE(array)
    )


cpdef bint native(cnp.ndarray array):
    """Whether the core takes the array as it is."""
    cdef int kind = cnp.PyArray_TYPE(array)
    return cnp.PyArray_ISNOTSWAPPED(array) and (kind == cnp.NPY_FLOAT or kind == cnp.NPY_DOUBLE) and contiguous(array)


cdef vb_rows rows_of(cnp.ndarray array, size_t d) except *:
    cdef vb_rows rows
    if cnp.PyArray_NDIM(array) != 2 or not contiguous(array) or <size_t>cnp.PyArray_DIM(array, 1) != d:
        raise ValueError("the core takes 2-D arrays of contiguous rows of one length")
    rows.base = cnp.PyArray_BYTES(array)
    rows.stride = cnp.PyArray_STRIDE(array, 0)
    rows.count = cnp.PyArray_DIM(array, 0)
    rows.type = type_of(array)
    return rows


cdef int broadcast(cnp.ndarray a, cnp.ndarray b, cnp.npy_intp *shape) noexcept:
    """The broadcast leading shape, and its number of axes; -1 if the arrays do not fit."""
    cdef int a_axes = cnp.PyArray_NDIM(a) - 1, b_axes = cnp.PyArray_NDIM(b) - 1
    cdef int axes = max(a_axes, b_axes), axis
    cdef cnp.npy_intp n, m
    if a_axes < 0 or b_axes < 0 or axes > MAX_DIMS - 1:
        return -1
    if cnp.PyArray_DIM(a, a_axes) != cnp.PyArray_DIM(b, b_axes):
        return -1
    for axis in range(axes):
        n = cnp.PyArray_DIM(a, axis - axes + a_axes) if axis >= axes - a_axes else 1
        m = cnp.PyArray_DIM(b, axis - axes + b_axes) if axis >= axes - b_axes else 1
        if n != m and n != 1 and m != 1:
            return -1
        shape[axis] = n if m == 1 else m
    return axes


cdef vb_operand operand_of(cnp.ndarray array, int own_axes, int axes) except *:
    """An array of `own_axes` leading axes, repeated over `axes`."""
    cdef vb_operand operand
    cdef int axis, own
    operand.base = cnp.PyArray_BYTES(array)
    operand.type = type_of(array)
    for axis in range(axes):
        own = axis - axes + own_axes
        if own < 0 or cnp.PyArray_DIM(array, own) == 1:
            operand.strides[axis] = 0
        else:
            operand.strides[axis] = cnp.PyArray_STRIDE(array, own)
    return operand


def narrowed(cnp.ndarray values):
    """float64 values as float32, rounded; past its range infinite, without a warning."""
    cdef cnp.ndarray out = cnp.PyArray_EMPTY(
        cnp.PyArray_NDIM(values), cnp.PyArray_DIMS(values), cnp.NPY_FLOAT, 0
    )
    cdef const double *source = <const double *>cnp.PyArray_DATA(values)
    cdef float *sink = <float *>cnp.PyArray_DATA(out)
    cdef Py_ssize_t i
    if type_of(values) != VB_F64 or not cnp.PyArray_IS_C_CONTIGUOUS(values):
        raise ValueError("the core takes contiguous float64 values")
    for i in range(cnp.PyArray_SIZE(values)):
        sink[i] = <float>source[i]
    return out


# ---- jobs ---------------------------------------------------------------------------------


cdef class Caller:
    """What the polling function of the calling thread needs."""
    cdef object progress
    cdef object error


cdef int poll(void *context, double done, double total) noexcept with gil:
    """Let signal handlers run (Ctrl-C), and tell how far the work is."""
    cdef Caller caller = <Caller>context
    try:
        PyErr_CheckSignals()
        if caller.progress is not None:
            caller.progress(done, total)
    except BaseException as error:
        caller.error = error
        return 1
    return 0


cdef class Job:
    """Work in tiles. The arrays that it reads and writes live as long as it does."""
    cdef vb_job *job
    cdef object arrays

    def __dealloc__(self):
        vb_job_free(self.job)

    @property
    def tiles(self):
        return vb_job_tiles(self.job)

    @property
    def work(self):
        """How many elements the kernels will meet."""
        return vb_job_work(self.job)

    def run(self, progress=None):
        """Work on the calling thread, which may be interrupted, until no tile is left."""
        cdef Caller caller = Caller()
        cdef vb_status status
        caller.progress = progress
        with nogil:
            status = vb_job_run(self.job, poll, <void *>caller)
        if caller.error is not None:
            raise caller.error
        self.check(status)

    def help(self):
        """Work on another thread."""
        cdef vb_status status
        with nogil:
            status = vb_job_run(self.job, NULL, NULL)
        self.check(status)

    cdef check(self, vb_status status):
        if status == VB_NO_MEMORY:
            raise MemoryError("not enough memory for the working space of a search")

    def stop(self):
        vb_job_stop(self.job)

    def finish(self):
        """After every thread has returned."""

    def told(self):
        """Of a search: its plan, and pairs met, sifted and rescored."""
        cdef vb_search_told told
        vb_search_tell(self.job, &told)
        return PLANS[told.plan], told.met, told.sifted, told.rescored


cdef Job new_job(vb_job *job, object arrays, type kind=Job):
    cdef Job made
    if job is NULL:
        raise MemoryError("not enough memory for the working space of a search")
    made = kind.__new__(kind)
    made.job = job
    made.arrays = arrays
    return made


cdef Job measure_job(vb_metric metric, cnp.ndarray a, cnp.ndarray b, cnp.ndarray out):
    cdef cnp.npy_intp shape[64]
    cdef size_t lengths[64]
    cdef int axes = broadcast(a, b, shape), axis
    cdef vb_operand left, right, result
    if axes < 0 or axes != cnp.PyArray_NDIM(out) or not (contiguous(a) and contiguous(b)):
        raise ValueError("the core takes operands that broadcast, with contiguous rows")
    for axis in range(axes):
        if cnp.PyArray_DIM(out, axis) != shape[axis]:
            raise ValueError("the core takes an output of the broadcast shape")
        lengths[axis] = shape[axis]
    if not cnp.PyArray_ISWRITEABLE(out):
        raise ValueError("the core takes an output that can be written")
    left = operand_of(a, cnp.PyArray_NDIM(a) - 1, axes)
    right = operand_of(b, cnp.PyArray_NDIM(b) - 1, axes)
    result = operand_of(out, axes, axes)
    return new_job(
        vb_measure_new(metric, cnp.PyArray_DIM(a, cnp.PyArray_NDIM(a) - 1), axes, lengths, &left, &right, &result),
        (a, b, out),
    )


def measure(int metric, a, b, out):
    """`a` and `b` broadcast to the shape of `out`, plus the last axis."""
    return measure_job(<vb_metric>metric, a, b, out)


cdef object measure_plain(vb_metric metric, object a, object b, object threads):
    """The values for two plain arrays, at least one of them 2-D or more; None for any others."""
    cdef cnp.npy_intp shape[64]
    cdef int axes, kind
    cdef Job job
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b) and native(a) and native(b)):
        return None
    axes = broadcast(a, b, shape)
    if axes < 1:
        return None
    kind = cnp.NPY_FLOAT if type_of(a) == VB_F32 and type_of(b) == VB_F32 else cnp.NPY_DOUBLE
    out = cnp.PyArray_EMPTY(axes, shape, kind, 0)
    job = measure_job(metric, a, b, out)
    if vb_job_work(job.job) < SMALL_WORK:
        job.run()
    else:
        run_job(job, threads)
    return out


def pairwise(int metric, a, b, str layout, int threads, out):
    """`layout`: "full", or for a matrix with itself "mirrored" or "condensed"."""
    cdef vb_rows left = rows_of(a, a.shape[1]), right = rows_of(b, a.shape[1])
    cdef vb_layout form = {"full": VB_FULL, "mirrored": VB_MIRRORED, "condensed": VB_CONDENSED}[layout]
    n, m = len(a), len(b)
    if left.type != right.type or (form != VB_FULL and (n != m or left.base != right.base)):
        raise ValueError("the core takes two sides of one type, or one matrix twice")
    if out.shape != ((n * (n - 1) // 2,) if form == VB_CONDENSED else (n, m)) or not out.flags.writeable:
        raise ValueError("the core takes an output of the result's shape")
    return new_job(
        vb_pairwise_new(<vb_metric>metric, a.shape[1], &left, &right, form, threads, cnp.PyArray_BYTES(out),
                        cnp.PyArray_STRIDE(out, 0), cnp.PyArray_STRIDE(out, cnp.PyArray_NDIM(out) - 1), type_of(out)),
        (a, b, out),
    )


def normalize(rows, out):
    cdef vb_rows source = rows_of(rows, rows.shape[1])
    if out.shape != rows.shape or not contiguous(out) or type_of(out) != source.type or not out.flags.writeable:
        raise ValueError("the core takes an output of the rows' shape and type")
    return new_job(
        vb_normalize_new(rows.shape[1], &source, cnp.PyArray_BYTES(out), cnp.PyArray_STRIDE(out, 0)), (rows, out)
    )


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
    return new_job(vb_codes_new(<vb_metric>metric, d, &matrix, first, codes, <float *>middle), (rows, panels, center))


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


def use_plans(str last):
    """The last of PLANS that searches may choose: for tests and benchmarks."""
    cdef int number = PLANS.index(last)
    vb_use_plans(<vb_plan>number)


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


def topk(int metric, queries, corpus, codes, mask, ids, size_t eligible, size_t k, int threads, indices, values):
    cdef vb_rows left = rows_of(queries, corpus.shape[1]), right = rows_of(corpus, corpus.shape[1])
    cdef vb_where where = where_of(corpus, mask, ids, eligible)
    cdef vb_codes place
    cdef const vb_codes *coded = codes_of(&place, corpus, codes)
    if (indices.dtype != np.int64 or values.dtype != np.float64 or not 1 <= k <= eligible
            or indices.shape != (len(queries), k) or values.shape != indices.shape
            or not (indices.flags.c_contiguous and values.flags.c_contiguous)):
        raise ValueError("the core takes contiguous results of shape (queries, k)")
    return new_job(
        vb_topk_new(<vb_metric>metric, corpus.shape[1], &left, &right, coded, &where, k, threads,
                    <int64_t *>cnp.PyArray_DATA(indices), <double *>cnp.PyArray_DATA(values)),
        (queries, corpus, codes, mask, ids, indices, values),
        TopKJob,
    )


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


def within(int metric, queries, corpus, codes, mask, ids, size_t eligible, double threshold, int threads):
    cdef vb_rows left = rows_of(queries, corpus.shape[1]), right = rows_of(corpus, corpus.shape[1])
    cdef vb_where where = where_of(corpus, mask, ids, eligible)
    cdef vb_codes place
    cdef const vb_codes *coded = codes_of(&place, corpus, codes)
    cdef WithinJob job = new_job(
        vb_within_new(<vb_metric>metric, corpus.shape[1], &left, &right, coded, &where, threshold, threads),
        (queries, corpus, codes, mask, ids),
        WithinJob,
    )
    job.queries = len(queries)
    return job
