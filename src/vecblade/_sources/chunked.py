"""Datasets of HDF5 and arrays of zarr: read by bands of chunks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .base import Source, check_matrix, kind_of, missing_extra
from .flat import choose
from .raw import Layout, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

# Rows of the files of ann-benchmarks: what is searched, if nothing else was said.
USUAL = "train"


class Chunked(Source):
    """A 2-D dataset or array: what can be sliced, and lies in chunks."""

    def __init__(self, name: str, data: Any, owner: Any = None) -> None:
        super().__init__(name, *check_matrix(data.shape, name), kind_of(np.dtype(data.dtype), name))
        self._data = data
        self._owner = owner  # what is closed when nobody needs it any more
        chunks = getattr(data, "chunks", None)
        shards = getattr(data, "shards", None)
        self._band = int((shards or chunks or (1,))[0])

    def __reduce__(self) -> Any:
        raise TypeError(f"{self._name} is an open file, which is not pickled; pickle its path")

    def stream(self, rows: int) -> Iterator[np.ndarray]:
        """In bands of chunks: each chunk is read once."""
        step = max(self._band, rows // self._band * self._band)
        for start in range(0, len(self), step):
            yield self.read(start, min(start + step, len(self)))

    def read(self, start: int, stop: int) -> np.ndarray:
        try:
            found = np.asarray(self._data[start:stop])
        except Exception as error:  # whatever theirs raises
            raise OSError(f"{self._name}: rows {start} to {stop} cannot be read: {error}") from error
        if found.shape != (stop - start, self._d):
            raise ValueError(
                f"{self._name}: reading rows {start} to {stop} gave shape {found.shape}: it changed meanwhile"
            )
        return found.astype(found.dtype.newbyteorder("="), copy=False)


# ---- HDF5 ----------------------------------------------------------------------------------


def hdf5(path: str, member: str | None, file: Any = None) -> Source:
    """A dataset of a file; `file`: its contents, if it is no file of this machine."""
    try:
        import h5py
    except ImportError:
        raise missing_extra("h5py", path) from None
    try:
        opened = h5py.File(path if file is None else file, "r")
    except OSError as error:
        raise ValueError(f"{path}: not a readable HDF5 file: {error}") from None
    try:
        chosen = h5_member(opened, path, member)
        return dataset(opened[chosen], f"{path}:{chosen}", opened, path if file is None else None)
    except BaseException:
        opened.close()
        raise


def h5_member(file: Any, path: str, member: str | None) -> str:
    import h5py

    found: list[str] = []

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (member is not None or item.ndim == 2):
            found.append(f"/{name}")

    try:
        file.visititems(look)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path}: what is in this HDF5 file cannot be read: {error}") from None
    if member is None:
        usual = [name for name in found if name.rpartition("/")[2] == USUAL]
        return choose(path, usual if len(usual) == 1 else found, None, "2-D dataset")
    return choose(path, found, "/" + member.strip("/"), "dataset")


def dataset(data: Any, name: str, owner: Any = None, path: str | None = None) -> Source:
    """A dataset of h5py: where its elements lie side by side in a file, they are mapped."""
    source = Chunked(name, data, owner)
    if path is None and owner is None and getattr(data.file, "driver", "") in ("sec2", "stdio", "windows"):
        path = os.fsdecode(data.file.filename)
    offset = data.id.get_offset() if data.chunks is None and not data.is_virtual else None
    if path is None or offset is None or data.external or data.file.mode != "r" or data.file.userblock_size:
        return source
    layout = Layout.packed(data.shape, np.dtype(data.dtype), offset, name)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if offset + layout.shape[0] * layout.stride > size:
            raise ValueError(f"{name}: the file is truncated: its rows do not end within {size} bytes")
        mapped = Raw(path, file, layout, name)
    return mapped if mapped.in_place else source


# ---- zarr ----------------------------------------------------------------------------------


def zarr(path: str, member: str | None) -> Source:
    try:
        import zarr as library
    except ImportError:
        raise missing_extra("zarr", path) from None
    try:
        opened = library.open(path, mode="r")
    except Exception as error:  # whatever theirs raises
        raise ValueError(f"{path}: not a readable zarr store: {error}") from None
    if isinstance(opened, library.Array):
        if member is not None:
            raise ValueError(f"{path}: it is one array, and has none named {member!r}")
        return Chunked(path, opened)
    try:
        arrays = {name: item for name, item in members(opened) if member is not None or len(item.shape) == 2}
    except Exception as error:  # whatever theirs raises
        raise ValueError(f"{path}: what is in this zarr store cannot be read: {error}") from None
    names = list(arrays)
    if member is None and USUAL in names:
        member = USUAL
    chosen = choose(path, names, None if member is None else member.strip("/"), "array")
    return Chunked(f"{path}:{chosen}", arrays[chosen])


def members(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in sorted(group.arrays()):
        yield before + name, item
    for name, item in sorted(group.groups()):
        yield from members(item, f"{before}{name}/")
