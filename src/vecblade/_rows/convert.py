"""Smaller types for rows: `astype`, `quantize`, `pack_bits`, `unpack_bits`."""

import math
from typing import Any, NamedTuple

import numpy as np

from .. import _core, _threads
from .._core import BFLOAT16
from . import arrays

MOST_CODE = 127


class Quantized(NamedTuple):
    """
    Rows in int8, where ``codes * scales`` approximates the original.

    Attributes
    ----------
    codes : ndarray of int8, shape (n, d) or (d,)
    scales : ndarray of float32, shape (n, 1), (1, 1) or (1,)
        One per row, or one for all rows.
    loss : ndarray of float32, shape (n,) or ()
        The residual norm of each row over its norm: ``|x - codes * scales| / |x|``.
    """

    codes: np.ndarray
    scales: np.ndarray
    loss: np.ndarray


def quantize(X: Any, scale: Any = "row", *, dtype: Any = None) -> Quantized:
    """
    Rows in int8 codes, symmetric around zero: ``x / scale``, rounded to nearest even, clipped to [-127, 127].

    Parameters
    ----------
    X : array_like, shape (n, d) or (d,)
        Rows of finite numbers.
    scale : {"row", "global"}, float or array_like of shape (n,)
        ``"row"``: the largest magnitude of each row over 127, so that cosines of codes approximate those of
        the rows. ``"global"``: one scale for all rows, which dot products and distances need. Otherwise the
        scales themselves, which must be positive; elements beyond 127 times the scale saturate.
    dtype : {"bfloat16"}, optional
        uint16 arrays hold bfloat16 numbers.

    Returns
    -------
    Quantized
        ``codes``, ``scales`` and ``loss``.

    Raises
    ------
    ValueError
        A wrong shape, numbers that are not finite, or a scale that is not positive.
    TypeError
        `X` is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> made = vb.quantize(np.array([[0.25, -1.0], [0.0, 4.0]]))
    >>> made.codes
    array([[  32, -127],
           [   0,  127]], dtype=int8)
    >>> made.loss.round(4)
    array([0.0019, 0.    ], dtype=float32)
    """
    if (reading := arrays.check_reading(dtype)) == "bits":
        raise ValueError("dtype='bits' has nothing to quantize")
    x = arrays.rows(X, "X", (1, 2), reading)
    with _core.StandardMode():
        return _quantized(x, scale)


def _quantized(x: np.ndarray, scale: Any) -> Quantized:
    rows = np.atleast_2d(x)
    most = np.zeros(len(rows))
    for i, some in _pieces(rows):
        most[i : i + len(some)] = np.abs(some).max(axis=1, initial=0.0)
    if not np.isfinite(most).all():
        raise ValueError(f"X has a number that is not finite in row {int(np.argmin(np.isfinite(most)))}")
    scales = _scales(scale, most)
    codes, loss = np.empty(rows.shape, np.int8), np.empty(len(rows), np.float32)
    for i, some in _pieces(rows):
        part = slice(i, i + len(some))
        unit = (scales if len(scales) == 1 else scales[part]).astype(np.float64)
        with np.errstate(over="ignore"):
            code = np.clip(np.rint(some / unit), -MOST_CODE, MOST_CODE)
        codes[part] = code
        largest = np.maximum(most[part], np.finfo(np.float64).tiny)[:, None]  # so that no square overflows
        residual, norm = (np.linalg.norm(v / largest, axis=1) for v in (some - code * unit, some))
        loss[part] = residual / np.where(norm > 0, norm, 1)
    if x.ndim == 1:
        return Quantized(codes[0], scales[0], loss[0])
    return Quantized(codes, scales, loss)


def _pieces(rows: np.ndarray) -> Any:
    """A few rows at a time in float64."""
    step = max(1, arrays.PIECE // max(1, 8 * rows.shape[1]))
    for start in range(0, len(rows), step):
        yield start, arrays.converted(rows[start : start + step], arrays.FLOAT64)


def _scales(scale: Any, most: np.ndarray) -> np.ndarray:
    if isinstance(scale, str):
        if scale not in ("row", "global"):
            raise ValueError(
                f"scale={scale!r} is not supported; expected 'row', 'global' or positive numbers"
            )
        if scale == "global":
            most = most.max(initial=0.0, keepdims=True)
        # Rounded up, so that the largest element does not go past the last code; of rows of zeros
        # any will do.
        with np.errstate(over="ignore", under="ignore"):
            exact = np.where(most > 0, most / MOST_CODE, 1.0)
            found = exact.astype(np.float32)
            found = np.where(found < exact, np.nextafter(found, np.float32(np.inf)), found)
            # Where even the float64 is zero: the least float64 numbers over 127.
            found = np.where(found > 0, found, np.finfo(np.float32).smallest_subnormal)
        if not np.isfinite(found).all():
            raise ValueError("X has numbers past 127 times the range of float32, in which scales are kept")
        return found[:, None]
    try:
        if scale is None or isinstance(scale, bool):
            raise TypeError
        found = np.atleast_1d(np.asarray(scale, np.float32))
    except (TypeError, ValueError):
        raise ValueError(
            f"scale={scale!r} is not supported; expected 'row', 'global' or positive numbers"
        ) from None
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1 or len(found) not in (1, len(most)):
        raise ValueError(f"scale: expected one number or shape ({len(most)},), got {np.shape(scale)}")
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError("scale has numbers that are not positive and finite")
    return found[:, None]


def pack_bits(X: Any, *, dtype: Any = None) -> np.ndarray:
    """
    The signs of numbers as packed bits: 1 for each element greater than zero.

    Parameters
    ----------
    X : array_like, shape (..., d)
        Numbers, or booleans.
    dtype : {"bfloat16"}, optional
        uint16 arrays hold bfloat16 numbers.

    Returns
    -------
    ndarray of uint8, shape (..., (d + 7) // 8)
        The first element is the highest bit of the first byte, as in `numpy.packbits`; the last byte is
        padded with zeros.

    Raises
    ------
    ValueError
        `X` is a single number, or ``dtype="bits"``.
    TypeError
        `X` is not numeric.

    Examples
    --------
    >>> import vecblade as vb
    >>> vb.pack_bits([0.3, -0.1, 0.0, 2.0, -1.0, 1.0, 1.0, -5.0, 0.7])
    array([150, 128], dtype=uint8)
    """
    if (reading := arrays.check_reading(dtype)) == "bits":
        raise ValueError("dtype='bits' is packed already")
    x = X if type(X) is np.ndarray else arrays.foreign(X, "X")
    if x.dtype != np.bool_:
        x = arrays.numbers(x, "X", reading)
    if x.ndim == 0:
        raise ValueError("X is a single number; expected shape (..., d)")
    packed = np.empty((*x.shape[:-1], (x.shape[-1] + 7) // 8), np.uint8)
    count = math.prod(x.shape[:-1])
    rows, out = x.reshape(count, x.shape[-1]), packed.reshape(count, packed.shape[-1])
    step = max(1, arrays.PIECE // max(1, 4 * rows.shape[1]))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        if some.dtype == BFLOAT16:
            some = arrays.converted(some, arrays.FLOAT32)
        with _core.StandardMode():
            out[start : start + step] = np.packbits(some > 0, axis=1)
    return packed


def unpack_bits(codes: Any, d: int | None = None) -> np.ndarray:
    """
    Packed bits as zeros and ones.

    Parameters
    ----------
    codes : array_like of uint8, shape (..., n)
        Packed bits, as from `pack_bits`.
    d : int, optional
        How many bits to return per row; by default all 8 n.

    Returns
    -------
    ndarray of uint8, shape (..., d)

    Raises
    ------
    ValueError
        `codes` is a single number, or `d` is not from 0 to 8 n.
    TypeError
        `codes` are not uint8.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> vb.unpack_bits(np.array([150, 128], np.uint8), 9)
    array([1, 0, 0, 1, 0, 1, 1, 0, 1], dtype=uint8)
    """
    x = arrays.numbers(codes, "codes", "bits").view(np.uint8)
    if x.ndim == 0:
        raise ValueError("codes is a single number; expected shape (..., n)")
    if d is not None and (isinstance(d, bool) or not hasattr(d, "__index__")):
        raise TypeError(f"d must be an integer, not {d!r}")
    if d is not None and not 0 <= d <= 8 * x.shape[-1]:
        raise ValueError(f"d must be from 0 to {8 * x.shape[-1]}, not {d}")
    return np.unpackbits(x, axis=-1, count=d)


def astype(X: Any, to: Any, *, threads: int | None = None, dtype: Any = None) -> np.ndarray:
    """
    Rows in another floating-point type, each number rounded to nearest, ties to even.

    Parameters
    ----------
    X : array_like, shape (d,) or (n, d)
        Rows of numbers.
    to : str or dtype
        ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``, or a type: NumPy's, or
        ``ml_dtypes.bfloat16``.
    threads : int, optional
        How many threads may work on the call. Default: see `set_num_threads`.
    dtype : {"bfloat16"}, optional
        uint16 arrays hold bfloat16 numbers.

    Returns
    -------
    ndarray
        The shape of `X`. bfloat16 comes as ``ml_dtypes.bfloat16`` if that package can be imported, and every
        function recognizes it. Otherwise it comes as uint16, whose dtype does not say what it holds: pass
        ``dtype="bfloat16"`` wherever it is used. ``result.view(np.uint16)`` is uint16 in either case.
        Numbers beyond the range of the type become infinite.

    Raises
    ------
    ValueError
        A wrong shape, or an unknown type.
    TypeError
        `X` is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> half = vb.astype(np.array([1.0, 3.14159]), "bfloat16")
    >>> half.dtype, half.nbytes
    (dtype(bfloat16), 4)
    >>> vb.astype(half, "float32")
    array([1.      , 3.140625], dtype=float32)
    """
    if (reading := arrays.check_reading(dtype)) == "bits":
        raise ValueError("dtype='bits' has no numbers to round; pass vb.unpack_bits(X)")
    x = arrays.rows(X, "X", (1, 2), reading)
    threads = _threads.resolve(threads)
    inner, shown = _target(to)
    result = np.empty(x.shape, inner)
    source, sink = np.atleast_2d(x), np.atleast_2d(result)
    for i, some in arrays.blocks(source):
        _threads.run(_core.rewrite("same", some, sink[i : i + len(some)]), threads)
    return result.view(shown)


def _target(to: Any) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """The type as the core knows it, and as the user gets it."""
    if isinstance(to, str) and to == "bfloat16":
        return BFLOAT16, arrays.shown(BFLOAT16)
    try:
        dtype = np.dtype(object if to is None else to)
    except TypeError:
        dtype = np.dtype(object)
    if arrays.is_bfloat16(dtype):
        return BFLOAT16, dtype
    if dtype not in (np.float16, np.float32, np.float64):
        raise ValueError(
            f"to={to!r} is not supported; expected 'float16', 'bfloat16', 'float32' or 'float64'"
        )
    return dtype.newbyteorder("="), dtype.newbyteorder("=")
