"""`FlatIndex`: rows prepared once, searched often."""

import os
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import _core, _metrics, _threads, _writing
from .._core import BITS
from .._metrics import Metric, MetricName
from .._rows import arrays, memory
from . import file as files
from .engine import (
    NOTHING,
    Corpus,
    Queries,
    Request,
    check_k,
    check_threshold,
    combined,
    explained,
    find_topk,
    find_within,
)
from .gate import Gate
from .results import Explanation, TopK, Within
from .store import Store
from .where import eligible_rows

Progress = Callable[[float, float], object] | None

# One row in so many more fits into what an index copies: the first `add` of a few then copies nothing.
SPARE = 64


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

    # Whatever else an instance has is a subclass's, or its user's, and pickled with it.
    __slots__ = ("__dict__", "__weakref__", "_gate", "_held", "_metric", "_reading", "_stats")

    def __init__(
        self,
        corpus: Any,
        metric: MetricName = "euclidean",
        *,
        threads: int | None = None,
        progress: Progress = None,
        dtype: Any = None,
        copy: bool | None = None,
    ):
        chosen = _metrics.resolve(metric)
        reading = arrays.check_reading(dtype, chosen)
        copy = memory.check_copy(copy)
        threads = _threads.resolve(threads)
        _threads.check_progress(progress)
        rows = arrays.rows(corpus, "corpus", (2,), reading)
        count, kind = len(rows), arrays.working_dtype(rows)
        if not (arrays.readable(rows, kind) and memory.stays(corpus, rows, copy)):
            rows = memory.copied(rows, kind, count + count // SPARE)
        self._start(Store.of(chosen, rows, count, threads, progress), reading)

    def _start(self, held: Store, reading: str | None) -> None:
        self._metric = held.metric
        self._held = held
        # What unsigned integers are taken for that are to meet the rows; those of ml_dtypes do not tell.
        self._reading: str | None = "bits" if held.rows.dtype == BITS else reading
        self._stats = NOTHING
        self._gate = Gate()

    # ---- what it is ---------------------------------------------------------------------

    @property
    def metric(self) -> MetricName:
        name: MetricName = self._metric.name  # type: ignore[assignment]
        return name

    @property
    def vectors(self) -> np.ndarray:
        held = self._held
        if len(held.gone):
            with self._gate.reading():
                held = self._compacted()
        view = held.placed.view(arrays.shown(held.rows.dtype))
        view.flags.writeable = False
        return view

    @property
    def nbytes(self) -> int:
        return self._held.nbytes

    @property
    def stats(self) -> Explanation:
        return self._stats

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        held = self._held
        count, d, dtype = len(held), held.rows.shape[1], held.rows.dtype
        return f"FlatIndex({count} x {d} {arrays.type_name(dtype)}, metric={self.metric!r})"

    # ---- searching ------------------------------------------------------------------------

    def search(
        self,
        queries: Any,
        k: int,
        *,
        where: Any = None,
        threads: int | None = None,
        progress: Progress = None,
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
                small = _core.topk_plain(held.metric.number, queries, held.placed, k, held.codes)
                if small is not None:
                    self._count_in(small[0].told())
                    return TopK(*small[1:])
            q, corpus, request = self._asked(held, queries, where, threads, progress)
            found, stats = find_topk(q, corpus, k, request)
            self._count_in(stats)
        return q.shaped(held.numbered(found))

    def within(
        self,
        queries: Any,
        threshold: float,
        *,
        where: Any = None,
        threads: int | None = None,
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
            q, corpus, request = self._asked(held, queries, where, threads, progress)
            found, stats = find_within(q, corpus, threshold, request)
            self._count_in(stats)
        return held.numbered(found)

    def _explain(
        self, queries: Any, k: int | None, threshold: float | None, where: Any, threads: int
    ) -> Explanation:
        """For `explain`, whose searches do not count."""
        with self._gate.reading():
            return explained(*self._asked(self._held, queries, where, threads, None), k, threshold)

    def _agreed_queries(self, queries: Any, metric: Metric | None, dtype: Any) -> Any:
        """Queries of a call that has a metric and a dtype of its own, which have to be those of the index."""
        if metric not in (None, self._metric):
            raise ValueError(f"metric={metric.name!r}, but the index has metric {self.metric!r}")
        reading = arrays.check_reading(dtype, self._metric)
        if (reading == "bits") != (self._reading == "bits") and reading is not None:
            takes = repr(self._reading) if self._reading else arrays.type_name(self._held.rows.dtype)
            raise ValueError(f"dtype={dtype!r}, but the index takes {takes}")
        return arrays.rows(queries, "queries", (1, 2), reading) if reading == "bfloat16" else queries

    def _asked(
        self, held: Store, queries: Any, where: Any, threads: int, progress: Progress
    ) -> tuple[Queries, Corpus, Request]:
        """Both sides of a search, and what is asked. (Another reader may replace self._held meanwhile.)"""
        rows = held.placed
        q = arrays.rows(queries, "queries", (1, 2), self._reading)
        arrays.same_width(q, "queries", rows, "the index")
        single, q = q.ndim == 1, np.atleast_2d(q)
        if rows.dtype in (*arrays.WHOLE, BITS):  # which are measured with their own type only
            q = arrays.exactly(q, "queries", rows.dtype, "the index")
        dtype, _ = arrays.agreed(q, "queries", rows, "the index")
        request = Request(self._metric, held.eligible(where), threads, progress)
        return Queries(q, dtype, single), Corpus(rows, rows.dtype, held.codes), request

    def _count_in(self, stats: tuple[str, int, int, int]) -> None:
        self._gate.guard(self._add_stats, stats)

    def _add_stats(self, stats: tuple[str, int, int, int]) -> None:
        self._stats = combined(self._stats, stats)

    # ---- changing ---------------------------------------------------------------------------

    def add(self, rows: Any, *, threads: int | None = None) -> range:
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
        more = np.atleast_2d(arrays.rows(rows, "rows", (1, 2), self._reading))
        threads = _threads.resolve(threads)
        more = arrays.exactly(more, "rows", self._held.rows.dtype, "the index")
        with self._gate.writing():
            held = self._held
            arrays.same_width(more, "rows", held.rows, "the index")
            self._held = held.with_more(more, threads)
            return range(len(held), len(held) + len(more))

    def remove(self, where: Any, *, threads: int | None = None) -> int:
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
            raise TypeError("where is None; expected a boolean mask or row ids of the rows to remove")
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
        target = _writing.Target(path, files.sources(self._held.rows))
        _writing.write(target, self._save_to)

    def _save_to(self, out: _writing.Output) -> None:
        with self._gate.writing():
            held = self._compacted()
            files.save(out, self.metric, held.placed, *held.exact_codes(), self._reading)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, mmap: bool = True, verify: bool = False) -> Self:
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
        metric, rows, *codes, reading = files.load(path, mmap, verify)
        index._start(Store.kept(_metrics.BY_NAME[metric], rows, *codes), reading)
        return index

    def __getstate__(self) -> dict[str, Any]:
        with self._gate.writing():
            held = self._compacted()
            panels, center = held.exact_codes()
            return {
                "metric": self.metric,
                "rows": np.array(held.placed),
                "reading": self._reading,
                "panels": np.array(panels),
                "center": np.array(center),
                "more": dict(vars(self)),
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        panels = memory.aligned(state["panels"].size)
        panels[:] = state["panels"]
        metric = _metrics.BY_NAME[state["metric"]]
        self._start(Store.kept(metric, state["rows"], panels, state["center"]), state.get("reading"))
        vars(self).update(state["more"])
