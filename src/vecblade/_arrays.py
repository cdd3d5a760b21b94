"""Anything that holds numbers, as NumPy arrays that the core can read; every message about it.

The core reads float32 and float64 rows where they lie. Other numbers are converted where no value
can change, and rows that are not contiguous are copied; both a piece at a time (`blocks`), never a
whole corpus at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

# What one converted or copied piece may take.
PIECE = 4 << 20

EXACT_INTEGER = 2**53

# Types with no loss in float32 and float64. int64 and uint64 depend on their values.
TO_FLOAT32 = frozenset("e")
TO_FLOAT64 = frozenset("bBhHiI")
WIDE_INTEGERS = frozenset("lLqQ")


def numbers(x: Any, name: str) -> np.ndarray:
    """
    The argument as an array of numbers that convert to float32 or float64 without loss.

    NumPy arrays, objects with ``__dlpack__`` (CPU tensors), ``__array__`` or the buffer protocol
    are not copied.
    """
    array = x if type(x) is np.ndarray else foreign(x, name)
    kind = array.dtype.char
    if kind in "fd" or kind in TO_FLOAT32 or kind in TO_FLOAT64:
        return array
    if kind in WIDE_INTEGERS:
        if array.dtype.itemsize == 4 or fits_float64(array):
            return array
        raise TypeError(
            f"{name} has dtype {array.dtype} and values past 2**53, which float64 cannot hold; "
            f"if rounding them is right, pass {name}.astype(np.float64)"
        )
    if kind in "gFDG":
        raise TypeError(
            f"{name} has dtype {array.dtype}; accepted are real numbers that float64 can hold. "
            f"If rounding is right, pass {name}.astype(np.float64)"
        )
    if kind == "?":
        raise TypeError(
            f"{name} has dtype bool; pass {name}.astype(np.float32) to measure it as zeros and ones"
        )
    raise TypeError(f"{name} has dtype {array.dtype}; accepted are float64, float32, float16 and integers")


def fits_float64(array: np.ndarray) -> bool:
    return array.size == 0 or bool(array.max() <= EXACT_INTEGER and array.min() >= -EXACT_INTEGER)


def foreign(x: Any, name: str) -> np.ndarray:
    """An object that is not exactly an ndarray as one, without a copy where it allows that."""
    if isinstance(x, np.ndarray):
        masked = sys.modules.get("numpy.ma")
        if masked is not None and isinstance(x, masked.MaskedArray):
            raise TypeError(
                f"{name} is a masked array, whose mask has no meaning here; pass {name}.filled(...)"
            )
        return np.asarray(x)
    try:
        if hasattr(x, "__dlpack__"):
            try:
                return np.from_dlpack(x)
            except (BufferError, RuntimeError, TypeError, ValueError) as error:
                if not hasattr(x, "__array__"):
                    raise TypeError(f"{name} ({type(x).__name__}) cannot be read: {error}") from error
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        if type(error) is TypeError and str(error).startswith(name):
            raise
        raise TypeError(
            f"{name} ({type(x).__name__}) cannot be read as an array of numbers: {error}"
        ) from error
    if array.dtype == object:
        raise TypeError(f"{name} ({type(x).__name__}) is not an array of numbers, nor rows of one length")
    if array.size == 0 and not hasattr(x, "dtype"):
        array = array.astype(np.float64)
    return array


def rows(x: Any, name: str, dims: tuple[int, ...]) -> np.ndarray:
    """`numbers` with one of these numbers of axes."""
    array = numbers(x, name)
    if array.ndim not in dims:
        wanted = " or ".join(
            {1: "(d,)", 2: f"({'m' if name in ('corpus', 'B') else 'n'}, d)"}[n] for n in dims
        )
        raise ValueError(f"{name} has shape {array.shape}; accepted is {wanted}")
    return array


def same_width(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"{a_name} has rows of {a.shape[-1]} numbers and {b_name} rows of {b.shape[-1]} "
            f"(shapes {a.shape} and {b.shape}); they must be equal"
        )


def working_dtype(array: np.ndarray) -> np.dtype:
    """What the core computes with: float32 or float64."""
    return np.dtype(np.float32 if array.dtype.char in TO_FLOAT32 or array.dtype.char == "f" else np.float64)


def result_dtype(a: np.ndarray, b: np.ndarray) -> np.dtype:
    return np.promote_types(working_dtype(a), working_dtype(b))


def native(array: np.ndarray) -> np.ndarray:
    """The array if the core can read it, else a copy that it can read."""
    if _core.native(array):
        return array
    return np.ascontiguousarray(array, working_dtype(array))


def is_small(array: np.ndarray) -> bool:
    """Whether a copy of the array is nothing to speak of (one broadcast row counts once)."""
    return array.size * working_dtype(array).itemsize <= PIECE


def blocks(array: np.ndarray, dtype: np.dtype | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """A 2-D array as (first row, rows that the core can read, of this type): whole, or else in pieces."""
    dtype = dtype or working_dtype(array)
    if _core.native(array) and array.dtype == dtype:
        yield 0, array
        return
    if len(array) == 0:
        yield 0, np.ascontiguousarray(array, dtype)
        return
    step = max(1, PIECE // max(1, array.shape[1] * dtype.itemsize))
    for start in range(0, len(array), step):
        yield start, np.ascontiguousarray(array[start : start + step], dtype)


def output(out: Any, shape: tuple[int, ...], dtype: np.dtype, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """A new array for the result, or the caller's if it fits."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy.ndarray, not {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype or not out.dtype.isnative:
        raise ValueError(
            f"out has shape {out.shape} and dtype {out.dtype.str}; the result has {shape} and {dtype.str}"
        )
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    for name, array in inputs.items():
        if overlap(out, array):
            raise ValueError(f"out overlaps {name}, which would change while it is read; pass another array")
    if inner_overlap(out):
        raise ValueError("out has elements that share memory with each other")
    return np.asarray(out)


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def inner_overlap(out: np.ndarray) -> bool:
    """Whether two elements may be one (a broadcast array); sure to be False for ordinary views."""
    reach = out.itemsize
    for stride, length in sorted((abs(s), n) for s, n in zip(out.strides, out.shape, strict=True) if n > 1):
        if stride < reach:
            return True
        reach = stride * (length - 1) + reach
    return False
