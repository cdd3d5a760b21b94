"""Whose memory the rows of an argument lie in, and whether anybody may still write to it; our own memory."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from . import arrays

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_copy(copy: Any) -> bool | None:
    """The argument `copy`."""
    if copy is None or isinstance(copy, (bool, np.bool_)):
        return None if copy is None else bool(copy)
    raise TypeError(f"copy must be True, False or None, not {copy!r}")


def stays(x: Any, array: np.ndarray, copy: bool | None) -> bool:
    """Whether the array that an argument was read as is not to be copied."""
    return is_new(x, array) or not (may_change(x, array) if copy is None else copy)


def holder_of(array: np.ndarray) -> tuple[Any, bool]:
    """The object that holds the array's memory, None if it is an array; and whether it is a `memmap`'s."""
    holder: Any = array
    mapped = False
    while isinstance(holder, (np.ndarray, memoryview)):
        mapped = mapped or isinstance(holder, np.memmap)
        holder = holder.obj if isinstance(holder, memoryview) else holder.base
    return holder, mapped


def is_new(x: Any, array: np.ndarray) -> bool:
    """Whether the array was made when the argument was read, so that nobody else has it."""
    return isinstance(x, (list, tuple)) or (arrays.is_arrow(x) and holder_of(array)[0] is None)


def may_change(x: Any, array: np.ndarray) -> bool:
    """
    Whether somebody may write to the memory of the array that an argument was read as.

    Nobody writes to `bytes`, to Arrow buffers (but to those that pyarrow calls mutable), or, by agreement, to
    a file that is mapped. What is only read-only may change: there may be views that are not, and whoever
    owns an array can make it writable again.
    """
    holder, mapped = holder_of(array)
    if is_map(holder):
        return not mapped and is_shared(holder)
    if isinstance(holder, _core.ArrowOwner):
        return any(buffer.is_mutable for buffer in buffers(x))
    return not isinstance(holder, bytes) and all(buffer.is_mutable for buffer in buffers(holder))


def is_map(holder: Any) -> bool:
    module = sys.modules.get("mmap")  # without it there are none
    return module is not None and isinstance(holder, module.mmap)


def is_shared(memory: Any) -> bool:
    """Whether a map belongs to a `multiprocessing.shared_memory.SharedMemory`: it does not say so itself."""
    module = sys.modules.get("multiprocessing.shared_memory")
    if module is None:
        return False
    # Its attributes, if not the object, refer to the map.
    return any(
        isinstance(other, module.SharedMemory) or (isinstance(other, dict) and other.get("_mmap") is memory)
        for other in gc.get_referrers(memory)
    )


def buffers(x: Any) -> Iterator[Any]:
    """The buffers of an object of pyarrow, also of one in a pandas series; none of any other."""
    if library(x) == "pandas" and hasattr(getattr(x, "array", None), "__arrow_array__"):
        x = x.array.__arrow_array__()
    if library(x) != "pyarrow":
        return
    if hasattr(x, "is_mutable"):
        yield x
    elif hasattr(x, "buffers"):
        yield from filter(None, x.buffers())
    elif hasattr(x, "chunks"):
        for chunk in x.chunks:
            yield from buffers(chunk)


def library(x: Any) -> str:
    return type(x).__module__.partition(".")[0]


# ---- of our own ----------------------------------------------------------------------------


def aligned(size: int) -> np.ndarray:
    """Zero bytes, on a multiple of 64."""
    return on_a_line(np.zeros(size + 64, np.uint8), size)


def empty(shape: tuple[int, int], dtype: np.dtype[Any]) -> np.ndarray:
    """Rows to be written, on a multiple of 64; room that is never written takes no memory."""
    size = shape[0] * shape[1] * dtype.itemsize
    return on_a_line(np.empty(size + 64, np.uint8), size).view(dtype).reshape(shape)


def on_a_line(memory: np.ndarray, size: int) -> np.ndarray:
    start = -memory.ctypes.data % 64
    return memory[start : start + size]


def pieces(rows: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of rows that are soon copied, so that Ctrl-C need not wait."""
    step = max(1, arrays.PIECE // max(1, rows.shape[1] * rows.itemsize))
    return [(start, min(start + step, len(rows))) for start in range(0, len(rows), step)]


def copied(rows: np.ndarray, dtype: np.dtype[Any], room: int) -> np.ndarray:
    """The rows in this type, which holds every value, in new memory with room for more."""
    made = empty((room, rows.shape[1]), dtype)
    for start, stop in pieces(rows):
        made[start:stop] = arrays.native(rows[start:stop], dtype)
    return made
