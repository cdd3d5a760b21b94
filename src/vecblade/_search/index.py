"""`FlatIndex`: rows prepared once, searched often."""

import os
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import _core, _metrics, _threads, _writing
from .._core import BITS
from .._metrics import Metric, MetricName
from .._rows import arrays, memory
from .._sources import file as files
from .engine import (
    NOTHING,
    Corpus,
    Queries,
    Request,
    check_k,
    check_side,
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

# A copied corpus gets room for one more row in SPARE, so that the first `add` of a few copies nothing.
SPARE = 64


class FlatIndex:
    """
    Rows prepared for exact search.

    Every row gets an int8 code, a quarter of the bytes of float32 (codes of int8, uint8 and packed bits are
    as large as the rows). A search compares codes, which rules out nearly all rows with certainty, and
    measures the rest by their elements: it finds what `topk` and `within` find, to the last bit, several
    times faster.

    Parameters
    ----------
    corpus : array_like, shape (m, d), or what `vecblade.open` takes or returns
        The rows. They are copied or converted, a few MiB at a time, except memory maps, Arrow columns and
        `bytes`, which are read in place if they can be: see `copy`.
    metric : str
        ``"dot"``, ``"cosine_similarity"``, ``"cosine"``, ``"euclidean"`` or ``"sqeuclidean"``; of packed bits
        (uint8) also ``"hamming"`` and ``"jaccard"``.
    threads : int, optional
        How many threads may make codes. Default: see `set_num_threads`.
    progress : callable, optional
        Called as ``progress(done, total)`` about ten times a second with the work done and the total work.
    dtype : {"bfloat16", "bits"}, optional
        What a uint16 or uint8 corpus holds: as for `dot`. Queries and added rows are then read in the same
        way, also after the index has been saved and loaded.
    copy : bool, optional
        Whether to copy contiguous rows of float64, float32, float16, bfloat16, int8 and uint8, or to read
        them in place; in place they must not change while the index is in use. Default: copy whatever
        somebody may still write to. Memory maps (`numpy.memmap`, ``mmap.mmap``, in any mode), `bytes` and
        Arrow columns stay in place. Arrays, also read-only ones, tensors, shared memory, other buffers and
        Arrow columns in buffers that pyarrow calls mutable are copied. Rows of all other types are converted
        in any case.

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
        Totals of all searches so far, with the plan of the last one.

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
    __slots__ = ("__dict__", "__weakref__", "_copied", "_gate", "_held", "_metric", "_reading", "_stats")

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
        rows, source = check_side(corpus, "corpus", (2,), reading)
        if source is not None and source.in_place:
            rows = source.read(0, len(source)).view(rows.dtype)
        count, kind, copied = len(rows), arrays.working_dtype(rows), True
        if source is not None and not source.in_place:
            rows, count = source.copied(kind, SPARE)
        elif not (arrays.readable(rows, kind) and memory.stays(corpus, rows, copy)):
            rows = memory.copied(rows, kind, count + count // SPARE)
        else:
            copied = False
        self._copied = rows[:count].nbytes if copied else 0
        self._start(Store.of(chosen, rows, count, threads, progress), reading)

    def _start(self, held: Store, reading: str | None) -> None:
        self._metric = held.metric
        self._held = held
        # How unsigned integers are read that are compared with the rows; arrays of ml_dtypes do not say.
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
    def copied(self) -> int:
        return getattr(self, "_copied", 0)

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
                    return TopK._ranked(*small[1:])
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
            Finite. Rows with distance <= threshold are found; for similarities, >= threshold.
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
        """Search for `explain`, without counting it in `stats`."""
        with self._gate.reading():
            return explained(*self._asked(self._held, queries, where, threads, None), k, threshold)

    def _agreed_queries(self, queries: Any, metric: Metric | None, dtype: Any) -> Any:
        """Queries of a call with a metric and a dtype of its own, which have to agree with the index."""
        if metric not in (None, self._metric):
            raise ValueError(f"metric={metric.name!r}, but the index has metric {self.metric!r}")
        reading = arrays.check_reading(dtype, self._metric)
        if (reading == "bits") != (self._reading == "bits") and reading is not None:
            takes = repr(self._reading) if self._reading else arrays.type_name(self._held.rows.dtype)
            raise ValueError(f"dtype={dtype!r}, but the index takes {takes}")
        if reading != "bfloat16":
            return queries
        q, source = check_side(queries, "queries", (1, 2), reading)
        return q if source is None else source

    def _asked(
        self, held: Store, queries: Any, where: Any, threads: int, progress: Progress
    ) -> tuple[Queries, Corpus, Request]:
        """Both sides of a search, and what is asked. (Another reader may replace self._held meanwhile.)"""
        rows = held.placed
        q, source = check_side(queries, "queries", (1, 2), self._reading)
        arrays.same_width(q, "queries", rows, "the index")
        single, q = q.ndim == 1, np.atleast_2d(q)
        if rows.dtype in (*arrays.BYTE_INTEGERS, BITS):  # which are measured with their own type only
            q = arrays.exactly(q, "queries", rows.dtype, "the index")
        dtype, _ = arrays.agreed(q, "queries", rows, "the index")
        request = Request(self._metric, held.eligible(where), threads, progress)
        return Queries(q, dtype, single, source), Corpus(rows, rows.dtype, held.codes), request

    def _count_in(self, stats: tuple[str, int, int, int]) -> None:
        self._gate.guard(self._add_stats, stats)

    def _add_stats(self, stats: tuple[str, int, int, int]) -> None:
        self._stats = combined(self._stats, stats)

    # ---- changing ---------------------------------------------------------------------------

    def add(self, rows: Any, *, threads: int | None = None) -> range:
        """
        Append rows.

        When there is no room left, all rows are copied to memory with room for half as many again. A corpus
        that was read in place is copied by the first `add`.

        Parameters
        ----------
        rows : array_like, shape (d,) or (n, d)
            Numbers that the type of the index holds exactly.
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
            The rows are not numeric, or a conversion would change values.
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
        Remove rows. The remaining rows are renumbered, as by `numpy.delete`.

        Removed rows keep their memory, and searches skip them, until an eighth of all rows are gone. Then the
        others are copied together; ``vectors``, `save` and pickles do so earlier.

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
        """The store without removed rows. The caller may be a reader or a writer."""
        held = self._held
        self._gate.guard(self._replace, held, held.compacted(_threads.resolve(None)))
        return self._held

    def _replace(self, old: Store, new: Store) -> None:
        """Put the new store in place, unless another reader was faster."""
        if self._held is old:
            self._held = new

    # ---- keeping ------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the index to one file, which `load` maps into memory.

        The file appears under its name only when it is complete, and replaces what was there. Leftovers of a
        killed process are removed by the next `save` to the same path.

        Parameters
        ----------
        path : path_like
            Links are followed, and a replaced file keeps its permissions. A pipe or a device is written to
            directly, which reads the rows of the index twice.

        Raises
        ------
        OSError
            The path cannot be written to: there is no such folder, it is a folder, permission is missing, the
            file is read-only, or the disk is full.
        ValueError
            The path is the file that the rows of the index are mapped from.
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
            Read everything once and compare it with the checksum. The header and the size of the file are
            checked in any case.

        Returns
        -------
        FlatIndex

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            The file is not an index or not a regular file, or is truncated, damaged, or of a newer version;
            the message has its path and the reason.
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
