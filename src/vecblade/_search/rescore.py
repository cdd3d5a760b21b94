"""Search in two stages: candidates by small codes, the closest of them by the originals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._metrics import BY_NAME
from .._rows import arrays
from .._rows.convert import Quantized, pack_bits, quantize
from .engine import Corpus, Queries, Request, check_pair, find_topk
from .index import FlatIndex
from .results import TopK
from .where import Eligible

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._metrics import Metric

OVERSAMPLE = 10


@dataclass(frozen=True)
class Stage:
    """
    The first stage: its codes, how queries are encoded likewise, and how candidates are found for these.

    `agree` says which of some codes are those of some originals (float64), and `reason` what to say if not.
    """

    codes: np.ndarray
    encode: Callable[[np.ndarray], Any]
    find: Callable[[Any, int, Request], TopK]
    agree: Callable[[np.ndarray, np.ndarray], np.ndarray]
    reason: str


@dataclass(frozen=True)
class TwoStages:
    """Both stages of a search, their sides checked: `topk` with `rescore`."""

    stage: Stage
    queries: Queries
    originals: Corpus
    metric: Metric

    def find(self, k: int, oversample: int, request: Request) -> TopK:
        encoded = self.stage.encode(self.queries.rows)
        check_codes(self.stage, self.originals.rows)
        near = self.stage.find(encoded, k * oversample, request)
        return self.queries.shaped(closest(self.queries, self.originals, near.indices, k, request))


def check_oversample(oversample: Any) -> int:
    oversample = OVERSAMPLE if oversample is None else oversample
    if isinstance(oversample, bool) or not hasattr(oversample, "__index__") or oversample < 1:
        raise ValueError(f"oversample must be an integer of at least 1, not {oversample!r}")
    return int(oversample)


def two_stages(queries: Any, corpus: Any, rescore: Any, metric: Metric, dtype: Any) -> TwoStages:
    if metric.takes_bits:
        raise ValueError(f"metric={metric.name!r} is of bits; with rescore it has to be one of numbers")
    # A corpus of uint8 is bits here, whatever `dtype` says of the originals.
    reading = None if dtype == "bits" else arrays.check_reading(dtype)
    originals = arrays.rows(rescore, "rescore", (2,), reading)
    given = arrays.rows(queries, "queries", (1, 2), reading)
    arrays.same_width(given, "queries", originals, "rescore")
    ours, theirs = arrays.agreed(given, "queries", originals, "rescore")
    stage = first_stage(corpus, originals, metric, reading)
    if len(stage.codes) != len(originals):
        raise ValueError(
            f"corpus has {len(stage.codes)} rows and rescore {len(originals)}; they must be equal"
        )
    q = Queries(np.atleast_2d(given), ours, given.ndim == 1)
    return TwoStages(stage, q, Corpus(originals, theirs), metric)


# ---- the first stage -----------------------------------------------------------------------


def first_stage(corpus: Any, originals: np.ndarray, metric: Metric, reading: str | None) -> Stage:
    find: Callable[[Any, int, Request], TopK]
    d = originals.shape[1]
    if isinstance(corpus, FlatIndex):
        if corpus.metric != "hamming":
            raise ValueError(
                f"corpus is an index with metric {corpus.metric!r}; with rescore it has to be 'hamming'"
            )
        check_bytes(corpus.vectors.shape[1], d)

        def find(q: Any, count: int, request: Request) -> TopK:
            where, threads, progress = request.eligible.where, request.threads, request.progress
            return corpus.search(q, count, where=where, threads=threads, progress=progress)

        return Stage(corpus.vectors, signs, find, signs_agree, NO_SIGNS)
    scales = known_scales(corpus) if isinstance(corpus, Quantized) else None
    codes = arrays.rows(corpus if scales is None else corpus.codes, "corpus", (2,), reading)
    width = codes.shape[1]
    if width < d and arrays.working_dtype(codes) == arrays.working_dtype(originals):  # a prefix, uint8 too
        find = search(codes, metric, reading)
        return Stage(
            codes, lambda q: q[:, :width], find, prefixes_agree, f"they are not rescore[:, :{width}]"
        )
    if codes.dtype == np.uint8:
        check_bytes(width, d)
        return Stage(codes, signs, search(codes, BY_NAME["hamming"], "bits"), signs_agree, NO_SIGNS)
    if codes.dtype == np.int8:
        if width != d:
            signed = width == (d + 7) // 8
            hint = "; if they are packed bits less 128, pass corpus.view(np.uint8) ^ 128" if signed else ""
            raise ValueError(f"corpus has rows of {width} codes and rescore rows of {d} elements{hint}")
        agree = partial(scaled_agree, metric, scales)
        return Stage(codes, quantizer(scales, metric), search(codes, metric, None), agree, no_scaled(metric))
    raise TypeError(
        f"corpus has dtype {arrays.type_name(codes.dtype)} and rows of {width} elements; with rescore it "
        f"holds codes: packed bits (uint8), what vb.quantize returned, or rescore[:, :d] for some d"
    )


def known_scales(made: Quantized) -> np.ndarray:
    """The scales, checked: one for each row or one for all, as `quantize` returns them."""
    scales, rows = np.asarray(made.scales), len(made.codes)
    if scales.shape in ((1,), (1, 1), (rows,), (rows, 1)):
        return scales
    raise ValueError(
        f"corpus has scales of shape {scales.shape}; expected one for each row or one for all, "
        f"as vb.quantize(rescore) returns them: ({rows}, 1) or (1, 1)"
    )


def search(codes: np.ndarray, metric: Metric, reading: str | None) -> Callable[[Any, int, Request], TopK]:
    """Search the codes for encoded queries."""

    def find(q: Any, count: int, request: Request) -> TopK:
        ours, theirs = check_pair(q, codes, metric, reading)
        return find_topk(ours, theirs, count, replace(request, metric=metric))[0]

    return find


def check_bytes(width: int, d: int) -> None:
    if width == (d + 7) // 8:
        return
    hint = "; for codes of the numbers, which have a scale and no offset, pass vb.quantize(rescore)"
    raise ValueError(
        f"corpus has rows of {width} bytes of bits and rescore rows of {d} elements, "
        f"which take {(d + 7) // 8}{hint if width == d else ''}"
    )


def plain(q: np.ndarray) -> np.ndarray:
    """Queries in float64, in which every one of them can be encoded."""
    wide = arrays.converted(q, arrays.FLOAT64)
    if not np.isfinite(wide).all():
        row = int(np.argmin(np.isfinite(wide).all(axis=1)))
        raise ValueError(f"queries has a number that is not finite in row {row}, so there are no codes of it")
    return wide


def signs(q: np.ndarray) -> np.ndarray:
    return pack_bits(plain(q))


def levelled(q: np.ndarray) -> np.ndarray:
    """Queries whose norm does not matter, over their largest magnitude: within the range of scales."""
    wide = plain(q)
    most = np.abs(wide).max(axis=1, initial=0.0, keepdims=True)
    return wide / np.where(most > 0, most, 1.0)


def quantizer(scales: np.ndarray | None, metric: Metric) -> Callable[[np.ndarray], np.ndarray]:
    """A function that encodes queries to match int8 codes of rows with these scales."""
    if metric.is_angle:
        return lambda q: quantize(levelled(q)).codes
    if scales is None or len(scales) != 1:
        what = "only codes" if scales is None else "a scale for each row"
        raise ValueError(
            f"corpus has {what}, and metric {metric.name!r} needs one scale for all: pass what "
            f"vb.quantize(X, scale='global') returned"
        )
    if metric.name == "dot":
        return lambda q: quantize(levelled(q)).codes
    return lambda q: quantize(plain(q), scales[0]).codes


# ---- whether codes are those of the originals --------------------------------------------------

# Rows that are looked at before a search: codes of another kind, or of rows in another order, show in all.
LOOKED_AT = 4

NO_SIGNS = (
    "their bits are not the signs of its numbers, first element first and the highest bit of a byte first "
    "(or they are bytes less 128, or its rows are in another order); pass vb.pack_bits(rescore)"
)


def no_scaled(metric: Metric) -> str:
    scale = "" if metric.is_angle else ", 'global'"
    one = "a row" if metric.is_angle else "all rows"
    return (
        f"they are not its numbers over one scale for {one}, rounded (or its rows are in another order). By "
        f"codes with a scale or an offset for each dimension, as other libraries make them, a search would "
        f"miss close rows; pass vb.quantize(rescore{scale})"
    )


def check_codes(stage: Stage, originals: np.ndarray) -> None:
    """
    A ValueError if most of a few rows of codes are not those of the originals, whose codes queries get.

    One that was changed since, and is not finite, proves nothing.
    """
    sample = np.unique(np.linspace(0, len(originals), LOOKED_AT, endpoint=False).astype(np.int64))
    sample = sample[: len(originals)]
    rows = arrays.converted(originals[sample], arrays.FLOAT64)
    finite = np.isfinite(rows).all(axis=1)
    codes = stage.codes[sample]
    if codes.dtype == _core.BFLOAT16:
        codes = arrays.converted(codes, arrays.FLOAT32)
    agree = stage.agree(codes[finite], rows[finite])
    if 2 * np.count_nonzero(agree) < len(agree):
        raise ValueError(f"corpus holds codes that are not those of rescore: {stage.reason}")


def signs_agree(codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Zeros have either sign; a few bits may differ where codes come from wider numbers than are kept."""
    bits = np.unpackbits(codes.view(np.uint8), axis=1, count=rows.shape[1]).view(bool)
    wrong = (bits != (rows > 0)) & (rows != 0)
    return np.asarray(16 * wrong.sum(axis=1) <= (rows != 0).sum(axis=1))


def prefixes_agree(codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Prefixes may have other norms, all of them 1 for instance; originals may be kept in a narrower type."""
    with np.errstate(all="ignore"):
        sides = (rows[:, : codes.shape[1]], codes.astype(np.float64))
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in sides]
        return np.asarray(~(np.linalg.norm(unit[0] - unit[1], axis=1) > 0.1))


def scaled_agree(
    metric: Metric, scales: np.ndarray | None, codes: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """
    Whether some factor takes each row to numbers that round to its codes.

    A code c holds the factor t of x in an interval: t x lies within 2 + |c| / 32 of c, which leaves room for
    truncation and for originals of fewer digits. Past the least and the largest code it may lie anywhere, for
    codes saturate. For distances the factor is known, and for dot products all rows have the same.
    """
    code = codes.astype(np.float64)
    slack = 2 + np.abs(code) / 32
    low = np.where(code == code.min(initial=0), -np.inf, code - slack)
    high = np.where(code == code.max(initial=0), np.inf, code + slack)
    with np.errstate(all="ignore"):
        at_zero = rows == 0
        ends = np.where(at_zero, -np.inf, low / rows), np.where(at_zero, np.inf, high / rows)
        least = np.maximum(np.minimum(*ends).max(axis=1, initial=0.0), 0.0)
        most = np.maximum(*ends).min(axis=1, initial=np.inf)
        known = None if scales is None else 1 / scales.reshape(-1)[:1].astype(np.float64)
    agree = np.asarray((least <= most) & (~at_zero | ((low <= 0) & (high >= 0))).all(axis=1))
    if metric.is_angle or not len(agree):
        return agree
    factors = least if metric.name == "dot" or known is None else known
    common = agree & (least <= factors[:, None]) & (factors[:, None] <= most)
    return np.asarray(common[np.argmax(common.sum(axis=1))])


# ---- the second stage ----------------------------------------------------------------------


def closest(q: Queries, originals: Corpus, candidates: np.ndarray, k: int, request: Request) -> TopK:
    """The k closest of each query's candidates."""
    shape = len(q), min(k, candidates.shape[1])
    values, keys = np.empty(shape, request.values_of(q, originals)), np.empty(shape)
    found = TopK._ranked(np.empty(shape, np.int64), values, keys)
    in_place = arrays.readable(originals.rows, originals.dtype)
    for i, rows in enumerate(np.sort(candidates, axis=1)):
        if in_place:
            some, eligible = originals, Eligible(None, rows, len(rows))
        else:  # converting all of them for a few would take longer than the search
            some, eligible = replace(originals, rows=originals.rows[rows]), Eligible(None, None, len(rows))
        one = replace(q, rows=q.rows[i : i + 1])
        best, _ = find_topk(one, some, shape[1], replace(request, eligible=eligible, progress=None))
        found.indices[i] = best.indices if in_place else rows[best.indices]
        found.values[i], keys[i] = best.values, best.keys
    return found
