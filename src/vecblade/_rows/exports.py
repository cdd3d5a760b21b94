"""What an object exports by Arrow's C interface: its types, its chunks, and where values are missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core

# Arrow's letters for the types of numbers.
NUMBERS = {letter: np.dtype(name) for letter, name in zip("efgcCsSiIlL", "efdbBhHiIqQ", strict=True)}
OFFSETS: dict[str, np.dtype[Any]] = {"+l": np.dtype(np.int32), "+L": np.dtype(np.int64)}
BYTE = np.dtype(np.uint8)

# What _core says of a type: format, types of the children, name of the column.
Kind = tuple[str, tuple[Any, ...], str]
# And of an array: length, missing or -1, offset, addresses of its buffers, children.
Node = tuple[int, int, int, tuple[int, ...], tuple[Any, ...]]


def exported(x: Any) -> tuple[Kind, list[tuple[Any, Node]]]:
    """Its type, and its chunks with what keeps their memory."""
    if hasattr(x, "__arrow_c_array__"):
        return _core.arrow_array(*x.__arrow_c_array__())
    return _core.arrow_stream(x.__arrow_c_stream__())


def first_of(flags: np.ndarray) -> int | None:
    """Where on the first axis the first of these is set."""
    if not flags.any():
        return None
    return int(np.argmax(flags.reshape(flags.shape[0], -1).any(axis=1))) if flags.ndim else 0


def missing_entry(x: Any) -> int | None:
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


# ---- missing values ------------------------------------------------------------------------


def valid(node: Node, owner: Any, first: int, count: int) -> np.ndarray:
    """Which entries are there."""
    _, nulls, offset, buffers, _ = node
    if not nulls or not buffers or not buffers[0]:
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
    found = [first_of(~valid(node, owner, first, count))]
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
            found.append(first_of(~there[which[node[2] + first :]]))
    return min((at for at in found if at is not None), default=None)
