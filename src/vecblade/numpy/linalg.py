"""
``numpy.linalg`` with faster, more exact lengths of vectors: ``import vecblade.numpy.linalg``.

`norm` and `vector_norm` have NumPy's signatures, shapes and result types, and `vecdot` and `matmul` are
those of ``vecblade.numpy``. Every other name is NumPy's own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from .. import _core, _dropin

__all__ = ["matmul", "norm", "vecdot", "vector_norm"]

MODULE = "numpy.linalg"

# What has a square whose root is sure to be the length.
LEAST = 1e-280


def __getattr__(name: str) -> Any:
    """What is not here is NumPy's own."""
    return getattr(numpy.linalg, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(numpy.linalg)})


def lengths(x: Any, axis: Any, keepdims: Any) -> Any:
    """Euclidean lengths along the last axis, or of the whole array; None if the call is to be passed on."""
    array = _dropin.plain(x) if isinstance(x, (numpy.ndarray, list, tuple)) else None
    if array is None or array.dtype.char not in "fdebB" or not array.dtype.isnative or not array.ndim:
        return None
    whole = axis is None or array.ndim == 1
    if whole:
        if axis not in (None, 0, -1) or not (array.ndim == 1 or array.flags.c_contiguous):
            return None
    elif type(axis) is not int or axis not in (-1, array.ndim - 1):
        return None
    if not whole and not _core.native(array):
        return None  # columns, which would be copied
    dtype = array.dtype if array.dtype.kind == "f" else numpy.dtype(numpy.float64)
    rows = array.ravel() if whole else array
    found: Any
    if whole and LEAST < (square := _core.dot(rows, rows)) < math.inf:
        found = math.sqrt(square)
    else:
        found = _core.euclidean(rows, numpy.zeros(rows.shape[-1], rows.dtype))
    if whole:
        result = dtype.type(found)
        return numpy.full((1,) * array.ndim, result) if keepdims else result
    found = found.astype(dtype, copy=False)
    return found[..., None] if keepdims else found


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    """
    Norm of vectors or matrices: `numpy.linalg.norm`.

    Parameters
    ----------
    x : array_like
        Numbers; fast in float64, float32, float16, int8 and uint8.
    ord : optional
        NumPy's; fast are None, and 2 for vectors.
    axis : int or tuple of int, optional
        NumPy's; fast are the last axis, and None.
    keepdims : bool
        Whether to keep the axes with length one.

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
    vectors = ord is None or (ord == 2 and (axis is not None or numpy.ndim(x) == 1))
    found = lengths(x, axis, keepdims) if vectors else None
    return _dropin.pass_on(MODULE, "norm")(x, ord, axis, keepdims) if found is None else found


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
    found = lengths(x, axis, keepdims) if ord is not None and ord == 2 else None
    if found is None:
        return _dropin.pass_on(MODULE, "vector_norm")(x, axis=axis, keepdims=keepdims, ord=ord)
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
    from . import vecdot as ours

    return ours(x1, x2, axis=axis)


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
    from . import matmul as ours

    return ours(x1, x2)
