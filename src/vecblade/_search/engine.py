"""
Exact search: the k best rows, or all rows within a threshold.

`Corpus` is what is searched (an array as it comes, or the rows of an index with codes made before), `Request`
what is asked, and `find_topk` and `find_within` are the searches, after all checks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core, _threads
from .._rows import arrays
from .results import Explanation, TopK, Within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._metrics import Metric
    from .where import Eligible


@dataclass(frozen=True)
class Request:
    """What a search is asked for, except its two sides and how many rows, or how close."""

    metric: Metric
    eligible: Eligible
    threads: int
    progress: Callable[[float, float], object] | None = None
    # The type of the values; None: the metric's.
    dtype: np.dtype[Any] | None = None

    def values_of(self, q: Queries, corpus: Corpus) -> np.dtype[Any]:
        """The type of the values of these two sides."""
        return self.dtype or self.metric.value_dtype(q.dtype, corpus.dtype, corpus.rows.shape[1])


@dataclass(frozen=True)
class Queries:
    """2-D rows to search for, what they are read as, and whether they came as a single 1-D one."""

    rows: np.ndarray
    dtype: np.dtype[Any]
    single: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def pieces(self) -> Iterator[tuple[int, np.ndarray]]:
        return arrays.blocks(self.rows, self.dtype)

    def shaped(self, found: TopK) -> TopK:
        """The results, without their first axis if there is a single query."""
        return TopK(found.indices[0], found.values[0]) if self.single else found


@dataclass(frozen=True)
class Corpus:
    """Rows to search, what they are read as, and their codes (panels, center) if there are any."""

    rows: np.ndarray
    dtype: np.dtype[Any]
    codes: tuple[np.ndarray, np.ndarray] | None = None

    def pieces(self, eligible: Eligible) -> Iterator[tuple[int, np.ndarray, Eligible]]:
        """Pieces that the core can read, with the eligible rows of each; if there are codes, one piece."""
        for start, some in arrays.blocks(self.rows, self.dtype):
            whole = len(some) == len(self.rows)
            part = eligible if whole else eligible.part(start, start + len(some))
            if part.count:
                yield start, some, part


# ---- checks --------------------------------------------------------------------------------


def check_pair(queries: Any, corpus: Any, metric: Metric, dtype: Any = None) -> tuple[Queries, Corpus]:
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


def check_threshold(threshold: Any, metric: Metric) -> float:
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
    if value < 0 and not metric.is_similarity:
        raise ValueError(
            f"threshold must not be negative for the distance {metric.name!r}, which never is; got {value}"
        )
    return value


# ---- searches ------------------------------------------------------------------------------

# What no search has done.
NOTHING = Explanation("rows", 0, 0, 0)


def combined(earlier: Explanation, later: tuple[str, int, int, int]) -> Explanation:
    """The work of two searches, with the plan of the later one."""
    _, pairs, sifted, rescored = earlier
    plan, more, more_sifted, more_rescored = later
    return Explanation(plan, pairs + more, sifted + more_sifted, rescored + more_rescored)


def find_topk(q: Queries, corpus: Corpus, k: int, request: Request) -> tuple[TopK, Explanation]:
    k = min(k, request.eligible.count)
    indices, scores = np.empty((len(q), k), np.int64), np.empty((len(q), k), np.float64)
    stats = NOTHING
    if k:
        for start, some in q.pieces():
            part = slice(start, start + len(some))
            stats = _topk_into(TopK(indices[part], scores[part]), some, corpus, request, stats)
    _core.values_of(request.metric.number, corpus.rows.shape[1], scores)
    return TopK(indices, rounded(scores, request.values_of(q, corpus))), stats


def rounded(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """float64 values in the result's type."""
    return _core.narrowed(values) if dtype == np.float32 else values.astype(dtype, copy=False)


def _topk_into(
    best: TopK, q: np.ndarray, corpus: Corpus, request: Request, stats: Explanation
) -> Explanation:
    """Search the pieces of the corpus one by one, keeping the best so far, with scores for values."""
    (indices, scores), metric, threads = best, request.metric.number, request.threads
    k, filled = indices.shape[1], 0
    for start, some, part in corpus.pieces(request.eligible):
        n = min(k, part.count)
        whole = n == k and part.count == request.eligible.count
        found, ranks = best if whole else (np.empty((len(q), n), np.int64), np.empty((len(q), n), np.float64))
        job = _core.topk(
            metric, q, some, corpus.codes, part.mask, part.ids, part.count, n, threads, found, ranks
        )
        _threads.run(job, threads, request.progress)
        stats = combined(stats, job.told())
        if whole:
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
    return stats


def find_within(q: Queries, corpus: Corpus, threshold: float, request: Request) -> tuple[Within, Explanation]:
    parts, stats = [], NOTHING
    metric, threads, dtype = request.metric.number, request.threads, request.values_of(q, corpus)
    for first, some in q.pieces():
        for start, others, part in corpus.pieces(request.eligible):
            job = _core.within(
                metric, some, others, corpus.codes, part.mask, part.ids, part.count, threshold, dtype, threads
            )
            _threads.run(job, threads, request.progress)
            stats = combined(stats, job.told())
            parts.append((first, start, *job.found()))
    alone = len(parts) == 1 and parts[0][:2] == (0, 0)
    offsets, indices, values = parts[0][2:] if alone else _joined(parts, len(q))
    return Within(offsets, indices, rounded(values, dtype)), stats


def explained(
    q: Queries, corpus: Corpus, request: Request, k: int | None, threshold: float | None
) -> Explanation:
    """The work of a search for the k closest rows, or for all rows within a threshold."""
    if threshold is None:
        return find_topk(q, corpus, check_k(k), request)[1]
    return find_within(q, corpus, check_threshold(threshold, request.metric), request)[1]


def _joined(parts: list[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]], queries: int) -> Any:
    """Join what was found in pieces of the queries and of the corpus (ascending)."""
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
