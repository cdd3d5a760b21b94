"""
Exact search: the k best rows, or all rows within a threshold.

`Corpus` is what is searched (here an array as it comes, in `_index.py` rows with codes made before), and
`find_topk` and `find_within` are the searches, after all checks.
"""

from __future__ import annotations

import math
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _arrays, _core, _threads
from ._measure import metric_number
from ._where import Eligible as Eligible
from ._where import eligible_rows as eligible_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ._index import FlatIndex
    from ._sources import Source


class _Found(NamedTuple):
    indices: np.ndarray
    values: np.ndarray


class TopK(_Found):
    """
    The best corpus rows for each query, best first: row numbers (int64) and metric values.

    Attributes
    ----------
    keys : ndarray or None
        What they are ranked by: float64, smaller is closer, of the shape of the values. Values are rounded to
        fewer digits; `merge` needs keys. None of a result that was made of two arrays.
    exact : bool
        False of what `merge` made of parts without keys.
    """

    keys: np.ndarray | None = None
    exact: bool = True

    @classmethod
    def ranked(cls, indices: np.ndarray, values: np.ndarray, keys: np.ndarray) -> TopK:
        """With keys."""
        made = cls(indices, values)
        made.keys = keys
        return made

    def first(self) -> TopK:
        """Of the first query alone."""
        assert self.keys is not None
        return TopK.ranked(self.indices[0], self.values[0], self.keys[0])


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


class _Counts(NamedTuple):
    plan: str
    pairs: int
    sifted: int
    rescored: int


class Explanation(_Counts):
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
    passes : int
        How many times the corpus was read: of a source that is read in blocks once for as many queries as fit
        into some memory, else 1.
    """

    passes: int = 1

    def and_then(self, job: Any) -> Explanation:
        """With what a completed search job did."""
        return self.plus(job.told())

    def plus(self, later: tuple[str, int, int, int]) -> Explanation:
        """With what was done after it."""
        _, pairs, sifted, rescored = self
        plan, more, more_sifted, more_rescored = later
        made = Explanation(plan, pairs + more, sifted + more_sifted, rescored + more_rescored)
        return made.with_passes(self.passes)

    def with_passes(self, passes: int) -> Explanation:
        other = Explanation(*self)
        other.passes = passes
        return other


@dataclass(frozen=True)
class Queries:
    """
    2-D rows to search for, what they are read as, and whether they came as a single 1-D one.

    Of a source, `rows` is no more than its outline.
    """

    rows: np.ndarray
    dtype: np.dtype[Any]
    single: bool
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
            yield from _arrays.blocks(self.rows, self.dtype)
        else:
            for start in range(0, len(self), most):
                yield start, _arrays.native(self.rows[start : start + most], self.dtype)


NOTHING = Explanation("rows", 0, 0, 0)
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
        return self.source is not None or not _arrays.readable(self.rows, self.dtype)

    def queries_per_pass(self, k: int) -> int | None:
        """How many queries share a pass over the corpus; None: as many as there are."""
        if not self.in_parts:
            return None
        each: int = 24 * k + 8 * self.rows.shape[1] + 64
        return max(256, PASS // each)

    def pieces(self, eligible: Eligible) -> Generator[tuple[int, np.ndarray, Eligible]]:
        """As the core can read it, with what is eligible in each piece: in one, if there are codes."""
        blocks = (
            _arrays.blocks(self.rows, self.dtype) if self.source is None else self.source.pieces(self.dtype)
        )
        with closing(blocks):
            for start, some in blocks:
                whole = self.source is None and len(some) == len(self.rows)
                part = eligible if whole else eligible.part(start, start + len(some))
                if part.count:
                    yield start, some, part

    def check_passes(self, q: Queries, k: int) -> None:
        """A ValueError if the corpus would have to be read again, and cannot be."""
        source, most = self.source, self.queries_per_pass(k)
        if source is None or not source.once or most is None:
            return
        if q.source is not None and q.source.shape[0] is None:
            raise ValueError(
                f"{source.name} and the queries are both read once; open one of them from a file"
            )
        if len(q) > most:
            raise ValueError(
                f"{source.name} can be read only once, and {len(q)} queries need "
                f"{-(-len(q) // most)} passes over it; search for at most {most} at a time"
            )


def check_pair(queries: Any, corpus: Any, metric: str, dtype: Any) -> tuple[Queries, Corpus]:
    """The two sides of a search over an array or a source."""
    reading = _arrays.check_reading(dtype, metric)
    x, source = check_side(corpus, "corpus", (2,), reading)
    q, given = check_side(queries, "queries", (1, 2), reading)
    _arrays.same_width(q, "queries", x, "corpus")
    ours, theirs = _arrays.agreed(q, "queries", x, "corpus")
    return Queries(np.atleast_2d(q), ours, q.ndim == 1, given), Corpus(x, theirs, None, source)


def check_side(
    x: Any, name: str, dims: tuple[int, ...], reading: str | None
) -> tuple[np.ndarray, Source | None]:
    """Rows as an array; of what is read in blocks an outline, and what reads it."""
    if type(x) is not np.ndarray and type(x) is not list:
        from . import _sources  # on demand: it takes its share of the time of an import

        source = _sources.corpus_source(x) if name == "corpus" else _sources.queries_source(x)
        if source is not None:
            source = source.read_as(reading, name)
            return source.outline(), source
    return _arrays.rows(x, name, dims, reading), None


def eligible_of(where: Any, corpus: Corpus) -> Eligible:
    """Which rows of the corpus may be found; of an iterator there may be any number."""
    if corpus.source is not None and corpus.source.shape[0] is None:
        if where is not None:
            raise ValueError(
                f"where needs to know how many rows there are, and {corpus.source.name} does not tell"
            )
        return Eligible(None, None, sys.maxsize)
    return eligible_rows(where, len(corpus.rows))


def as_index(corpus: Any) -> FlatIndex | None:
    """The corpus if it is an index, which has searches of its own."""
    from ._index import FlatIndex  # on demand: an index is made of what is here

    return corpus if isinstance(corpus, FlatIndex) else None


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


def topk(
    queries: Any,
    corpus: Any,
    k: int,
    metric: str | None = None,
    *,
    where: Any = None,
    threads: Any = None,
    progress: Callable[[float, float], object] | None = None,
    dtype: Any = None,
    rescore: Any = None,
    oversample: int | None = None,
) -> TopK:
    """
    The k closest rows of `corpus` for each query, exactly.

    Parameters
    ----------
    queries : array_like, shape (d,) or (n, d)
        One query, or n.
    corpus : array_like, shape (m, d), or FlatIndex
        The rows to search. Strided rows and memory-maps are read where they lie.
    k : int
        How many rows to find, at least 1; with fewer eligible rows, all of them are found.
    metric : str, optional
        ``"dot"`` and ``"cosine_similarity"``: larger is closer. ``"cosine"``, ``"euclidean"`` and
        ``"sqeuclidean"``, and of packed bits (uint8) ``"hamming"`` and ``"jaccard"``: smaller is closer.
        Default: ``"euclidean"``. A `FlatIndex` has its own.
    where : array_like, optional
        Which corpus rows may be found: a boolean mask of shape (m,), or integer row ids. Missing values are
        refused.
    threads : int, optional
        How many threads may work on the call. Default: see `set_num_threads`.
    progress : callable, optional
        Called as ``progress(done, total)`` about ten times a second with the work done and the total (of one
        piece of the corpus, where it has to be converted in pieces).
    dtype : {"bfloat16", "bits"}, optional
        What uint16 or uint8 arrays hold: as for `dot`.
    rescore : array_like, shape (m, D), optional
        The rows that `corpus` holds codes of: packed bits (uint8, from `pack_bits`, or a `FlatIndex` of
        them with metric ``"hamming"``), what `quantize` returned, for cosines also its codes alone, or
        the first elements of every row (``rescore[:, :d]``). The search then goes in two stages: the
        codes of the queries, made in the same way, find ``oversample * k`` candidates, of which the k
        closest by `rescore` are returned with their exact values. Queries are rows of D numbers. What
        is not among the candidates is missed: see ``docs/types.md``.
    oversample : int, optional
        With `rescore`: how many candidates there are for each row to be found. Default: 10.

    Returns
    -------
    TopK
        ``indices`` (int64) and ``values``, best first, of shape (k,) for one query of shape (d,),
        else (n, k). The type of the values is that of `dot` or of the metric in question.

    Raises
    ------
    ValueError
        A wrong shape, an unknown metric, ``k < 1``, a mask or ids that do not fit the corpus, a metric that
        is not the index's, or codes that are not those of `rescore`.
    TypeError
        An argument is not numeric, or a conversion to float would change values; or `progress` cannot be
        called.

    Notes
    -----
    Ranking uses the float64 value of the metric. Equal values rank by row number; NaN ranks last.
    The (n, m) matrix is never built: extra memory is some 10 MiB a thread, and the result.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> corpus = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> vb.topk([2.0, 0.1], corpus, k=2, metric="cosine").indices
    array([1, 2])
    """
    number = metric_number("euclidean" if metric is None else metric)
    plain = where is None and threads is None and progress is None and dtype is None
    if plain and rescore is None and oversample is None:
        _threads.resolve(None)  # an environment variable may be wrong
        small = _core.topk_plain(number, queries, corpus, k)
        if small is not None:
            return TopK.ranked(*small[1:])
    _threads.check_progress(progress)
    if rescore is not None:
        from ._rescore import two_stages  # on demand: few searches need it

        metric = "euclidean" if metric is None else metric
        return two_stages(queries, corpus, k, metric, where, threads, progress, dtype, rescore, oversample)
    if oversample is not None:
        raise ValueError("oversample is for a search with rescore, the rows that corpus holds codes of")
    if (index := as_index(corpus)) is not None:
        queries = index.agreed_queries(queries, metric, dtype)
        return index.search(queries, k, where=where, threads=threads, progress=progress)
    metric = "euclidean" if metric is None else metric
    q, x = check_pair(queries, corpus, metric, dtype)
    k = check_k(k)
    threads = _threads.resolve(threads)
    found, _ = find_topk(q, x, k, metric, eligible_of(where, x), threads, progress)
    return found.first() if q.single else found


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
    corpus.check_passes(q, k)
    told, parts = NOTHING, []
    told_to = Told(progress, q, corpus, eligible)
    if k:
        with closing(q.pieces(corpus.queries_per_pass(k))) as pieces:
            for _, some in pieces:
                *found, told = _best(some, corpus, k, metric, eligible, threads, told_to, told)
                parts.append(found)
                told = told.with_passes(len(parts))
    if not parts:
        parts.append([np.empty((len(q), k), np.int64), np.empty((len(q), k), np.float64)])
    indices, scores = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
    values = scores.copy()
    _core.values_of(_core.METRICS[metric], corpus.rows.shape[1], values)
    return TopK.ranked(indices, _rounded(values, dtype or _values(metric, q, corpus)), scores), told


# Seconds from one call of progress to the next, about.
PAUSE = 0.1


class Told:
    """What progress of a search in several parts is told: the work of all of them."""

    def __init__(
        self,
        progress: Callable[[float, float], object] | None,
        q: Queries,
        corpus: Corpus,
        eligible: Eligible,
    ) -> None:
        self.progress = progress
        known = eligible.count < sys.maxsize and (q.source is None or q.source.shape[0] is not None)
        pairs = float(len(q)) * float(eligible.count) if known else math.inf
        self.total = pairs * corpus.rows.shape[1]
        self.before = 0.0
        self.last = time.monotonic()

    def run(self, job: Any, threads: int) -> None:
        if self.progress is None:
            _threads.run(job, threads, None)
            return
        _threads.run(job, threads, self._tell)
        self.before += job.work
        if time.monotonic() - self.last >= PAUSE:  # of jobs that are shorter none tells anything
            self._tell(0.0, 0.0)

    def _tell(self, done: float, total: float) -> None:
        assert self.progress is not None
        self.last = time.monotonic()
        self.progress(self.before + done, max(self.total, self.before + total))


def _values(metric: str, q: Queries, corpus: Corpus) -> np.dtype[Any]:
    """The type of the metric's values."""
    return _core.value_dtype(_core.METRICS[metric], q.dtype, corpus.dtype, corpus.rows.shape[1])


def _rounded(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """float64 values in the result's type."""
    return _core.narrowed(values) if dtype == np.float32 else values.astype(dtype, copy=False)


def _best(
    q: np.ndarray,
    corpus: Corpus,
    k: int,
    metric: str,
    eligible: Eligible,
    threads: int,
    progress: Told,
    told: Explanation,
) -> tuple[np.ndarray, np.ndarray, Explanation]:
    """Row numbers and scores of the k best, of a corpus in one piece or in several."""
    number = _core.METRICS[metric]
    if not corpus.in_parts:
        indices, scores = np.empty((len(q), k), np.int64), np.empty((len(q), k), np.float64)
        job: Any = _core.topk(
            *(number, q, corpus.rows, corpus.codes, eligible.mask, eligible.ids, eligible.count),
            *(k, threads, indices, scores),
        )
        progress.run(job, threads)
        return indices, scores, told.and_then(job)
    kept, rows = _core.Kept(len(q), k), 0
    with closing(corpus.pieces(eligible)) as pieces:
        for start, some, part in pieces:
            job = _core.topk_part(
                *(number, q, some, None, part.mask, part.ids, part.count, threads, kept, start)
            )
            progress.run(job, threads)
            told = told.and_then(job)
            rows += part.count
    indices, scores = kept.found()
    if rows < k:  # it was not known how many there are
        indices, scores = np.ascontiguousarray(indices[:, :rows]), np.ascontiguousarray(scores[:, :rows])
    return indices, scores, told


def within(
    queries: Any,
    corpus: Any,
    threshold: float,
    metric: str | None = None,
    *,
    where: Any = None,
    threads: Any = None,
    progress: Callable[[float, float], object] | None = None,
    dtype: Any = None,
) -> Within:
    """
    Every row of `corpus` at least as close as `threshold`, for each query, exactly.

    Parameters
    ----------
    queries : array_like, shape (d,) or (n, d)
        One query, or n.
    corpus : array_like, shape (m, d), or FlatIndex
        The rows to search. Strided rows and memory-maps are read where they lie.
    threshold : float
        Finite. Rows with distance <= threshold are found; for similarities, >= threshold. It is rounded
        to the type of the values, and compared with them as they are returned.
    metric, where, threads, progress, dtype
        As for `topk`.

    Returns
    -------
    Within
        ``offsets`` (n + 1), ``indices`` and ``values``: rows found for query i, ascending, are
        ``indices[offsets[i]:offsets[i + 1]]``. NaN is never within.

    Raises
    ------
    ValueError
        A wrong shape, an unknown metric, a threshold that is not finite or is negative for a
        distance, a mask or ids that do not fit the corpus, or a metric that is not the index's.
    TypeError
        An argument is not numeric, or a conversion to float would change values; or `progress` cannot be
        called.

    Examples
    --------
    >>> import vecblade as vb
    >>> vb.within([0.0, 0.0], [[3.0, 4.0], [6.0, 8.0], [1.0, 0.0]], threshold=5.0).indices
    array([0, 2])
    """
    if metric is not None:
        metric_number(metric)
    _threads.check_progress(progress)
    if (index := as_index(corpus)) is not None:
        queries = index.agreed_queries(queries, metric, dtype)
        return index.within(queries, threshold, where=where, threads=threads, progress=progress)
    metric = "euclidean" if metric is None else metric
    q, x = check_pair(queries, corpus, metric, dtype)
    threshold = check_threshold(threshold, metric)
    threads = _threads.resolve(threads)
    found, _ = find_within(q, x, threshold, metric, eligible_of(where, x), threads, progress)
    return found


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
    corpus.check_passes(q, 0)
    parts, told, passes = [], NOTHING, 0
    dtype = dtype or _values(metric, q, corpus)
    told_to, queries = Told(progress, q, corpus, eligible), len(q)
    with closing(q.pieces(corpus.queries_per_pass(0))) as pieces:
        for first, some in pieces:
            passes, queries = passes + 1, max(queries, first + len(some))
            with closing(corpus.pieces(eligible)) as others:
                for start, rows, part in others:
                    job = _core.within(
                        *(_core.METRICS[metric], some, rows, corpus.codes, part.mask, part.ids, part.count),
                        *(threshold, dtype, threads),
                    )
                    told_to.run(job, threads)
                    told = told.and_then(job).with_passes(passes)
                    parts.append((first, start, *job.found()))
    alone = len(parts) == 1 and parts[0][:2] == (0, 0)
    offsets, indices, values = parts[0][2:] if alone else _joined(parts, queries)
    return Within(offsets, indices, _rounded(values, dtype)), told


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
