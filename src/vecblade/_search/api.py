"""`topk` and `within` over arrays and indexes, and `explain`, which reports how a search was carried out."""

from collections.abc import Callable
from typing import Any

from .. import _core, _metrics, _threads
from .._metrics import Metric, MetricName
from .engine import (
    Request,
    check_k,
    check_pair,
    check_threshold,
    eligible_of,
    explained,
    find_topk,
    find_within,
)
from .index import FlatIndex
from .rescore import check_oversample, two_stages
from .results import Explanation, TopK, Within
from .where import eligible_rows

EUCLIDEAN = _metrics.BY_NAME["euclidean"]


def given(metric: Any) -> Metric | None:
    return None if metric is None else _metrics.resolve(metric)


def topk(
    queries: Any,
    corpus: Any,
    k: int,
    metric: MetricName | None = None,
    *,
    where: Any = None,
    threads: int | None = None,
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
    corpus : array_like, shape (m, d), FlatIndex, or what `vecblade.open` takes or returns
        The rows to search. Strided rows and memory maps are read in place, without copying; paths and
        datasets are opened, and read in blocks.
    k : int
        How many rows to find, at least 1; with fewer eligible rows, all of them are found.
    metric : str, optional
        ``"dot"`` and ``"cosine_similarity"``: larger is closer. ``"cosine"``, ``"euclidean"`` and
        ``"sqeuclidean"``, and of packed bits (uint8) ``"hamming"`` and ``"jaccard"``: smaller is closer.
        Default: ``"euclidean"``. A `FlatIndex` has its own.
    where : array_like, optional
        Which corpus rows may be found: a boolean mask of shape (m,), or integer row ids. Missing values are
        an error.
    threads : int, optional
        How many threads may work on the call. Default: see `set_num_threads`.
    progress : callable, optional
        Called as ``progress(done, total)`` about ten times a second with the work done and the total work,
        which is infinite if nobody knows how many rows there are.
    dtype : {"bfloat16", "bits"}, optional
        What uint16 or uint8 arrays hold: as for `dot`.
    rescore : array_like, shape (m, D), optional
        The full rows, if `corpus` holds codes of them: packed bits (uint8, from `pack_bits`, or a `FlatIndex`
        of them with metric ``"hamming"``), what `quantize` returned, for cosines also its codes alone, or
        the first elements of every row (``rescore[:, :d]``). The search then has two stages: codes of the
        queries, made in the same way, shortlist ``oversample * k`` candidates, and the k of these closest by
        `rescore` are returned with their exact values. Queries are rows of D elements. Rows outside the
        shortlist are missed: see ``docs/types.md``.
    oversample : int, optional
        With `rescore`: how many candidates are shortlisted per row to be found. Default: 10.

    Returns
    -------
    TopK
        ``indices`` (int64) and ``values``, best first, of shape (k,) for one query of shape (d,),
        else (n, k). The values have the type that the metric's own function returns.

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
    The (n, m) matrix is never built: extra memory is about 10 MiB per thread, and the result.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> corpus = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> vb.topk([2.0, 0.1], corpus, k=2, metric="cosine").indices
    array([1, 2])
    """
    chosen = given(metric)
    plain = where is None and threads is None and progress is None and dtype is None
    if plain and rescore is None and oversample is None:
        _threads.resolve(None)  # an environment variable may be wrong
        small = _core.topk_plain((chosen or EUCLIDEAN).number, queries, corpus, k)
        if small is not None:
            return TopK._ranked(*small[1:])
    _threads.check_progress(progress)
    if rescore is not None:
        k, threads, oversample = check_k(k), _threads.resolve(threads), check_oversample(oversample)
        stages = two_stages(queries, corpus, rescore, chosen or EUCLIDEAN, dtype)
        eligible = eligible_rows(where, len(stages.originals.rows))
        return stages.find(k, oversample, Request(stages.metric, eligible, threads, progress))
    if oversample is not None:
        raise ValueError("oversample is for a search with rescore, the rows that corpus holds codes of")
    if isinstance(corpus, FlatIndex):
        queries = corpus._agreed_queries(queries, chosen, dtype)
        return corpus.search(queries, k, where=where, threads=threads, progress=progress)
    chosen = chosen or EUCLIDEAN
    q, x = check_pair(queries, corpus, chosen, dtype)
    k, threads = check_k(k), _threads.resolve(threads)
    found, _ = find_topk(q, x, k, Request(chosen, eligible_of(where, x), threads, progress))
    return q.shaped(found)


def within(
    queries: Any,
    corpus: Any,
    threshold: float,
    metric: MetricName | None = None,
    *,
    where: Any = None,
    threads: int | None = None,
    progress: Callable[[float, float], object] | None = None,
    dtype: Any = None,
) -> Within:
    """
    Every row of `corpus` at least as close as `threshold`, for each query, exactly.

    Parameters
    ----------
    queries : array_like, shape (d,) or (n, d)
        One query, or n.
    corpus : array_like, shape (m, d), FlatIndex, or what `vecblade.open` takes or returns
        The rows to search. Strided rows and memory maps are read in place, without copying; paths and
        datasets are opened, and read in blocks.
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
    chosen = given(metric)
    _threads.check_progress(progress)
    if isinstance(corpus, FlatIndex):
        queries = corpus._agreed_queries(queries, chosen, dtype)
        return corpus.within(queries, threshold, where=where, threads=threads, progress=progress)
    chosen = chosen or EUCLIDEAN
    q, x = check_pair(queries, corpus, chosen, dtype)
    threshold, threads = check_threshold(threshold, chosen), _threads.resolve(threads)
    request = Request(chosen, eligible_of(where, x), threads, progress)
    return find_within(q, x, threshold, request)[0]


def explain(
    queries: Any,
    corpus: Any,
    k: int | None = None,
    metric: MetricName | None = None,
    *,
    threshold: float | None = None,
    where: Any = None,
    threads: int | None = None,
    dtype: Any = None,
) -> Explanation:
    """
    Search, and report how the search was carried out.

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
    >>> how = vb.explain(corpus[:50], corpus, k=10)
    >>> how.plan, how.pairs, how.rescored < how.pairs / 10
    ('sieve', 250000, True)
    """
    if (k is None) == (threshold is None):
        raise ValueError(f"explain takes either k or threshold; got k={k!r} and threshold={threshold!r}")
    threads, chosen = _threads.resolve(threads), given(metric)
    if isinstance(corpus, FlatIndex):
        return corpus._explain(corpus._agreed_queries(queries, chosen, dtype), k, threshold, where, threads)
    chosen = chosen or EUCLIDEAN
    q, x = check_pair(queries, corpus, chosen, dtype)
    return explained(q, x, Request(chosen, eligible_of(where, x), threads), k, threshold)
