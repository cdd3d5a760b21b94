"""
``numpy.linalg`` with faster, more exact norms of vectors: ``import vecblade.numpy.linalg``.

`norm` and `vector_norm` have NumPy's signatures, shapes and result types, and `vecdot` and `matmul` are
those of ``vecblade.numpy``. Every other name is NumPy's own.
"""

import math
from operator import index
from typing import Any

import numpy

from .. import _core
from .._dropin import common
from . import _products

__all__ = ["matmul", "norm", "vecdot", "vector_norm"]

MODULE = "numpy.linalg"

# A square from here on has a root that is sure to be the norm.
LEAST = 1e-280

# Rows that are copied together: up to BLOCK bytes, or so few that their columns share cache lines. The
# elements that are copied at a time stay in a cache with what they are copied from.
BLOCK, FEW_ROWS, TILE = 1 << 22, 16, 32768

FROBENIUS = ("fro", "f")


def __getattr__(name: str) -> Any:
    """NumPy's own object, for all other names."""
    return getattr(numpy.linalg, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(numpy.linalg)})


def norms(x: Any, axis: Any, keepdims: Any) -> Any:
    """Euclidean norms over the axes, in any memory layout; None if the call is to be forwarded."""
    array = common.plain(x) if isinstance(x, (numpy.ndarray, numpy.generic, list, tuple)) else None
    if array is None or array.dtype.char not in "fdebB" or not isinstance(keepdims, (bool, numpy.bool_)):
        return None
    axes = summed_axes(axis, array.ndim)
    if axes is None:
        return None
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    dtype = array.dtype if array.dtype.kind == "f" else numpy.dtype(numpy.float64)
    if len(axes) == array.ndim:
        found = rounded(norm_of(array), dtype)
        return found.reshape((1,) * array.ndim) if keepdims else found
    rest = [i for i in range(array.ndim) if i not in axes]
    rows = array.transpose(*rest, *axes)
    result = numpy.empty(rows.shape[: len(rest)], dtype)
    norms_into(rows, result)
    return numpy.expand_dims(result, axes) if keepdims else result


def summed_axes(axis: Any, ndim: int) -> tuple[int, ...] | None:
    """The axes to sum over; None where NumPy is to say what is wrong with them."""
    if axis is None:
        return tuple(range(ndim))
    try:
        axes = tuple(map(index, axis if type(axis) is tuple else (axis,)))
    except TypeError:
        return None
    if not axes or not all(-ndim <= i < ndim for i in axes):
        return None
    axes = tuple(i % ndim for i in axes)
    return axes if len(set(axes)) == len(axes) else None


def rounded(found: float, dtype: numpy.dtype[Any]) -> Any:
    """A norm in the type of the result, where it may be infinite."""
    if dtype.char == "d":
        return numpy.float64(found)
    with numpy.errstate(over="ignore", under="ignore"), _core.StandardMode():
        return dtype.type(found)


def norm_of(array: numpy.ndarray) -> float:
    """The norm of all elements, as they follow in memory if there are no gaps, else by index."""
    row = contiguous(as_it_lies(array)).reshape(-1)
    square: float = _core.dot(row, row)
    if LEAST < square < math.inf:
        return math.sqrt(square)
    found: float = _core.euclidean(row, numpy.zeros(len(row), row.dtype))
    return found


def as_it_lies(array: numpy.ndarray) -> numpy.ndarray:
    """The array with its axes reordered, if that makes it contiguous."""
    if array.flags.c_contiguous:
        return array
    forward = array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)]
    turned = forward.transpose(sorted(range(array.ndim), key=lambda i: -forward.strides[i]))
    return turned if turned.flags.c_contiguous else array


def norms_into(rows: numpy.ndarray, result: numpy.ndarray) -> None:
    """Norms over the axes that the result lacks: of rows in place, or of copies of some at a time."""
    if not result.size:
        return
    wide = result.ndim + 1 < rows.ndim
    if wide or not _core.native(rows):
        if rows.nbytes > BLOCK and result.size > FEW_ROWS:
            axis = max(range(result.ndim), key=lambda i: result.shape[i])
            for half in halves(axis, result.shape[axis]):
                norms_into(rows[half], result[half])
            return
        rows = contiguous(rows).reshape(*result.shape, -1)
    found = _core.euclidean(rows, numpy.zeros(rows.shape[-1], rows.dtype))
    with numpy.errstate(over="ignore"):
        result[...] = found


def contiguous(array: numpy.ndarray) -> numpy.ndarray:
    """The array, or a contiguous copy of it."""
    if array.flags.c_contiguous:
        return array
    target = numpy.empty(array.shape, array.dtype)
    copy(array, target)
    return target


def copy(source: numpy.ndarray, target: numpy.ndarray) -> None:
    """Copy in halves of the longest axis, so that each cache line is read once whatever the strides are."""
    if source.size <= TILE:
        target[...] = source
        return
    axis = max(range(source.ndim), key=lambda i: source.shape[i])
    for half in halves(axis, source.shape[axis]):
        copy(source[half], target[half])


def halves(axis: int, size: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Indices of the two halves of an array along an axis of this size."""
    before = (slice(None),) * axis
    return (*before, slice(None, size // 2)), (*before, slice(size // 2, None))


def is_euclidean(ord: Any, axis: Any, x: Any) -> bool:
    """Whether `norm` is asked for the root of a sum of squares."""
    if ord is None:
        return axis is None or type(axis) is not tuple or len(axis) <= 2
    summed = numpy.ndim(x) if axis is None else len(axis) if type(axis) is tuple else 1
    return summed == 2 if isinstance(ord, str) and ord in FROBENIUS else summed == 1 and is_two(ord)


def is_two(ord: Any) -> bool:
    return isinstance(ord, (int, float, numpy.integer, numpy.floating)) and ord == 2


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    """
    Norm of vectors or matrices: `numpy.linalg.norm`.

    Parameters
    ----------
    x : array_like
        Numbers; fast in float64, float32, float16, int8 and uint8.
    ord : optional
        NumPy's; fast are None, 2 for vectors and "fro" for matrices.
    axis : int or tuple of int, optional
        NumPy's; fast are the last axis, and None. Of other axes, and where rows are not contiguous, a block
        at a time is copied first: the result is the same.
    keepdims : bool
        Whether to keep the axes, with size one.

    Returns
    -------
    ndarray or scalar
        The type of `x`, float64 for integers.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> np.linalg.norm(np.array([[3.0, 4.0], [0.0, 2.0]]), axis=1)
    array([5., 2.])
    """
    found = norms(x, axis, keepdims) if is_euclidean(ord, axis, x) else None
    return common.pass_on(MODULE, "norm")(x, ord, axis, keepdims) if found is None else found


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: Any = False, ord: Any = 2) -> Any:
    """
    Norm of vectors: `numpy.linalg.vector_norm`.

    Parameters
    ----------
    x, axis, keepdims
        As for `norm`.
    ord : optional
        NumPy's; fast is 2.

    Returns
    -------
    ndarray or scalar
        As for `norm`.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> float(np.linalg.vector_norm(np.array([[3.0, 4.0]])))
    5.0
    """
    found = norms(x, axis, keepdims) if is_two(ord) else None
    if found is None:
        return common.pass_on(MODULE, "vector_norm")(x, axis=axis, keepdims=keepdims, ord=ord)
    return found


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """
    Dot products over an axis, broadcast: `numpy.linalg.vecdot`.

    Parameters
    ----------
    x1, x2 : array_like
        Fast as for ``vecblade.numpy.vecdot``.
    axis : int
        Fast is the last one.

    Returns
    -------
    ndarray or scalar
        As for ``vecblade.numpy.vecdot``.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> float(np.linalg.vecdot(np.array([1.0, 2.0]), np.array([3.0, 4.0])))
    11.0
    """
    return _products.vecdot(x1, x2, axis=axis)


def matmul(x1: Any, x2: Any, /) -> Any:
    """
    Matrix product: `numpy.linalg.matmul`.

    Parameters
    ----------
    x1, x2 : array_like
        Fast as for ``vecblade.numpy.matmul``.

    Returns
    -------
    ndarray or scalar
        As for ``vecblade.numpy.matmul``.

    Raises
    ------
    ValueError, TypeError
        As NumPy does.

    Examples
    --------
    >>> import vecblade.numpy as np
    >>> np.linalg.matmul(np.array([[1.0, 2.0]]), np.array([3.0, 4.0]))
    array([11.])
    """
    return _products.matmul(x1, x2)
