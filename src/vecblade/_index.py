"""`FlatIndex`: rows prepared once, searched often. And `explain`, which tells how a search goes about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _arrays, _core, _file, _memory, _threads, _writing
from ._core import BITS
from ._gate import Gate
from ._measure import metric_number
from ._search import (
    NOTHING,
    Corpus,
    Eligible,
    Explanation,
    Queries,
    TopK,
    Within,
    check_k,
    check_pair,
    check_side,
    check_threshold,
    eligible_of,
    eligible_rows,
    find_topk,
    find_within,
)
from ._store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[float, float], object] | None

# One row in so many more fits into what an index copies: the first `add` of a few then copies nothing.
SPARE = 64
# The attributes of an index; a subclass may have more.
OWN = {"_metric", "_reading", "_held", "_stats", "_gate", "_copied"}


class FlatIndex:
    """
    Rows prepared for exact search.

    Every row gets an int8 code, a quarter of the bytes of float32 (int8, uint8 and packed bits are laid
    out anew, as much again). A search compares codes, which rules nearly all rows out for certain, and
    measures the rest by their elements: it finds what `topk` and `within` find, to the last bit,
    several times faster.

    Parameters
    ----------
    corpus : array_like, shape (m, d)
        The rows. They are copied, or converted, a few MiB at a time, but for maps of files, Arrow columns
        and `bytes` that can be read where they lie: see `copy`.
    metric : str
        ``"dot"``, ``"cosine_similarity"``, ``"cosine"``, ``"euclidean"`` or ``"sqeuclidean"``; of packed bits
        (uint8) also ``"hamming"`` and ``"jaccard"``.
    threads : int, optional
        How many threads may make codes. Default: see `set_num_threads`.
    progress : callable, optional
        Called as ``progress(done, total)`` about ten times a second with the work done and the total.
    dtype : {"bfloat16", "bits"}, optional
        What a uint16 or uint8 corpus holds: as for `dot`. Queries and rows to add are then read likewise, and
        by an index that is loaded too.
    copy : bool, optional
        Whether to copy rows of float64, float32, float16, bfloat16, int8 and uint8 that are contiguous, or to
        read them where they lie; then they must not change while the index is in use. Default: copy what
        somebody may still write to. Maps of files (`numpy.memmap`, ``mmap.mmap``, whatever their mode),
        `bytes` and Arrow columns stay where they are; arrays are copied, read-only ones too, tensors, shared
        memory, other buffers, and Arrow columns in buffers that pyarrow calls mutable. All other rows are
        converted, whatever this says, and then the index's own.

    Attributes
    ----------
    metric : str
    vectors : ndarray, shape (m, d)
        The rows, read-only. bfloat16 comes as `astype` returns it.
    nbytes : int
        Bytes of the rows and their codes.
    copied : int
        Bytes of the corpus that were copied into memory when the index was made: 0 if it is read in place.
    stats : Explanation
        What all searches so far have done, and the plan of the last one.

    Raises
    ------
    ValueError
        A wrong shape or an unknown metric.
    TypeError
        The corpus is not numeric, or a conversion to float would change values; `copy` is neither a bool nor
        None, or `progress` cannot be called.

    See Also
    --------
    topk, within : The same search over an array as it comes.

    Notes
    -----
    Any number of threads may search at once. `add` and `remove` wait for searches to end, and searches
    for them. A process that forks, and one that loads the same file, share the memory.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> index = vb.FlatIndex(np.eye(3), metric="cosine")
    >>> index.search([1.0, 2.0, 0.0], k=2).indices
    array([1, 0])
    >>> index.add([[0.5, 1.0, 0.0]])
    range(3, 4)
    >>> index.search([1.0, 2.0, 0.0], k=1).indices
    array([3])
    """

    _reading: str | None
    _copied = 0

    def __init__(
        self,
        corpus: Any,
        metric: str = "euclidean",
        *,
        threads: Any = None,
        progress: Progress = None,
        dtype: Any = None,
        copy: bool | None = None,
    ):
        number = metric_number(metric)
        reading = _arrays.check_reading(dtype, metric)
        copy = _memory.check_copy(copy)
        threads = _threads.resolve(threads)
        _threads.check_progress(progress)
        rows, source = check_side(corpus, "corpus", (2,), reading)
        if source is not None and source.in_place:
            rows = source.read(0, len(source)).view(rows.dtype)
        count, kind, self._copied = len(rows), _arrays.working_dtype(rows), 0
        if source is not None and not source.in_place:
            rows, count = source.copied(kind, SPARE)
            self._copied = rows[:count].nbytes
        elif not (_arrays.readable(rows, kind) and _memory.stays(corpus, rows, copy)):
            rows = _memory.copied(rows, kind, count + count // SPARE)
            self._copied = rows[:count].nbytes
        self._start(metric, Store.of(number, rows, count, threads, progress), reading)

    def _start(self, metric: str, held: Store, reading: str | None) -> None:
        self._metric = metric
        self._held = held
        # What unsigned integers are taken for that are to meet the rows; those of ml_dtypes do not tell.
        self._reading = "bits" if held.rows.dtype == BITS else reading
        self._stats = NOTHING
        self._gate = Gate()

    # ---- what it is ---------------------------------------------------------------------

    @property
    def metric(self) -> str:
        return self._metric

    @property
    def vectors(self) -> np.ndarray:
        held = self._held
        if len(held.gone):
            with self._gate.reading():
                held = self._compacted()
        view = held.placed.view(_arrays.shown(held.rows.dtype))
        view.flags.writeable = False
        return view

    @property
    def nbytes(self) -> int:
        return self._held.nbytes

    @property
    def copied(self) -> int:
        return self._copied

    @property
    def stats(self) -> Explanation:
        return self._stats

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        held = self._held
        count, d, dtype = len(held), held.rows.shape[1], held.rows.dtype
        return f"FlatIndex({count} x {d} {_arrays.type_name(dtype)}, metric={self._metric!r})"

    # ---- searching ------------------------------------------------------------------------

    def search(
        self, queries: Any, k: int, *, where: Any = None, threads: Any = None, progress: Progress = None
    ) -> TopK:
        """
        The k closest rows for each query, exactly: see `topk`.

        Parameters
        ----------
        queries : array_like, shape (d,) or (n, d)
            One query, or n.
        k : int
            How many rows to find, at least 1; with fewer eligible rows, all of them are found.
        where, threads, progress
            As for `topk`.

        Returns
        -------
        TopK
        """
        k, plain = check_k(k), where is None and threads is None and progress is None
        threads = _threads.resolve(threads)
        if not plain:
            _threads.check_progress(progress)
        with self._gate.reading():
            held = self._held
            if plain and held.live is None:
                small = _core.topk_plain(held.metric, queries, held.placed, k, held.codes)
                if small is not None:
                    self._count_in(small[0].told())
                    return TopK.ranked(*small[1:])
            q, corpus, eligible = self._ready(held, queries, where)
            found, told = find_topk(q, corpus, k, self._metric, eligible, threads, progress)
            found = held.numbered(found)
            self._count_in(told)
        return found.first() if q.single else found

    def within(
        self,
        queries: Any,
        threshold: float,
        *,
        where: Any = None,
        threads: Any = None,
        progress: Progress = None,
    ) -> Within:
        """
        Every row at least as close as the threshold, for each query, exactly: see `vecblade.within`.

        Parameters
        ----------
        queries : array_like, shape (d,) or (n, d)
            One query, or n.
        threshold : float
            Finite. Distances up to it (and it) are found; of similarities, those from it up.
        where, threads, progress
            As for `topk`.

        Returns
        -------
        Within
        """
        threshold, threads = check_threshold(threshold, self._metric), _threads.resolve(threads)
        _threads.check_progress(progress)
        with self._gate.reading():
            held = self._held
            q, corpus, eligible = self._ready(held, queries, where)
            found, told = find_within(q, corpus, threshold, self._metric, eligible, threads, progress)
            found = held.numbered(found)
            self._count_in(told)
        return found

    def agreed_queries(self, queries: Any, metric: Any, dtype: Any) -> Any:
        """Queries of a call that has a metric and a dtype of its own, which have to be those of the index."""
        if metric not in (None, self._metric):
            raise ValueError(f"metric={metric!r}, but the index has metric {self._metric!r}")
        reading = _arrays.check_reading(dtype, self._metric)
        if (reading == "bits") != (self._reading == "bits") and reading is not None:
            takes = repr(self._reading) if self._reading else _arrays.type_name(self._held.rows.dtype)
            raise ValueError(f"dtype={dtype!r}, but the index takes {takes}")
        if reading != "bfloat16":
            return queries
        q, source = check_side(queries, "queries", (1, 2), reading)
        return q if source is None else source

    def _ready(self, held: Store, queries: Any, where: Any) -> tuple[Queries, Corpus, Eligible]:
        """Queries, rows in their places, and which may be found. (Another reader may replace self._held.)"""
        rows = held.placed
        q, source = check_side(queries, "queries", (1, 2), self._reading)
        _arrays.same_width(q, "queries", rows, "the index")
        single, q = q.ndim == 1, np.atleast_2d(q)
        if rows.dtype in (*_arrays.WHOLE, BITS):  # which are measured with their own type only
            q = _arrays.exactly(q, "queries", rows.dtype, "the index")
        dtype, _ = _arrays.agreed(q, "queries", rows, "the index")
        corpus = Corpus(rows, rows.dtype, held.codes)
        return Queries(q, dtype, single, source), corpus, held.eligible(where)

    def _count_in(self, told: tuple[str, int, int, int]) -> None:
        self._gate.guard(self._add_stats, told)

    def _add_stats(self, told: tuple[str, int, int, int]) -> None:
        self._stats = self._stats.plus(told)

    # ---- changing ---------------------------------------------------------------------------

    def add(self, rows: Any, *, threads: Any = None) -> range:
        """
        Append rows.

        When there is no room left, all rows are copied to where there is room for half as many again; those
        of a corpus that was not copied, the first time.

        Parameters
        ----------
        rows : array_like, shape (d,) or (n, d)
            Numbers that the type of the index holds without loss.
        threads : int, optional
            How many threads may make codes. Default: see `set_num_threads`.

        Returns
        -------
        range
            The numbers of the new rows.

        Raises
        ------
        ValueError
            A wrong shape.
        TypeError
            The rows are not numeric, or do not convert without loss.
        """
        more = np.atleast_2d(_arrays.rows(rows, "rows", (1, 2), self._reading))
        threads = _threads.resolve(threads)
        more = _arrays.exactly(more, "rows", self._held.rows.dtype, "the index")
        with self._gate.writing():
            held = self._held
            _arrays.same_width(more, "rows", held.rows, "the index")
            self._held = held.with_more(more, threads)
            return range(len(held), len(held) + len(more))

    def remove(self, where: Any, *, threads: Any = None) -> int:
        """
        Remove rows. Those that remain are numbered anew, as by `numpy.delete`.

        They stay where they are, and searches pass over what is gone, until that is an eighth of all. Then
        they are copied, or before, when ``vectors``, `save` or a pickle needs them side by side.

        Parameters
        ----------
        where : array_like
            Which rows: a boolean mask of shape (m,), or integer row ids.
        threads : int, optional
            How many threads may make codes. Default: see `set_num_threads`.

        Returns
        -------
        int
            How many rows were removed.
        """
        threads = _threads.resolve(threads)
        if where is None:
            raise TypeError("where is None; accepted are a boolean mask or row ids of the rows to remove")
        with self._gate.writing():
            gone = eligible_rows(where, len(self._held))
            if gone.count:
                self._held = self._held.without(gone, threads)
        return gone.count

    def _compacted(self) -> Store:
        """What it holds, with nothing gone; for those who read or write."""
        held = self._held
        self._gate.guard(self._replace, held, held.compacted(_threads.resolve(None)))
        return self._held

    def _replace(self, old: Store, new: Store) -> None:
        """Unless another reader was faster."""
        if self._held is old:
            self._held = new

    # ---- keeping ------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the index to one file, which `load` maps into memory.

        The file appears under its name only when it is complete, and replaces what was there. What a killed
        process has left beside it is removed by the next `save` to the same path.

        Parameters
        ----------
        path : path_like
            A link is followed, and a file that is replaced keeps its permissions. Into a pipe or a device the
            index is written as it comes; there its rows are read twice.

        Raises
        ------
        OSError
            Nothing can be written there: no such folder, a folder, no permission, a file that is read-only, a
            full disk.
        ValueError
            It is the file that the rows of the index are mapped from.
        """
        target = _writing.Target(path, _file.sources(self._held.rows))
        _writing.write(target, self._save_to)

    def _save_to(self, out: _writing.Output) -> None:
        with self._gate.writing():
            held = self._compacted()
            _file.save(out, self._metric, held.placed, *held.exact_codes(), self._reading)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, mmap: bool = True, verify: bool = False) -> FlatIndex:
        """
        An index from a file that `save` wrote.

        Parameters
        ----------
        path : path_like
        mmap : bool
            Map the file into memory: nothing is read before it is needed, and processes share it. The
            file must then not be written to while the index is in use (replacing it, as `save` does, is
            safe). False: read all of it.
        verify : bool
            Read everything once and compare it with the checksum. What tells whether the file is
            whole, and one of ours, is compared in any case.

        Returns
        -------
        FlatIndex

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            It is no index, no regular file, truncated, damaged, or of a newer version; with its path and the
            reason.

        """
        index = cls.__new__(cls)
        metric, rows, *codes, reading = _file.load(path, mmap, verify)
        index._start(metric, Store.kept(_core.METRICS[metric], rows, *codes), reading)
        return index

    def __getstate__(self) -> dict[str, Any]:
        with self._gate.writing():
            held = self._compacted()
            panels, center = held.exact_codes()
            return {
                "metric": self._metric,
                "rows": np.array(held.placed),
                "reading": self._reading,
                "panels": np.array(panels),
                "center": np.array(center),
                "more": {name: value for name, value in vars(self).items() if name not in OWN},
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        number, panels = _core.METRICS[state["metric"]], _memory.aligned(state["panels"].size)
        panels[:] = state["panels"]
        held = Store.kept(number, state["rows"], panels, state["center"])
        self._start(state["metric"], held, state.get("reading"))
        vars(self).update(state["more"])


def explain(
    queries: Any,
    corpus: Any,
    k: int | None = None,
    metric: str | None = None,
    *,
    threshold: float | None = None,
    where: Any = None,
    threads: Any = None,
    dtype: Any = None,
) -> Explanation:
    """
    Search, and tell how the search went about it.

    Parameters
    ----------
    queries : array_like, shape (d,) or (n, d)
        One query, or n.
    corpus : array_like, shape (m, d), or FlatIndex
        What to search.
    k : int
        As for `topk`; or `threshold`.
    metric : str, optional
        As for `topk`: ``"euclidean"`` if it is not given. A `FlatIndex` has its own.
    threshold : float
        As for `within`; or `k`.
    where, threads, dtype
        As for `topk`. A `FlatIndex` knows what it holds.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError, TypeError
        As for `topk` and `within`; both or neither of `k` and `threshold` are given; a metric that is not the
        index's.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> corpus = np.random.default_rng(0).standard_normal((5000, 64), dtype=np.float32)
    >>> told = vb.explain(corpus[:50], corpus, k=10)
    >>> told.plan, told.pairs, told.rescored < told.pairs / 10
    ('sieve', 250000, True)
    """
    if (k is None) == (threshold is None):
        raise ValueError(f"explain takes either k or threshold; got k={k!r} and threshold={threshold!r}")
    number_of_threads = _threads.resolve(threads)
    if isinstance(corpus, FlatIndex):
        queries, metric = corpus.agreed_queries(queries, metric, dtype), corpus.metric
        with corpus._gate.reading():
            q, source, eligible = corpus._ready(corpus._held, queries, where)
            return _explained(q, source, k, threshold, metric, eligible, number_of_threads)
    metric = "euclidean" if metric is None else metric
    metric_number(metric)
    q, x = check_pair(queries, corpus, metric, dtype)
    return _explained(q, x, k, threshold, metric, eligible_of(where, x), number_of_threads)


def _explained(
    q: Queries,
    corpus: Corpus,
    k: int | None,
    threshold: float | None,
    metric: str,
    eligible: Eligible,
    threads: int,
) -> Explanation:
    if threshold is None:
        return find_topk(q, corpus, check_k(k), metric, eligible, threads, None)[1]
    return find_within(q, corpus, check_threshold(threshold, metric), metric, eligible, threads, None)[1]
