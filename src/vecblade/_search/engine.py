"""
Exact search: the k best rows, or all rows within a threshold.

`Corpus` is what is searched (an array as it comes, or the rows of an index with codes made before), and
`find_topk` and `find_within` are the searches, after all checks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core, _threads
from .._rows import arrays
from .where import Eligible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TopK(NamedTuple):
    """The best corpus rows for each query, best first: row numbers (int64) and metric values."""

    indices: np.ndarray
    values: np.ndarray


class Within(NamedTuple):
    """
    Every pair at least as close as a threshold, as compressed sparse rows.

    ``indices[offsets[i]:offsets[i + 1]]`` are the corpus rows found for query i, ascending, and
    the same slice of ``values`` holds their metric values. As a sparse matrix:
    ``scipy.sparse.csr_array((values, indices, offsets), shape=(n, m))``.
    """

    offsets: np.ndarray
    indices: np.ndarray
    values: np.ndarray


class Explanation(NamedTuple):
    """
    How a search went about its work.

    Attributes
    ----------
    plan : str
        ``"rows"``: every query met every row. ``"sieve"``: int8 codes of the rows were made on the way,
        and ruled most pairs out. ``"codes"``: the same with the codes of a `FlatIndex`.
    pairs : int
        Pairs of a query and a row that the search was about.
    sifted : int
        Of these, how many were compared by codes,
    rescored : int
        and how many were measured by their elements: what the codes did not rule out, and the rest.
    """

    plan: str
    pairs: int
    sifted: int
    rescored: int

    def and_then(self, job: Any) -> Explanation:
        """With what a completed search job did."""
        return self.plus(job.told())

    def plus(self, later: tuple[str, int, int, int]) -> Explanation:
        """With what was done after it."""
        _, pairs, sifted, rescored = self
        plan, more, more_sifted, more_rescored = later
        return Explanation(plan, pairs + more, sifted + more_sifted, rescored + more_rescored)


@dataclass(frozen=True)
class Queries:
    """2-D rows to search for, what they are read as, and whether they came as a single 1-D one."""

    rows: np.ndarray
    dtype: np.dtype[Any]
    single: bool

    def __len__(self) -> int:
        return len(self.rows)

    def pieces(self) -> Iterator[tuple[int, np.ndarray]]:
        return arrays.blocks(self.rows, self.dtype)


NOTHING = Explanation("rows", 0, 0, 0)


@dataclass(frozen=True)
class Corpus:
    """Rows to search, what they are read as, and their codes (panels, center) if there are any."""

    rows: np.ndarray
    dtype: np.dtype[Any]
    codes: tuple[np.ndarray, np.ndarray] | None = None

    def pieces(self, eligible: Eligible) -> Iterator[tuple[int, np.ndarray, Eligible]]:
        """As the core can read it, with what is eligible in each piece: in one, if there are codes."""
        for start, some in arrays.blocks(self.rows, self.dtype):
            whole = len(some) == len(self.rows)
            part = eligible if whole else eligible.part(start, start + len(some))
            if part.count:
                yield start, some, part


def check_pair(queries: Any, corpus: Any, metric: str, dtype: Any) -> tuple[Queries, Corpus]:
    """The two sides of a search over an array."""
    reading = arrays.check_reading(dtype, metric)
    x = arrays.rows(corpus, "corpus", (2,), reading)
    q = arrays.rows(queries, "queries", (1, 2), reading)
    arrays.same_width(q, "queries", x, "corpus")
    ours, theirs = arrays.agreed(q, "queries", x, "corpus")
    return Queries(np.atleast_2d(q), ours, q.ndim == 1), Corpus(x, theirs)


def check_k(k: Any) -> int:
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise TypeError(f"k must be an integer of at least 1, not {k!r}")
    try:
        count = int(k.__index__())
    except TypeError:  # an array of one number
        raise TypeError(f"k must be an integer of at least 1, not {k!r}") from None
    if count < 1:
        raise ValueError(f"k must be at least 1, not {count}")
    return count


def check_threshold(threshold: Any, metric: str) -> float:
    if isinstance(threshold, (bool, str, bytes)):
        raise TypeError(f"threshold must be a number, not {threshold!r}")
    try:
        value = float(threshold)
    except OverflowError:
        value = math.inf
    except (TypeError, ValueError):
        raise TypeError(f"threshold must be a number, not {threshold!r}") from None
    if not math.isfinite(value):
        raise ValueError(f"threshold must be finite, not {value}")
    if value < 0 and metric not in _core.SIMILARITIES:
        raise ValueError(
            f"threshold must not be negative for the distance {metric!r}, which never is; got {value}"
        )
    return value


def find_topk(
    q: Queries,
    corpus: Corpus,
    k: int,
    metric: str,
    eligible: Eligible,
    threads: int,
    progress: Callable[[float, float], object] | None,
    dtype: np.dtype[Any] | None = None,
) -> tuple[TopK, Explanation]:
    """With values of this type, or of the metric's."""
    k = min(k, eligible.count)
    indices, scores = np.empty((len(q), k), np.int64), np.empty((len(q), k), np.float64)
    told = NOTHING
    if k:
        for start, some in q.pieces():
            part = slice(start, start + len(some))
            told = _topk_into(
                some, corpus, metric, eligible, threads, progress, indices[part], scores[part], told
            )
    _core.values_of(_core.METRICS[metric], corpus.rows.shape[1], scores)
    return TopK(indices, rounded(scores, dtype or value_dtype(metric, q, corpus))), told


def value_dtype(metric: str, q: Queries, corpus: Corpus) -> np.dtype[Any]:
    """The type of the metric's values."""
    return _core.value_dtype(_core.METRICS[metric], q.dtype, corpus.dtype, corpus.rows.shape[1])


def rounded(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """float64 values in the result's type."""
    return _core.narrowed(values) if dtype == np.float32 else values.astype(dtype, copy=False)


def _topk_into(
    q: np.ndarray,
    corpus: Corpus,
    metric: str,
    eligible: Eligible,
    threads: int,
    progress: Callable[[float, float], object] | None,
    indices: np.ndarray,
    scores: np.ndarray,
    told: Explanation,
) -> Explanation:
    """Search the pieces of the corpus one by one, keeping the best so far."""
    k, filled = indices.shape[1], 0
    for start, some, part in corpus.pieces(eligible):
        n = min(k, part.count)
        if n == k and part.count == eligible.count:
            found, ranks = indices, scores
        else:
            found, ranks = np.empty((len(q), n), np.int64), np.empty((len(q), n), np.float64)
        job = _core.topk(
            *(_core.METRICS[metric], q, some, corpus.codes, part.mask, part.ids, part.count),
            *(n, threads, found, ranks),
        )
        _threads.run(job, threads, progress)
        told = told.and_then(job)
        if found is indices:
            indices += start
            break
        # Earlier rows first, so that a stable sort ranks ties by row; NaN sorts last.
        both = np.concatenate([scores[:, :filled], ranks], axis=1)
        rows = np.concatenate([indices[:, :filled], found + start], axis=1)
        filled = min(k, both.shape[1])
        with _core.StandardMode():
            order = np.argsort(both, axis=1, kind="stable")[:, :filled]
        scores[:, :filled] = np.take_along_axis(both, order, axis=1)
        indices[:, :filled] = np.take_along_axis(rows, order, axis=1)
    return told


def find_within(
    q: Queries,
    corpus: Corpus,
    threshold: float,
    metric: str,
    eligible: Eligible,
    threads: int,
    progress: Callable[[float, float], object] | None,
    dtype: np.dtype[Any] | None = None,
) -> tuple[Within, Explanation]:
    """With values of this type, or of the metric's."""
    parts, told = [], NOTHING
    dtype = dtype or value_dtype(metric, q, corpus)
    for first, some in q.pieces():
        for start, others, part in corpus.pieces(eligible):
            job = _core.within(
                *(_core.METRICS[metric], some, others, corpus.codes, part.mask, part.ids, part.count),
                *(threshold, dtype, threads),
            )
            _threads.run(job, threads, progress)
            told = told.and_then(job)
            parts.append((first, start, *job.found()))
    alone = len(parts) == 1 and parts[0][:2] == (0, 0)
    offsets, indices, values = parts[0][2:] if alone else _joined(parts, len(q))
    return Within(offsets, indices, rounded(values, dtype)), told


def _joined(parts: list[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]], queries: int) -> Any:
    """Findings in pieces of the queries and of the corpus (ascending) as one."""
    counts = np.zeros(queries, np.int64)
    owners, rows, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.float64)]
    for first, start, offsets, indices, values in parts:
        found = np.diff(offsets)
        counts[first : first + len(found)] += found
        owners.append(np.repeat(np.arange(first, first + len(found)), found))
        rows.append(indices + start)
        numbers.append(values)
    order = np.argsort(np.concatenate(owners), kind="stable")
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return offsets, np.concatenate(rows)[order], np.concatenate(numbers)[order]
