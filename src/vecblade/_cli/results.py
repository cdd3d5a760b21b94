"""Neighbours and their distances in the formats of benchmarks: ``.ivecs``, ``.ibin``, HDF5, ``.npz``."""

from __future__ import annotations

import io
import os
import struct
from typing import Any

import numpy as np

import vecblade as vb

from .._sources.base import missing_extra
from .._writing import Target, write, write_bytes

MOST_ROWS = 1 << 31
SUFFIXES = (".ivecs", ".ibin", ".hdf5", ".h5", ".npz")


def suffix_of(path: str, known: tuple[str, ...], option: str) -> str:
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in known:
        raise ValueError(f"{option}: {path}: unknown suffix {suffix!r}; expected {', '.join(known)}")
    return suffix


def records(array: np.ndarray) -> bytes:
    """Rows, each after the number of its elements."""
    size = np.full((len(array), 1), array.shape[1], "<i4")
    return np.hstack([size, array.view("<i4")]).tobytes()


def hdf5(found: Any, queries: np.ndarray, metric: str) -> bytes:
    """As ann-benchmarks has it, without the rows that were searched."""
    try:
        import h5py
    except ImportError:
        raise missing_extra("h5py", "a result in HDF5") from None
    names = {"cosine": "angular", "cosine_similarity": "angular"}
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["neighbors"], file["distances"], file["test"] = found.indices, found.values, queries
        file.attrs["distance"] = names.get(metric, metric)
    return out.getvalue()


class Destination:
    """Where neighbours go; of ``.ivecs``, a file beside it gets the distances."""

    def __init__(self, path: str, inputs: dict[str, str]) -> None:
        self.suffix = suffix_of(path, SUFFIXES, "--output")
        self.target = Target(path, inputs)
        beside = f"{os.path.splitext(path)[0]}.fvecs"
        self.beside = Target(beside, inputs) if self.suffix == ".ivecs" else None

    def write(self, found: vb.TopK, queries: Any, rows: int, metric: str) -> None:
        if self.suffix in (".ivecs", ".ibin") and rows > MOST_ROWS:
            raise ValueError(
                f"--output: {self.suffix} has row numbers of 32 bits, for at most {MOST_ROWS} rows"
            )
        indices = found.indices.astype("<i4") if self.suffix in (".ivecs", ".ibin") else found.indices
        values = found.values.astype("<f4")
        if self.beside is not None:
            write_bytes(self.beside, records(values))
            write_bytes(self.target, records(indices))
        elif self.suffix == ".ibin":  # distances follow the neighbours
            head = struct.pack("<II", *indices.shape)
            write_bytes(self.target, head + indices.tobytes() + values.tobytes())
        elif self.suffix == ".npz":
            out = io.BytesIO()
            np.savez(out, **found._asdict())
            write_bytes(self.target, out.getvalue())
        else:
            write(self.target, lambda out: out.write(hdf5(found, queries[:], metric)))


def neighbours(path: str) -> Any:
    """Row numbers, with values where the file has them."""
    suffix = suffix_of(path, (*SUFFIXES, ".npy"), path)
    if suffix == ".ibin":
        return from_ibin(path)
    if suffix == ".ivecs":
        beside = f"{os.path.splitext(path)[0]}.fvecs"
        rows = vb.open(path)[:]
        return (rows, vb.open(beside)[:]) if os.path.exists(beside) else rows
    if suffix == ".npy":
        return vb.open(path)[:]
    names = ("indices", "values") if suffix == ".npz" else ("neighbors", "distances")
    return tuple(vb.open(path, vectors=name)[:] for name in names)


def from_ibin(path: str) -> Any:
    """With or without distances behind the neighbours."""
    with open(path, "rb") as file:
        head = file.read(8)
        n, k = struct.unpack("<II", head) if len(head) == 8 else (0, 0)
        size = os.fstat(file.fileno()).st_size - 8
        if size not in (4 * n * k, 8 * n * k):
            raise ValueError(f"{path}: {size} bytes after a header that says {n} x {k}: truncated or damaged")
        rows = np.fromfile(file, "<i4", n * k).reshape(n, k)
        values = np.fromfile(file, "<f4").reshape(-1, k) if size == 8 * n * k else None
    return rows if values is None else (rows, values)
