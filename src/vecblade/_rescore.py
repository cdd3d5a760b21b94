"""Search in two stages: candidates by small codes, the closest of them by the originals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _arrays, _core, _threads
from ._convert import Quantized, pack_bits, quantize
from ._index import FlatIndex
from ._search import TopK, check_k, check_pair, eligible_rows, find_topk, topk

if TYPE_CHECKING:
    from collections.abc import Callable

ANGLES = ("cosine", "cosine_similarity")
OVERSAMPLE = 10


@dataclass(frozen=True)
class Stage:
    """The first stage: how many rows it has, and what finds so many candidates for queries as they are."""

    rows: int
    find: Callable[..., TopK]


def two_stages(
    queries: Any,
    corpus: Any,
    k: Any,
    metric: str,
    where: Any,
    threads: Any,
    progress: Any,
    dtype: Any,
    rescore: Any,
    oversample: Any,
) -> TopK:
    """`topk` with `rescore`."""
    k, threads = check_k(k), _threads.resolve(threads)
    oversample = OVERSAMPLE if oversample is None else oversample
    if isinstance(oversample, bool) or not hasattr(oversample, "__index__") or oversample < 1:
        raise ValueError(f"oversample must be an integer of at least 1, not {oversample!r}")
    if metric in _core.BIT_METRICS:
        raise ValueError(f"metric={metric!r} is of bits; with rescore it has to be one of numbers")
    # A corpus of uint8 is bits here, whatever `dtype` says of the originals.
    reading = None if dtype == "bits" else _arrays.check_reading(dtype)
    originals = _arrays.rows(rescore, "rescore", (2,), reading)
    given = _arrays.rows(queries, "queries", (1, 2), reading)
    _arrays.same_width(given, "queries", originals, "rescore")
    q = np.atleast_2d(given)
    stage = first_stage(corpus, originals, metric, reading)
    if stage.rows != len(originals):
        raise ValueError(f"corpus has {stage.rows} rows and rescore {len(originals)}; they must be equal")
    near = stage.find(q, k * int(oversample), where, threads, progress)
    found = closest(q, originals, near.indices, k, metric, threads)
    return TopK(found.indices[0], found.values[0]) if given.ndim == 1 else found


# ---- the first stage -----------------------------------------------------------------------


def first_stage(corpus: Any, originals: np.ndarray, metric: str, reading: str | None) -> Stage:
    d = originals.shape[1]
    if isinstance(corpus, FlatIndex):
        if corpus.metric != "hamming":
            raise ValueError(
                f"corpus is an index with metric {corpus.metric!r}; with rescore it has to be 'hamming'"
            )
        check_bytes(corpus.vectors.shape[1], d)
        return Stage(
            len(corpus),
            lambda q, count, where, threads, progress: corpus.search(
                pack_bits(plain(q)), count, where=where, threads=threads, progress=progress
            ),
        )
    scales = corpus.scales if isinstance(corpus, Quantized) else None
    codes = _arrays.rows(corpus if scales is None else corpus.codes, "corpus", (2,), reading)
    width = codes.shape[1]
    if width < d and _arrays.working_dtype(codes) == _arrays.working_dtype(originals):  # a prefix, uint8 too
        return Stage(len(codes), search(codes, metric, reading, lambda q: q[:, :width]))
    if codes.dtype == np.uint8:
        check_bytes(width, d)
        return Stage(len(codes), search(codes, "hamming", "bits", lambda q: pack_bits(plain(q))))
    if codes.dtype == np.int8:
        if width != d:
            raise ValueError(f"corpus has rows of {width} codes and rescore rows of {d} numbers")
        return Stage(len(codes), search(codes, metric, None, quantizer(scales, metric)))
    raise TypeError(
        f"corpus has dtype {_arrays.type_name(codes.dtype)} and rows of {width} numbers; with rescore it "
        f"holds codes: packed bits (uint8), what vb.quantize returned, or rescore[:, :d] for some d"
    )


def search(codes: np.ndarray, metric: str, reading: str | None, encode: Callable[[np.ndarray], Any]) -> Any:
    """Search the codes for encoded queries."""

    def find(q: np.ndarray, count: int, where: Any, threads: int, progress: Any) -> TopK:
        ours, theirs = check_pair(encode(q), codes, metric, reading)
        return find_topk(ours, theirs, count, metric, eligible_rows(where, len(codes)), threads, progress)[0]

    return find


def check_bytes(width: int, d: int) -> None:
    if width != (d + 7) // 8:
        raise ValueError(
            f"corpus has rows of {width} bytes of bits and rescore rows of {d} numbers, "
            f"which take {(d + 7) // 8}"
        )


def plain(q: np.ndarray) -> np.ndarray:
    """Queries in float64, in which every one of them can be encoded."""
    wide = _arrays.converted(q, _arrays.FLOAT64)
    if not np.isfinite(wide).all():
        row = int(np.argmin(np.isfinite(wide).all(axis=1)))
        raise ValueError(f"queries has a number that is not finite in row {row}, so there are no codes of it")
    return wide


def levelled(q: np.ndarray) -> np.ndarray:
    """Queries whose length does not matter, over their largest magnitude: within the range of scales."""
    wide = plain(q)
    most = np.abs(wide).max(axis=1, initial=0.0, keepdims=True)
    return wide / np.where(most > 0, most, 1.0)


def quantizer(scales: np.ndarray | None, metric: str) -> Callable[[np.ndarray], np.ndarray]:
    """What makes int8 codes of queries that go with codes of rows with these scales."""
    if metric in ANGLES:
        return lambda q: quantize(levelled(q)).codes
    if scales is None or len(scales) != 1:
        what = "only codes" if scales is None else "a scale for each row"
        raise ValueError(
            f"corpus has {what}, and metric {metric!r} needs one scale for all: pass what "
            f"vb.quantize(X, scale='global') returned"
        )
    if metric == "dot":
        return lambda q: quantize(levelled(q)).codes
    return lambda q: quantize(plain(q), scales[0]).codes


# ---- the second stage ----------------------------------------------------------------------


def closest(
    q: np.ndarray, originals: np.ndarray, candidates: np.ndarray, k: int, metric: str, threads: int
) -> TopK:
    """The k closest of each query's candidates."""
    none = topk(q[:0], np.zeros((0, q.shape[1]), originals.dtype), 1, metric)  # the types of the results
    if (k := min(k, candidates.shape[1])) == 0:
        shape = (len(q), 0)
        return TopK(none.indices.reshape(shape), none.values.reshape(shape))
    _, dtype = _arrays.agreed(q, "queries", originals, "rescore")
    in_place = _arrays.readable(originals, dtype)
    found = [TopK(none.indices.reshape(0, k), none.values.reshape(0, k))]
    for i, rows in enumerate(np.sort(candidates, axis=1)):
        if in_place:
            best = topk(q[i : i + 1], originals, k, metric, where=rows, threads=threads)
        else:  # converting all of them for a few would take longer than the search
            best = topk(q[i : i + 1], originals[rows], k, metric, threads=threads)
            best = TopK(rows[best.indices], best.values)
        found.append(best)
    return TopK(*map(np.concatenate, zip(*found, strict=True)))
