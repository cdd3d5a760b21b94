"""The C core, as Python sees it: array addresses in, calls without the GIL, exceptions out.

Nothing here is public but the row functions, which `vecblade` re-exports. User-facing checks
of arguments are in the Python modules; what arrives here is checked once more, but only for what would
make the core touch memory that is not the arrays' own.

Over 500 lines: a quarter are the docstrings of the row functions.
"""

import _thread
import os
import threading
from weakref import WeakSet

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

import numpy as np

cnp.import_array()

METRICS = {of_metric(m).name.decode(): m for m in range(VB_METRICS)}
# Metrics of bits and of nothing else.
BIT_METRICS = frozenset(name for name, m in METRICS.items() if of_metric(m).bits_only)
SIMILARITIES = frozenset(name for name, m in METRICS.items() if of_metric(m).similarity)

PLANS = tuple(vb_plans[p].decode() for p in range(VB_PLANS))
EPILOGUES = tuple(vb_epilogues[e].decode() for e in range(VB_EPILOGUES))

# NumPy has no bfloat16 and no bits. Inside the package arrays of these types say that unsigned integers are such.
BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
BITS = np.dtype([("bits", np.uint8)])
# The number of ml_dtypes.bfloat16 in NumPy, once it has been met; until then one that no type has (some have -1).
cdef int bfloat16_number = -2


def know_bfloat16(dtype):
    """Take arrays of this type (that of ml_dtypes) for bfloat16 from now on."""
    global bfloat16_number
    bfloat16_number = dtype.num


cdef enum:
    MAX_DIMS = 64
    # Below LONG_ROW elements (a few microseconds) the GIL is kept; below SMALL_WORK (under a millisecond)
    # no helper is asked for.
    LONG_ROW = 16384
    SMALL_WORK = 4000000


# What each thread should have to do before another is woken.
WORK_PER_THREAD = SMALL_WORK


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
    # The environment may hold bytes that are no text; what no level is called need not reach C.
    cdef bytes encoded = b"" if name is None or name not in levels() else name.encode()
    cdef int status = vb_init(NULL if name is None else <const char *>encoded)
    if status:
        runnable = ", ".join(level for level, runs in levels().items() if runs)
        reason = "is not an ISA level" if status == -1 else "does not run on this machine"
        raise ValueError(f"{source}={name!r} {reason}; levels that do, best first: {runnable}")


include "_core_threads.pxi"
include "_core_testing.pxi"
include "_core_dlpack.pxi"
include "_core_arrow.pxi"

use_level(os.environ.get("VECBLADE_ISA") or None, "VECBLADE_ISA")


# ---- one pair -----------------------------------------------------------------------------

cdef object general = None
cdef object run_job = None


def install(general_function, run_function):
    """Set what the row functions call for anything but plain arrays, and to share work."""
    global general, run_job
    general, run_job = general_function, run_function


cdef inline int type_number(int kind) noexcept:
    """The type of rows that NumPy's number of a type stands for; -1 if none does, or not by its number alone."""
    if kind == cnp.NPY_FLOAT:
        return VB_F32
    if kind == cnp.NPY_DOUBLE:
        return VB_F64
    if kind == cnp.NPY_BYTE:
        return VB_I8
    if kind == cnp.NPY_UBYTE:
        return VB_U8
    if kind == NPY_HALF:
        return VB_F16
    if kind == bfloat16_number:
        return VB_BF16
    return -1


cdef inline int plain_pair(object a, object b) noexcept:
    """The type of a and b if they are contiguous native 1-D ndarrays of one type and length, else -1."""
    cdef int kind
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)):
        return -1
    kind = cnp.PyArray_TYPE(<cnp.ndarray>a)
    if (
        cnp.PyArray_NDIM(<cnp.ndarray>a) == 1 and cnp.PyArray_NDIM(<cnp.ndarray>b) == 1
        and cnp.PyArray_TYPE(<cnp.ndarray>b) == kind
        and cnp.PyArray_DIM(<cnp.ndarray>a, 0) == cnp.PyArray_DIM(<cnp.ndarray>b, 0)
        and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>a) and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>b)
        and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>a) and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>b)
    ):
        return type_number(kind)
    return -1


def two_rows(a, b):
    """The letter of the type of two plain rows of one length, not empty, of floats, int8 or uint8; None for others."""
    cdef int kind = plain_pair(a, b), number
    if kind < 0 or cnp.PyArray_DIM(<cnp.ndarray>a, 0) == 0:
        return None
    number = cnp.PyArray_TYPE(<cnp.ndarray>a)
    return None if number == bfloat16_number else LETTERS[number]


# By NumPy's numbers of the types that `type_number` knows: bfloat16 has none of its own.
cdef dict LETTERS = {np.dtype(letter).num: letter for letter in "fdebB"}


cdef inline object measure_pair(vb_metric metric, vb_type kind, object a, object b):
    cdef const void *a_data = cnp.PyArray_DATA(<cnp.ndarray>a)
    cdef const void *b_data = cnp.PyArray_DATA(<cnp.ndarray>b)
    cdef size_t d = cnp.PyArray_DIM(<cnp.ndarray>a, 0)
    cdef double value
    if d < LONG_ROW:
        value = vb_pair(metric, kind, a_data, b_data, d)
    else:
        with nogil:
            value = vb_pair(metric, kind, a_data, b_data, d)
    if of_metric(metric).integral and of_type(kind).kind != VB_REAL:
        return <int64_t>value
    return value


cdef inline object measure_any(vb_metric metric, object a, object b, object out, object threads, object dtype):
    """Fast paths for two plain rows and for plain arrays; anything else goes to the general function."""
    cdef int kind
    if dtype is None and (threads is None or type(threads) is int and threads > 0):
        kind = plain_pair(a, b)
        if of_metric(metric).bits_only:
            kind = VB_B1 if kind == VB_U8 else -1
        if kind >= 0 and out is None:
            return measure_pair(metric, <vb_type>kind, a, b)
        values = measure_plain(metric, a, b, out, threads)
        if values is not None:
            return values
    return general(of_metric(metric).name.decode(), a, b, out, threads, dtype)


def dot(a, b, *, out=None, threads=None, dtype=None):
    """
    Dot product of the rows of `a` and `b`.

    Parameters
    ----------
    a, b : array_like, shape (..., d)
        Rows of numbers. The leading axes broadcast as in ``numpy.vecdot``: one row with one row,
        one with many, row by row. Rows of float64, float32, float16, bfloat16, int8 and uint8 may be strided
        and are not copied. The two sides may be of different types: they are then converted to one
        that holds both.
    out : ndarray, optional
        Where to put the values: an array of the broadcast leading shape and the result's type.
    threads : int, optional
        How many threads may work on the call. Default: see `set_num_threads`.
    dtype : {"bfloat16", "bits"}, optional
        ``"bfloat16"``: uint16 arrays hold bfloat16 numbers. ``"bits"``: uint8 arrays hold packed bits, as from
        `pack_bits`, which are measured as the zeros and ones that they stand for.

    Returns
    -------
    float or int or ndarray
        A Python float for two 1-D rows. Else an array, float32 if both sides are float32, float16 or
        bfloat16, float64 otherwise: the float64 sum, rounded once. For int8, uint8 and bits the exact sum: a Python
        int, or an array of int32 if every sum of that many elements fits it, else int64.

    Raises
    ------
    ValueError
        The last axes differ in length, the leading axes do not broadcast, or `out` does not fit.
    TypeError
        An argument is not numeric, or a conversion to float would change values.

    Notes
    -----
    The sum is accumulated in float64 in one fixed order, so its bits do not depend on the CPU, the
    number of threads or the layout of the arrays. Integers never wrap.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.dot(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    32.0
    >>> vb.dot(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([3.0, 4.0]))
    array([3., 8.])
    """
    return measure_any(VB_METRIC_DOT, a, b, out, threads, dtype)


def sqeuclidean(a, b, *, out=None, threads=None, dtype=None):
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
    return measure_any(VB_METRIC_SQEUCLIDEAN, a, b, out, threads, dtype)


def euclidean(a, b, *, out=None, threads=None, dtype=None):
    """
    Euclidean (L2) distance, the root of the sum of ``(a - b)**2``, of the rows of `a` and `b`.

    Parameters, results and errors are those of `dot`, but for integers and bits the result is float64, made
    from exact sums.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.euclidean(np.array([0.0, 0.0]), np.array([3.0, 4.0]))
    5.0
    """
    return measure_any(VB_METRIC_EUCLIDEAN, a, b, out, threads, dtype)


def cosine_similarity(a, b, *, out=None, threads=None, dtype=None):
    """
    Cosine of the angle between the rows of `a` and `b`: ``dot(a, b) / sqrt(dot(a, a) * dot(b, b))``.

    Parameters, results and errors are those of `dot`, but for integers and bits the result is float64, made
    from exact sums. Values lie in [-1, 1]; a row with itself
    gives exactly 1. A row without a direction (all zeros, or with an infinity) gives NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.cosine_similarity(np.array([1.0, 0.0]), np.array([3.0, 4.0]))
    0.6
    """
    return measure_any(VB_METRIC_COSINE_SIMILARITY, a, b, out, threads, dtype)


def cosine(a, b, *, out=None, threads=None, dtype=None):
    """
    Cosine distance, 1 - `cosine_similarity`, of the rows of `a` and `b`.

    Parameters, results and errors are those of `dot`, but for integers and bits the result is float64, made
    from exact sums. Values lie in [0, 2]; a row with itself
    gives exactly 0. A row without a direction (all zeros, or with an infinity) gives NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.cosine(np.array([1.0, 0.0]), np.array([3.0, 4.0]))
    0.4
    """
    return measure_any(VB_METRIC_COSINE, a, b, out, threads, dtype)


def hamming(a, b, *, out=None, threads=None, dtype=None):
    """
    Hamming distance of the packed bits of `a` and `b`: how many differ.

    Parameters
    ----------
    a, b : array_like of uint8, shape (..., d)
        Rows of 8 d bits, as from `pack_bits` or `numpy.packbits`. The leading axes broadcast as those of `dot`.
    out, threads
        As for `dot`.
    dtype : {"bits"}, optional
        Implied; accepted for symmetry.

    Returns
    -------
    int or ndarray
        A Python int for two 1-D rows. Else an array of int32 (of int64 for rows of 2**31 bits and more).

    Raises
    ------
    ValueError
        The last axes differ in length, the leading axes do not broadcast, or `out` does not fit.
    TypeError
        An argument is not of uint8.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.hamming(np.array([0b1100, 255], np.uint8), np.array([0b1010, 255], np.uint8))
    2
    """
    return measure_any(VB_METRIC_HAMMING, a, b, out, threads, dtype)


def jaccard(a, b, *, out=None, threads=None, dtype=None):
    """
    Jaccard distance of the packed bits of `a` and `b`: ``1 - |a & b| / |a | b|``.

    Parameters and errors are those of `hamming`. Values are float64 and lie in [0, 1]; two rows of zeros
    have distance 0, as in SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.jaccard(np.array([0b1100], np.uint8), np.array([0b1010], np.uint8))  # 1 - 1 / 3
    0.6666666666666666
    """
    return measure_any(VB_METRIC_JACCARD, a, b, out, threads, dtype)


# ---- arrays -------------------------------------------------------------------------------


cdef int known_type(cnp.ndarray array) except -2:
    """The type of an array's rows, or -1."""
    cdef int kind = cnp.PyArray_TYPE(array)
    if not cnp.PyArray_ISNOTSWAPPED(array):
        return -1
    if kind == cnp.NPY_VOID:
        return VB_BF16 if array.dtype == BFLOAT16 else VB_B1 if array.dtype == BITS else -1
    return type_number(kind)


cdef vb_type type_of(cnp.ndarray array) except *:
    cdef int kind = known_type(array)
    if kind < 0:
        raise ValueError(f"the core does not take {array.dtype}")
    return <vb_type>kind


cdef vb_type value_type_of(cnp.ndarray array) except *:
    """The type of an array of results."""
    cdef int kind = cnp.PyArray_TYPE(array)
    if cnp.PyArray_ISNOTSWAPPED(array) and array.dtype.kind == "i":
        if cnp.PyArray_ITEMSIZE(array) == 4:
            return VB_I32
        if cnp.PyArray_ITEMSIZE(array) == 8:
            return VB_I64
    if kind != cnp.NPY_FLOAT and kind != cnp.NPY_DOUBLE:
        raise ValueError(f"the core does not put values into {array.dtype}")
    return type_of(array)


cdef int value_number(vb_metric metric, vb_type a, vb_type b, size_t d) noexcept:
    """NumPy's number of the type of an array of results; -1 if the core does not measure these with each other."""
    cdef size_t most
    if of_type(a).kind == VB_REAL and of_type(b).kind == VB_REAL:
        return cnp.NPY_DOUBLE if a == VB_F64 or b == VB_F64 else cnp.NPY_FLOAT
    if a != b:
        return -1
    if not of_metric(metric).integral:
        return cnp.NPY_DOUBLE
    # The most that an element adds: of bits eight, of integers of a byte a product or a squared difference.
    most = 8 if of_type(a).kind == VB_BITS else 128 * 128 if a == VB_I8 and metric == VB_METRIC_DOT else 255 * 255
    return cnp.NPY_INT32 if d <= 0x7fffffff // most else cnp.NPY_INT64


def value_dtype(int metric, a, b, size_t d):
    """The type of an array of results of rows of `d` elements of these types."""
    cdef int number = value_number(<vb_metric>metric, type_of(np.empty(0, a)), type_of(np.empty(0, b)), d)
    if number < 0:
        raise ValueError(f"the core does not measure {a} with {b}")
    return cnp.PyArray_DescrFromType(number)


cdef bint contiguous(cnp.ndarray array):
    """Whether each row of the array (its last axis) is one run of elements."""
    cdef int last = cnp.PyArray_NDIM(array) - 1
    return last >= 0 and (
        cnp.PyArray_SIZE(array) == 0
        or cnp.PyArray_DIM(array, last) == 1
        or cnp.PyArray_STRIDE(array, last) == cnp.PyArray_ITEMSIZE(array)
    )


cpdef bint native(cnp.ndarray array) except *:
    """Whether the core takes the array as it is."""
    return known_type(array) >= 0 and contiguous(array)


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


cdef vb_operand operand_of(cnp.ndarray array, vb_type kind, int own_axes, int axes) noexcept:
    """An array of `own_axes` leading axes, repeated over `axes`."""
    cdef vb_operand operand
    cdef int axis, own
    operand.base = cnp.PyArray_BYTES(array)
    operand.type = kind
    for axis in range(axes):
        own = axis - axes + own_axes
        if own < 0 or cnp.PyArray_DIM(array, own) == 1:
            operand.strides[axis] = 0
        else:
            operand.strides[axis] = cnp.PyArray_STRIDE(array, own)
    return operand


def floating_point_mode(mode=None):
    """The mode of this thread (MXCSR, FPCR), which is set if one is given: for tests."""
    cdef uint64_t before = vb_mode_get()
    if mode is not None:
        vb_mode_set(mode)
    return before


cdef class StandardMode:
    """
    What NumPy does in its ``with`` block it does in the standard floating-point mode.

    A library built with -ffast-math has denormal numbers flushed to zero in the threads that load it; kernels see to
    themselves.
    """
    cdef uint64_t before

    def __enter__(self):
        self.before = vb_mode_get()
        if (self.before & VB_MODE_BITS) != VB_MODE_STANDARD:
            vb_mode_set((self.before & ~VB_MODE_BITS) | VB_MODE_STANDARD)

    def __exit__(self, *exception):
        if (self.before & VB_MODE_BITS) != VB_MODE_STANDARD:
            vb_mode_set((vb_mode_get() & ~VB_MODE_BITS) | (self.before & VB_MODE_BITS))


def narrowed(cnp.ndarray values):
    """float64 values as float32, rounded; past its range infinite, without a warning."""
    cdef cnp.ndarray out = cnp.PyArray_EMPTY(
        cnp.PyArray_NDIM(values), cnp.PyArray_DIMS(values), cnp.NPY_FLOAT, 0
    )
    cdef const double *source = <const double *>cnp.PyArray_DATA(values)
    cdef float *sink = <float *>cnp.PyArray_DATA(out)
    cdef size_t n = cnp.PyArray_SIZE(values)
    if type_of(values) != VB_F64 or not cnp.PyArray_IS_C_CONTIGUOUS(values):
        raise ValueError("the core takes contiguous float64 values")
    with nogil:
        vb_narrow(n, source, sink)
    return out


def values_of(int metric, size_t d, cnp.ndarray scores):
    """The scores of a search, of rows of d elements, made values in place."""
    cdef double *numbers = <double *>cnp.PyArray_DATA(scores)
    cdef size_t n = cnp.PyArray_SIZE(scores)
    if (type_of(scores) != VB_F64 or not cnp.PyArray_IS_C_CONTIGUOUS(scores)
            or not cnp.PyArray_ISWRITEABLE(scores)):
        raise ValueError("the core takes contiguous float64 scores")
    with nogil:
        vb_values(<vb_metric>metric, d, n, numbers)


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
        if isinstance(progress, Watch):
            progress.look()
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
            raise MemoryError("not enough memory for the working space of a call")

    def stop(self):
        vb_job_stop(self.job)

    def finish(self):
        """After every thread has returned."""

    def told(self):
        """Of a search: its plan, and how many pairs it visited, sifted and rescored."""
        cdef vb_search_stats stats
        vb_search_stats_of(self.job, &stats)
        return PLANS[stats.plan], stats.visited, stats.sifted, stats.rescored


cdef Job holder(object arrays, type kind=Job):
    """A job of nothing yet. It comes first: if there is no memory for it, nobody would free what it is to hold."""
    cdef Job made = kind.__new__(kind)
    made.arrays = arrays
    return made


cdef Job held(Job made, vb_job *job):
    if job is NULL:
        raise MemoryError("not enough memory for the working space of a call")
    made.job = job
    return made


cdef Job measure_job(vb_metric metric, cnp.ndarray a, vb_type a_type, cnp.ndarray b, vb_type b_type, cnp.ndarray out):
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
    cdef size_t d = cnp.PyArray_DIM(a, cnp.PyArray_NDIM(a) - 1)
    if value_number(metric, a_type, b_type, d) < 0:
        raise ValueError("the core takes two real types, or one type twice")
    left = operand_of(a, a_type, cnp.PyArray_NDIM(a) - 1, axes)
    right = operand_of(b, b_type, cnp.PyArray_NDIM(b) - 1, axes)
    result = operand_of(out, value_type_of(out), axes, axes)
    cdef Job job = holder((a, b, out))
    return held(job, vb_measure_new(metric, d, axes, lengths, &left, &right, &result))


def measure(int metric, a, b, out):
    """`a` and `b` broadcast to the shape of `out`, plus the last axis."""
    return measure_job(<vb_metric>metric, a, type_of(a), b, type_of(b), out)


cdef int plain_type(vb_metric metric, object array) except -2:
    """What the core reads a plain array as for this metric; -1 if it is not one."""
    cdef int kind = -1
    if cnp.PyArray_CheckExact(array) and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>array) and contiguous(array):
        kind = type_number(cnp.PyArray_TYPE(<cnp.ndarray>array))
    if of_metric(metric).bits_only:
        return VB_B1 if kind == VB_U8 else -1
    return kind


cdef bint apart(cnp.ndarray out, cnp.ndarray array) noexcept:
    """Whether no byte of a contiguous array lies between the first and the last of the other."""
    cdef char *first = cnp.PyArray_BYTES(array)
    cdef char *end = first + cnp.PyArray_ITEMSIZE(array)
    cdef char *start = cnp.PyArray_BYTES(out)
    cdef cnp.npy_intp reach
    cdef int axis
    for axis in range(cnp.PyArray_NDIM(array)):
        reach = cnp.PyArray_STRIDE(array, axis) * (cnp.PyArray_DIM(array, axis) - 1)
        if reach < 0:
            first += reach
        else:
            end += reach
    return start + cnp.PyArray_NBYTES(out) <= first or end <= start


cdef bint fits(object out, int kind, int axes, const cnp.npy_intp *shape) noexcept:
    """Whether it is a contiguous plain array of this type and shape that can be written."""
    cdef int axis
    if not cnp.PyArray_CheckExact(out) or cnp.PyArray_TYPE(<cnp.ndarray>out) != kind:
        return False
    if cnp.PyArray_NDIM(<cnp.ndarray>out) != axes or not cnp.PyArray_ISCARRAY(<cnp.ndarray>out):
        return False
    for axis in range(axes):
        if cnp.PyArray_DIM(<cnp.ndarray>out, axis) != shape[axis]:
            return False
    return True


cdef object measure_plain(vb_metric metric, object a, object b, object out, object threads):
    """The values for two plain arrays, at least one of them 2-D or more; None for any others."""
    cdef cnp.npy_intp shape[64]
    cdef int axes, kind, a_type = plain_type(metric, a), b_type = plain_type(metric, b)
    cdef Job job
    if a_type < 0 or b_type < 0:
        return None
    axes = broadcast(a, b, shape)
    if axes < 1:
        return None
    kind = value_number(metric, <vb_type>a_type, <vb_type>b_type, cnp.PyArray_DIM(a, cnp.PyArray_NDIM(a) - 1))
    if kind < 0:
        return None
    if out is None:
        out = cnp.PyArray_EMPTY(axes, shape, kind, 0)
    elif not (fits(out, kind, axes, shape) and apart(out, a) and apart(out, b)):
        return None
    job = measure_job(metric, a, <vb_type>a_type, b, <vb_type>b_type, out)
    if vb_job_work(job.job) < SMALL_WORK:
        job.run()
    else:
        run_job(job, threads)
    return out


def pairwise(int metric, a, b, str layout, int threads, out):
    """
    A job, or None if there was so little to do that it is done.

    `layout`: "full", or for a matrix with itself "mirrored" or "condensed".
    """
    cdef vb_rows left = rows_of(a, a.shape[1]), right = rows_of(b, a.shape[1])
    cdef vb_layout form = {"full": VB_FULL, "mirrored": VB_MIRRORED, "condensed": VB_CONDENSED}[layout]
    n, m = len(a), len(b)
    if left.type != right.type or (form != VB_FULL and (n != m or left.base != right.base)):
        raise ValueError("the core takes two sides of one type, or one matrix twice")
    if out.shape != ((n * (n - 1) // 2,) if form == VB_CONDENSED else (n, m)) or not out.flags.writeable:
        raise ValueError("the core takes an output of the result's shape")
    cdef size_t d = a.shape[1]
    cdef Job job = holder((a, b, out))
    held(
        job,
        vb_pairwise_new(<vb_metric>metric, d, &left, &right, form, threads, cnp.PyArray_BYTES(out),
                        cnp.PyArray_STRIDE(out, 0), cnp.PyArray_STRIDE(out, cnp.PyArray_NDIM(out) - 1), value_type_of(out)),
    )
    if vb_job_work(job.job) < SMALL_WORK:
        job.run()
        return None
    return job


def rewrite(str how, rows, out):
    """`how`: "unit", rows of length one, or "same", the same numbers in another type."""
    cdef vb_rows source = rows_of(rows, rows.shape[1])
    cdef vb_type kind = type_of(out)
    if (out.shape != rows.shape or not contiguous(out) or not out.flags.writeable
            or of_type(kind).kind != VB_REAL or of_type(source.type).kind == VB_BITS):
        raise ValueError("the core takes an output of the rows' shape and of a real type")
    cdef size_t d = rows.shape[1]
    cdef Job job = holder((rows, out))
    make = vb_normalize_new if how == "unit" else vb_convert_new
    return held(job, make(d, &source, cnp.PyArray_BYTES(out), cnp.PyArray_STRIDE(out, 0), kind))


include "_core_search.pxi"
