"""What the commands do with files of rows."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

import vecblade as vb

from .. import _writing
from .._rows import arrays
from .results import Destination, neighbours, suffix_of

if TYPE_CHECKING:
    import argparse

    from .._sources import Source
    from .._writing import Output

# What is written, by suffix: the type of the elements (None: that of the rows).
WRITTEN = {
    ".npy": None,
    ".fvecs": "<f4",
    ".bvecs": "u1",
    ".ivecs": "<i4",
    ".fbin": "<f4",
    ".u8bin": "u1",
    ".i8bin": "i1",
    ".ibin": "<i4",
}
INDEX = ".vecblade"


def opened(arguments: argparse.Namespace) -> Source:
    how = {name: getattr(arguments, name, None) for name in ("vectors", "filter")}
    return vb.open(arguments.corpus, **how)


def truth(arguments: argparse.Namespace) -> int:
    destination = Destination(arguments.output, {"corpus": arguments.corpus, "queries": arguments.queries})
    corpus, queries = opened(arguments), vb.open(arguments.queries, vectors=arguments.test)
    how = {"metric": arguments.metric, "threads": arguments.threads, "dtype": arguments.dtype}
    found = vb.topk(queries, corpus, arguments.k, **how)
    destination.write(found, queries, len(corpus), arguments.metric)
    return 0


def recall(arguments: argparse.Namespace) -> int:
    print(vb.recall(neighbours(arguments.found), neighbours(arguments.truth), rtol=arguments.rtol))
    return 0


# ---- from one format to another ----------------------------------------------------------------


def convert(arguments: argparse.Namespace) -> int:
    suffix = suffix_of(arguments.output, tuple(WRITTEN), "output")
    source = opened(arguments)
    target = _writing.Target(arguments.output, {"the input": arguments.corpus.partition(":/")[0]})
    dtype = source.dtype if WRITTEN[suffix] is None else np.dtype(WRITTEN[suffix])
    if suffix != ".npy" and not np.can_cast(source.dtype, dtype, "safe"):
        raise TypeError(
            f"output: {arguments.output}: {suffix} holds {dtype}, and the rows are {source.dtype}, which it "
            f"cannot hold; convert to .npy, or use a file of the type of the rows"
        )
    _writing.write(target, lambda out: written(out, source, suffix, dtype))
    return 0


def written(out: Output, source: Source, suffix: str, dtype: np.dtype[Any]) -> None:
    rows, d = len(source), source.shape[1]
    if suffix == ".npy":
        out.write(npy_header((rows, d), dtype))
    elif suffix.endswith("bin"):
        if max(rows, d) >= 1 << 32:
            raise ValueError(f"{suffix} has at most 2**32 - 1 rows, and there are {rows}")
        out.write(struct.pack("<II", rows, d))
    for block in source.blocks():
        some = np.ascontiguousarray(block, dtype.newbyteorder("<"))
        if suffix.endswith("vecs"):
            size = np.full((len(some), 1), d, "<i4").view("u1")
            some = np.hstack([size, some.view("u1").reshape(len(some), -1)])
        out.write(some.data.cast("B") if some.size else b"")


def npy_header(shape: tuple[int, int], dtype: np.dtype[Any]) -> bytes:
    import io

    out = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype.newbyteorder("<"))
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue()


# ---- indexes -----------------------------------------------------------------------------------


def index(arguments: argparse.Namespace) -> int:
    return {"build": build, "info": info, "verify": verify, "add": add, "remove": remove}[arguments.action](
        arguments
    )


def build(arguments: argparse.Namespace) -> int:
    suffix_of(arguments.output, (INDEX,), "output")
    _writing.Target(arguments.output, {"the corpus": arguments.corpus.partition(":/")[0]})
    how = {"threads": arguments.threads, "dtype": arguments.dtype}
    vb.FlatIndex(opened(arguments), arguments.metric, **how).save(arguments.output)
    return 0


def info(arguments: argparse.Namespace) -> int:
    made = vb.FlatIndex.load(arguments.index)
    rows, d = made.vectors.shape
    print(f"rows     {rows}\nd        {d}\ntype     {arrays.type_name(made.vectors.dtype)}")
    print(f"metric   {made.metric}\nbytes    {os.path.getsize(arguments.index)}")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    vb.FlatIndex.load(arguments.index, verify=True)
    print(f"{arguments.index}: whole")
    return 0


def add(arguments: argparse.Namespace) -> int:
    """The file is written anew."""
    made = vb.FlatIndex.load(arguments.index)
    for block in opened(arguments).blocks():
        made.add(block, threads=arguments.threads)
    made.save(arguments.index)
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """The file is written anew."""
    made = vb.FlatIndex.load(arguments.index)
    where = np.load(arguments.rows) if arguments.rows.endswith(".npy") else np.array(ids(arguments.rows), int)
    made.remove(where, threads=arguments.threads)
    made.save(arguments.index)
    return 0


def ids(text: str) -> list[int]:
    """Row numbers with commas between."""
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise ValueError(
            f"rows: {text!r}: expected row numbers with commas between, or a .npy file of them"
        ) from None
