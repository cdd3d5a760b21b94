"""Headers of files in which rows lie as in memory: where they begin, how many there are, of which type."""

from __future__ import annotations

import json
import struct
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .._core import BFLOAT16
from . import npy as npys
from .base import Source, check_matrix, kind_of
from .raw import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

# Files of records, each with the number of its elements before them.
RECORDS = {".fvecs": "<f4", ".bvecs": "u1", ".ivecs": "<i4"}
# Files that begin with the numbers of rows and of elements of a row.
BINS = {".fbin": "<f4", ".u8bin": "u1", ".i8bin": "i1", ".ibin": "<i4", ".f16bin": "<f2"}
MOST_ELEMENTS = 1 << 24


def records(path: str, file: BinaryIO, size: int, suffix: str) -> Layout:
    dtype = np.dtype(RECORDS[suffix])
    start = file.read(4)
    if size == 0:
        raise ValueError(f"{path}: it is empty, so that it is not known how many elements rows have")
    d = struct.unpack("<i", start)[0] if len(start) == 4 else 0
    if not 0 < d <= MOST_ELEMENTS:
        raise ValueError(f"{path}: it says that row 0 has {d} elements: it is no {suffix} file, or damaged")
    stride = 4 + d * dtype.itemsize
    if size % stride:
        raise ValueError(
            f"{path}: its {size} bytes are no multiple of the {stride} that a row of {d} elements takes: it "
            f"is truncated in row {size // stride}, or a row has another size"
        )
    return Layout((size // stride, d), dtype, 4, stride, sized=True)


def bins(path: str, file: BinaryIO, size: int, suffix: str) -> Layout:
    dtype, start = np.dtype(BINS[suffix]), file.read(8)
    if len(start) < 8:
        raise ValueError(f"{path}: it has {len(start)} bytes, and a {suffix} file begins with a header of 8")
    rows, d = struct.unpack("<II", start)
    needed = 8 + rows * d * dtype.itemsize
    if size != needed:
        what = "truncated" if size < needed else "longer than it should be"
        raise ValueError(
            f"{path}: it is {what}: {size} bytes, where its header says {rows} rows of {d} elements, "
            f"that is {needed}"
        )
    return Layout.packed((rows, d), dtype, 8, path)


def npy(path: str, file: BinaryIO, size: int) -> Layout:
    try:
        shape, by_columns, dtype = npys.header(file, size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    rows, d = check_matrix(shape, path)
    return Layout((rows, d), dtype, file.tell(), d * dtype.itemsize, by_columns=by_columns)


# ---- archives of arrays --------------------------------------------------------------------


def npz(path: str, file: BinaryIO, member: str | None) -> tuple[Layout | Member, str]:
    """A member that is stored as it is, or one to be inflated, and the name of the whole."""
    try:
        archive = zipfile.ZipFile(file)
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        matrices = [name for name in names if member is None and len(names) > 1 and is_matrix(archive, name)]
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        zlib_error(),
    ) as error:
        raise ValueError(f"{path}: not a readable .npz file ({error})") from None
    chosen = choose(path, matrices or names, member, "array")
    name = f"{path}:{chosen}"
    info = archive.getinfo(f"{chosen}.npy")
    try:
        with archive.open(info) as inner:
            layout = npy(name, inner, info.file_size)  # type: ignore[arg-type]
        if info.compress_type != zipfile.ZIP_STORED:
            return Member(name, file if "://" in path else path, info, layout), name
        file.seek(info.header_offset)
        head = file.read(30)
        lengths = struct.unpack("<HH", head[26:30])
    except (zipfile.BadZipFile, OSError, RuntimeError, struct.error, zlib_error()) as error:
        raise ValueError(f"{name}: it cannot be read: {error}") from None
    offset = info.header_offset + 30 + sum(lengths) + layout.offset
    return Layout(layout.shape, layout.dtype, offset, layout.stride, layout.by_columns), name


def is_matrix(archive: zipfile.ZipFile, name: str) -> bool:
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as inner:
        return len(npys.header(inner, info.file_size)[0]) == 2  # type: ignore[arg-type]


class Member(Source):
    """A compressed member of an archive, which is read from its beginning."""

    def __init__(self, name: str, archive: Any, info: zipfile.ZipInfo, layout: Layout) -> None:
        super().__init__(name, *layout.shape, kind_of(layout.dtype, name))
        if layout.by_columns:
            raise ValueError(f"{name}: it is compressed and holds columns one after the other; save its rows")
        self._archive, self._info, self._layout = archive, info, layout

    def stream(self, rows: int) -> Iterator[np.ndarray]:
        d, itemsize, at = self._d, self._layout.dtype.itemsize, 0
        with zipfile.ZipFile(self._archive) as archive, archive.open(self._info) as inner:
            try:
                inner.read(self._layout.offset)
                while at < len(self):
                    count = min(rows, len(self) - at)
                    data = inner.read(count * d * itemsize)
                    if len(data) < count * d * itemsize:
                        raise EOFError("it ends before")
                    yield np.frombuffer(data, self._layout.dtype).reshape(count, d)
                    at += count
            except (zipfile.BadZipFile, EOFError, OSError, zlib_error()) as error:
                raise ValueError(f"{self._name}: row {at} and what follows cannot be read: {error}") from None


def zlib_error() -> type[Exception]:
    import zlib

    return zlib.error


def choose(path: str, names: list[str], wanted: str | None, what: str) -> str:
    """The one of several arrays of a file that was asked for, or the only one."""
    shown = ", ".join(map(repr, names[:8])) + (", ..." if len(names) > 8 else "")
    if wanted is not None:
        if wanted in names:
            return wanted
        raise ValueError(f"{path}: it has no {what} {wanted!r}; it has {shown or 'none'}")
    if len(names) == 1:
        return names[0]
    if not names:
        raise ValueError(f"{path}: it has no {what}")
    raise ValueError(f"{path}: it has several of {what}: {shown}; say which, as in '{path}:{names[0]}'")


# ---- safetensors ---------------------------------------------------------------------------

TENSORS: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
}
MOST_HEADER = 100 << 20


def safetensors(path: str, file: BinaryIO, size: int, member: str | None) -> tuple[Layout, str]:
    """The 8 bytes of the length of the header, the header, which is JSON, and the tensors."""
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 0 < length <= min(MOST_HEADER, size - 8):
        raise ValueError(f"{path}: it is truncated, or no safetensors file")
    try:
        tensors = json.loads(file.read(length))
        tensors.pop("__metadata__", None)
        matrices = [key for key, value in tensors.items() if len(value["shape"]) == 2]
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        raise ValueError(f"{path}: the header of this safetensors file is damaged") from None
    chosen = choose(path, matrices if member is None else list(tensors), member, "2-D tensor")
    name = f"{path}:{chosen}"
    try:
        kind, shape = tensors[chosen]["dtype"], [int(n) for n in tensors[chosen]["shape"]]
        first, end = map(int, tensors[chosen]["data_offsets"])
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{name}: what the header says of it is damaged") from None
    if kind not in TENSORS:
        raise TypeError(f"{name}: it has dtype {kind}; expected {', '.join(TENSORS)}")
    rows, d = check_matrix(shape, name)
    needed = rows * d * TENSORS[kind].itemsize
    if min(rows, d, first) < 0 or end - first != needed or 8 + length + end > size:
        raise ValueError(
            f"{name}: bytes {first} to {end} of {size - 8 - length} do not hold {rows} x {d} of {kind}: the "
            f"file is truncated or damaged"
        )
    return Layout.packed((rows, d), TENSORS[kind], 8 + length + first, name), name


# ---- flat indexes of faiss -----------------------------------------------------------------

# What the four letters at the beginning stand for: flat indexes of float32, of bits, and a flat one with ids.
FLAT, BINARY, MAPPED = {b"IxF2", b"IxFI", b"IxFl"}, {b"IBxF"}, {b"IxMp", b"IxM2"}
FAISS = FLAT | BINARY | MAPPED


def faiss(path: str, file: BinaryIO, size: int, kind: bytes) -> Layout:
    """
    ::

        4   four letters        8   a number that means nothing     4   metric
        4   d                   8   likewise                        4   its argument, if the metric is
        8   rows                1   whether it is trained               neither L2 nor the inner product

    then the number of elements (8 bytes) and the elements. With ids: another index, their number, and they.
    """
    try:
        if kind in MAPPED:
            rows = _faiss_header(file)[1]
            inner = file.read(4)
            if inner not in FLAT:
                raise ValueError(f"it holds an index {inner!r}, and no flat one")
            layout = faiss(path, file, size, inner)
            file.seek(layout.offset + layout.shape[0] * layout.stride)
            (count,) = struct.unpack("<Q", file.read(8))
            if count != rows or layout.shape[0] != rows or file.tell() + 8 * count > size:
                raise ValueError("its ids are truncated or damaged")
            return Layout(layout.shape, layout.dtype, layout.offset, layout.stride, ids=(file.tell(), count))
        binary = kind in BINARY
        d, rows = _faiss_header(file, binary)
        (count,) = struct.unpack("<Q", file.read(8))
    except struct.error:
        raise ValueError(f"{path}: this index of faiss is truncated, at {size} bytes") from None
    except ValueError as error:
        if str(error).startswith(path):
            raise
        raise ValueError(f"{path}: this index of faiss cannot be read: {error}") from None
    width, dtype = (d // 8, np.dtype("u1")) if binary else (d, np.dtype("<f4"))
    if count != rows * width or file.tell() + count * dtype.itemsize > size:
        raise ValueError(
            f"{path}: this index of faiss is truncated or damaged: its header says {rows} rows of {width} "
            f"elements, and {size} bytes are there"
        )
    return Layout.packed((rows, width), dtype, file.tell(), path)


def _faiss_header(file: BinaryIO, binary: bool = False) -> tuple[int, int]:
    """D and the number of rows."""
    if binary:  # the bytes of a row come behind the elements, and the metric has no argument
        d, _, rows, trained, _ = struct.unpack("<iiqBi", file.read(21))
    else:
        d, rows, _, _, trained, metric = struct.unpack("<iqqqBi", file.read(33))
        if metric > 1:
            file.read(4)
    if d < 0 or rows < 0 or trained > 1:
        raise ValueError("its header is damaged")
    return d, rows
