"""What every source of rows is: a shape, a type, and blocks of rows, read when they are wanted."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import BFLOAT16
from .._rows import arrays
from .._rows.columns import WIDE_INTEGERS, fits_float64
from .ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Bytes of a block of rows as the core reads it. While one is searched two more may be ready, and what the
# library of the format holds comes on top.
BLOCK = 32 << 20
# Of what is mapped and needs no conversion blocks take no memory of ours, and each costs a search some time.
MAPPED = 8
# The codes of 32 rows lie together: blocks are a multiple of that.
PANEL = 32


class Source:
    """
    Rows of numbers that are read in blocks from where they are, as `open` returns it.

    A source is accepted wherever a corpus or queries are. ``source[10:20]`` reads some rows as an array,
    ``source[:]`` all of them.

    Attributes
    ----------
    shape : tuple
        (m, d). Of an iterator, m is None until it has been read.
    dtype : dtype
        The type of the blocks. bfloat16 is that of ``ml_dtypes`` if it can be imported, else uint16.
    ids : ndarray or None
        The values of the column that was named as ``ids``; it is read when this is asked for.
    columns : tuple of str
        The names of the other columns, where the source is a table: see `column`.
    """

    # Whether blocks are views of memory or of a mapped file.
    in_place = False
    # Whether making blocks takes time, so that a thread has to do it.
    slow = True
    # Whether it can be read only once.
    once = False
    columns: tuple[str, ...] = ()

    def __init__(self, name: str, rows: int | None, d: int, kind: np.dtype[Any]) -> None:
        self._name = name
        self._rows = rows
        self._d = d
        self._kind = self._stored = kind

    # ---- what it is ---------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Where the rows are: a path, or what kind of object was given."""
        return self._name

    @property
    def shape(self) -> tuple[int | None, int]:
        return self._rows, self._d

    @property
    def ndim(self) -> int:
        return 2

    @property
    def dtype(self) -> np.dtype[Any]:
        return arrays.shown(self._kind)

    @property
    def nbytes(self) -> int:
        return len(self) * self._d * self._kind.itemsize

    @property
    def ids(self) -> np.ndarray | None:
        return None

    def column(self, name: str, rows: Any = None) -> np.ndarray:
        """
        The values of a column, for all rows or for these row numbers.

        Parameters
        ----------
        name : str
            One of ``columns``, or the column that was named as ``ids``.
        rows : array_like of int, optional
            Row numbers, of any shape; the result has the same.

        Returns
        -------
        ndarray
        """
        raise ValueError(f"{self._name} has no column {name!r}: it has no columns but the rows of numbers")

    def __len__(self) -> int:
        if self._rows is None:
            raise TypeError(f"{self._name} has a number of rows that is known when it has been read")
        return self._rows

    def __repr__(self) -> str:
        rows = "?" if self._rows is None else self._rows
        return f"<{self._name}: {rows} x {self._d} {arrays.type_name(self._kind)}>"

    # ---- reading ------------------------------------------------------------------------

    def blocks(self, rows: int | None = None) -> Iterator[np.ndarray]:
        """
        All rows, in blocks.

        Parameters
        ----------
        rows : int, optional
            At most how many rows are in a block. Default: about 32 MiB.

        Yields
        ------
        ndarray
            Of shape (rows of the block, d). Of a file that is mapped, a read-only view.
        """
        wanted = self.block_rows() if rows is None else operator.index(rows)
        if wanted < 1:
            raise ValueError(f"rows must be at least 1, not {rows}")
        for block in self.stream(wanted):
            for start in range(0, len(block), wanted):
                yield block[start : start + wanted].view(self.dtype)

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks():
            yield from block

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, tuple):
            first, *others = index
            return self[first][(slice(None) if isinstance(first, slice) else ..., *others)]
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step < 1:
                raise ValueError(f"{self._name} is read forwards: the step of a slice must be at least 1")
            return self.read(start, max(start, stop))[::step].view(self.dtype)
        if hasattr(index, "__index__") and not isinstance(index, np.ndarray):
            at = operator.index(index)
            if not -len(self) <= at < len(self):
                raise IndexError(f"row {at} of {self._name}, which has {len(self)} rows")
            at %= len(self)
            row: np.ndarray = self.read(at, at + 1)[0].view(self.dtype)
            return row
        raise TypeError(
            f"{self._name} is indexed by a row number or by a slice, not by {type(index).__name__}; "
            f"for other rows, read a slice and index that"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if not self.in_place:
            raise TypeError(
                f"{self._name} is not read into memory without a word; pass source[:] to read all of it"
            )
        return np.asarray(self[:], dtype)

    def block_rows(self, itemsize: int | None = None) -> int:
        """How many rows a block has by default, of elements of this size."""
        row = max(1, self._d * (itemsize or self._kind.itemsize))
        return max(1, BLOCK // row // PANEL * PANEL or BLOCK // row)

    def stream(self, rows: int) -> Iterator[np.ndarray]:
        """All rows in order, about ``rows`` at a time, of the inner type."""
        for start in range(0, len(self), rows):
            self.prefetch(start + rows, start + 2 * rows)
            yield self.read(start, min(start + rows, len(self)))

    def read(self, start: int, stop: int) -> np.ndarray:
        """These rows, of the inner type."""
        found, at = [np.empty((0, self._d), self._stored)], 0
        for block in self.stream(self.block_rows()):
            if at + len(block) > start:
                found.append(block[max(0, start - at) : stop - at])
            at += len(block)
            if at >= stop:
                break
        return found[1] if len(found) == 2 else np.concatenate(found)

    def prefetch(self, start: int, stop: int) -> None:
        """These rows will be read next."""

    # ---- as a search sees it ------------------------------------------------------------

    def outline(self) -> np.ndarray:
        """An array of the same shape and type without any memory: for checks of these."""
        return np.broadcast_to(np.zeros((), self._kind), (self._rows or 0, self._d))

    def read_as(self, reading: str | None, name: str) -> Source:
        """The same with unsigned integers taken for what ``dtype=`` says."""
        kind = arrays.rows(self.outline(), name, (2,), reading).dtype
        if kind == self._kind:
            return self
        other = object.__new__(type(self))
        vars(other).update(vars(self), _kind=kind)
        return other

    def pieces(self, dtype: np.dtype[Any], rows: int | None = None) -> Generator[tuple[int, np.ndarray]]:
        """(first row, rows that the core can read, of this type), read ahead."""
        as_it_is = not self.slow and self._kind == dtype and self._kind.isnative
        rows = rows or self.block_rows(dtype.itemsize) * (MAPPED if as_it_is and self.in_place else 1)

        def make() -> Generator[tuple[int, np.ndarray]]:
            at = 0
            for block in self.stream(rows):
                if self._rows is not None and at + len(block) > self._rows:
                    raise ValueError(f"{self._name}: it has more rows than the {self._rows} that it said")
                for start in range(0, len(block), 2 * rows):  # of what comes in larger units
                    part = _as(block[start : start + 2 * rows], self._kind)
                    checked(part, self._name, at + start)
                    yield at + start, arrays.native(part, dtype)
                at += len(block)
            if self._rows is not None and at < self._rows:
                raise ValueError(
                    f"{self._name}: it ends after {at} rows, and said that there are {self._rows}"
                )
            self._rows = at

        if as_it_is:
            return make()
        return ahead(make)

    def copied(self, dtype: np.dtype[Any], spare: int) -> tuple[np.ndarray, int]:
        """All rows in memory of our own, with room for one more in ``spare``; and how many there are."""
        from .._rows import memory

        if self._rows is None:
            found = [block for _, block in self.pieces(dtype)]
            count = sum(map(len, found))
            blocks = iter(found)
        else:
            count, blocks = self._rows, (block for _, block in self.pieces(dtype))
        made, at = memory.empty((count + count // spare, self._d), dtype), 0
        for block in blocks:
            made[at : at + len(block)] = block
            at += len(block)
        return made, count


def gathered(blocks: Iterator[np.ndarray], rows: int) -> Iterator[np.ndarray]:
    """Blocks, of which the smallest are put together: each costs a search 0.1 ms."""
    least, parts, count = max(1, rows // 8), list[np.ndarray](), 0
    for block in blocks:
        if not parts and len(block) >= least:
            yield block
            continue
        parts.append(block)
        count += len(block)
        if count >= least:
            yield np.concatenate(parts)
            parts, count = [], 0
    if parts:
        yield np.concatenate(parts) if len(parts) > 1 else parts[0]


def _as(block: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    """A block of a source whose type has been given another reading."""
    return block if block.dtype == kind else block.view(kind)


def checked(block: np.ndarray, name: str, first: int) -> None:
    """Refuse integers that float64 cannot hold."""
    wide = block.dtype.char in WIDE_INTEGERS and block.dtype.itemsize == 8
    if wide and not fits_float64(block):
        row = next(row for row in range(len(block)) if not fits_float64(block[row]))
        raise TypeError(f"{name}: row {first + row} has integers past 2**53, which float64 cannot hold")


def kind_of(dtype: np.dtype[Any], name: str) -> np.dtype[Any]:
    """The inner type of a file's or a library's; a TypeError if it is none of numbers."""
    if dtype == BFLOAT16:
        return dtype
    if dtype.hasobject:
        raise TypeError(f"{name}: it holds Python objects or rows of several lengths, not rows of numbers")
    if dtype.names is not None or dtype.subdtype is not None:
        raise TypeError(f"{name}: it has fields ({dtype}); expected plain numbers")
    if arrays.is_bfloat16(dtype):
        return BFLOAT16
    if dtype.char in arrays.NATIVE | arrays.TO_FLOAT64 | WIDE_INTEGERS or dtype == np.dtype("V2"):
        return dtype
    raise TypeError(f"{name}: it has dtype {dtype}; expected real numbers of at most 64 bits")


def check_matrix(shape: Any, name: str) -> tuple[int, int]:
    shape = shape or ()  # of an empty dataset of HDF5 it is None
    if len(shape) != 2:
        hint = "; pass a name or a slice of it that is 2-D" if len(shape) > 2 else ""
        raise ValueError(f"{name}: expected shape (m, d), got {tuple(shape)}{hint}")
    return int(shape[0]), int(shape[1])


def missing_extra(library: str, what: str) -> ImportError:
    """The error for a library of an extra that is not there."""
    return ImportError(
        f"{what} needs {library}, which is not installed: pip install 'vecblade[io]'", name=library
    )
