"""What a path, dataset, table or iterator is, and which source reads it."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from .._rows import advice, arrays, arrow
from . import chunked, flat, parquet
from . import file as files
from .base import Source, missing_extra
from .others import Iterated, Joined
from .raw import Blocks, IndexFile, Raw
from .tables import Table

# What is known by how a file begins.
MAGIC = {
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "npz",
    b"PK\x05\x06": "npz",
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"PAR1": "parquet",
    parquet.MAGIC: "ipc",
    parquet.STREAM: "ipc",
    files.MAGIC: "index",
    **dict.fromkeys(flat.FAISS, "faiss"),
}
# And by its suffix.
SUFFIXES = {
    **dict.fromkeys(flat.RECORDS, "records"),
    **dict.fromkeys(flat.BINS, "bins"),
    **dict.fromkeys(parquet.SUFFIXES, "parquet"),
    **dict.fromkeys(parquet.IPC_SUFFIXES, "ipc"),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), "hdf5"),
    ".npy": "npy",
    ".npz": "npz",
    ".safetensors": "safetensors",
    ".zarr": "zarr",
}
ZARR_FILES = ("zarr.json", ".zarray", ".zgroup", ".zmetadata")
MANY = frozenset("*?[")


def open_source(
    source: Any, vectors: str | None = None, ids: str | None = None, filter: Any = None
) -> Source:
    for name, value in (("vectors", vectors), ("ids", ids)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a string, the name of a column or dataset, not {value!r}")
    if isinstance(source, Source):
        found = source
    elif isinstance(source, (str, os.PathLike)):
        return by_path(os.fspath(source), vectors, ids, filter)
    else:
        found = by_object(source, vectors, ids, filter)
        if isinstance(found, Table):
            return found
    given = {"vectors": vectors, "ids": ids, "filter": filter}
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name} is for tables and files with several arrays, and {found.name} is neither"
            )
    return found


# ---- objects -----------------------------------------------------------------------------------


def is_dataset(x: Any) -> bool:
    """Whether it is a dataset of h5py or an array of zarr."""
    library = type(x).__module__.partition(".")[0]
    return library in ("h5py", "zarr") and hasattr(x, "shape") and hasattr(x, "dtype")


def by_object(x: Any, vectors: str | None, ids: str | None, filter: Any) -> Source:
    if is_dataset(x):
        return dataset(x)
    if type(x).__module__.startswith("pyarrow") and hasattr(x, "get_fragments"):
        return arrow_dataset(x, vectors, ids, filter)
    if arrays.is_arrow_table(x) or (hasattr(x, "columns") and advice.has(x, "iloc")):
        return parquet.table(x, vectors, ids, filter)
    if isinstance(x, (list, tuple)) and x and all(isinstance(item, (str, os.PathLike, Source)) for item in x):
        return several([open_source(item, vectors, ids, filter) for item in x], f"{len(x)} sources")
    if isinstance(x, Iterator) and not arrays.is_arrow(x):
        return Iterated(x, f"an iterator ({type(x).__name__})")
    return array(x)


def dataset(x: Any) -> Source:
    if type(x).__module__.startswith("h5py"):
        return chunked.dataset(x, f"{x.file.filename}:{x.name}")
    return chunked.Chunked(str(getattr(x, "store_path", "") or "a zarr array"), x)


def array(x: Any) -> Source:
    """An array in memory, for the sake of uniformity."""
    parts = arrow.chunks(x, "source") if arrays.is_arrow(x) else None
    return Blocks(type(x).__name__, [arrays.rows(part, "source", (2,)) for part in parts or [x]])


def arrow_dataset(x: Any, vectors: str | None, ids: str | None, filter: Any) -> Source:
    kind = getattr(getattr(x, "format", None), "default_extname", None)
    if kind != "parquet":
        raise TypeError(
            f"source is a dataset of {kind or type(x).__name__}; expected datasets of Parquet files"
        )
    try:
        return parquet.Parquet("a dataset", x, vectors, ids, parquet.expression(filter, "source"))
    except ValueError as error:
        if "filtered" not in str(error):
            raise
        raise TypeError(
            "source is a dataset with a filter, which pyarrow keeps to itself; pass the dataset without it, "
            "and the filter as vb.open(source, filter=...)"
        ) from None


def several(found: list[Source], name: str) -> Source:
    return found[0] if len(found) == 1 else Joined(name, found)


# ---- paths -------------------------------------------------------------------------------------


def by_path(path: str | bytes, vectors: str | None, ids: str | None, filter: Any) -> Source:
    path = os.fsdecode(path)
    place, member = parted(path)
    if member is not None:
        if vectors not in (None, member):
            raise ValueError(f"vectors={vectors!r}, but the path ends with {member!r}")
        vectors = member
    if "://" in place:
        return remote(place, vectors, ids, filter)
    if not os.path.exists(place) and MANY & set(place):
        paths = sorted(glob.glob(place, recursive=True))
        if not paths:
            raise FileNotFoundError(f"{place}: no file has such a name")
        if all(kind_of_path(one) == "parquet" for one in paths):
            return parquet.parquet(paths, place, vectors, ids, filter)
        return several([by_path(one, vectors, ids, filter) for one in paths], place)
    if not os.path.exists(place):
        raise FileNotFoundError(f"{place}: no such file or folder")
    if files.is_special(place):
        raise ValueError(f"{place}: it is a pipe or a device; expected files and folders")
    return by_kind(kind_of_path(place), place, vectors, ids, filter)


def parted(path: str) -> tuple[str, str | None]:
    """A path, and the name behind its last colon: of a column, dataset, member or tensor."""
    if os.path.exists(path):
        return path, None
    place, colon, member = path.rpartition(":")
    if not colon or not place or member.startswith("//") or (len(place) == 1 and os.name == "nt"):
        return path, None
    known = suffix_of(place) in SUFFIXES or os.path.exists(place)
    return (place, member) if known else (path, None)


def suffix_of(path: str) -> str:
    return os.path.splitext(path.rstrip("/" + os.sep))[1].lower()


def kind_of_path(path: str) -> str:
    if os.path.isdir(path):
        zarr = suffix_of(path) == ".zarr" or any(
            os.path.exists(os.path.join(path, name)) for name in ZARR_FILES
        )
        return "zarr" if zarr else "parquet"
    with open(path, "rb") as file:
        start = file.read(8)
    return kind_of_file(path, start)


def kind_of_file(path: str, start: bytes) -> str:
    suffix = suffix_of(path)
    if suffix in (*flat.RECORDS, *flat.BINS, ".safetensors"):  # which may begin with anything
        return SUFFIXES[suffix]
    for letters, kind in MAGIC.items():
        if start.startswith(letters):
            return "zarr" if kind == "npz" and path.lower().endswith(".zarr.zip") else kind
    if suffix in SUFFIXES:
        kind = SUFFIXES[suffix]
        reason = "it is empty" if not start else "it does not begin with the magic bytes of one"
        raise ValueError(f"{path}: not a readable {suffix} file ({reason})")
    raise ValueError(
        f"{path}: it is of no type that is known by its first bytes or its suffix; known suffixes are "
        f"{', '.join(sorted(SUFFIXES))}"
    )


def by_kind(kind: str, path: str, vectors: str | None, ids: str | None, filter: Any) -> Source:
    if kind == "parquet":
        return parquet.parquet([path], path, vectors, ids, filter)
    if kind == "ipc":
        return parquet.ipc(path, vectors, ids, filter)
    no_table(path, ids, filter)
    if kind == "hdf5":
        return chunked.hdf5(path, vectors)
    if kind == "zarr":
        return chunked.zarr(path, vectors)
    if kind == "index":
        alone(path, vectors)
        return IndexFile(path)
    with open(path, "rb") as file:
        return raw(kind, path, file, os.fstat(file.fileno()).st_size, vectors)


def no_table(path: str, ids: str | None, filter: Any) -> None:
    for name, value in (("ids", ids), ("filter", filter)):
        if value is not None:
            raise ValueError(f"{name} is for tables, that is Parquet and Arrow, and {path} is none")


def alone(path: str, vectors: str | None) -> None:
    if vectors is not None:
        raise ValueError(f"{path}: it holds one array, and none named {vectors!r}")


def raw(kind: str, path: str, file: BinaryIO, size: int, vectors: str | None) -> Source:
    """Rows that lie in a file as in memory, but for compressed members of archives."""
    if kind == "npz":
        layout, name = flat.npz(path, file, vectors)
        return layout if isinstance(layout, Source) else Raw(path, file, layout, name)
    if kind == "safetensors":
        layout, name = flat.safetensors(path, file, size, vectors)
        return Raw(path, file, layout, name)
    alone(path, vectors)
    if kind == "npy":
        return Raw(path, file, flat.npy(path, file, size))
    if kind == "faiss":
        return Raw(path, file, flat.faiss(path, file, size, file.read(4)))
    reader = flat.records if kind == "records" else flat.bins
    return Raw(path, file, reader(path, file, size, suffix_of(path)))


# ---- remote files --------------------------------------------------------------------------------


def remote(url: str, vectors: str | None, ids: str | None, filter: Any) -> Source:
    """Through fsspec, by ranges of bytes."""
    try:
        import fsspec
    except ImportError:
        raise missing_extra("fsspec", url) from None
    filesystem, path = fsspec.core.url_to_fs(url)
    if suffix_of(url) == ".zarr":
        no_table(url, ids, filter)
        return chunked.zarr(url, vectors)
    if MANY & set(path) or filesystem.isdir(path):
        found = sorted(filesystem.glob(path) if MANY & set(path) else filesystem.find(path))
        files = [one for one in found if one.lower().endswith(parquet.SUFFIXES)]
        if not files:
            raise FileNotFoundError(f"{url}: there is no Parquet file")
        return parquet.parquet(files, url, vectors, ids, filter, filesystem)
    if not filesystem.exists(path):
        raise FileNotFoundError(f"{url}: no such file")
    file = filesystem.open(path, "rb")
    try:
        kind = kind_of_file(path, file.read(8))
        file.seek(0)
        if kind == "parquet":
            file.close()
            return parquet.parquet([path], url, vectors, ids, filter, filesystem)
        if kind == "ipc":
            return parquet.ipc(url, vectors, ids, filter, file)
        no_table(url, ids, filter)
        if kind == "hdf5":
            return chunked.hdf5(url, vectors, file)
        if kind == "index":
            raise ValueError(f"{url}: a saved index is mapped, and has to be a file of this machine")
        return raw(kind, url, file, filesystem.size(path), vectors)
    except BaseException:
        with suppress(Exception):
            file.close()
        raise
