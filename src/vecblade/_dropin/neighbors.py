"""``vecblade.sklearn.NearestNeighbors``, and the two methods of scikit-learn's that `patch` replaces.

Everything but the searches is scikit-learn's: parameters, fitting, validation, graphs. A search is fast for
``algorithm="brute"`` (or ``"auto"`` where that chooses it) over dense rows with a metric of
`vecblade.sklearn.METRICS`; any other is passed on.
"""

import numbers
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors as Original
from sklearn.utils.validation import validate_data

from .._metrics import Metric
from .._search import engine
from .._search.where import eligible_rows
from . import common, directions
from .sklearn_rules import closest, fast_metric, threads_for, value_type

MODULE = "sklearn.neighbors"


def readable(X: Any) -> Any:
    """Tensors and Arrow columns of vectors as arrays; anything else as it is."""
    array = common.plain(X) if common.reads_best_here(X) else None
    return X if array is None else array


def prepared(model: Any, X: Any) -> tuple[Metric, np.ndarray, np.ndarray] | None:
    """The metric, the queries (validated by scikit-learn) and the fitted rows; None if forwarded."""
    if getattr(model, "_fit_method", None) != "brute":  # also: not fitted
        return None
    # With parameters scikit-learn's answers depend on the types of the rows: some it heeds, some it ignores.
    metric = None if model.effective_metric_params_ else fast_metric(model.effective_metric_, None)
    rows = common.plain_rows(model._fit_X)
    if metric is None or rows is None:
        return None
    if X is None:
        return metric, rows, rows
    checked = validate_data(model, readable(X), accept_sparse="csr", reset=False, order="C")
    queries = common.plain_rows(checked)
    return None if queries is None else (metric, queries, rows)


def kneighbors(self: Any, X: Any = None, n_neighbors: Any = None, return_distance: Any = True) -> Any:
    """
    The closest fitted rows of each query: `sklearn.neighbors.NearestNeighbors.kneighbors`.

    Parameters
    ----------
    X : array_like or sparse matrix, shape (n, d), optional
        Queries. None: the fitted rows, none of which is its own neighbor.
    n_neighbors : int, optional
        How many rows to find. Default: what the estimator was made with.
    return_distance : bool
        Whether to return the distances.

    Returns
    -------
    neigh_dist : ndarray, shape (n, n_neighbors)
        Distances, ascending. Left out if not `return_distance`.
    neigh_ind : ndarray, shape (n, n_neighbors)
        Row numbers; equally close rows by number.

    Raises
    ------
    ValueError, TypeError, sklearn.exceptions.NotFittedError
        As scikit-learn does.

    Examples
    --------
    >>> from vecblade.sklearn import NearestNeighbors
    >>> model = NearestNeighbors(n_neighbors=1, algorithm="brute").fit([[0.0, 0.0], [3.0, 4.0]])
    >>> model.kneighbors([[3.0, 3.0]])
    (array([[1.]]), array([[1]]))
    """
    found = found_neighbors(self, X, n_neighbors)
    if found is None:
        return common.pass_on(MODULE, "NearestNeighbors.kneighbors")(self, X, n_neighbors, return_distance)
    return found if return_distance else found[1]


def found_neighbors(model: Any, X: Any, n_neighbors: Any) -> tuple[np.ndarray, np.ndarray] | None:
    wanted = getattr(model, "n_neighbors", None) if n_neighbors is None else n_neighbors
    if not isinstance(wanted, numbers.Integral) or wanted <= 0:
        return None
    count = int(wanted) + (X is None)
    if count > getattr(model, "n_samples_fit_", 0):
        return None
    ready = prepared(model, X)
    if ready is None:
        return None
    metric, queries, rows = ready
    dtype = value_type(model.effective_metric_, queries, rows)
    found = closest(metric, queries, rows, count, model.n_jobs, dtype)
    if found is None:
        return None
    indices, values = found
    if X is not None:
        return values, indices
    # Among more equal rows than were asked for, the row itself may not be; then the first of them goes.
    others = indices != np.arange(len(indices))[:, None]
    others[others.all(axis=1), 0] = False
    shape = (len(indices), count - 1)
    return values[others].reshape(shape), indices[others].reshape(shape)


def radius_neighbors(
    self: Any, X: Any = None, radius: Any = None, return_distance: Any = True, sort_results: Any = False
) -> Any:
    """
    All fitted rows within a radius of each query: `sklearn.neighbors.NearestNeighbors.radius_neighbors`.

    Parameters
    ----------
    X : array_like or sparse matrix, shape (n, d), optional
        Queries. None: the fitted rows, none of which is its own neighbor.
    radius : float, optional
        The largest distance. Default: what the estimator was made with.
    return_distance : bool
        Whether to return the distances.
    sort_results : bool
        Whether to sort by distance; else by row number.

    Returns
    -------
    neigh_dist : ndarray of ndarrays, shape (n,)
        Distances. Left out if not `return_distance`.
    neigh_ind : ndarray of ndarrays, shape (n,)
        Row numbers.

    Raises
    ------
    ValueError, TypeError, sklearn.exceptions.NotFittedError
        As scikit-learn does.

    Examples
    --------
    >>> from vecblade.sklearn import NearestNeighbors
    >>> model = NearestNeighbors(radius=5.0, algorithm="brute").fit([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    >>> model.radius_neighbors([[0.0, 0.0]], return_distance=False)[0]
    array([0, 1])
    """
    found = None
    if return_distance or not sort_results:
        found = found_within(self, X, radius, sort_results)
    if found is None:
        return common.pass_on(MODULE, "NearestNeighbors.radius_neighbors")(
            self, X, radius, return_distance, sort_results
        )
    return found if return_distance else found[1]


def found_within(model: Any, X: Any, radius: Any, sort: Any) -> tuple[np.ndarray, np.ndarray] | None:
    radius = getattr(model, "radius", None) if radius is None else radius
    if not isinstance(radius, numbers.Real) or isinstance(radius, bool) or not 0 <= float(radius) < np.inf:
        return None
    ready = prepared(model, X)
    if ready is None:
        return None
    metric, queries, rows = ready
    dtype = value_type(model.effective_metric_, queries, rows)
    request = engine.Request(metric, eligible_rows(None, len(rows)), threads_for(model.n_jobs), dtype=dtype)

    def search(some: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        q, x = engine.check_pair(common.as_bytes(some), common.as_bytes(rows), metric)
        found, _ = engine.find_within(q, x, float(radius), request)
        for start, stop in zip(found.offsets[:-1], found.offsets[1:], strict=True):
            yield found.indices[start:stop], found.values[start:stop]

    results = search(queries)
    if metric.is_angle:
        results = directions.around(search, queries, rows, float(radius))
    values, indices = np.empty(len(queries), object), np.empty(len(queries), object)
    try:
        for i, (some, near) in enumerate(results):
            if X is None:
                others = some != i
                some, near = some[others], near[others]
            if sort:
                order = np.argsort(near, kind="stable")
                some, near = some[order], near[order]
            indices[i], values[i] = some.astype(np.intp, copy=False), near.astype(dtype, copy=False)
    except TypeError:  # integers past 2**53
        return None
    return values, indices


class NearestNeighbors(Original):  # type: ignore[misc]
    """
    The closest of many rows: `sklearn.neighbors.NearestNeighbors`, with exact searches at the core's speed.

    Parameters
    ----------
    n_neighbors : int
        How many rows `kneighbors` finds.
    radius : float
        What `radius_neighbors` finds.
    algorithm : {"auto", "brute", "ball_tree", "kd_tree"}
        ``"brute"`` is what is fast here. ``"auto"`` chooses it above 15 dimensions.
    leaf_size, p, metric_params
        scikit-learn's, for trees and other metrics.
    metric : str or callable
        Fast are ``"minkowski"`` with ``p=2``, ``"euclidean"``, ``"l2"``, ``"sqeuclidean"`` and ``"cosine"``.
    n_jobs : int, optional
        How many threads may work on a search. Default: see `vecblade.set_num_threads`.

    Raises
    ------
    ValueError, TypeError
        As scikit-learn does.

    Examples
    --------
    >>> from vecblade.sklearn import NearestNeighbors
    >>> model = NearestNeighbors(n_neighbors=2, algorithm="brute").fit([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> model.kneighbors([[0.0, 0.0]], return_distance=False)
    array([[0, 2]])
    >>> model.kneighbors_graph().toarray()[0]
    array([0., 1., 1.])
    """

    def fit(self, X: Any, y: Any = None) -> Any:
        """
        Fit to rows: as scikit-learn's, and of Arrow columns of vectors too.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (m, d)
            The rows to search. NumPy arrays are not copied.
        y : None
            Not used.

        Returns
        -------
        NearestNeighbors
            The estimator itself.
        """
        return super().fit(readable(X), y)

    kneighbors: Callable[..., Any] = kneighbors
    radius_neighbors: Callable[..., Any] = radius_neighbors


NearestNeighbors.__module__ = "vecblade.sklearn"
