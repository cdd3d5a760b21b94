"""Rows that lie in a file as they are in memory: mapped, or of a remote file read range by range."""

from __future__ import annotations

import mmap
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from . import file as files
from .base import Source, check_matrix, gathered, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Layout:
    """
    Where rows lie in a file.

    Attributes
    ----------
    shape : tuple
    dtype : dtype
    offset : int
        Where the first element of the first row lies.
    stride : int
        Bytes from one row to the next.
    by_columns : bool
        Whether the elements of a column lie side by side, instead of those of a row.
    sized : bool
        Whether the four bytes before each row say how many elements it has.
    ids : tuple, optional
        Offset and number of 64-bit ids, one for each row.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int
    stride: int
    by_columns: bool = False
    sized: bool = False
    ids: tuple[int, int] | None = None

    @classmethod
    def packed(cls, shape: Any, dtype: np.dtype[Any], offset: int, name: str, **more: Any) -> Layout:
        """Rows one after the other."""
        rows, d = check_matrix(shape, name)
        return cls((rows, d), dtype, offset, d * dtype.itemsize, **more)


class Raw(Source):
    """Rows of a `Layout`."""

    def __init__(self, path: str, file: BinaryIO, layout: Layout, name: str | None = None) -> None:
        super().__init__(name or path, *layout.shape, kind_of(layout.dtype, name or path))
        self._layout = layout
        self._file = file
        self._lock = threading.Lock()
        self._map = mapping(file)
        self.in_place = self._map is not None
        self.slow = not self.in_place or layout.sized

    def __reduce__(self) -> Any:
        raise TypeError(f"{self._name} is an open file, which is not pickled; pickle its path")

    @property
    def ids(self) -> np.ndarray | None:
        if self._layout.ids is None:
            return None
        offset, count = self._layout.ids
        return np.frombuffer(self._bytes(offset, 8 * count, 0), "<i8")

    def read(self, start: int, stop: int) -> np.ndarray:
        layout, count = self._layout, stop - start
        d = layout.shape[1]
        if count == 0 or d == 0:
            return np.empty((count, d), layout.dtype)
        if self._map is not None:
            rows = self._mapped()[start:stop]
            sizes = self._mapped(sizes=True)[start:stop, 0] if layout.sized else None
        else:
            rows, sizes = self._fetched(start, count)
        if sizes is not None and (wrong := np.flatnonzero(sizes != d)).size:
            row = int(wrong[0])
            raise ValueError(
                f"{self._name}: row {start + row} has {int(sizes[row])} elements, and row 0 has {d}; "
                f"the file is damaged, or of another type than its suffix says"
            )
        return rows

    def _mapped(self, sizes: bool = False) -> np.ndarray:
        layout, assert_map = self._layout, self._map
        if layout.by_columns:
            strides = (layout.dtype.itemsize, layout.dtype.itemsize * layout.shape[0])
        else:
            strides = (layout.stride, layout.dtype.itemsize)
        if sizes:
            shape, dtype, offset = (layout.shape[0], 1), np.dtype("<i4"), layout.offset - 4
        else:
            shape, dtype, offset = layout.shape, layout.dtype, layout.offset
        return np.ndarray(shape, dtype, assert_map, offset, strides)

    def _fetched(self, start: int, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows of a file that cannot be mapped, and how many elements each says that it has."""
        layout = self._layout
        itemsize, (rows, d) = layout.dtype.itemsize, layout.shape
        if layout.by_columns:
            columns = [
                np.frombuffer(
                    self._bytes(layout.offset + (i * rows + start) * itemsize, count * itemsize, start),
                    layout.dtype,
                )
                for i in range(d)
            ]
            return np.stack(columns, axis=1), None
        before = 4 if layout.sized else 0
        size = (count - 1) * layout.stride + before + d * itemsize
        data = self._bytes(layout.offset - before + start * layout.stride, size, start)
        found = np.ndarray((count, d), layout.dtype, data, before, (layout.stride, itemsize))
        sizes = np.ndarray((count,), "<i4", data, 0, (layout.stride,)) if layout.sized else None
        return found, sizes

    def _bytes(self, offset: int, size: int, row: int) -> bytes:
        if self._map is not None:
            return self._map[offset : offset + size]
        with self._lock:
            try:
                self._file.seek(offset)
                data = self._file.read(size)
            except OSError as error:
                raise OSError(f"{self._name}: row {row} and what follows cannot be read: {error}") from error
        if len(data) < size:
            raise ValueError(
                f"{self._name}: it ends within the block from row {row} on: it was cut meanwhile"
            )
        return data

    def prefetch(self, start: int, stop: int) -> None:
        """Ask the system for pages of a mapped file."""
        layout = self._layout
        if self._map is None or layout.by_columns or not hasattr(self._map, "madvise"):
            return
        page, stop = mmap.ALLOCATIONGRANULARITY, min(stop, layout.shape[0])
        first = (layout.offset + start * layout.stride) // page * page
        size = min(layout.offset + stop * layout.stride, len(self._map)) - first
        if size > 0:
            self._map.madvise(mmap.MADV_WILLNEED, first, size)


def mapping(file: Any) -> mmap.mmap | None:
    """The file in memory, if it is one of this machine's."""
    try:
        number = file.fileno()
    except (AttributeError, OSError):
        return None
    return mmap.mmap(number, 0, access=mmap.ACCESS_READ)


class IndexFile(Source):
    """The rows of a saved `FlatIndex`."""

    in_place = True
    slow = False

    def __init__(self, path: str) -> None:
        _, rows, *_, reading = files.load(path, mmap=True, verify=False)
        super().__init__(path, rows.shape[0], rows.shape[1], rows.dtype)
        self._data = rows
        self.takes = reading

    def read(self, start: int, stop: int) -> np.ndarray:
        return self._data[start:stop]


class Blocks(Source):
    """Arrays of rows one after the other, where they lie in memory: the chunks of a column."""

    in_place = False
    slow = False

    def __init__(self, name: str, arrays: list[np.ndarray]) -> None:
        super().__init__(name, sum(map(len, arrays)), arrays[0].shape[1], arrays[0].dtype)
        self._arrays = arrays

    def stream(self, rows: int) -> Iterator[np.ndarray]:
        return gathered(
            (array[at : at + rows] for array in self._arrays for at in range(0, len(array), rows)), rows
        )
