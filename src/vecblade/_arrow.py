"""Columns of vectors from any Arrow library (pyarrow, Polars, pandas, DuckDB), over the same memory.

A column is a list of numbers for each row, all of one length: fixed-size lists, or lists that happen to be. A
column in several chunks is copied into one array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core

# Arrow's letters for the types of numbers.
NUMBERS = {letter: np.dtype(name) for letter, name in zip("efgcCsSiIlL", "efdbBhHiIqQ", strict=True)}
OFFSETS: dict[str, np.dtype[Any]] = {"+l": np.dtype(np.int32), "+L": np.dtype(np.int64)}
BYTE = np.dtype(np.uint8)

# What _core says of an array: length, missing or -1, offset, addresses of its buffers, children.
Node = tuple[int, int, int, tuple[int, ...], tuple[Any, ...]]


def read(x: Any, name: str) -> np.ndarray | None:
    """The rows of a column of vectors, read-only; None if it is none."""
    if hasattr(x, "__arrow_c_array__"):
        kind, chunks = _core.arrow_array(*x.__arrow_c_array__())
    else:
        kind, chunks = _core.arrow_stream(x.__arrow_c_stream__())
    if not is_list(kind):
        return None
    arrays = [values(kind, node, owner, name) for owner, node in chunks]
    filled = [array for array in arrays if len(array)] or arrays[:1]
    if not filled:
        return np.empty((0, *width(kind)), number(kind))
    if len({array.shape[1:] for array in filled}) > 1:
        raise TypeError(f"{name} ({type(x).__name__}) has lists of several lengths; accepted are rows of one")
    return filled[0] if len(filled) == 1 else np.concatenate(filled)


def is_list(kind: tuple[str, Any]) -> bool:
    """Whether the type is lists of numbers, perhaps of lists of them."""
    form, children = kind
    return (form.startswith("+w:") or form in OFFSETS) and (children[0][0] in NUMBERS or is_list(children[0]))


def width(kind: tuple[str, Any]) -> tuple[int, ...]:
    """The shape of a row, of fixed-size lists."""
    form, children = kind
    if form in NUMBERS:
        return ()
    return (int(form[3:]) if form.startswith("+w:") else 0, *width(children[0]))


def number(kind: tuple[str, Any]) -> np.dtype[Any]:
    form, children = kind
    return NUMBERS[form] if form in NUMBERS else number(children[0])


def values(
    kind: tuple[str, Any], node: Node, owner: Any, name: str, first: int = 0, count: int | None = None
) -> np.ndarray:
    """Elements of an array, all or `count` from `first` on; the first axis is the array's."""
    form, children = kind
    length, missing, offset, buffers, below = node
    count = length if count is None else count
    start, stop = offset + first, offset + first + count
    if missing and buffers[0]:
        valid = _core.arrow_memory(buffers[0], (stop + 7) // 8, BYTE, owner)
        bits = np.unpackbits(valid, bitorder="little")[start:stop]
        if not bits.all():
            raise TypeError(
                f"{name} is an Arrow column with missing values, at {int(np.argmin(bits))} for one; "
                f"fill them, or drop the rows"
            )
    if form in NUMBERS:
        return _core.arrow_memory(buffers[1], stop, NUMBERS[form], owner)[start:]
    if form in OFFSETS:
        ends = _core.arrow_memory(buffers[1], stop + 1, OFFSETS[form], owner)[start:]
        sizes = np.diff(ends)
        if count and (sizes != sizes[0]).any():
            raise TypeError(
                f"{name} is an Arrow column of lists of {sizes.min()} to {sizes.max()} numbers; "
                f"accepted are rows of one length"
            )
        size, start = (int(sizes[0]), int(ends[0])) if count else (0, 0)
    else:
        size = int(form[3:])
        start *= size
    inner = values(children[0], below[0], owner, name, start, count * size)
    return inner.reshape(count, size, *inner.shape[1:])
