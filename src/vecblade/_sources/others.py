"""Iterators of blocks, which are read once, and several sources as one."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from .._rows import arrays
from .base import Source, gathered

if TYPE_CHECKING:
    from collections.abc import Iterator


class Items:
    """Blocks of an iterator, of which it is known how many came."""

    def __init__(self, items: Iterator[Any], name: str) -> None:
        self.items, self.name = items, name
        self.number = 0
        self.taken = False
        self.first = self.next()

    def next(self) -> np.ndarray | None:
        try:
            item = next(self.items, None)
        except Exception as error:
            error.add_note(f"raised by {self.name} when it was asked for block {self.number}")
            raise
        if item is None:
            return None
        name = f"block {self.number} of {self.name}"
        block = arrays.numbers(item, name)
        if block.ndim != 2:
            raise ValueError(f"{name}: expected shape (n, d), got {block.shape}")
        self.number += 1
        return block

    def all(self) -> Iterator[np.ndarray]:
        block, self.first = self.first, None
        while block is not None:
            yield block
            block = self.next()


class Iterated(Source):
    """An iterator of arrays of rows. The first one is read at once, to know of which type they are."""

    once = True

    def __init__(self, items: Iterator[Any], name: str) -> None:
        self._items = Items(items, name)
        first = self._items.first
        super().__init__(name, None, 0 if first is None else first.shape[1], kind_of_first(first))

    def stream(self, rows: int) -> Iterator[np.ndarray]:
        if self._items.taken:
            raise ValueError(
                f"{self._name} was read before, and can be read only once; "
                f"open what it reads from, or make another one"
            )
        self._items.taken = True
        return gathered(self._same(), rows)

    def _same(self) -> Iterator[np.ndarray]:
        """Blocks, which have to be alike."""
        expected = None
        for block in self._items.all():
            expected = expected or block.dtype
            if block.shape[1] != self._d or block.dtype != expected:
                raise ValueError(
                    f"block {self._items.number - 1} of {self._name} has {block.shape[1]} columns of "
                    f"{arrays.type_name(block.dtype)}; those before have {self._d} of "
                    f"{arrays.type_name(expected)}"
                )
            yield block


def kind_of_first(block: np.ndarray | None) -> np.dtype[Any]:
    return arrays.FLOAT32 if block is None else block.dtype


class Joined(Source):
    """Several sources, one after the other."""

    def __init__(self, name: str, sources: list[Source]) -> None:
        first = sources[0]
        for other in sources[1:]:
            if other.shape[1] != first.shape[1] or other._kind != first._kind:
                raise ValueError(
                    f"{other.name}: rows of {other.shape[1]} x {arrays.type_name(other._kind)}; those of "
                    f"{first.name} are {first.shape[1]} x {arrays.type_name(first._kind)}"
                )
            if other.once:
                raise ValueError(f"{other.name} can be read only once, and is not joined with others")
        super().__init__(name, sum(map(len, sources)), first.shape[1], first._kind)
        self._sources = sources
        self._ends = list(accumulate(map(len, sources)))

    def stream(self, rows: int) -> Iterator[np.ndarray]:
        for source in self._sources:
            yield from source.stream(rows)

    def read(self, start: int, stop: int) -> np.ndarray:
        parts = [np.empty((0, self._d), self._stored)]
        for at in range(bisect_right(self._ends, start), len(self._ends)):
            before = self._ends[at] - len(self._sources[at])
            if before >= stop:
                break
            parts.append(self._sources[at].read(max(start - before, 0), min(stop, self._ends[at]) - before))
        return parts[1] if len(parts) == 2 else np.concatenate(parts)

    @property
    def ids(self) -> np.ndarray | None:
        found = [source.ids for source in self._sources]
        return None if any(ids is None for ids in found) else np.concatenate(found)  # type: ignore[arg-type]
