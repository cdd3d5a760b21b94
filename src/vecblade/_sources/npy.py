"""A .npy file mapped into memory; and of any other file, what it is."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any, BinaryIO

import numpy as np

from . import file as files

UNREADABLE = "not a readable .npy file ({})"
# What else is given in the place of one, by how it begins.
OTHERS = {
    b"PK": "an archive of several arrays; expected a single .npy file",
    **{bytes([0x80, protocol]): UNREADABLE.format("it is a pickle") for protocol in range(2, 6)},
    files.MAGIC: "a saved FlatIndex; expected a .npy file",
    b"PAR1": UNREADABLE.format("it is a Parquet file"),
    b"\x89HDF": UNREADABLE.format("it is an HDF5 file"),
    b"\x1f\x8b": UNREADABLE.format("it is compressed by gzip"),
}
MAGIC = b"\x93NUMPY"
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def mapped(path: str) -> np.ndarray:
    """The array. A ValueError says why there is none: what NumPy says of such files is about pickles."""
    try:
        if files.is_special(path):
            raise ValueError(UNREADABLE.format("it is a pipe or a device"))
        with open(path, "rb") as file:
            shape, in_columns, dtype = header(file, os.fstat(file.fileno()).st_size)
            order: Any = "F" if in_columns else "C"
            return np.memmap(file, dtype, "r", file.tell(), shape, order)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: {UNREADABLE.format(error.strerror or error)}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def header(file: BinaryIO, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The header of a file of this size: shape, whether by columns, and type. The numbers follow it."""
    start = file.read(len(MAGIC) + 2)
    if not start.startswith(MAGIC):
        reason = "it does not begin with the magic bytes of one" if start else "it is empty"
        others = (what for sign, what in OTHERS.items() if start.startswith(sign))
        raise ValueError(next(others, UNREADABLE.format(reason)))
    try:
        version = start[len(MAGIC)], start[len(MAGIC) + 1]
        if version not in HEADERS:
            raise ValueError
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files of Python 2 are as good
            shape, in_columns, dtype = HEADERS[version](file)
        if min(shape, default=0) < 0:
            raise ValueError
    except Exception:
        raise ValueError(UNREADABLE.format("its header is damaged, cut off or of another version")) from None
    if dtype.hasobject:
        raise ValueError(UNREADABLE.format("it holds Python objects, not numbers"))
    needed, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if there < needed:
        cut = f"it is truncated: {there} bytes of numbers, where its header says {needed}"
        raise ValueError(UNREADABLE.format(cut))
    return shape, in_columns, dtype
