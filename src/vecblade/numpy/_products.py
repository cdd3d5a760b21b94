"""The products of `vecblade.numpy`: sums of floats, and exact ones of int8 and uint8."""

from collections.abc import Callable
from typing import Any

import numpy

from .. import _core, _measure, _threads
from .._dropin import common
from .._metrics import BY_NAME
from .._rows import arrays

DOT = BY_NAME["dot"]

# Both sides have one of these types. Sums of the first two are of the type itself, those of bytes exact.
FLOATS, HALF, BYTES = frozenset("fd"), frozenset("e"), frozenset("bB")
SUMMED = FLOATS | HALF | BYTES


# The options of a ufunc; and those with which it is the caller who says what types there are.
UNSET: Any = numpy._NoValue
DEFAULTS: dict[str, Any] = {
    "axes": UNSET,
    "axis": UNSET,
    "keepdims": False,
    "casting": "same_kind",
    "order": "K",
    "dtype": None,
    "subok": True,
    "signature": None,
}
TYPE_OPTIONS = ("casting", "dtype", "signature")

# Rows with a vector: NumPy's BLAS is as fast for small ones, and for rows of few elements.
LEAST_WIDTH, LEAST_SIZE = 16, 131_072


# ---- what is fast --------------------------------------------------------------------------


def two_rows(a: Any, b: Any) -> Any:
    """The dot product of two plain vectors, or None."""
    kind = _core.two_rows(a, b)
    if kind is None:
        return None
    if kind == "d":
        return numpy.float64(_core.dot(a, b))
    return scalar(_core.dot(a, b), sum_type(a))


def scalar(value: Any, dtype: numpy.dtype[Any]) -> Any:
    """A sum of two rows in the type of the result: a denormal one too, in any floating-point mode."""
    with _core.StandardMode():
        return dtype.type(value)


def pair(a: Any, b: Any) -> tuple[numpy.ndarray, numpy.ndarray] | None:
    """Two arrays of one type that is summed here, or None."""
    if type(a) is not numpy.ndarray or type(b) is not numpy.ndarray:
        a, b = (common.plain(x) if isinstance(x, (numpy.ndarray, list, tuple)) else None for x in (a, b))
        if a is None or b is None:
            return None
    return (a, b) if a.dtype == b.dtype and a.dtype.char in SUMMED and a.dtype.isnative else None


def sum_type(a: numpy.ndarray) -> numpy.dtype[Any]:
    """The type of a sum over the last axis."""
    if a.dtype.char in BYTES:
        return DOT.value_dtype(a.dtype, a.dtype, a.shape[-1])
    return a.dtype


def fits(out: Any, shape: tuple[int, ...], dtype: numpy.dtype[Any], *inputs: numpy.ndarray) -> bool:
    """Whether results can be written to the caller's array directly."""
    return (
        type(out) is numpy.ndarray
        and out.shape == shape
        and out.dtype == dtype
        and out.flags.c_contiguous
        and out.flags.writeable
        and not any(arrays.overlap(out, x) for x in inputs)
    )


def row_sums(a: numpy.ndarray, b: numpy.ndarray, out: Any = None) -> Any:
    """Dot products over the last axis, broadcast; None if the call is to be forwarded."""
    if not (a.ndim and b.ndim and a.shape[-1] == b.shape[-1]):
        return None
    dtype = sum_type(a)
    if a.ndim == b.ndim == 1 and out is None:
        return scalar(_core.dot(a, b), dtype)
    if dtype.char in FLOATS:
        most = max(a.size, b.size)
        if not (_core.native(a) and _core.native(b)) or a.shape[-1] < LEAST_WIDTH or most < LEAST_SIZE:
            return None
    try:
        shape = numpy.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    except ValueError:
        return None
    if out is not None and not fits(out, shape, dtype, a, b):
        return None
    if dtype == numpy.float16:
        sums = numpy.asarray(_core.dot(a, b))
        if out is None:
            return sums.astype(dtype)
        out[...] = sums
        return out
    return _core.dot(a, b, out=out)


def all_sums(a: numpy.ndarray, b: numpy.ndarray, out: Any = None) -> Any:
    """Dot products of all pairs of rows of the smaller types; None for others, where BLAS is as fast."""
    if not (a.ndim == b.ndim == 2 and a.dtype.char not in FLOATS and a.shape[1] == b.shape[1]):
        return None
    dtype, shape = sum_type(a), (len(a), len(b))
    if out is not None and not fits(out, shape, dtype, a, b):
        return None
    made = DOT.value_dtype(a.dtype, a.dtype, a.shape[1])
    into = out if out is not None and made == dtype else numpy.empty(shape, made)
    _measure.pairwise_into(DOT, a, None if a is b else b, a.dtype, into, _threads.resolve(None))
    if made == dtype:
        return into
    if out is None:
        return into.astype(dtype)
    out[...] = into
    return out


def product(a: numpy.ndarray, b: numpy.ndarray, out: Any) -> Any:
    """``a @ b`` of a vector and matrices (of floats, the second a transpose); None for others."""
    if b.ndim == 1:
        return row_sums(a, b, out)
    if b.ndim != 2 or a.ndim not in (1, 2):
        return None
    if b.dtype.char in FLOATS and b.strides[0] != b.itemsize:
        return None
    columns = b.T if b.strides[0] == b.itemsize else numpy.ascontiguousarray(b.T)
    return row_sums(columns, a, out) if a.ndim == 1 else all_sums(a, columns, out)


def left(name: str, a: Any, b: Any, out: Any = None, **options: Any) -> Any:
    """Forward a call to NumPy, for bytes in float64: those sums are exact, where NumPy's own wrap."""
    function = common.pass_on("numpy", name)
    both = pair(a, b) if options.keys().isdisjoint(TYPE_OPTIONS) else None
    if both is None or both[0].dtype.char not in BYTES or getattr(out, "dtype", None) == both[0].dtype:
        return function(a, b, **options) if out is None else function(a, b, out=out, **options)
    x, y = both
    sums = numpy.asarray(function(x.astype(numpy.float64), y.astype(numpy.float64), **options))
    sums = sums.astype(DOT.value_dtype(x.dtype, x.dtype, summed(name, x, options)))
    if out is None:
        return sums if sums.ndim else sums[()]
    if not isinstance(out, numpy.ndarray) or out.shape != sums.shape:
        return function(a, b, out=out)  # which says what is wrong
    numpy.copyto(out, sums, casting="same_kind")
    return out


def summed(name: str, x: numpy.ndarray, options: dict[str, Any]) -> int:
    """How many products are in each sum, where NumPy has accepted the call."""
    if name == "vdot" or not x.ndim:
        return x.size
    axes = options.get("axes", (options.get("axis", -1),))[0]
    size: int = x.shape[axes[-1] if isinstance(axes, (tuple, list)) else axes]
    return size


# ---- NumPy's functions ---------------------------------------------------------------------


def dot(a: Any, b: Any, out: Any = None) -> Any:
    """
    Dot product of two arrays: `numpy.dot`.

    Parameters
    ----------
    a, b : array_like
        Fast are two vectors, a matrix (or more axes) and a vector, and a vector and a transposed matrix, of
        one type: float64, float32, float16, int8 or uint8; and of the last three a matrix and a
        transposed one.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray or scalar
        Of the type of the arrays, rounded once from a float64 sum; of int8 and uint8 the exact sums in
        int32, or int64 for very long rows.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> a = np.array([100, 100], np.int8)
    >>> int(np.dot(a, a))
    20000
    """
    found = two_rows(a, b) if out is None else None
    if found is None and (both := pair(a, b)) is not None:
        found = product(*both, out)
    return left("dot", a, b, out) if found is None else found


def inner(a: Any, b: Any, /) -> Any:
    """
    Dot products of the rows of two arrays, all with all: `numpy.inner`.

    Parameters
    ----------
    a, b : array_like
        Fast are vectors, and a matrix (or more axes) and a vector; of float16, int8 and uint8 two
        matrices too.

    Returns
    -------
    ndarray or scalar
        As for `dot`.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> np.inner(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0]))
    array([3., 7.])
    """
    found = two_rows(a, b)
    if found is None and (both := pair(a, b)) is not None:
        found = row_sums(*both) if 1 in (both[0].ndim, both[1].ndim) else all_sums(*both)
    return left("inner", a, b) if found is None else found


def vdot(a: Any, b: Any, /) -> Any:
    """
    Dot product of two arrays as vectors: `numpy.vdot`.

    Parameters
    ----------
    a, b : array_like
        Fast in the types of `dot`; what is not contiguous is copied, as by NumPy.

    Returns
    -------
    scalar
        As for `dot`.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> float(np.vdot(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])))
    11.0
    """
    found = two_rows(a, b)
    both = pair(a, b) if found is None else None
    if both is not None:
        found = row_sums(both[0].ravel(), both[1].ravel())
    return left("vdot", a, b) if found is None else found


def given(
    axes: Any, axis: Any, keepdims: Any, casting: Any, order: Any, dtype: Any, subok: Any, signature: Any
) -> dict[str, Any]:
    """Those options of a ufunc that are not its defaults. (By `is`: NumPy's float64 equals None.)"""
    plain_types = dtype is signature is None and casting == "same_kind"
    if plain_types and axes is axis is UNSET and keepdims is False and order == "K" and subok is True:
        return {}
    options = {"axes": axes, "axis": axis, "keepdims": keepdims, "casting": casting, "order": order}
    options |= {"dtype": dtype, "subok": subok, "signature": signature}
    return {name: value for name, value in options.items() if value is not DEFAULTS[name]}


def vecdot(
    x1: Any,
    x2: Any,
    /,
    out: Any = None,
    *,
    axes: Any = UNSET,
    axis: Any = UNSET,
    keepdims: Any = False,
    casting: Any = "same_kind",
    order: Any = "K",
    dtype: Any = None,
    subok: Any = True,
    signature: Any = None,
) -> Any:
    """
    Dot products over the last axis, broadcast: `numpy.vecdot`.

    Parameters
    ----------
    x1, x2 : array_like, shape (..., d)
        Fast in the types of `dot`.
    out : ndarray, optional
        Where to put the result.
    axes, axis, keepdims, casting, order, dtype, subok, signature
        NumPy's; calls with any (but ``axis=-1``) are left to NumPy.

    Returns
    -------
    ndarray or scalar
        As for `dot`.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> np.vecdot(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0]))
    array([3., 7.])
    """
    found, options = None, given(axes, axis, keepdims, casting, order, dtype, subok, signature)
    if not options or (options.keys() == {"axis"} and type(axis) is int and axis == -1):
        found = two_rows(x1, x2) if out is None else None
        if found is None and (both := pair(x1, x2)) is not None:
            found = row_sums(*both, out)
    return left("vecdot", x1, x2, out, **options) if found is None else found


def matmul(
    x1: Any,
    x2: Any,
    /,
    out: Any = None,
    *,
    axes: Any = UNSET,
    axis: Any = UNSET,
    keepdims: Any = False,
    casting: Any = "same_kind",
    order: Any = "K",
    dtype: Any = None,
    subok: Any = True,
    signature: Any = None,
) -> Any:
    """
    Matrix product: `numpy.matmul`.

    Parameters
    ----------
    x1, x2 : array_like
        Fast as for `dot`, up to two axes in the second.
    out : ndarray, optional
        Where to put the result.
    axes, axis, keepdims, casting, order, dtype, subok, signature
        NumPy's; calls with any are left to NumPy.

    Returns
    -------
    ndarray or scalar
        As for `dot`.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> X = np.array([[100, 100], [0, 1]], np.int8)
    >>> np.matmul(X, X.T)
    array([[20000,   100],
           [  100,     1]], dtype=int32)
    """
    found, options = None, given(axes, axis, keepdims, casting, order, dtype, subok, signature)
    if not options:
        found = two_rows(x1, x2) if out is None else None
        if found is None and (both := pair(x1, x2)) is not None:
            found = product(*both, out)
    return left("matmul", x1, x2, out, **options) if found is None else found


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "dot": dot,
    "inner": inner,
    "vdot": vdot,
    "vecdot": vecdot,
    "matmul": matmul,
}

for function in FUNCTIONS.values():
    function.__module__ = "vecblade.numpy"
