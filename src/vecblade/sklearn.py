"""
``sklearn.metrics.pairwise`` and `NearestNeighbors`, faster: ``from vecblade.sklearn import ...``.

`cosine_similarity`, `cosine_distances`, `euclidean_distances`, `pairwise_distances`,
`pairwise_distances_chunked`, `pairwise_distances_argmin`, `pairwise_distances_argmin_min` and
`NearestNeighbors` have scikit-learn's signatures, shapes, result types and errors. Calls that are not
accelerated (sparse input, other metrics), and all other names of ``sklearn.metrics.pairwise``,
``sklearn.metrics`` and ``sklearn.neighbors``, are scikit-learn's own, if it is installed. What is which, and
every known difference: ``docs/dropin.md``.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _arrays, _core, _dropin, _measure, _search, _threads

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "sklearn.metrics.pairwise"
MODULES = (MODULE, "sklearn.metrics", "sklearn.neighbors")

__all__ = [
    "NearestNeighbors",  # noqa: F822 - made when it is asked for
    "cosine_distances",
    "cosine_similarity",
    "euclidean_distances",
    "pairwise_distances",
    "pairwise_distances_argmin",
    "pairwise_distances_argmin_min",
    "pairwise_distances_chunked",
]

# scikit-learn's names for the metrics that are fast here.
WIDE = ("sqeuclidean",)  # SciPy's in scikit-learn: float64 of float32 rows too
METRICS = {"euclidean": "euclidean", "l2": "euclidean", "sqeuclidean": "sqeuclidean", "cosine": "cosine"}


def __getattr__(name: str) -> Any:
    """`NearestNeighbors` when it is asked for; what is not here is scikit-learn's own."""
    if name == "NearestNeighbors":
        from ._neighbors import NearestNeighbors

        return NearestNeighbors
    reason = ""
    if not name.startswith("__"):
        for module in MODULES:
            try:
                return _dropin.original(module, name)
            except (ImportError, AttributeError) as error:
                reason = f": {error}"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{reason}")


def __dir__() -> list[str]:
    theirs = (getattr(_dropin.loaded(module), "__all__", ()) for module in MODULES)
    return sorted({*globals(), *(name for names in theirs for name in names)})


# ---- what is fast --------------------------------------------------------------------------


def config(option: str) -> Any:
    """An option of scikit-learn's configuration; None if it is not loaded."""
    sklearn = sys.modules.get("sklearn")
    return sklearn.get_config().get(option) if sklearn is not None else None


def is_finite(x: np.ndarray) -> bool:
    """Whether no number is NaN or infinite, as scikit-learn has to know: mostly one read of the memory."""
    if x.dtype.kind != "f" or config("assume_finite"):
        return True
    if _arrays.readable(x, x.dtype) and x.ndim == 2 and np.isfinite(_core.dot(x, x)).all():
        return True
    return bool(np.isfinite(x).all())


def checked(X: Any, Y: Any) -> tuple[np.ndarray, np.ndarray | None] | None:
    """
    Two collections of finite rows of one width, None for the second if it is the first.

    None where the call is to be passed on. What is no ndarray goes through scikit-learn's own checks.
    """
    if type(X) is not np.ndarray or not (Y is None or type(Y) is np.ndarray):
        if config("array_api_dispatch"):
            return None
        if any(hasattr(x, "tocsr") for x in (X, Y)):
            return None
        if not any(_dropin.reads_best_here(x) for x in (X, Y)):
            try:
                X, Y = _dropin.original(MODULE, "check_pairwise_arrays")(X, X if Y is None else Y)
            except (TypeError, ValueError):
                return None
    a = _dropin.plain_rows(X)
    b = a if Y is None or Y is X else _dropin.plain_rows(Y)
    if a is None or b is None or a.shape[1] != b.shape[1]:
        return None
    if not is_finite(a) or (b is not a and not is_finite(b)):
        return None
    return a, None if b is a else b


def is_float32(a: np.ndarray, b: np.ndarray | None) -> bool:
    """Whether scikit-learn answers in float32."""
    return a.dtype == np.float32 and (b is None or b.dtype == np.float32)


def threads_for(n_jobs: Any) -> int:
    """
    As many as `n_jobs` says. None: as many as a call may use, and the BLAS in our place might.

    joblib's workers tell by OMP_NUM_THREADS how many that are.
    """
    if n_jobs is None:
        most = os.environ.get("OMP_NUM_THREADS", "")
        return min(_threads.resolve(None), int(most) if most.isdecimal() and int(most) else 1024)
    joblib = sys.modules.get("joblib")
    return _threads.resolve(joblib.effective_n_jobs(n_jobs) if joblib is not None else n_jobs)


def distances(
    metric: str, a: np.ndarray, b: np.ndarray | None, n_jobs: Any = None, wide: bool = False
) -> np.ndarray:
    """All pairs of checked rows, `wide` in float64. What has no direction is 1 from all but itself."""
    threads, narrow = threads_for(n_jobs), is_float32(a, b) and not wide
    result = np.empty((len(a), len(a if b is None else b)), np.float32 if narrow else np.float64)
    if narrow:
        number = _core.METRICS[metric]
        if b is None or not _dropin.one_to_many(metric, a, b, result, threads):
            _measure.pairwise_into(number, a, b, _arrays.FLOAT32, result, threads)
    else:
        _dropin.float64_pairs(metric, a, b, result, threads)
    # A row of zeros makes NaN of a whole row or column; so does NaN, where finite numbers are only assumed.
    if metric.startswith("cosine") and (np.isnan(result[0]).any() or np.isnan(result[:, 0]).any()):
        value = 0 if metric == "cosine_similarity" else 1
        rows, columns = a, a if b is None else b
        result[~rows.any(axis=1)] = result[:, ~columns.any(axis=1)] = value
        result[np.isnan(rows).any(axis=1)] = result[:, np.isnan(columns).any(axis=1)] = np.nan
        if b is None and metric == "cosine":
            np.fill_diagonal(result, 0)
    return result


# ---- all pairs -----------------------------------------------------------------------------


def cosine_similarity(X: Any, Y: Any = None, dense_output: bool = True) -> Any:
    """
    Cosine similarity of all pairs of rows: `sklearn.metrics.pairwise.cosine_similarity`.

    Parameters
    ----------
    X : array_like or sparse matrix, shape (n, d)
        Rows of numbers. Sparse ones are left to scikit-learn.
    Y : array_like or sparse matrix, shape (m, d), optional
        Rows of numbers. None: `X` with itself.
    dense_output : bool
        False: of two sparse collections, a sparse matrix.

    Returns
    -------
    ndarray, shape (n, m)
        float32 if both sides are, else float64. 0 for a row of zeros.

    Raises
    ------
    ValueError, TypeError
        As scikit-learn does, for NaN and infinities too.
    ImportError
        The call is left to scikit-learn, which is not installed.

    Examples
    --------
    >>> from vecblade.sklearn import cosine_similarity
    >>> cosine_similarity([[1.0, 0.0], [0.0, 0.0]], [[2.0, 0.0]])
    array([[1.],
           [0.]])
    """
    pair = checked(X, Y) if isinstance(dense_output, bool) else None
    if pair is None:
        return _dropin.pass_on(MODULE, "cosine_similarity")(X, Y, dense_output)
    return distances("cosine_similarity", *pair)


def cosine_distances(X: Any, Y: Any = None) -> Any:
    """
    1 - the cosine similarity of all pairs of rows: `sklearn.metrics.pairwise.cosine_distances`.

    Parameters
    ----------
    X, Y
        As for `cosine_similarity`.

    Returns
    -------
    ndarray, shape (n, m)
        float32 if both sides are, else float64. 1 for a row of zeros and another row.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `cosine_similarity`.

    Examples
    --------
    >>> from vecblade.sklearn import cosine_distances
    >>> cosine_distances([[1.0, 0.0], [0.0, 3.0]], [[2.0, 0.0]])
    array([[0.],
           [1.]])
    """
    pair = checked(X, Y)
    if pair is None:
        return _dropin.pass_on(MODULE, "cosine_distances")(X, Y)
    return distances("cosine", *pair)


def euclidean_distances(
    X: Any, Y: Any = None, *, Y_norm_squared: Any = None, squared: bool = False, X_norm_squared: Any = None
) -> Any:
    """
    Euclidean distance of all pairs of rows: `sklearn.metrics.pairwise.euclidean_distances`.

    Parameters
    ----------
    X, Y
        As for `cosine_similarity`.
    squared : bool
        Squared distances instead.
    X_norm_squared, Y_norm_squared : array_like, optional
        Squared lengths of the rows, which are not needed here; calls with them are left to scikit-learn.

    Returns
    -------
    ndarray, shape (n, m)
        float32 if both sides are, else float64.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `cosine_similarity`.

    Examples
    --------
    >>> from vecblade.sklearn import euclidean_distances
    >>> euclidean_distances([[0.0, 0.0], [3.0, 4.0]])
    array([[0., 5.],
           [5., 0.]])
    """
    plainly = X_norm_squared is None and Y_norm_squared is None and isinstance(squared, (bool, np.bool_))
    pair = checked(X, Y) if plainly else None
    if pair is None:
        return _dropin.pass_on(MODULE, "euclidean_distances")(
            X, Y, Y_norm_squared=Y_norm_squared, squared=squared, X_norm_squared=X_norm_squared
        )
    return distances("sqeuclidean" if squared else "euclidean", *pair)


def fast_metric(metric: Any, keywords: dict[str, Any] | None) -> str | None:
    """Our name of the metric, if it is fast with these keywords."""
    if not isinstance(metric, str) or metric not in METRICS:
        return None
    if not keywords:
        return METRICS[metric]
    squared = keywords.get("squared")
    if METRICS[metric] == "euclidean" and keywords.keys() == {"squared"} and isinstance(squared, bool):
        return "sqeuclidean" if squared else "euclidean"
    return None


def pairwise_distances(
    X: Any,
    Y: Any = None,
    metric: Any = "euclidean",
    *,
    n_jobs: Any = None,
    ensure_all_finite: Any = True,
    **kwds: Any,
) -> Any:
    """
    Distance of all pairs of rows, by any metric: `sklearn.metrics.pairwise.pairwise_distances`.

    Parameters
    ----------
    X, Y
        As for `cosine_similarity`.
    metric : str or callable
        Any of scikit-learn's. Fast are ``"euclidean"``, ``"l2"``, ``"sqeuclidean"`` and ``"cosine"``.
    n_jobs : int, optional
        How many threads may work on the call, as joblib counts them. Default: see `vecblade.set_num_threads`.
    ensure_all_finite : bool or "allow-nan"
        Whether NaN and infinities are errors.
    **kwds
        scikit-learn's, for the metrics that have any.

    Returns
    -------
    ndarray, shape (n, m)
        float32 if both sides are (of ``"sqeuclidean"`` float64), else float64.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `cosine_similarity`.

    Examples
    --------
    >>> from vecblade.sklearn import pairwise_distances
    >>> pairwise_distances([[0.0, 0.0], [3.0, 4.0]], metric="sqeuclidean")
    array([[ 0., 25.],
           [25.,  0.]])
    """
    name = fast_metric(metric, kwds)
    usual = ensure_all_finite is True and (n_jobs is None or type(n_jobs) is int)
    pair = checked(X, Y) if name is not None and usual else None
    if pair is None or name is None:
        return _dropin.pass_on(MODULE, "pairwise_distances")(
            X, Y, metric, n_jobs=n_jobs, ensure_all_finite=ensure_all_finite, **kwds
        )
    return distances(name, *pair, n_jobs, metric in WIDE)


def pairwise_distances_chunked(
    X: Any,
    Y: Any = None,
    *,
    reduce_func: Any = None,
    metric: Any = "euclidean",
    n_jobs: Any = None,
    working_memory: Any = None,
    **kwds: Any,
) -> Iterator[Any]:
    """
    Distances of some rows after the other: `sklearn.metrics.pairwise.pairwise_distances_chunked`.

    Like scikit-learn's, a loop over `pairwise_distances`: here over that of this module.

    Parameters
    ----------
    X, Y, metric, n_jobs, **kwds
        As for `pairwise_distances`.
    reduce_func : callable, optional
        ``reduce_func(D_chunk, start)`` makes what is yielded of a chunk that begins with row ``start``.
    working_memory : float, optional
        MiB that a chunk may take. Default: scikit-learn's configuration.

    Yields
    ------
    ndarray, or what `reduce_func` returns
        Rows of the matrix of distances.

    Raises
    ------
    ValueError, TypeError
        As scikit-learn does.
    ImportError
        scikit-learn is not installed.

    Examples
    --------
    >>> from vecblade.sklearn import pairwise_distances_chunked
    >>> next(pairwise_distances_chunked([[0.0, 0.0], [3.0, 4.0]]))
    array([[0., 5.],
           [5., 0.]])
    """
    options = {"reduce_func": reduce_func, "n_jobs": n_jobs, "working_memory": working_memory}
    name = fast_metric(metric, kwds)
    usual = (n_jobs is None or type(n_jobs) is int) and (reduce_func is None or callable(reduce_func))
    pair = checked(X, Y) if name is not None and usual else None
    if pair is None or name is None or not (working_memory is None or is_amount(working_memory)):
        rest: Iterator[Any] = _dropin.pass_on(MODULE, "pairwise_distances_chunked")(
            X, Y, metric=metric, **options, **kwds
        )
        return rest
    return chunks(*pair, reduce_func, name, n_jobs, working_memory, metric in WIDE)


def is_amount(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and x >= 0


def chunks(
    a: np.ndarray,
    b: np.ndarray | None,
    reduce_func: Any,
    metric: str,
    n_jobs: Any,
    working_memory: Any,
    wide: bool,
) -> Iterator[Any]:
    """The loop of `pairwise_distances_chunked`: as many rows at a time as fit into the memory."""
    others = a if b is None else b
    rows_that_fit = _dropin.original(MODULE, "get_chunk_n_rows")
    check = _dropin.original(MODULE, "_check_chunk_size")
    step = rows_that_fit(row_bytes=8 * len(others), max_n_rows=len(a), working_memory=working_memory)
    for start in range(0, len(a), step):
        some = a[start : start + step]
        whole = b is None and len(some) == len(a)
        chunk = distances(metric, some, None if whole else others, n_jobs, wide)
        if reduce_func is not None:
            chunk = reduce_func(chunk, start)
            check(chunk, len(some))
        yield chunk


# ---- the closest row -----------------------------------------------------------------------


def closest(
    metric: str, queries: np.ndarray, rows: np.ndarray, k: int, n_jobs: Any = None
) -> _search.TopK | None:
    """The k closest of checked rows, with distances in the type of scikit-learn's; None: passed on."""
    try:
        q, x = _search.check_pair(_dropin.as_bytes(queries), _dropin.as_bytes(rows), metric, None)
    except TypeError:  # integers past 2**53
        return None
    dtype = _arrays.FLOAT32 if metric == "cosine" and is_float32(queries, rows) else _arrays.FLOAT64
    eligible = _search.eligible_rows(None, len(rows))
    found, _ = _search.find_topk(q, x, k, metric, eligible, threads_for(n_jobs), None, dtype)
    return with_zero_rows(found, queries, rows) if metric == "cosine" else found


def zero_rows(x: np.ndarray) -> np.ndarray:
    """Numbers of the rows without a direction; scikit-learn gives them the cosine distance 1 to all rows."""
    return np.flatnonzero(~x.any(axis=1))


def with_zero_rows(found: _search.TopK, queries: np.ndarray, rows: np.ndarray) -> _search.TopK:
    """Where a search has NaN, which ranks last: these rows at distance 1, by distance and number."""
    late = np.flatnonzero(~(found.values[:, -1] < 1)) if found.values.shape[1] else np.empty(0, np.intp)
    if not len(late):
        return found
    indices, values, k = found.indices, found.values, found.values.shape[1]
    zeros = zero_rows(rows)[:k]
    if len(zeros):
        near, at = values[late], indices[late]
        at[np.isnan(near)] = len(rows)  # a row of zeros, which comes once more below
        near[np.isnan(near)] = np.inf
        near = np.concatenate([near, np.ones((len(late), len(zeros)), near.dtype)], axis=1)
        at = np.concatenate([at, np.tile(zeros, (len(late), 1))], axis=1)
        order = np.lexsort((at, near))[:, :k]
        values[late] = np.take_along_axis(near, order, axis=1)
        indices[late] = np.take_along_axis(at, order, axis=1)
    same = is_same(queries, rows)  # with itself scikit-learn has even such a row at distance 0
    for row in late[zero_rows(queries[late])]:
        others = np.arange(k)
        indices[row] = np.concatenate([[row], others[others != row]])[:k] if same else others
        values[row] = 1
        values[row, 0] = 0 if same else 1
    return found


def is_same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether they are one array, as scikit-learn sees it."""
    return a is b or (a.shape == b.shape and a.__array_interface__["data"] == b.__array_interface__["data"])


def argmin_min(X: Any, Y: Any, axis: Any, metric: Any, metric_kwargs: Any) -> _search.TopK | None:
    name = (
        fast_metric(metric, metric_kwargs) if metric_kwargs is None or type(metric_kwargs) is dict else None
    )
    if name is None or type(axis) is not int or axis not in (0, 1) or Y is None:
        return None
    pair = checked(X, Y)
    if pair is None:
        return None
    a, b = pair[0], pair[0] if pair[1] is None else pair[1]
    return closest(name, *((b, a) if axis == 0 else (a, b)), 1)


def pairwise_distances_argmin_min(
    X: Any, Y: Any, *, axis: int = 1, metric: Any = "euclidean", metric_kwargs: Any = None
) -> Any:
    """
    The closest row of `Y` for each of `X`: `sklearn.metrics.pairwise.pairwise_distances_argmin_min`.

    Parameters
    ----------
    X, Y, metric
        As for `pairwise_distances`.
    axis : {0, 1}
        0: the closest row of `X` for each of `Y`.
    metric_kwargs : dict, optional
        Keywords of the metric.

    Returns
    -------
    argmin : ndarray, shape (n,)
        Row numbers; of equally close rows the first.
    distances : ndarray, shape (n,)
        float64, but float32 cosine distances of float32 rows.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `pairwise_distances`.

    Examples
    --------
    >>> from vecblade.sklearn import pairwise_distances_argmin_min
    >>> pairwise_distances_argmin_min([[0.0, 0.0], [3.0, 4.0]], [[0.0, 1.0], [3.0, 3.0]])
    (array([0, 1]), array([1., 1.]))
    """
    found = argmin_min(X, Y, axis, metric, metric_kwargs)
    if found is None:
        return _dropin.pass_on(MODULE, "pairwise_distances_argmin_min")(
            X, Y, axis=axis, metric=metric, metric_kwargs=metric_kwargs
        )
    return found.indices[:, 0].astype(np.intp, copy=False), found.values[:, 0]


def pairwise_distances_argmin(
    X: Any, Y: Any, *, axis: int = 1, metric: Any = "euclidean", metric_kwargs: Any = None
) -> Any:
    """
    The closest row of `Y` for each of `X`: `sklearn.metrics.pairwise.pairwise_distances_argmin`.

    Parameters
    ----------
    X, Y, axis, metric, metric_kwargs
        As for `pairwise_distances_argmin_min`.

    Returns
    -------
    ndarray, shape (n,)
        Row numbers; of equally close rows the first.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `pairwise_distances`.

    Examples
    --------
    >>> from vecblade.sklearn import pairwise_distances_argmin
    >>> pairwise_distances_argmin([[0.0, 0.0], [3.0, 4.0]], [[0.0, 1.0], [3.0, 3.0]])
    array([0, 1])
    """
    found = argmin_min(X, Y, axis, metric, metric_kwargs)
    if found is None:
        return _dropin.pass_on(MODULE, "pairwise_distances_argmin")(
            X, Y, axis=axis, metric=metric, metric_kwargs=metric_kwargs
        )
    return found.indices[:, 0].astype(np.intp, copy=False)
