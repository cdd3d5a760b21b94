"""Parquet files, folders and datasets of them; Arrow's files; tables in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .tables import Table, Unit, list_size, pyarrow, vector_column

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"ARROW1"
STREAM = b"\xff\xff\xff\xff"
SUFFIXES = (".parquet", ".parq", ".pq")
IPC_SUFFIXES = (".arrow", ".feather", ".ipc")
# With what ParquetFile stays at one page of each column: its default reads ahead whole row groups.
READ = {"buffer_size": 1 << 20, "pre_buffer": False}


class Parquet(Table):
    """
    Row groups of one or more files.

    A filter is compared with the statistics of each row group first, and with rows only where these leave it
    open. Of its columns alone: vectors of rows that it leaves out may be decoded, but are not kept.
    """

    def __init__(self, name: str, dataset: Any, vectors: str | None, ids: str | None, filter: Any) -> None:
        try:
            fragments = list(dataset.get_fragments(filter=filter))
        except pyarrow(name).lib.ArrowException as error:
            raise ValueError(f"{name}: the filter {filter} cannot be applied: {error}") from error
        self._filesystem, self._schema = dataset.filesystem, dataset.schema
        units: list[Unit] = []
        chosen = vector_column(dataset.schema, name, vectors)
        for fragment in fragments:
            try:
                check_column(fragment, chosen, dataset.schema, name)
                units += units_of(fragment, filter, dataset.schema)
            except (OSError, pyarrow(name).lib.ArrowException) as error:
                if isinstance(error, ValueError) and str(error).startswith(fragment.path):
                    raise
                raise ValueError(f"{fragment.path}: not a readable Parquet file: {error}") from error
        super().__init__(name, dataset.schema, units, chosen, ids, filter)

    def batches(self, unit: Unit, columns: list[str], rows: int) -> Iterator[tuple[int, Any]]:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        fragment, keep, at = unit.part, None, 0
        if self._filter is not None:
            kept = self._scanned(fragment, {"keep": self._filter}).column(0)
            keep = np.asarray(kept.fill_null(False), bool)
        stored = [column for column in columns if column in fragment.physical_schema.names]
        if not stored:  # a column of the folders' names
            for batch in self._scanned(fragment, columns).combine_chunks().to_batches():
                yield unit.first, batch if keep is None else batch.filter(pa.array(keep))
            return
        with (
            self._filesystem.open_input_file(fragment.path) as file,
            parquet.ParquetFile(file, metadata=fragment.metadata, **READ) as opened,
        ):
            for batch in opened.iter_batches(
                rows, row_groups=[unit.number], columns=stored, use_threads=False
            ):
                count = batch.num_rows
                if keep is not None:
                    batch = batch.filter(pa.array(keep[at : at + count]))
                if batch.num_rows:
                    yield unit.first + at, batch
                at += count

    def _scanned(self, fragment: Any, columns: Any) -> Any:
        """Columns of a row group, that are not those of vectors, or what is computed of them."""
        return fragment.scanner(schema=self._schema, columns=columns, use_threads=False).to_table()


def check_column(fragment: Any, column: str, schema: Any, name: str) -> None:
    """Whether a file has the column of vectors, of the type that it has in the first one."""
    there = fragment.physical_schema
    if column not in there.names:
        raise ValueError(
            f"{fragment.path}: it has no column {column!r} of vectors, as other files of {name} have"
        )
    kind, expected = there.field(column).type, schema.field(column).type
    sizes = {list_size(kind), list_size(expected)} - {-1}
    if getattr(kind, "value_type", None) != expected.value_type or len(sizes) > 1:
        raise ValueError(
            f"{fragment.path}: column {column!r} is of type {kind}, and in others of {name} of {expected}"
        )


def units_of(fragment: Any, filter: Any, schema: Any) -> Iterator[Unit]:
    first, firsts = 0, []
    for group in fragment.row_groups:
        firsts.append(first)
        first += group.num_rows
    if filter is None:
        for group, first in zip(fragment.row_groups, firsts, strict=True):
            yield Unit(
                fragment.path, first, group.num_rows, group.id, fragment.subset(row_group_ids=[group.id])
            )
        return
    for part in fragment.split_by_row_group(filter=filter, schema=schema):
        number = part.row_groups[0].id
        rows = part.scanner(schema=schema, filter=filter, columns=[], use_threads=False).count_rows()
        yield Unit(fragment.path, firsts[number], rows, number, part)


def files_of(paths: list[str], name: str) -> list[str]:
    """The files with the suffixes of Parquet in folders, and other paths as they are."""
    found = []
    for path in paths:
        if not os.path.isdir(path):
            found.append(path)
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(inner for inner in folders if not inner.startswith((".", "_")))
            found += [
                os.path.join(folder, file)
                for file in sorted(files)
                if file.lower().endswith(SUFFIXES) and not file.startswith((".", "_"))
            ]
    if not found:
        raise ValueError(f"{name}: there is no Parquet file in this folder, nor a zarr store")
    return found


def parquet(
    paths: list[str], name: str, vectors: str | None, ids: str | None, filter: Any, filesystem: Any = None
) -> Parquet:
    pyarrow(name)
    import pyarrow.dataset as datasets
    import pyarrow.lib as lib

    files = paths if filesystem is not None else files_of(paths, name)
    base = paths[0] if len(paths) == 1 and filesystem is None and os.path.isdir(paths[0]) else None
    partitioning = {"partitioning": "hive", "partition_base_dir": base} if base else {}
    try:
        dataset = datasets.dataset(files, format="parquet", filesystem=filesystem, **partitioning)
    except (OSError, lib.ArrowException) as error:
        raise ValueError(f"{name}: not readable as Parquet: {error}") from error
    return Parquet(name, dataset, vectors, ids, expression(filter, name))


def expression(filter: Any, name: str) -> Any:
    """A filter as an expression of pyarrow: conditions as tuples are those of pyarrow.parquet."""
    if filter is None:
        return None
    pyarrow(name)
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    if isinstance(filter, compute.Expression):
        return filter
    if isinstance(filter, (list, tuple)):
        try:
            return parquet.filters_to_expression([filter] if isinstance(filter, tuple) else filter)
        except (ValueError, TypeError) as error:
            raise type(error)(f"filter is {filter!r}, which are no conditions: {error}") from None
    raise TypeError(
        f"filter is a {type(filter).__name__}; expected an expression of pyarrow, such as "
        f"pyarrow.compute.field('language') == 'de', or conditions, such as [('language', '==', 'de')]"
    )


# ---- batches ---------------------------------------------------------------------------------


class Batches(Table):
    """Batches of an Arrow file that is mapped, or of a table in memory."""

    def __init__(
        self, name: str, schema: Any, batches: Any, vectors: str | None, ids: str | None, filter: Any
    ) -> None:
        self._parts = batches
        self._filter = filter
        units, first = [], 0
        for number, batch in enumerate(batches):
            rows = batch.num_rows if filter is None else batch.filter(filter).num_rows
            units.append(Unit(name, first, rows, number))
            first += batch.num_rows
        super().__init__(name, schema, units, vectors, ids, filter)

    def batches(self, unit: Unit, columns: list[str], rows: int) -> Iterator[tuple[int, Any]]:
        batch = self._parts[unit.number]
        if self._filter is None:
            batch = batch.select(columns)
        for start in range(0, batch.num_rows, rows):
            some = batch.slice(start, rows)
            yield (
                unit.first + start,
                some if self._filter is None else some.filter(self._filter).select(columns),
            )


class FileBatches:
    """The batches of an Arrow file, each of which is read when it is asked for."""

    def __init__(self, reader: Any, file: Any) -> None:
        self._reader, self._file = reader, file

    def __len__(self) -> int:
        return int(self._reader.num_record_batches)

    def __getitem__(self, number: int) -> Any:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._reader.get_batch(number)


def ipc(path: str, vectors: str | None, ids: str | None, filter: Any, file: Any = None) -> Batches:
    library = pyarrow(path)
    import pyarrow.ipc as arrow

    try:
        source = library.memory_map(path) if file is None else library.PythonFile(file, mode="r")
        if source.read(len(MAGIC)) == MAGIC:
            reader = arrow.open_file(source)
            batches: Any = FileBatches(reader, source)
        else:  # of a mapped file batches are views
            source.seek(0)
            reader = arrow.open_stream(source)
            batches = list(reader)
        return Batches(path, reader.schema, batches, vectors, ids, expression(filter, path))
    except (OSError, library.lib.ArrowException) as error:
        if isinstance(error, ValueError) and str(error).startswith(path):
            raise
        raise ValueError(f"{path}: not a readable Arrow file: {error}") from error


def table(x: Any, vectors: str | None, ids: str | None, filter: Any) -> Batches:
    """A table of pyarrow, or a frame that exports itself as one."""
    name = type(x).__name__
    library = pyarrow(name)
    made = x if isinstance(x, library.Table) else library.table(x)
    return Batches(name, made.schema, made.to_batches(), vectors, ids, expression(filter, name))
