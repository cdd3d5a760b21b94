"""`FlatIndex`: rows prepared once, searched often. And `explain`, which tells how a search goes about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _arrays, _core, _file, _threads, _writing
from ._core import BFLOAT16, BITS
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
    check_threshold,
    eligible_rows,
    find_topk,
    find_within,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[float, float], object] | None

# What users are shown of rows of the package's own types.
SHOWN = {BFLOAT16: np.dtype(np.uint16), BITS: np.dtype(np.uint8)}
PANEL = 32  # rows, which have their codes together
# The attributes of an index; a subclass may have more.
OWN = {"_metric", "_rows", "_given", "_reading", "_count", "_owned", "_panels", "_center", "_stats", "_gate"}


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
        The rows. Arrays of float64, float32, float16, bfloat16, int8 and uint8 with contiguous rows,
        memory-maps too, are not copied, and must not change while the index is in use; anything else is
        converted once.
    metric : str
        ``"dot"``, ``"cosine_similarity"``, ``"cosine"``, ``"euclidean"`` or ``"sqeuclidean"``; of packed bits
        (uint8) also ``"hamming"`` and ``"jaccard"``.
    threads : int, optional
        How many threads may make codes. Default: see `set_num_threads`.
    progress : callable, optional
        Called as ``progress(done, total)`` about ten times a second with the work done and the total.
    dtype : {"bfloat16", "bits"}, optional
        What a uint16 or uint8 corpus holds: as for `dot`. Queries and rows to add are then read likewise.

    Attributes
    ----------
    metric : str
    vectors : ndarray, shape (m, d)
        The rows, read-only.
    nbytes : int
        Bytes of the rows and their codes.
    stats : Explanation
        What all searches so far have done, and the plan of the last one.

    Raises
    ------
    ValueError
        A wrong shape or an unknown metric.
    TypeError
        The corpus is not numeric, or a conversion to float would change values; or `progress` cannot be
        called.

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

    def __init__(
        self,
        corpus: Any,
        metric: str = "euclidean",
        *,
        threads: Any = None,
        progress: Progress = None,
        dtype: Any = None,
    ):
        metric_number(metric)
        reading = _arrays.check_reading(dtype, metric)
        threads = _threads.resolve(threads)
        _threads.check_progress(progress)
        rows = _arrays.native(_arrays.rows(corpus, "corpus", (2,), reading))
        self._start(metric, rows)
        self._reading = reading or self._reading
        if isinstance(corpus, np.ndarray) and _arrays.is_bfloat16(corpus.dtype):
            self._given = corpus.dtype
        self._encode(rows, len(rows), 0, threads, progress)

    def _start(self, metric: str, rows: np.ndarray) -> None:
        self._metric = metric
        self._rows = rows  # with room for more behind, if self._owned
        self._given = SHOWN.get(rows.dtype, rows.dtype)  # their type as users see it
        # What unsigned integers are taken for that are to meet the rows.
        self._reading = {BFLOAT16: "bfloat16", BITS: "bits"}.get(rows.dtype)
        self._count = len(rows)
        self._owned = False
        self._panels, self._center = _aligned(0), _aligned(0)
        self._stats = NOTHING
        self._gate = Gate()

    # ---- what it is ---------------------------------------------------------------------

    @property
    def metric(self) -> str:
        return self._metric

    @property
    def vectors(self) -> np.ndarray:
        view = self._rows[: self._count].view(self._given)
        view.flags.writeable = False
        return view

    @property
    def nbytes(self) -> int:
        panels, center = _core.codes_bytes(self._count, self._rows.shape[1])
        return self.vectors.nbytes + panels + center

    @property
    def stats(self) -> Explanation:
        return self._stats

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        count, d = self.vectors.shape
        return f"FlatIndex({count} x {d} {_arrays.type_name(self._rows.dtype)}, metric={self._metric!r})"

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
            if plain:
                number = _core.METRICS[self._metric]
                small = _core.topk_plain(number, queries, self._rows[: self._count], k, self._coded())
                if small is not None:
                    self._count_in(small[0].told())
                    return TopK(*small[1:])
            q, corpus, eligible = self._ready(queries, where)
            found, told = find_topk(q, corpus, k, self._metric, eligible, threads, progress)
            self._count_in(told)
        return TopK(found.indices[0], found.values[0]) if q.single else found

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
            q, corpus, eligible = self._ready(queries, where)
            found, told = find_within(q, corpus, threshold, self._metric, eligible, threads, progress)
            self._count_in(told)
        return found

    def _ready(self, queries: Any, where: Any) -> tuple[Queries, Corpus, Eligible]:
        rows = self._rows[: self._count]
        q = _arrays.rows(queries, "queries", (1, 2), self._reading)
        _arrays.same_width(q, "queries", rows, "the index")
        single, q = q.ndim == 1, np.atleast_2d(q)
        if rows.dtype in (*_arrays.WHOLE, BITS):  # which are measured with their own type only
            q = _arrays.exactly(q, "queries", rows.dtype, "the index")
        dtype, _ = _arrays.agreed(q, "queries", rows, "the index")
        corpus = Corpus(rows, rows.dtype, self._coded())
        return Queries(q, dtype, single), corpus, eligible_rows(where, len(rows))

    def _coded(self) -> tuple[np.ndarray, np.ndarray] | None:
        return (self._panels, self._center) if len(self._panels) else None

    def _count_in(self, told: tuple[str, int, int, int]) -> None:
        self._gate.guard(self._add_stats, told)

    def _add_stats(self, told: tuple[str, int, int, int]) -> None:
        self._stats = self._stats.plus(told)

    # ---- changing ---------------------------------------------------------------------------

    def add(self, rows: Any, *, threads: Any = None) -> range:
        """
        Append rows. The first time, the index takes a copy of its corpus.

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
        more = _arrays.exactly(more, "rows", self._rows.dtype, "the index")
        with self._gate.writing():
            _arrays.same_width(more, "rows", self._rows[: self._count], "the index")
            first, count, rows = self._count, self._count + len(more), self._rows
            grown = not self._owned or count > len(rows)
            if grown:
                rows = np.empty((max(count, first + first // 2), rows.shape[1]), rows.dtype)
                rows[:first] = self._rows[:first]
            rows[first:count] = more
            # With a new place comes a new center: the old one may be far from what was added.
            self._encode(rows, count, 0 if grown else first, threads)
            self._owned = True
        return range(first, count)

    def remove(self, where: Any, *, threads: Any = None) -> int:
        """
        Remove rows. Those that remain are copied and numbered anew, as by `numpy.delete`.

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
            gone = eligible_rows(where, self._count)
            keep = np.ones(self._count, bool)
            if gone.mask is not None:
                keep[gone.mask] = False
            else:
                keep[slice(None) if gone.ids is None else gone.ids] = False
            first = int(np.argmin(keep)) if gone.count else self._count
            if gone.count:
                rows = self._rows[: self._count][keep]
                self._encode(rows, len(rows), first, threads)
                self._owned = True
        return gone.count

    def _encode(
        self, rows: np.ndarray, count: int, first: int, threads: int, progress: Progress = None
    ) -> None:
        """Take these rows (and room behind) for the index's, with new codes for those from `first` on."""
        panels, center = self._panels, self._center
        needed, center_bytes = _core.codes_bytes(len(rows), rows.shape[1])
        # If this is interrupted, the index goes on without codes.
        self._panels = self._center = _aligned(0)
        if len(panels) < needed or not panels.flags.writeable:
            panels, first = _aligned(needed), 0
        if first < PANEL:
            center = _aligned(center_bytes)
        if needed and count:
            job = _core.encode(
                _core.METRICS[self._metric], rows[:count], first // PANEL * PANEL, panels, center
            )
            _threads.run(job, threads, progress)
        self._rows, self._count, self._panels, self._center = rows, count, panels, center

    def _codes(self) -> tuple[np.ndarray, np.ndarray]:
        """The codes without the room behind; made again if that was interrupted."""
        panels, center = _core.codes_bytes(self._count, self._rows.shape[1])
        if len(self._panels) < panels:
            self._encode(self._rows, self._count, 0, _threads.resolve(None))
        return self._panels[:panels], self._center[:center]

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
        target = _writing.Target(path, _file.sources(self._rows))
        _writing.write(target, self._save_to)

    def _save_to(self, out: _writing.Output) -> None:
        with self._gate.writing():
            _file.save(out, self._metric, self._rows[: self._count], *self._codes())

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

        Notes
        -----
        The file does not tell ml_dtypes from uint16: bfloat16 ``vectors`` come back as uint16.
        """
        index = cls.__new__(cls)
        metric, rows, panels, center = _file.load(path, mmap, verify)
        index._start(metric, rows)
        index._panels, index._center = panels, center
        return index

    def __getstate__(self) -> dict[str, Any]:
        with self._gate.writing():
            panels, center = self._codes()
            return {
                "metric": self._metric,
                "rows": np.array(self._rows[: self._count]),
                "given": self._given,
                "reading": self._reading,
                "panels": np.array(panels),
                "center": np.array(center),
                "more": {name: value for name, value in vars(self).items() if name not in OWN},
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start(state["metric"], state["rows"])
        self._given = state.get("given", self._given)
        self._reading = state.get("reading", self._reading)
        self._owned = bool(self._rows.flags.writeable)
        vars(self).update(state["more"])
        self._panels, self._center = (_aligned(state[name].size) for name in ("panels", "center"))
        self._panels[:], self._center[:] = state["panels"], state["center"]


def _aligned(size: int) -> np.ndarray:
    """So many zero bytes, on a multiple of 64."""
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]


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
        if metric not in (None, corpus.metric):
            raise ValueError(f"metric={metric!r}, but the index has metric {corpus.metric!r}")
        metric = corpus.metric
        if _arrays.check_reading(dtype, metric) not in (None, corpus._reading):
            raise ValueError(f"dtype={dtype!r}, but the index takes {corpus._reading!r}")
        with corpus._gate.reading():
            q, source, eligible = corpus._ready(queries, where)
            return _explained(q, source, k, threshold, metric, eligible, number_of_threads)
    metric = "euclidean" if metric is None else metric
    metric_number(metric)
    q, x = check_pair(queries, corpus, metric, dtype)
    return _explained(q, x, k, threshold, metric, eligible_rows(where, len(x.rows)), number_of_threads)


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
