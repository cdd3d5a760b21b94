"""
Exact search: the k best rows, or all rows within a threshold.

`Corpus` is what is searched (an array as it comes, or the rows of an index with codes made before), `Request`
what is asked, and `find_topk` and `find_within` are the searches, after all checks.
"""

from __future__ import annotations

import math
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core, _threads
from .._rows import arrays
from .results import Explanation, TopK, Within
from .where import Eligible, eligible_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .._metrics import Metric
    from .._sources import Source


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
    """
    2-D rows to search for, what they are read as, and whether they came as a single 1-D one.

    Of a source, `rows` is no more than its outline.
    """

    rows: np.ndarray
    dtype: np.dtype[Any]
    single: bool = False
    source: Source | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def pieces(self, most: int | None = None) -> Generator[tuple[int, np.ndarray]]:
        """As the core can read them, at most so many at a time."""
        if self.source is not None:
            for start, some in self.source.pieces(self.dtype, most):
                for first in range(0, len(some), most or max(1, len(some))):
                    yield start + first, some[first : first + most if most else None]
        elif most is None or len(self) == 0:
            yield from arrays.blocks(self.rows, self.dtype)
        else:
            for start in range(0, len(self), most):
                yield start, arrays.native(self.rows[start : start + most], self.dtype)

    def shaped(self, found: TopK) -> TopK:
        """The results, without their first axis if there is a single query."""
        return found._first() if self.single else found


# Bytes that the queries of one pass over a corpus may take, and what is kept of their neighbours.
PASS = 64 << 20


@dataclass(frozen=True)
class Corpus:
    """
    Rows to search, what they are read as, and their codes (panels, center) if there are any.

    Of a source, `rows` is no more than its outline.
    """

    rows: np.ndarray
    dtype: np.dtype[Any]
    codes: tuple[np.ndarray, np.ndarray] | None = None
    source: Source | None = None

    @property
    def in_parts(self) -> bool:
        """Whether it is searched in several parts, which are read, or converted, one after the other."""
        return self.source is not None or not arrays.readable(self.rows, self.dtype)

    def queries_per_pass(self, k: int) -> int | None:
        """How many queries share a pass over the corpus; None: as many as there are."""
        if not self.in_parts:
            return None
        each: int = 24 * k + 8 * self.rows.shape[1] + 64
        return max(256, PASS // each)

    def pieces(self, eligible: Eligible) -> Generator[tuple[int, np.ndarray, Eligible]]:
        """As the core can read it, with what is eligible in each piece: in one, if there are codes."""
        source = self.source
        blocks = arrays.blocks(self.rows, self.dtype) if source is None else source.pieces(self.dtype)
        with closing(blocks):
            for start, some in blocks:
                whole = source is None and len(some) == len(self.rows)
                part = eligible if whole else eligible.part(start, start + len(some))
                if part.count:
                    yield start, some, part

    def check_passes(self, q: Queries, k: int) -> None:
        """A ValueError if the corpus would have to be read again, and cannot be."""
        source, most = self.source, self.queries_per_pass(k)
        if source is None or not source.once or most is None:
            return
        if q.source is not None and q.source.shape[0] is None:
            raise ValueError(f"{source.name} and the queries are both read once; open one from a file")
        if len(q) > most:
            raise ValueError(
                f"{source.name} can be read only once, and {len(q)} queries need "
                f"{-(-len(q) // most)} passes over it; search for at most {most} at a time"
            )


# ---- checks --------------------------------------------------------------------------------


def check_pair(queries: Any, corpus: Any, metric: Metric, dtype: Any = None) -> tuple[Queries, Corpus]:
    """The two sides of a search over an array or a source."""
    reading = arrays.check_reading(dtype, metric)
    x, source = check_side(corpus, "corpus", (2,), reading)
    q, given = check_side(queries, "queries", (1, 2), reading)
    arrays.same_width(q, "queries", x, "corpus")
    ours, theirs = arrays.agreed(q, "queries", x, "corpus")
    return Queries(np.atleast_2d(q), ours, q.ndim == 1, given), Corpus(x, theirs, None, source)


def check_side(
    x: Any, name: str, dims: tuple[int, ...], reading: str | None
) -> tuple[np.ndarray, Source | None]:
    """Rows as an array; of what is read in blocks an outline, and what reads it."""
    if type(x) is not np.ndarray and type(x) is not list:
        from .. import _sources  # on demand: it takes its share of the time of an import

        source = _sources.corpus_source(x) if name == "corpus" else _sources.queries_source(x)
        if source is not None:
            source = source.read_as(reading, name)
            return source.outline(), source
    return arrays.rows(x, name, dims, reading), None


def eligible_of(where: Any, corpus: Corpus) -> Eligible:
    """Which rows of the corpus may be found; of an iterator there may be any number."""
    if corpus.source is not None and corpus.source.shape[0] is None:
        if where is not None:
            raise ValueError(
                f"where needs to know how many rows there are, and {corpus.source.name} does not tell"
            )
        return Eligible(None, None, sys.maxsize)
    return eligible_rows(where, len(corpus.rows))


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


# Seconds from one call of progress to the next, about.
PAUSE = 0.1


class Progress:
    """What a callable for progress is told of a search in several parts: the work of all of them."""

    def __init__(self, request: Request, q: Queries, corpus: Corpus) -> None:
        self.tell, self.threads = request.progress, request.threads
        known = request.eligible.count < sys.maxsize and (q.source is None or q.source.shape[0] is not None)
        pairs = float(len(q)) * float(request.eligible.count) if known else math.inf
        self.total = pairs * corpus.rows.shape[1]
        self.before = 0.0
        self.last = time.monotonic()

    def run(self, job: Any) -> None:
        if self.tell is None:
            _threads.run(job, self.threads)
            return
        _threads.run(job, self.threads, self._told)
        self.before += job.work
        if time.monotonic() - self.last >= PAUSE:  # of jobs that are shorter none tells anything
            self._told(0.0, 0.0)

    def _told(self, done: float, total: float) -> None:
        assert self.tell is not None
        self.last = time.monotonic()
        self.tell(self.before + done, max(self.total, self.before + total))


def find_topk(q: Queries, corpus: Corpus, k: int, request: Request) -> tuple[TopK, Explanation]:
    k = min(k, request.eligible.count)
    corpus.check_passes(q, k)
    stats, parts, progress = NOTHING, [], Progress(request, q, corpus)
    if k:
        with closing(q.pieces(corpus.queries_per_pass(k))) as pieces:
            for _, some in pieces:
                *found, stats = _best(some, corpus, k, request, progress, stats)
                parts.append(found)
        stats = stats._with_passes(len(parts))
    if not parts:
        parts.append([np.empty((len(q), k), np.int64), np.empty((len(q), k), np.float64)])
    indices, keys = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
    values = keys.copy()
    _core.values_of(request.metric.number, corpus.rows.shape[1], values)
    return TopK._ranked(indices, rounded(values, request.values_of(q, corpus)), keys), stats


def rounded(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """float64 values in the result's type."""
    return _core.narrowed(values) if dtype == np.float32 else values.astype(dtype, copy=False)


def _best(
    q: np.ndarray, corpus: Corpus, k: int, request: Request, progress: Progress, stats: Explanation
) -> tuple[np.ndarray, np.ndarray, Explanation]:
    """Row numbers and scores of the k best, of a corpus in one piece or in several."""
    metric, eligible, threads = request.metric.number, request.eligible, request.threads
    if not corpus.in_parts:
        indices, scores = np.empty((len(q), k), np.int64), np.empty((len(q), k), np.float64)
        mask, ids, count = eligible.mask, eligible.ids, eligible.count
        job: Any = _core.topk(
            metric, q, corpus.rows, corpus.codes, mask, ids, count, k, threads, indices, scores
        )
        progress.run(job)
        return indices, scores, combined(stats, job.told())
    kept, rows = _core.Kept(len(q), k), 0
    with closing(corpus.pieces(eligible)) as pieces:
        for start, some, part in pieces:
            mask, ids, count = part.mask, part.ids, part.count
            job = _core.topk_part(metric, q, some, None, mask, ids, count, threads, kept, start)
            progress.run(job)
            stats = combined(stats, job.told())
            rows += part.count
    indices, scores = kept.found()
    if rows < k:  # it was not known how many there are
        indices, scores = np.ascontiguousarray(indices[:, :rows]), np.ascontiguousarray(scores[:, :rows])
    return indices, scores, stats


def find_within(q: Queries, corpus: Corpus, threshold: float, request: Request) -> tuple[Within, Explanation]:
    corpus.check_passes(q, 0)
    parts, stats, passes, queries = [], NOTHING, 0, len(q)
    metric, threads, dtype = request.metric.number, request.threads, request.values_of(q, corpus)
    progress = Progress(request, q, corpus)
    with closing(q.pieces(corpus.queries_per_pass(0))) as pieces:
        for first, some in pieces:
            passes, queries = passes + 1, max(queries, first + len(some))
            with closing(corpus.pieces(request.eligible)) as others:
                for start, rows, part in others:
                    mask, ids, count = part.mask, part.ids, part.count
                    job = _core.within(
                        metric, some, rows, corpus.codes, mask, ids, count, threshold, dtype, threads
                    )
                    progress.run(job)
                    stats = combined(stats, job.told())
                    parts.append((first, start, *job.found()))
    alone = len(parts) == 1 and parts[0][:2] == (0, 0)
    offsets, indices, values = parts[0][2:] if alone else _joined(parts, queries)
    return Within(offsets, indices, rounded(values, dtype)), stats._with_passes(max(1, passes))


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
