"""Row functions beyond two plain rows, `pairwise` and `normalize`."""

from typing import Any

import numpy as np

from . import _core, _metrics, _threads
from ._metrics import Metric, MetricName
from ._rows import arrays


def measure(metric: str, a: Any, b: Any, out: Any, threads: Any, dtype: Any) -> Any:
    """``metric(a, b)`` over the last axis, broadcast over the others."""
    chosen = _metrics.BY_NAME[metric]
    reading = arrays.check_reading(dtype, chosen)
    a, b = arrays.numbers(a, "a", reading), arrays.numbers(b, "b", reading)
    for array, name in ((a, "a"), (b, "b")):
        if array.ndim == 0:
            raise ValueError(f"{name} is a single number; expected shape (..., d)")
    arrays.same_width(a, "a", b, "b")
    threads = _threads.resolve(threads)
    try:
        shape = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    except ValueError:
        raise ValueError(f"the leading axes of a {a.shape} and b {b.shape} do not broadcast") from None
    dtypes = arrays.agreed(a, "a", b, "b")
    values = chosen.value_dtype(*dtypes, a.shape[-1])
    result = arrays.output(out, shape, values, {"a": a, "b": b})
    if out is None and not shape and values == np.float32:
        result = np.empty(shape, np.float64)  # a Python float is not rounded
    _measure_into(chosen, a, b, dtypes, result, threads)
    return result.item() if out is None and not shape else result


def _measure_into(
    metric: Metric,
    a: np.ndarray,
    b: np.ndarray,
    dtypes: tuple[np.dtype[Any], np.dtype[Any]],
    out: np.ndarray,
    threads: int,
) -> None:
    """Measure at once if the core can read both sides or a copy is small, else in halves along an axis."""
    a, b = (
        arrays.native(side, dtype) if arrays.is_small(side, dtype) else side
        for side, dtype in zip((a, b), dtypes, strict=True)
    )
    if out.size <= 1 or (arrays.readable(a, dtypes[0]) and arrays.readable(b, dtypes[1])):
        job = _core.measure(metric.number, arrays.native(a, dtypes[0]), arrays.native(b, dtypes[1]), out)
        _threads.run(job, threads)
        return
    axis = max(range(out.ndim), key=lambda i: out.shape[i])
    middle = out.shape[axis] // 2
    for half in (slice(None, middle), slice(middle, None)):
        ours, theirs = _part(a, axis, half, out), _part(b, axis, half, out)
        _measure_into(metric, ours, theirs, dtypes, _along(out, axis, half), threads)


def _along(array: np.ndarray, axis: int, half: slice) -> np.ndarray:
    return array[(slice(None),) * axis + (half,)]


def _part(array: np.ndarray, axis: int, half: slice, out: np.ndarray) -> np.ndarray:
    """The part of an operand that a part of the output needs; all of it where it repeats."""
    own = axis - (out.ndim - (array.ndim - 1))
    return array if own < 0 or array.shape[own] == 1 else _along(array, own, half)


def pairwise(
    A: Any,
    B: Any = None,
    metric: MetricName = "euclidean",
    *,
    condensed: bool = False,
    out: Any = None,
    threads: int | None = None,
    dtype: Any = None,
) -> np.ndarray:
    """
    The metric between every row of `A` and every row of `B`.

    Parameters
    ----------
    A : array_like, shape (n, d)
        Rows of numbers.
    B : array_like, shape (m, d), optional
        Rows of numbers. None: `A` with itself, each pair computed once.
    metric : str
        ``"dot"``, ``"cosine_similarity"``, ``"cosine"``, ``"euclidean"`` or ``"sqeuclidean"``; of packed bits
        (uint8) also ``"hamming"`` and ``"jaccard"``.
    condensed : bool
        For `A` with itself: only the elements above the diagonal, row by row, in one dimension, as
        `scipy.spatial.distance.pdist` returns them.
    out : ndarray, shape (n, m), optional
        Where to put the values, of the result's type (and shape ``(n * (n - 1) / 2,)`` if condensed).
    threads : int, optional
        How many threads may work on the call. Default: see `set_num_threads`.
    dtype : {"bfloat16", "bits"}, optional
        What uint16 or uint8 arrays hold: as for `dot`.

    Returns
    -------
    ndarray, shape (n, m) or (n * (n - 1) / 2,)
        float32 if both sides are float32, float16 or bfloat16. For int8, uint8 and bits, dot products,
        squared and Hamming distances are exact integers (int32, or int64 for very long rows). Otherwise
        float64.

    Raises
    ------
    ValueError
        A wrong shape, an unknown metric, an `out` that does not fit, or ``condensed`` with a `B`.
    TypeError
        An argument is not numeric, or a conversion to float would change values.

    Notes
    -----
    float32 rows are accumulated in float32, in one order that depends on neither the CPU
    nor the number of threads, nor on the other rows. Where a distance or a cosine distance would lose
    digits to cancellation it is measured again as by the row functions, so that relative errors stay
    under 1e-5 (float64: 1e-12), also for near-duplicates far from the origin. L2 distances of up to 24
    elements are summed from differences, and keep nearly all digits. float16 rows give the same
    bits as float32 rows of the same values; bfloat16 rows are accumulated in pairs. For int8, uint8 and bits,
    every value is that of the row functions.

    Examples
    --------
    >>> import vecblade as vb
    >>> vb.pairwise([[0.0, 0.0], [3.0, 4.0]], metric="euclidean")
    array([[0., 5.],
           [5., 0.]])
    >>> vb.pairwise([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], condensed=True).round(3)
    array([5.   , 1.   , 4.243])
    """
    chosen = _metrics.resolve(metric)
    reading = arrays.check_reading(dtype, chosen)
    a = arrays.rows(A, "A", (2,), reading)
    b = a if B is None else arrays.rows(B, "B", (2,), reading)
    arrays.same_width(a, "A", b, "B")
    if condensed and B is not None:
        raise ValueError("condensed=True is for A with itself; B must be None")
    threads = _threads.resolve(threads)
    inputs = {"A": a} if B is None else {"A": a, "B": b}
    working = arrays.agreed_one(a, "A", b, "B")
    shape = pairs_shape(a, b, condensed)
    result = arrays.output(out, shape, chosen.value_dtype(working, working, a.shape[1]), inputs)
    pairwise_into(chosen, a, None if B is None else b, working, result, threads)
    return result


def pairs_shape(a: np.ndarray, b: np.ndarray, condensed: bool) -> tuple[int, ...]:
    return (len(a) * (len(a) - 1) // 2,) if condensed else (len(a), len(b))


def pairwise_into(
    metric: Metric, a: np.ndarray, b: np.ndarray | None, working: np.dtype[Any], out: np.ndarray, threads: int
) -> None:
    """All pairs of checked rows, read as one type; of `a` alone each once, and condensed if `out` is 1-D."""
    if out.ndim == 1:
        # Each pair once needs all rows in one piece.
        all_rows = arrays.native(a, working)
        if (job := _core.pairwise(metric.number, all_rows, all_rows, "condensed", threads, out)) is not None:
            _threads.run(job, threads)
        return
    for i, some in arrays.blocks(a, working):
        alone = b is None and len(some) == len(a)
        for j, others in [(0, some)] if alone else arrays.blocks(a if b is None else b, working):
            part = out[i : i + len(some), j : j + len(others)]
            layout = "mirrored" if some is others else "full"
            if (job := _core.pairwise(metric.number, some, others, layout, threads, part)) is not None:
                _threads.run(job, threads)


def normalize(X: Any, *, out: Any = None, threads: int | None = None, dtype: Any = None) -> np.ndarray:
    """
    Rows scaled to norm one.

    Parameters
    ----------
    X : array_like, shape (d,) or (n, d)
        Rows of numbers.
    out : ndarray, optional
        Where to put the unit rows: the shape of `X` and the result's type. It may be `X` itself.
    threads : int, optional
        How many threads may work on the call. Default: see `set_num_threads`.
    dtype : {"bfloat16"}, optional
        uint16 arrays hold bfloat16 numbers.

    Returns
    -------
    ndarray
        The shape of `X`; float32 for float32, float16 and bfloat16 rows, else float64. A row without a
        direction (all zeros, or with an infinity or NaN) becomes NaN.

    Raises
    ------
    ValueError, TypeError
        As for `pairwise`.

    Examples
    --------
    >>> import vecblade as vb
    >>> vb.normalize([3.0, 4.0])
    array([0.6, 0.8])
    """
    if (reading := arrays.check_reading(dtype)) == "bits":
        raise ValueError("dtype='bits' has no unit rows; pass vb.unpack_bits(X)")
    x = arrays.rows(X, "X", (1, 2), reading)
    threads = _threads.resolve(threads)
    inputs = {} if out is X or out is x else {"X": x}
    result = arrays.output(out, x.shape, arrays.real_dtype(x), inputs)
    target = result if _core.native(result) else np.empty(x.shape, result.dtype)
    source, sink = np.atleast_2d(x), np.atleast_2d(target)
    for i, some in arrays.blocks(source):
        _threads.run(_core.rewrite("unit", some, sink[i : i + len(some)]), threads)
    if target is not result:
        result[...] = target
    return result
