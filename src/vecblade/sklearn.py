"""
``sklearn.metrics.pairwise`` and `NearestNeighbors`, faster: ``from vecblade.sklearn import ...``.

`cosine_similarity`, `cosine_distances`, `euclidean_distances`, `pairwise_distances`,
`pairwise_distances_chunked`, `pairwise_distances_argmin`, `pairwise_distances_argmin_min` and
`NearestNeighbors` have scikit-learn's signatures, shapes, result types and errors. Calls that are not
accelerated (sparse input, other metrics), and all other names of ``sklearn.metrics.pairwise``,
``sklearn.metrics`` and ``sklearn.neighbors``, are scikit-learn's own, if it is installed. What is which, and
every known difference: ``docs/dropin.md``.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import _measure
from ._dropin import common, directions
from ._dropin.checks import checked, config
from ._dropin.sklearn_rules import METRICS as METRICS
from ._dropin.sklearn_rules import WIDE, closest, fast_metric, is_float32, threads_for, value_type
from ._metrics import BY_NAME, Metric
from ._rows import arrays

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


def __getattr__(name: str) -> Any:
    """`NearestNeighbors` on demand, and scikit-learn's own object for all other names."""
    if name == "NearestNeighbors":
        from ._dropin.neighbors import NearestNeighbors

        return NearestNeighbors
    reason = ""
    if not name.startswith("__"):
        for module in MODULES:
            try:
                return common.original(module, name)
            except (ImportError, AttributeError) as error:
                reason = f": {error}"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{reason}")


def __dir__() -> list[str]:
    theirs = (getattr(common.loaded(module), "__all__", ()) for module in MODULES)
    return sorted({*globals(), *(name for names in theirs for name in names)})


# ---- what is fast --------------------------------------------------------------------------


def distances(
    metric: Metric, a: np.ndarray, b: np.ndarray | None, n_jobs: Any = None, wide: bool = False
) -> np.ndarray:
    """All pairs of checked rows, `wide` in float64. A zero row has cosine distance 1 from all but itself."""
    threads, narrow = threads_for(n_jobs), is_float32(a, b) and not wide
    result = np.empty((len(a), len(a if b is None else b)), np.float32 if narrow else np.float64)
    if narrow:
        if b is None or not common.one_to_many(metric, a, b, result, threads):
            _measure.pairwise_into(metric, a, b, arrays.FLOAT32, result, threads)
    else:
        common.float64_pairs(metric, a, b, result, threads)
    if metric.is_angle:
        complete(metric, result, a, a if b is None else b)
    return result


def complete(metric: Metric, result: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Put what scikit-learn has for rows of zeros in the place of NaN."""
    if not directions.complete(result, a, b, 0 if metric.is_similarity else 1):
        return
    if config("assume_finite"):  # and they are not
        result[np.isnan(a).any(axis=1)] = result[:, np.isnan(b).any(axis=1)] = np.nan
    if a is b and not metric.is_similarity:
        np.fill_diagonal(result, 0)


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
        return common.pass_on(MODULE, "cosine_similarity")(X, Y, dense_output)
    return distances(BY_NAME["cosine_similarity"], *pair)


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
        return common.pass_on(MODULE, "cosine_distances")(X, Y)
    return distances(BY_NAME["cosine"], *pair)


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
        Squared norms of the rows, which are not needed here; calls with them are left to scikit-learn.

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
        return common.pass_on(MODULE, "euclidean_distances")(
            X, Y, Y_norm_squared=Y_norm_squared, squared=squared, X_norm_squared=X_norm_squared
        )
    return distances(BY_NAME["sqeuclidean" if squared else "euclidean"], *pair)


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
        if "force_all_finite" not in kwds:  # its name before scikit-learn 1.6, known until 1.7
            kwds["ensure_all_finite"] = ensure_all_finite
        return common.pass_on(MODULE, "pairwise_distances")(X, Y, metric, n_jobs=n_jobs, **kwds)
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
        rest: Iterator[Any] = common.pass_on(MODULE, "pairwise_distances_chunked")(
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
    metric: Metric,
    n_jobs: Any,
    working_memory: Any,
    wide: bool,
) -> Iterator[Any]:
    """The loop of `pairwise_distances_chunked`: as many rows at a time as fit into the memory."""
    others = a if b is None else b
    rows_that_fit = common.original(MODULE, "get_chunk_n_rows")
    check = common.original(MODULE, "_check_chunk_size")
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


def argmin_min(
    X: Any, Y: Any, axis: Any, metric: Any, metric_kwargs: Any
) -> tuple[np.ndarray, np.ndarray] | None:
    # Of other keywords scikit-learn heeds, ignores or refuses some by how the rows lie in memory.
    squared = metric_kwargs == {"squared": True} and metric_kwargs["squared"] is True
    name = None
    if metric_kwargs is None or (type(metric_kwargs) is dict and (not metric_kwargs or squared)):
        name = fast_metric(metric, metric_kwargs) if metric == "euclidean" or not squared else None
    if name is None or type(axis) is not int or axis not in (0, 1) or Y is None:
        return None
    pair = checked(X, Y)
    if pair is None:
        return None
    a, b = pair[0], pair[0] if pair[1] is None else pair[1]
    queries, rows = (b, a) if axis == 0 else (a, b)
    return closest(name, queries, rows, 1, None, value_type(metric, queries, rows))


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
        float64; of float32 rows float32 cosine distances, and others if the rows are not contiguous.

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
        return common.pass_on(MODULE, "pairwise_distances_argmin_min")(
            X, Y, axis=axis, metric=metric, metric_kwargs=metric_kwargs
        )
    return found[0][:, 0], found[1][:, 0]


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
        return common.pass_on(MODULE, "pairwise_distances_argmin")(
            X, Y, axis=axis, metric=metric, metric_kwargs=metric_kwargs
        )
    return found[0][:, 0]
