"""Anything that holds numbers, as NumPy arrays that the core can read; every message about it.

The core reads rows of float64, float32, float16, bfloat16, int8, uint8 and packed bits in place.
Other numbers are converted where no value can change, and rows that are not contiguous are copied; both
a piece at a time (`blocks`), never all of a corpus at once.

Inside the package an array's dtype says what its elements are: uint16 that hold bfloat16 and uint8 that hold
bits are viewed as `BFLOAT16` and `BITS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._core import BFLOAT16, BITS
from . import advice, missing
from .columns import WIDE_INTEGERS, fits_float64, joined

if TYPE_CHECKING:
    from collections.abc import Generator

    from .._metrics import Metric

# What one converted or copied piece may take.
PIECE = 4 << 20

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
# What the core reads, of NumPy's own types.
NATIVE = frozenset("fdebB")
BYTE_INTEGERS = (np.dtype(np.int8), np.dtype(np.uint8))
# Types that float64 holds exactly; whether it holds int64 and uint64 depends on their values.
TO_FLOAT64 = frozenset("hHiI")

# What an array of unsigned integers may be said to hold.
READINGS = {"bfloat16": (np.dtype(np.uint16), BFLOAT16), "bits": (np.dtype(np.uint8), BITS)}


def check_reading(dtype: Any, metric: Metric | None = None) -> str | None:
    """The argument `dtype`, which some metrics imply."""
    if not isinstance(dtype, str):  # as ml_dtypes, NumPy and torch name it
        names = getattr(dtype, "__name__", ""), getattr(dtype, "name", ""), str(dtype).removeprefix("torch.")
        dtype = "bfloat16" if "bfloat16" in names else dtype
    if dtype is not None and not (isinstance(dtype, str) and dtype in READINGS):
        raise ValueError(f"dtype={dtype!r} is not supported; expected 'bfloat16', 'bits' or None")
    if metric is not None and metric.takes_bits:
        if dtype == "bfloat16":
            raise ValueError(
                f"dtype='bfloat16' does not go with metric {metric.name!r}, which measures packed bits"
            )
        return "bits"
    return dtype


def numbers(x: Any, name: str, reading: str | None = None) -> np.ndarray:
    """
    The argument as an array of numbers that the core takes or that convert exactly.

    NumPy arrays, Arrow columns, objects with ``__dlpack__`` (CPU tensors), ``__array__`` or the buffer
    protocol are not copied.
    """
    array = x if type(x) is np.ndarray else foreign(x, name)
    kind = array.dtype.char
    if reading == "bits":
        if array.dtype == np.uint8:
            return array.view(BITS)
        raise TypeError(
            f"{name} has dtype {array.dtype}; expected packed bits, that is uint8: "
            f"{advice.bits(x, array, name)}"
        )
    # A file that NumPy has written of ml_dtypes.bfloat16 comes back as two bytes of anything.
    if reading == "bfloat16" and array.dtype in (np.uint16, np.dtype("V2")) and array.dtype.isnative:
        return array.view(BFLOAT16)
    if reading == "bfloat16" and array.dtype.kind in "iu" and array.dtype.itemsize == 2:
        raise TypeError(
            f"{name} has dtype {array.dtype.str}; expected uint16 in this machine's byte order "
            f"for dtype='bfloat16': pass {advice.callable_name(x, name)}.astype(np.uint16)"
        )
    if kind in NATIVE or kind in TO_FLOAT64 or array.dtype == BFLOAT16:
        return array
    if kind in WIDE_INTEGERS and (array.dtype.itemsize == 4 or fits_float64(array)):
        return array
    if is_bfloat16(array.dtype):
        _core.know_bfloat16(array.dtype)
        return array.view(BFLOAT16)
    if kind == "O":
        advice.refuse_objects(array, name)
    shown_as = "V2" if array.dtype == np.dtype("V2") else array.dtype
    raise TypeError(f"{name} has dtype {shown_as}{advice.other_dtype(x, array, name)}")


def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Whether it is the type that ml_dtypes registers with NumPy."""
    return dtype.name == "bfloat16" and dtype.itemsize == 2 and dtype.isnative


def foreign(x: Any, name: str) -> np.ndarray:
    """An object that is not exactly an ndarray as one, without a copy where it allows that."""
    advice.refuse(x, name)
    if isinstance(x, np.ndarray):
        return np.asarray(x)
    try:
        array = read(x, name)
    except (BufferError, ImportError, RuntimeError, TypeError, ValueError) as error:
        if type(error) is TypeError and str(error).startswith(name):
            raise
        advice.refuse_objects(x, name, error)
    if array.dtype.kind in "OSU":
        advice.refuse_objects(x, name)
    return array


def read(x: Any, name: str) -> np.ndarray:
    """Read an object by Arrow, DLPack, ``__array__`` or the buffer protocol."""
    if is_arrow(x) or is_arrow_table(x):
        from . import arrow  # on demand: few arrays are Arrow's

        if (column := arrow.read(x, name)) is not None:
            return column
    elif hasattr(x, "__dlpack__"):
        try:
            return np.from_dlpack(x)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            array = bfloat16_tensor(x)
            if array is not None:
                return array
            if not hasattr(x, "__array__"):
                raise TypeError(f"{name} ({type(x).__name__}) cannot be read: {error}") from error
    elif is_mixed_frame(x):
        columns = [np.asarray(x.iloc[:, i]) for i in range(x.shape[1])]
        if all(column.dtype.kind in "fiu" for column in columns):
            return joined(columns, list(x.columns), name)
    return np.asarray(x)


def is_mixed_frame(x: Any) -> bool:
    """Whether it is a frame of pandas whose columns NumPy would round to one type, or take for objects."""
    if not missing.is_pandas(x) or x.ndim != 2:
        return False
    types = set(x.dtypes)
    return len(types) > 1 or not all(isinstance(dtype, np.dtype) for dtype in types)


def is_arrow(x: Any) -> bool:
    """Whether it may be an Arrow column: not a frame, and in pandas only if its memory is Arrow's."""
    exports = hasattr(x, "__arrow_c_array__") or hasattr(x, "__arrow_c_stream__")
    if not exports or hasattr(x, "columns"):
        return False
    return not missing.is_pandas(x) or "[pyarrow]" in str(x.dtype)


def is_arrow_table(x: Any) -> bool:
    """Whether it is a table of Arrow columns. (pandas makes them only then, and only with pyarrow.)"""
    return hasattr(x, "__arrow_c_stream__") and hasattr(x, "columns") and not missing.is_pandas(x)


def bfloat16_tensor(x: Any) -> np.ndarray | None:
    """A tensor of bfloat16 in CPU memory, whose type NumPy does not know; None if it is not one."""
    try:
        return _core.bfloat16_from_dlpack(x.__dlpack__())
    except (BufferError, RuntimeError, TypeError, ValueError):
        return None


def rows(x: Any, name: str, dims: tuple[int, ...], reading: str | None = None) -> np.ndarray:
    """`numbers` with one of these numbers of axes."""
    array = numbers(x, name, reading)
    if array.ndim not in dims:
        wanted = " or ".join(
            {1: "(d,)", 2: f"({'m' if name in ('corpus', 'B') else 'n'}, d)"}[n] for n in dims
        )
        hint = {1: f"; pass np.atleast_2d({name})", 3: f"; pass np.concatenate({name})"}.get(array.ndim, "")
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}{hint}")
    return array


def same_width(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"{a_name} {'have' if a_name in ('queries', 'rows') else 'has'} {a.shape[-1]} columns, "
            f"{'the corpus' if b_name == 'corpus' else b_name} {b.shape[-1]} (shapes {a.shape} and {b.shape})"
        )


# ---- types ---------------------------------------------------------------------------------


def shown(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in which users get arrays of it: bfloat16 as ml_dtypes has it, if that can be imported."""
    if dtype == BFLOAT16:
        try:
            import ml_dtypes
        except ImportError:
            return np.dtype(np.uint16)
        half: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return half
    return np.dtype(np.uint8) if dtype == BITS else dtype


def type_name(dtype: np.dtype[Any]) -> str:
    """The name by which users know the type."""
    return {BFLOAT16: "bfloat16", BITS: "packed bits"}.get(dtype) or str(dtype)


def working_dtype(array: np.ndarray) -> np.dtype[Any]:
    """The type that the core would read the array as: its own, or else float64."""
    if array.dtype in (BFLOAT16, BITS):
        return array.dtype
    return array.dtype.newbyteorder("=") if array.dtype.char in NATIVE else FLOAT64


def agreed(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """The types that both sides are read as: two real types, or one type twice."""
    x, y = working_dtype(a), working_dtype(b)
    if x == y:
        return x, y
    if x == BFLOAT16:
        check_uint16(b, b_name, a_name)
    elif y == BFLOAT16:
        check_uint16(a, a_name, b_name)
    if BITS in (x, y):
        raise TypeError(
            f"{a_name} holds {type_name(x)} and {b_name} {type_name(y)}; bits are measured with bits only"
        )
    if x in BYTE_INTEGERS and y in BYTE_INTEGERS:
        return FLOAT64, FLOAT64
    return FLOAT32 if x in BYTE_INTEGERS else x, FLOAT32 if y in BYTE_INTEGERS else y


def check_uint16(array: np.ndarray, name: str, other: str) -> None:
    """
    Refuse uint16 together with bfloat16, unless ``dtype="bfloat16"`` was said.

    They may be integers, or bfloat16 in a uint16 array: both are common, and measured as the other they
    would go unnoticed.
    """
    if array.dtype.char != "H":
        return
    codes = f"np.asarray({name}, np.uint16).view(ml_dtypes.bfloat16)"
    said = "make it with dtype='bfloat16'" if other == "the index" else "say dtype='bfloat16'"
    raise TypeError(
        f"{name} has dtype {array.dtype}, and {other} holds bfloat16: if these are integers, pass "
        f"np.asarray({name}, np.float32); if they are bfloat16, pass {codes}, or {said}"
    )


def agreed_one(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> np.dtype[Any]:
    """The one type that both sides are read as."""
    x, y = agreed(a, a_name, b, b_name)
    return x if x == y else FLOAT64 if FLOAT64 in (x, y) else FLOAT32


def real_dtype(array: np.ndarray) -> np.dtype[Any]:
    """The real type of results made from the array: float32 if its elements are floats no wider than that."""
    narrow = array.dtype == BFLOAT16 or array.dtype.char in "ef"
    return FLOAT32 if narrow else FLOAT64


def converted(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """A contiguous copy (or the array, if it is that) in another type, which holds every value."""
    with np.errstate(invalid="ignore"), _core.StandardMode():  # NaN that signal
        if array.dtype == BFLOAT16 and dtype != BFLOAT16:
            upper = np.ascontiguousarray(array).view(np.uint16).astype(np.uint32)
            return (upper << 16).view(np.float32).astype(dtype, copy=False)
        return np.ascontiguousarray(array, dtype)


def readable(array: np.ndarray, dtype: np.dtype[Any]) -> bool:
    """Whether the core can read the array as this type in place."""
    return array.dtype == dtype and _core.native(array)


def native(array: np.ndarray, dtype: np.dtype[Any] | None = None) -> np.ndarray:
    """The array if the core can read it as this type, else a copy that it can read."""
    dtype = dtype or working_dtype(array)
    return array if readable(array, dtype) else converted(array, dtype)


def is_small(array: np.ndarray, dtype: np.dtype[Any]) -> bool:
    """Whether a copy of the array takes little memory (one broadcast row counts once)."""
    return array.size * dtype.itemsize <= PIECE


def blocks(array: np.ndarray, dtype: np.dtype[Any] | None = None) -> Generator[tuple[int, np.ndarray]]:
    """A 2-D array as (first row, rows that the core can read, of this type): in one piece or several."""
    dtype = dtype or working_dtype(array)
    if readable(array, dtype):
        yield 0, array
        return
    if len(array) == 0:
        yield 0, converted(array, dtype)
        return
    step = max(1, PIECE // max(1, array.shape[1] * dtype.itemsize))
    for start in range(0, len(array), step):
        yield start, converted(array[start : start + step], dtype)


def exactly(array: np.ndarray, name: str, dtype: np.dtype[Any], holder: str) -> np.ndarray:
    """The array in this type; a TypeError where that would change a value."""
    given = working_dtype(array)
    if given == dtype:
        return array
    if dtype == BFLOAT16:
        check_uint16(array, name, holder)
    if BITS not in (given, dtype):
        wide = converted(array, FLOAT64)
        made = rounded(wide, dtype)
        with _core.StandardMode():
            same = np.array_equal(wide, converted(made, FLOAT64), equal_nan=True)
        if same:
            return made
    if BITS in (given, dtype):
        raise TypeError(f"{name} holds {type_name(given)}, and {holder} {type_name(dtype)}")
    how = f"vb.astype({name}, 'bfloat16')" if dtype == BFLOAT16 else f"np.asarray({name}).astype(np.{dtype})"
    if dtype in BYTE_INTEGERS:
        how = f"codes made as those of {holder} were, by vb.quantize for one"
    raise TypeError(
        f"{name} has dtype {type_name(array.dtype)} and numbers that {type_name(dtype)}, which {holder} "
        f"holds, would change; if that is right, pass {how}"
    )


def rounded(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """float64 numbers in another type, rounded to nearest even; unspecified outside the integer range."""
    if dtype == BFLOAT16:
        made = np.empty(array.shape, BFLOAT16)
        if array.size:
            _core.rewrite("same", array.reshape(1, -1), made.reshape(1, -1)).run()
        return made
    with np.errstate(all="ignore"), _core.StandardMode():
        return array.astype(dtype)


# ---- results -------------------------------------------------------------------------------


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
    if out.size == 0:
        return False
    extent = out.itemsize
    for stride, count in sorted((abs(s), n) for s, n in zip(out.strides, out.shape, strict=True) if n > 1):
        if stride < extent:
            return True
        extent += stride * (count - 1)
    return False
