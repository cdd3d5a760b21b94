"""
Rows wherever they are: `vecblade.open`.

A path, dataset, table or iterator becomes a `Source` (``base.py``), which a search reads in blocks::

    opening.py   what it is: by its first bytes, its suffix or its type
      raw.py       rows that lie in a file as in memory, mapped; flat.py has the headers of such files
      chunked.py   HDF5, zarr: bands of chunks
      tables.py    a column of vectors, ids and other columns; parquet.py: row groups, batches
      others.py    iterators, and several sources as one
    base.py      shape, type, slices, blocks
    ahead.py     the thread that makes the next block while one is searched

Libraries of formats are imported when a file of theirs is opened.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .._rows import advice, arrays
from .base import Source

__all__ = ["Source", "corpus_source", "open", "queries_source"]


def open(source: Any, *, vectors: str | None = None, ids: str | None = None, filter: Any = None) -> Source:
    """
    Rows in files, tables and datasets, read in blocks where they are.

    What is returned is accepted wherever a corpus or queries are. A search reads it block by block, ahead of
    itself, in memory that does not depend on its size; the result is the one of the same rows in memory, to
    the last bit.

    Parameters
    ----------
    source : path_like, dataset, table or iterator
        - a path: ``.npy``, ``.npz``, ``.fvecs``, ``.bvecs``, ``.ivecs``, ``.fbin``, ``.u8bin``, ``.i8bin``,
          ``.ibin``, ``.safetensors``, ``.h5``, ``.zarr``, ``.parquet``, ``.arrow``, an index that
          `FlatIndex.save` wrote, a flat index of faiss; a folder of Parquet files; a pattern such as
          ``"part-*.parquet"``; a list of paths. One of several arrays of a file is named behind a colon:
          ``"file.h5:/train"``. A URL, such as ``"s3://bucket/rows.parquet"``, where fsspec is installed
        - a dataset of h5py, an array of zarr, a Parquet dataset of pyarrow
        - a table of pyarrow, a frame of Polars or pandas with a column of vectors
        - an iterator of arrays of rows, which is read once
    vectors : str, optional
        The name of the column, dataset, tensor or member that holds the rows. Default: the only one, or
        ``"train"``.
    ids : str, optional
        Of a table: the column with what users know the rows by, returned as ``ids``.
    filter : pyarrow.compute.Expression or list of tuples, optional
        Of a table: which rows there are, such as ``[("language", "==", "de")]``. Those that are left are
        numbered from 0.

    Returns
    -------
    Source
        With ``shape``, ``dtype``, ``len()``, slices (``source[10:20]``), ``blocks()``, ``ids``, ``columns``
        and ``column(name, rows)``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        A file is damaged, truncated, of a wrong shape or of an unknown type, with its path and the reason; a
        row has another size than the others or is missing, with its number.
    TypeError
        What is there are no numbers, or what is given is nothing that can be opened.
    ImportError
        A library for the format is missing: the message has the command to install it.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> np.save("rows.npy", np.eye(4, dtype=np.float32))
    >>> rows = vb.open("rows.npy")
    >>> rows
    <rows.npy: 4 x 4 float32>
    >>> vb.topk([0.0, 0.9, 0.0, 0.1], rows, k=2).indices
    array([1, 3])
    """
    from .opening import open_source  # on demand: few programs need it, and they take a while to import

    return open_source(source, vectors, ids, filter)


def corpus_source(x: Any, name: str = "corpus") -> Source | None:
    """A source, what can be read only as one, or None for what `_arrays` reads."""
    if isinstance(x, Source):
        return x
    if isinstance(x, os.PathLike) or (isinstance(x, str) and is_path(x)):
        return open(x)
    return by_parts(x, name)


def queries_source(x: Any) -> Source | None:
    """The same for queries: a string may be a text that nobody has embedded yet."""
    if isinstance(x, Source):
        return x
    return open(x) if isinstance(x, os.PathLike) else by_parts(x, "queries")


def is_path(text: str) -> bool:
    """Whether a string names what can be opened. (For numbers written out there is an advice.)"""
    if os.path.splitext(text)[1].lower() in (".txt", ".csv", ".tsv"):
        return False
    place = text.rpartition(":")[0]
    return (
        any(map(os.path.exists, (text, place)))
        or "://" in text
        or advice.FILE_NAME.fullmatch(text) is not None
    )


def by_parts(x: Any, name: str) -> Source | None:
    """A dataset of h5py or zarr; a column in several chunks, which are not joined."""
    if type(x).__module__.partition(".")[0] in ("h5py", "zarr"):
        from .opening import dataset, is_dataset

        return dataset(x) if is_dataset(x) else None
    if arrays.is_arrow(x) and not isinstance(x, np.ndarray):
        from .._rows import arrow
        from .raw import Blocks

        parts = arrow.chunks(x, name)
        if parts is not None and len(parts) > 1 and parts[0].ndim == 2:
            return Blocks(type(x).__name__, parts)
    return None
