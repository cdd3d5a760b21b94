"""
scikit-learn's cosine distances of rows of zeros: 1 from every other row, 0 from themselves.

Such a row has no direction: its distances are NaN in the core, whose results are completed here. Rows are
looked at only where these say that some may be of zeros; queries always, for these need no search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import _core
from .._rows import arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Found = tuple[np.ndarray, np.ndarray]


def zero_rows(x: np.ndarray) -> np.ndarray:
    """The numbers of the rows of zeros, ascending."""
    if x.dtype.kind not in "fV":
        return np.flatnonzero(~x.any(axis=1))
    return zeros_among(x, np.flatnonzero(np.asarray(_core.dot(x, x)) == 0))  # or their squares underflow


def zeros_among(x: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Those of some rows, given by number, that are of zeros."""
    step = max(1, arrays.PIECE // (x.shape[1] * x.itemsize))
    found = [candidates[:0]]
    for start in range(0, len(candidates), step):
        some = candidates[start : start + step]
        rows = x[some]
        if rows.dtype == _core.BFLOAT16:
            rows = arrays.converted(rows, arrays.FLOAT32)
        found.append(some[~rows.any(axis=1)])
    return np.concatenate(found)


# ---- all pairs -----------------------------------------------------------------------------


def complete(result: np.ndarray, a: np.ndarray, b: np.ndarray, value: float) -> bool:
    """Put a value in place of NaN for all pairs with a row of zeros; whether there are any."""
    # One such row makes NaN of all of its row or column, and so of an element of the first column or row.
    first_column, first_row = np.isnan(result[:, 0]), np.isnan(result[0])
    if not (first_column.any() or first_row.any()):
        return False
    dead = undirected(a, first_column)
    result[dead] = value
    if len(dead) < len(result):
        result[:, dead if b is a else undirected(b, first_row)] = value
    return True


def undirected(x: np.ndarray, nan: np.ndarray) -> np.ndarray:
    """The rows of zeros, which all made a NaN; if every row did, that may be due to the other side."""
    return zero_rows(x) if nan.all() else zeros_among(x, np.flatnonzero(nan))


# ---- the closest rows ----------------------------------------------------------------------


def nearest(search: Callable[[np.ndarray], Found], queries: np.ndarray, rows: np.ndarray, k: int) -> Found:
    """
    The numbers of the k closest rows and their float64 distances, for each query.

    `search` is the core's: of queries that have a direction, with rows that have none last, as NaN.
    """
    dead = zero_rows(queries)
    if not len(dead):
        return with_zeros(*search(queries), rows, k)
    live = np.ones(len(queries), bool)
    live[dead] = False
    indices, values = np.empty((len(queries), k), np.int64), np.ones((len(queries), k))
    if queries is rows:  # each is the closest to itself, and then come the others in order
        others = np.arange(k - 1)
        indices[dead, 0], values[dead, 0] = dead, 0
        indices[dead, 1:] = others + (others >= dead[:, None])
    else:
        indices[dead] = np.arange(k)
    if len(dead) < len(queries):
        indices[live], values[live] = with_zeros(*search(queries[live]), rows, k)
    return indices, values


def with_zeros(indices: np.ndarray, values: np.ndarray, rows: np.ndarray, k: int) -> Found:
    """The results of some queries, with zero rows merged in at distance 1."""
    late = np.flatnonzero(~(values[:, -1] < 1))
    zeros = zero_rows(rows)[:k] if len(late) else late
    if len(zeros):
        indices[late], values[late] = merged(indices[late], values[late], zeros, len(rows), k)
    return indices, values


def merged(indices: np.ndarray, values: np.ndarray, zeros: np.ndarray, count: int, k: int) -> Found:
    """The first k of both, by distance and row."""
    shape = (len(indices), len(zeros))
    rows = np.concatenate([indices, np.broadcast_to(zeros, shape)], axis=1)
    distances = np.concatenate([values, np.ones(shape)], axis=1)
    # A stable sort takes linear time here: of two runs that are in order, and then of those at just 1.
    order = np.argsort(distances, axis=1, kind="stable")
    rows, distances = (np.take_along_axis(x, order, axis=1) for x in (rows, distances))
    ties = np.where(distances < 1, -1, np.where(distances == 1, rows, count))
    order = np.argsort(ties, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)


# ---- all rows within a radius --------------------------------------------------------------


def around(
    search: Callable[[np.ndarray], Iterator[Found]], queries: np.ndarray, rows: np.ndarray, radius: float
) -> Iterator[Found]:
    """The numbers of the rows within the radius, ascending, and their distances: query by query."""
    dead = zero_rows(queries)
    live = np.ones(len(queries), bool)
    live[dead] = False
    found = iter(search(queries[live] if len(dead) else queries)) if live.any() else iter(())
    zeros = zero_rows(rows) if radius >= 1 else dead[:0]
    for i, directed in enumerate(live):
        if directed:
            indices, values = next(found)
            if len(zeros):
                at = np.searchsorted(indices, zeros)
                indices, values = np.insert(indices, at, zeros), np.insert(values, at, 1)
        elif radius < 1:
            indices = np.array([i] if queries is rows else [], np.int64)
            values = np.zeros(len(indices))
        else:
            indices, values = np.arange(len(rows)), np.ones(len(rows))
            if queries is rows:
                values[i] = 0
        yield indices, values
