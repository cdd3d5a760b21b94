"""
Columns of vectors, columns of numbers, and tables of these, from any Arrow library (pyarrow, Polars, DuckDB).

A column of vectors is a list of numbers for each row, all of one length: fixed-size lists, or lists that
happen to be. It is read over the same memory, and so is a column of numbers, which is one vector. A column in
several chunks is copied into one array, and so is a table of numbers, whose rows do not lie in one piece.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _advice, _arrays, _core, _missing

# Arrow's letters for the types of numbers.
NUMBERS = {letter: np.dtype(name) for letter, name in zip("efgcCsSiIlL", "efdbBhHiIqQ", strict=True)}
OFFSETS: dict[str, np.dtype[Any]] = {"+l": np.dtype(np.int32), "+L": np.dtype(np.int64)}
BYTE = np.dtype(np.uint8)

# What _core says of a type: format, types of the children, name of the column.
Kind = tuple[str, tuple[Any, ...], str]
# And of an array: length, missing or -1, offset, addresses of its buffers, children.
Node = tuple[int, int, int, tuple[int, ...], tuple[Any, ...]]


class MissingAt(Exception):
    """A value is missing in this row of a chunk: the row itself, or (inside) a number in it."""

    def __init__(self, row: int, inside: bool = False):
        super().__init__(row)
        self.row, self.inside = row, inside


def exported(x: Any) -> tuple[Kind, list[tuple[Any, Node]]]:
    """Its type, and its chunks with what keeps their memory."""
    if hasattr(x, "__arrow_c_array__"):
        return _core.arrow_array(*x.__arrow_c_array__())
    return _core.arrow_stream(x.__arrow_c_stream__())


def read(x: Any, name: str) -> np.ndarray | None:
    """The numbers, read-only where they are not copied; None if it has others. Missing values are refused."""
    arrays = chunks(x, name)
    if arrays is None or len(arrays) == 1:
        return None if arrays is None else arrays[0]
    return np.concatenate(arrays)


def chunks(x: Any, name: str) -> list[np.ndarray] | None:
    """The same chunk by chunk, without those that are empty, where others are not."""
    kind, parts = exported(x)
    form = values if form_of(kind) in NUMBERS or is_list(kind) else table if is_table(kind) else None
    if form is None:
        if (at := first_missing(kind, parts)) is not None:
            raise _missing.rows_refusal(x, name, at)
        forms = {form_of(child) for child in kind[1]}
        if _advice.is_table(x) and not (forms <= {"b"} or forms <= {*NUMBERS, "dictionary"}):
            raise _advice.no_array(x, name, _advice.table(x, name))
        return None
    arrays, before = [], 0
    for owner, node in parts:
        try:
            arrays.append(form(kind, node, owner, name))
        except MissingAt as found:
            raise _missing.rows_refusal([] if found.inside else x, name, before + found.row) from None
        before += node[0]
    filled = [array for array in arrays if len(array)] or arrays[:1]
    if not filled:
        return [np.empty((0, *width(kind)), number(kind))]
    if len({array.shape[1:] for array in filled}) > 1:
        raise TypeError(f"{name} ({type(x).__name__}) has lists of several lengths; accepted are rows of one")
    return filled


def missing(x: Any) -> int | None:
    """Where the first missing value is, of a column or a table of any type."""
    return first_missing(*exported(x))


# ---- types ---------------------------------------------------------------------------------


def form_of(kind: Kind) -> str:
    return kind[0]


def is_list(kind: Kind) -> bool:
    """Whether the type is lists of numbers, perhaps of lists of them."""
    form, children, _ = kind
    return (form.startswith("+w:") or form in OFFSETS) and (
        form_of(children[0]) in NUMBERS or is_list(children[0])
    )


def is_table(kind: Kind) -> bool:
    """Whether it is columns of numbers, and nothing else."""
    form, children, _ = kind
    return form == "+s" and bool(children) and all(form_of(child) in NUMBERS for child in children)


def width(kind: Kind) -> tuple[int, ...]:
    """The shape of a row, of fixed-size lists and of tables."""
    form, children, _ = kind
    if form in NUMBERS:
        return ()
    if form == "+s":
        return (len(children),)
    return (int(form[3:]) if form.startswith("+w:") else 0, *width(children[0]))


def number(kind: Kind) -> np.dtype[Any]:
    form, children, _ = kind
    if form == "+s":
        return np.result_type(*map(number, children))
    return NUMBERS[form] if form in NUMBERS else number(children[0])


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
    """Elements of an array, all or `count` from `first` on, so many a row; the first axis is the array's."""
    form, children, _ = kind
    length, _, offset, buffers, below = node
    count = length if count is None else count
    start, stop = offset + first, offset + first + count
    if (at := _missing.first_of(~valid(node, owner, first, count))) is not None:
        raise MissingAt(at // per_row, per_row > 1)
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
    inner = values(children[0], below[0], owner, name, start, count * size, max(1, per_row * size))
    return inner.reshape(count, size, *inner.shape[1:])


def table(kind: Kind, node: Node, owner: Any, name: str) -> np.ndarray:
    """Columns of numbers as the rows that they are."""
    count, _, offset, _, below = node
    if (at := _missing.first_of(~valid(node, owner, 0, count))) is not None:
        raise MissingAt(at)
    columns = [
        values(child, part, owner, name, offset, count) for child, part in zip(kind[1], below, strict=True)
    ]
    return _arrays.joined(columns, [column_name for _, _, column_name in kind[1]], name)


def valid(node: Node, owner: Any, first: int, count: int) -> np.ndarray:
    """Which entries are there."""
    _, missing, offset, buffers, _ = node
    if not missing or not buffers or not buffers[0]:
        return np.ones(1, bool)  # all
    start, stop = offset + first, offset + first + count
    bits = _core.arrow_memory(buffers[0], (stop + 7) // 8, BYTE, owner)
    return np.unpackbits(bits, bitorder="little")[start:stop].view(bool)


def first_missing(kind: Kind, chunks: list[tuple[Any, Node]]) -> int | None:
    """Where the first missing value of a column or a table of any type is; not inside of its values."""
    before = 0
    for owner, node in chunks:
        found = entry_missing(kind, node, owner, 0, node[0])
        if found is not None:
            return before + found
        before += node[0]
    return None


def entry_missing(kind: Kind, node: Node, owner: Any, first: int, count: int) -> int | None:
    form, children, _ = kind
    if form == "n":
        return 0 if count else None
    found = [_missing.first_of(~valid(node, owner, first, count))]
    if form == "+s":
        found += [
            entry_missing(child, part, owner, node[2] + first, count)
            for child, part in zip(children, node[4], strict=True)
        ]
    if form == "dictionary" and form_of(children[0]) in NUMBERS and found == [None]:
        entry = node[4][0]
        there = valid(entry, owner, 0, entry[0])
        if not there.all():
            which = _core.arrow_memory(
                node[3][1], node[2] + first + count, NUMBERS[form_of(children[0])], owner
            )
            found.append(_missing.first_of(~there[which[node[2] + first :]]))
    return min((at for at in found if at is not None), default=None)
