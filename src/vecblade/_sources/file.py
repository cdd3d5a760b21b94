"""
The file of a `FlatIndex`: a header of one page, then rows, panels and center, each on a multiple of 64.

All numbers are little-endian. The header, whose unused rest is zeros::

    0    8s   magic         24   Q   rows            72   Q   bytes of the file
    8    I    version       32   Q   d               80   I   checksum of what follows the header
    12   4s   type          40   Q   place of rows   84   I   reading
    16   8s   (zeros)       48   Q   of panels       88   32s metric
                            56   Q   of the center   4092 I   checksum of the header before it
                            64   Q   (zeros)

Checksums are CRC-32. The reading is 1 if uint16 are taken for bfloat16 that are to meet the rows, else 0.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .. import _core
from .._writing import PIECE, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._writing import Output

MAGIC = b"vecblade"
VERSION = 1
HEADER_BYTES = 4096
HEADER = struct.Struct("<8sI4s8xQQQQQ8xQII32s")
CHECKSUM = struct.Struct("<I")
ALIGNMENT = 64
TYPES: dict[bytes, np.dtype[Any]] = {
    b"f32": np.dtype(np.float32),
    b"f64": np.dtype(np.float64),
    b"f16": np.dtype(np.float16),
    b"bf16": _core.BFLOAT16,
    b"i8": np.dtype(np.int8),
    b"u8": np.dtype(np.uint8),
    b"b1": _core.BITS,
}
# Bytes per element, of which an integer of that size is written.
INTEGERS = {1: "u1", 2: "<u2", 4: "<u4", 8: "<u8"}


def save(
    out: Output, metric: str, rows: np.ndarray, panels: np.ndarray, center: np.ndarray, reading: str | None
) -> None:
    """Write the header last if the file can seek, as its checksum covers what follows; else in two passes."""
    places, size = _layout(rows.shape, rows.itemsize)
    kind = next(name for name, dtype in TYPES.items() if dtype == rows.dtype)
    arrays, checksum = (rows, panels, center), 0
    if out.seekable:
        out.write(bytes(HEADER_BYTES))
    for data in _contents(places, arrays):
        checksum = zlib.crc32(data, checksum)
        if out.seekable:
            out.write(data)
    reads = int(reading == "bfloat16")
    header = HEADER.pack(MAGIC, VERSION, kind, *rows.shape, *places, size, checksum, reads, metric.encode())
    header = header.ljust(HEADER_BYTES - CHECKSUM.size, b"\0")
    if out.seekable:
        out.seek(0)
    out.write(header + CHECKSUM.pack(zlib.crc32(header)))
    if not out.seekable:
        for data in _contents(places, arrays):
            out.write(data)


def _contents(places: list[int], arrays: tuple[np.ndarray, ...]) -> Iterator[memoryview]:
    """The contents after the header, in pieces of bytes."""
    end = HEADER_BYTES
    for place, array in zip(places, arrays, strict=True):
        yield memoryview(bytes(place - end))
        end = place + array.nbytes
        step = max(1, PIECE // max(1, array[:1].nbytes))
        for start in range(0, len(array), step):
            piece = np.ascontiguousarray(array[start : start + step])
            piece = piece.view(f"u{piece.itemsize}").astype(INTEGERS[piece.itemsize], copy=False)
            if piece.nbytes:
                yield piece.data.cast("B")


def _layout(shape: tuple[int, int], itemsize: int) -> tuple[list[int], int]:
    """Where rows, panels and center begin, and where the file ends."""
    places, end = [], HEADER_BYTES
    for size in (shape[0] * shape[1] * itemsize, *_core.codes_bytes(*shape)):
        places.append(-(-end // ALIGNMENT) * ALIGNMENT)
        end = places[-1] + size
    return places, end


def is_special(name: str) -> bool:
    """Whether it is neither a file nor a folder but, say, a pipe, which may block for ever."""
    mode = os.stat(name).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def sources(rows: Any) -> dict[str, str]:
    """The file that rows are mapped from, not to be written over. (An index may replace its own.)"""
    while rows is not None:
        if isinstance(rows, np.memmap) and rows.filename:
            with suppress(OSError), open(rows.filename, "rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    return {"the rows of the index": os.fspath(rows.filename)}
        rows = getattr(rows, "base", None)
    return {}


def load(
    path: str | os.PathLike[str], mmap: bool, verify: bool
) -> tuple[str, np.ndarray, np.ndarray, np.ndarray, str | None]:
    """Metric, rows, panels, center, and how unsigned integers are read that are compared with the rows."""
    name = name_of(path)
    if is_special(name):
        raise _refusal(name, "it is a pipe or a device; expected a regular file")
    with open(name, "rb") as file:
        metric, dtype, shape, places, size, checksum, reading = _read_header(file, name)
        if mmap:
            data = np.asarray(np.memmap(file, np.uint8, "r", shape=(size,)))
        else:
            file.seek(0)
            memory = np.empty(size + ALIGNMENT, np.uint8)
            data = memory[-memory.ctypes.data % ALIGNMENT :][:size]
            data[:] = np.fromfile(file, np.uint8, size)
    if verify:
        found = 0
        for start in range(HEADER_BYTES, size, PIECE):
            found = zlib.crc32(data[start : start + PIECE].data, found)
        if found != checksum:
            raise _refusal(name, "its contents do not match their checksum")
    ends = (shape[0] * shape[1] * dtype.itemsize, *_core.codes_bytes(*shape))
    rows, panels, center = (data[place : place + length] for place, length in zip(places, ends, strict=True))
    return metric, rows.view(dtype).reshape(shape), panels, center, reading


def _read_header(
    file: BinaryIO, name: str
) -> tuple[str, np.dtype[Any], tuple[int, int], list[int], int, int, str | None]:
    header = file.read(HEADER_BYTES)
    if header[: len(MAGIC)] != MAGIC:
        raise _refusal(name, "it does not begin with the magic bytes of one")
    if len(header) < HEADER_BYTES:
        raise _refusal(name, f"it is truncated, at {len(header)} bytes")
    _, version, kind, rows, d, *places, size, checksum, reads, metric = HEADER.unpack_from(header)
    # The version comes first: another one may have other checksums.
    if version > VERSION:
        raise _refusal(name, f"it has version {version}, and this vecblade reads up to {VERSION}: update it")
    if CHECKSUM.unpack_from(header, HEADER_BYTES - CHECKSUM.size)[0] != zlib.crc32(header[: -CHECKSUM.size]):
        raise _refusal(name, "its header does not match its checksum")
    kind, metric = kind.rstrip(b"\0"), metric.rstrip(b"\0").decode("ascii", "replace")
    shape = (rows, d)
    if (
        version < 1
        or kind not in TYPES
        or metric not in _core.METRICS
        or (metric in _core.BIT_METRICS and kind != b"b1")
        or rows >= 1 << (60 if d else 32)
        or d >= 1 << 60
        or reads > (kind != b"b1")
        or (places, size) != _layout(shape, TYPES[kind].itemsize)
    ):
        raise _refusal(name, "its header is inconsistent")
    if sys.byteorder != "little":
        raise _refusal(name, "this machine is big-endian, and the codes are not")
    if (actual := os.fstat(file.fileno()).st_size) != size:
        what = "truncated" if actual < size else "longer than it should be"
        raise _refusal(name, f"it is {what}: {actual} bytes, where the header says {size}")
    return metric, TYPES[kind], shape, places, size, checksum, "bfloat16" if reads else None


def _refusal(name: str, reason: str) -> ValueError:
    return ValueError(f"{name!r} cannot be loaded as a vecblade index: {reason}")
