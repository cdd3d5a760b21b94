"""
Columns of vectors, columns of numbers, and tables of these, from any Arrow library (pyarrow, Polars, DuckDB).

A column of vectors is a list of numbers for each row, all of one length: fixed-size lists, or lists that
happen to be. It is read over the same memory, and so is a column of numbers, which is one vector. A column in
several chunks is copied into one array, and so is a table of numbers, whose rows do not lie in one piece.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from . import advice, missing
from .columns import joined
from .exports import (
    NUMBERS,
    OFFSETS,
    Kind,
    Node,
    exported,
    first_missing,
    first_of,
    form_of,
    is_list,
    is_table,
    number,
    valid,
    width,
)


class MissingAt(Exception):
    """A value is missing in this row of a chunk: the row itself, or (inside) a number in it."""

    def __init__(self, row: int, inside: bool = False):
        super().__init__(row)
        self.row, self.inside = row, inside


def read(x: Any, name: str) -> np.ndarray | None:
    """The numbers, read-only where they are not copied; None for other types. Missing values are refused."""
    arrays = chunks(x, name)
    if arrays is None or len(arrays) == 1:
        return None if arrays is None else arrays[0]
    return np.concatenate(arrays)


def chunks(x: Any, name: str) -> list[np.ndarray] | None:
    """The same chunk by chunk, without chunks that are empty, unless all are."""
    kind, parts = exported(x)
    form = values if form_of(kind) in NUMBERS or is_list(kind) else table if is_table(kind) else None
    if form is None:
        if (at := first_missing(kind, parts)) is not None:
            raise missing.rows_refusal(x, name, at)
        forms = {form_of(child) for child in kind[1]}
        if advice.is_table(x) and not (forms <= {"b"} or forms <= {*NUMBERS, "dictionary"}):
            raise advice.no_array(x, name, advice.table(x, name))
        return None
    arrays, before = [], 0
    for owner, node in parts:
        try:
            arrays.append(form(kind, node, owner, name))
        except MissingAt as found:
            raise missing.rows_refusal([] if found.inside else x, name, before + found.row) from None
        before += node[0]
    filled = [array for array in arrays if len(array)] or arrays[:1]
    if not filled:
        return [np.empty((0, *width(kind)), number(kind))]
    if len({array.shape[1:] for array in filled}) > 1:
        raise TypeError(f"{name} ({type(x).__name__}) has lists of several sizes; expected rows of one size")
    return filled


# ---- values --------------------------------------------------------------------------------


def values(
    kind: Kind,
    node: Node,
    owner: Any,
    name: str,
    first: int = 0,
    count: int | None = None,
    per_row: int = 1,
) -> np.ndarray:
    """Elements of an array, all or `count` from `first` on, with `per_row` in a row of the column."""
    form, children, _ = kind
    length, _, offset, buffers, below = node
    count = length if count is None else count
    start, stop = offset + first, offset + first + count
    if (at := first_of(~valid(node, owner, first, count))) is not None:
        raise MissingAt(at // per_row, per_row > 1)
    if form in NUMBERS:
        return _core.arrow_memory(buffers[1], stop, NUMBERS[form], owner)[start:]
    if form in OFFSETS:
        ends = _core.arrow_memory(buffers[1], stop + 1, OFFSETS[form], owner)[start:]
        sizes = np.diff(ends)
        if count and (sizes != sizes[0]).any():
            raise TypeError(
                f"{name} is an Arrow column of lists of {sizes.min()} to {sizes.max()} numbers; "
                f"expected rows of one size"
            )
        size, start = (int(sizes[0]), int(ends[0])) if count else (0, 0)
    else:
        size = int(form[3:])
        start *= size
    inner = values(children[0], below[0], owner, name, start, count * size, max(1, per_row * size))
    return inner.reshape(count, size, *inner.shape[1:])


def table(kind: Kind, node: Node, owner: Any, name: str) -> np.ndarray:
    """Columns of numbers as rows."""
    count, _, offset, _, below = node
    if (at := first_of(~valid(node, owner, 0, count))) is not None:
        raise MissingAt(at)
    columns = [
        values(child, part, owner, name, offset, count) for child, part in zip(kind[1], below, strict=True)
    ]
    return joined(columns, [column_name for _, _, column_name in kind[1]], name)
