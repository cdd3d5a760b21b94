"""Tables with a column of vectors: what those of Parquet, of Arrow's files and in memory have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._rows import arrow, exports
from .base import Source, missing_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes of vectors in a batch, and rows at most. (Of wide rows, as many as by default take hundreds of MiB.)
BATCH_BYTES, BATCH_ROWS = 8 << 20, 8192


def pyarrow(what: str) -> Any:
    try:
        import pyarrow as library
    except ImportError:
        raise missing_extra("pyarrow", what) from None
    return library


@dataclass(frozen=True)
class Unit:
    """
    Rows that are read together: a row group, or a batch.

    Attributes
    ----------
    path : str
        The file, for messages.
    first : int
        The number that its first row has in the file, for messages.
    rows : int
        How many of its rows the filter leaves.
    number : int
        Of the row group, or of the batch.
    part : object
        What else its table needs to read it.
    """

    path: str
    first: int
    rows: int
    number: int
    part: Any = None


class Table(Source, ABC):
    """Rows of a column of lists of numbers."""

    def __init__(
        self, name: str, schema: Any, units: list[Unit], vectors: str | None, ids: str | None, filter: Any
    ) -> None:
        self._vectors = vector_column(schema, name, vectors)
        self._units, self._filter, self._ids = units, filter, ids
        if ids is not None and ids not in schema.names:
            raise ValueError(f"{name}: it has no column {ids!r} for ids; it has {listed(schema.names)}")
        self.columns = tuple(column for column in schema.names if column != self._vectors)
        kind = schema.field(self._vectors).type
        # pyarrow has no NumPy types for some; those of empty rows are ours.
        empty = kind.value_type.to_pandas_dtype()
        super().__init__(name, sum(unit.rows for unit in units), list_size(kind), np.dtype(empty))
        if self._d < 0:
            self._d = self._first_size()
        ends, at = [], 0
        for unit in units:
            at += unit.rows
            ends.append(at)
        self._ends = ends

    @abstractmethod
    def batches(self, unit: Unit, columns: list[str], rows: int) -> Iterator[tuple[int, Any]]:
        """(Number in the file of the first row, at most so many rows that the filter leaves), in order."""

    # ---- vectors ------------------------------------------------------------------------

    def _first_size(self) -> int:
        """Of lists of any size, the size of the first one that is there."""
        for unit in self._units:
            if unit.rows:
                for _, batch in self._read(unit, self._vectors, 256):
                    sizes = lengths(batch.column(0))
                    for size in sizes[sizes >= 0][:1]:
                        return int(size)
        return 0

    def _read(self, unit: Unit, column: str, rows: int) -> Iterator[tuple[int, Any]]:
        """The batches of a unit; errors of pyarrow with the file and the row."""
        at = unit.first
        try:
            for first, batch in self.batches(unit, [column], rows):
                yield first, batch
                at = first + batch.num_rows
        except (OSError, pyarrow(self._name).lib.ArrowException) as error:
            raise ValueError(
                f"{unit.path}: truncated or damaged, it cannot be read from row {at} on: {error}"
            ) from error

    def _unit_rows(self, unit: Unit) -> Iterator[np.ndarray]:
        rows = max(32, min(BATCH_ROWS, BATCH_BYTES // max(1, self._d * self._kind.itemsize)))
        name = f"{unit.path}: column {self._vectors!r}"
        for first, batch in self._read(unit, self._vectors, rows):
            yield rows_of(batch.column(0), self._d, self._stored, name, first)

    def stream(self, rows: int) -> Iterator[np.ndarray]:
        parts: list[np.ndarray] = []
        count = 0
        for unit in self._units:
            if not unit.rows:
                continue
            for part in self._unit_rows(unit):
                parts.append(part)
                count += len(part)
                if count >= rows:
                    yield np.concatenate(parts) if len(parts) > 1 else parts[0]
                    parts, count = [], 0
        if parts:
            yield np.concatenate(parts) if len(parts) > 1 else parts[0]

    def read(self, start: int, stop: int) -> np.ndarray:
        parts = [np.empty((0, self._d), self._stored)]
        for at in range(bisect_right(self._ends, start), len(self._units)):
            before = self._ends[at] - self._units[at].rows
            if before >= stop:
                break
            for part in self._unit_rows(self._units[at]):
                if before + len(part) > start:
                    parts.append(part[max(0, start - before) : stop - before])
                before += len(part)
                if before >= stop:
                    break
        return np.concatenate(parts)

    # ---- other columns --------------------------------------------------------------------

    @property
    def ids(self) -> np.ndarray | None:
        return None if self._ids is None else self.column(self._ids)

    def column(self, name: str, rows: Any = None) -> np.ndarray:
        if name not in self.columns:
            raise ValueError(f"{self._name}: it has no column {name!r}; it has {listed(self.columns)}")
        if rows is None:
            return joined([self._values(unit, name) for unit in self._units if unit.rows])
        wanted = np.asarray(rows)
        if wanted.size and (wanted.dtype.kind not in "iu" or wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"rows has to hold integers from 0 to {len(self) - 1}")
        distinct, places = np.unique(wanted, return_inverse=True)
        found = []
        owners = np.searchsorted(self._ends, distinct, "right")
        for at in np.unique(owners):
            unit = self._units[at]
            inside = distinct[owners == at] - (self._ends[at] - unit.rows)
            found.append(self._values(unit, name)[inside])
        return joined(found)[places.reshape(wanted.shape)]

    def _values(self, unit: Unit, name: str) -> np.ndarray:
        found = []
        for first, batch in self._read(unit, name, 1 << 16):
            column = batch.column(0)
            if name == self._ids and column.null_count:
                row = first + int(np.argmax(np.asarray(column.is_null())))
                raise ValueError(f"{unit.path}: column {name!r}: the id of row {row} is missing")
            found.append(plain(column))
        return joined(found)


def plain(column: Any) -> np.ndarray:
    """The values of a column: of numbers as numbers, of a dictionary its entries, of others as objects."""
    if hasattr(column, "dictionary_decode"):
        column = column.dictionary_decode()
    values: np.ndarray = column.to_numpy(zero_copy_only=False)
    return values


def joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, object)


def listed(names: Any) -> str:
    return ", ".join(map(repr, names)) or "none"


# ---- columns of vectors ----------------------------------------------------------------------


def is_vector(kind: Any) -> bool:
    """Whether a type of pyarrow is lists of numbers."""
    inner = getattr(kind, "value_type", None)
    return str(kind).startswith(("list", "large_list", "fixed_size_list")) and str(inner) in NUMBERS


# As pyarrow writes them.
NUMBERS = frozenset(
    {"halffloat", "float", "double"}
    | {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
)


def list_size(kind: Any) -> int:
    """Of lists of a fixed size; -1 of others."""
    return int(getattr(kind, "list_size", -1))


def vector_column(schema: Any, name: str, wanted: str | None) -> str:
    if wanted is None:
        found = [field.name for field in schema if is_vector(field.type)]
        if len(found) == 1:
            return str(found[0])
        if not found:
            types = ", ".join(f"{field.name}: {field.type}" for field in schema)
            raise ValueError(
                f"{name}: it has no column of vectors, that is of lists of numbers; it has {types}"
            )
        raise ValueError(
            f"{name}: it has several columns of vectors: {listed(found)}; say which: vectors={found[0]!r}"
        )
    if wanted not in schema.names:
        raise ValueError(f"{name}: it has no column {wanted!r} of vectors; it has {listed(schema.names)}")
    if not is_vector(schema.field(wanted).type):
        raise TypeError(
            f"{name}: column {wanted!r} is of type {schema.field(wanted).type}; expected lists of numbers"
        )
    return wanted


def lengths(column: Any) -> np.ndarray:
    """The sizes of lists; -1 of those that are missing."""
    import pyarrow.compute as compute

    sizes: np.ndarray = compute.fill_null(compute.list_value_length(column), -1).to_numpy(
        zero_copy_only=False
    )
    return sizes


def rows_of(column: Any, d: int, kind: np.dtype[Any], name: str, first: int) -> np.ndarray:
    """An array of lists as rows, without a copy; `first`: the number of its first row, for messages."""
    if column.null_count or list_size(column.type) != d:
        sizes = lengths(column)
        for row in np.flatnonzero(sizes != d)[:1]:
            size = int(sizes[row])
            what = "is missing" if size < 0 else f"has {size} elements, where rows have {d}"
            raise ValueError(f"{name}: row {first + int(row)} {what}; a filter can leave such rows out")
    type_, ((owner, node),) = exports.exported(column)
    if not len(column):
        return np.empty((0, d), kind)
    try:
        found = arrow.values(type_, node, owner, name)
    except arrow.MissingAt as missing:
        raise ValueError(f"{name}: row {first + missing.row} has a number that is missing") from None
    if found.dtype != kind:
        raise ValueError(f"{name}: it is of {found.dtype} here, and of {kind} in what comes before")
    return found
