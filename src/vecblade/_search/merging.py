"""Results of parts of a corpus put together (`merge`), and one result compared with another (`recall`)."""

import operator
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from .. import _core, _metrics
from .results import TopK, Within


@overload
def merge(parts: Sequence[TopK], first_rows: Any = ..., *, k: Any = ..., metric: Any = ...) -> TopK: ...
@overload
def merge(parts: Sequence[Within], first_rows: Any = ..., *, k: Any = ..., metric: Any = ...) -> Within: ...
def merge(parts: Any, first_rows: Any = None, *, k: Any = None, metric: Any = None) -> Any:
    """
    Put results of the same queries in several parts of a corpus together.

    The result is that of one search of all parts, to the last bit, if each part was searched for at least `k`
    rows, by `topk` or `FlatIndex.search`: their results carry the float64 keys by which they are ranked
    (``found.keys``). Rows that were sorted by other means have values alone, of which many that are float32
    may be equal; then the merged result has ``exact == False``, for even which rows are in it may be wrong.

    Parameters
    ----------
    parts : sequence of TopK, or of Within
        At least one.
    first_rows : sequence of int, optional
        The number of the first row of each part in the whole corpus. Default: the parts have the row
        numbers of the whole already.
    k : int, optional
        How many rows to keep for each query. Default: as many as the part with most has. Of threshold
        results all rows are kept.
    metric : str, optional
        Which values are closer, for parts without keys.

    Returns
    -------
    TopK or Within

    Raises
    ------
    ValueError
        Parts have different numbers of queries, or have a row in common.
    TypeError
        Parts are no results, or of both kinds.

    Examples
    --------
    >>> import numpy as np
    >>> import vecblade as vb
    >>> X = np.random.default_rng(0).standard_normal((1000, 16), dtype=np.float32)
    >>> parts = [vb.topk(X[:3], X[:600], k=5), vb.topk(X[:3], X[600:], k=5)]
    >>> found = vb.merge(parts, first_rows=[0, 600])
    >>> bool((found.indices == vb.topk(X[:3], X, k=5).indices).all())
    True
    """
    parts = list(parts)
    if not parts:
        raise ValueError("parts is empty; expected at least one result")
    kind = TopK if isinstance(parts[0], TopK) else Within
    for at, part in enumerate(parts):
        if not isinstance(part, kind):
            raise TypeError(
                f"parts[{at}] is a {type(part).__name__}; expected results of topk alone, or of within alone"
            )
    starts = [0] * len(parts) if first_rows is None else [operator.index(first) for first in first_rows]
    if len(starts) != len(parts):
        raise ValueError(f"first_rows has {len(starts)} numbers, and there are {len(parts)} parts")
    if kind is Within:
        return _merged_within(parts, starts)
    return _merged_topk(parts, starts, k, metric)


def _merged_topk(parts: list[TopK], starts: list[int], k: Any, metric: Any) -> TopK:
    shapes = {part.indices.shape[:-1] for part in parts}
    if len(shapes) > 1:
        raise ValueError(f"parts have results of different queries: {sorted(shapes)}")
    single = parts[0].indices.ndim == 1
    indices = _side_by_side([part.indices + first for part, first in zip(parts, starts, strict=True)])
    values = _side_by_side([part.values for part in parts])
    exact = all(part.keys is not None and part.exact for part in parts)
    if all(part.keys is not None for part in parts):
        keys = _side_by_side([part.keys for part in parts])
    elif metric is None:
        raise ValueError("parts without keys need metric=, to know which values are closer")
    else:
        keys = values.astype(np.float64) * (-1.0 if _metrics.resolve(metric).is_similarity else 1.0)
    most = max(part.indices.shape[-1] for part in parts) if k is None else operator.index(k)
    if most < 0 or (k is not None and most < 1):
        raise ValueError(f"k must be at least 1, not {k}")
    _check_apart(indices)
    with _core.StandardMode():
        order = np.lexsort((indices, keys))[:, :most]
    sorted_ = [np.take_along_axis(array, order, 1) for array in (indices, values, keys)]
    found = TopK(*(array[0] if single else array for array in sorted_[:2]))
    if all(part.keys is not None for part in parts):
        found.keys = sorted_[2][0] if single else sorted_[2]
    found.exact = exact
    return found


def _side_by_side(arrays: list[Any]) -> np.ndarray:
    return np.concatenate([np.atleast_2d(array) for array in arrays], axis=1)


def _check_apart(indices: np.ndarray) -> None:
    ordered = np.sort(indices, axis=1)
    again = np.argwhere(ordered[:, 1:] == ordered[:, :-1])
    if len(again):
        query, place = again[0]
        raise ValueError(
            f"row {ordered[query, place]} is in several parts, for query {query}; parts may not overlap: if "
            f"each numbers its own rows from 0, pass first_rows"
        )


def _merged_within(parts: list[Within], starts: list[int]) -> Within:
    sizes = {len(part.offsets) for part in parts}
    if len(sizes) > 1:
        raise ValueError(f"parts have results of different queries: {sorted(size - 1 for size in sizes)}")
    counts = [np.diff(part.offsets) for part in parts]
    owners = np.concatenate([np.repeat(np.arange(len(count)), count) for count in counts])
    rows = np.concatenate([part.indices + first for part, first in zip(parts, starts, strict=True)])
    order = np.lexsort((rows, owners))
    owners, rows = owners[order], rows[order]
    again = np.flatnonzero((rows[1:] == rows[:-1]) & (owners[1:] == owners[:-1]))
    if len(again):
        _check_apart(rows[None, again[0] : again[0] + 2])
    offsets = np.concatenate([[0], np.cumsum(np.sum(counts, axis=0))]).astype(np.int64)
    return Within(offsets, rows, np.concatenate([part.values for part in parts])[order])


def recall(found: Any, truth: Any, *, rtol: float = 0.0) -> float:
    """
    How many of the true neighbours were found: the share of them, from 0 to 1.

    A row that was found counts if it is among the true ones, or if its value is at least as close as that of
    the last true one: of rows at one distance, any will do. Rows that were found twice count once. Negative
    row numbers, which libraries write where they found nothing, do not count.

    Parameters
    ----------
    found : TopK, or tuple of ndarray, or array_like of int, shape (n, j) or (j,)
        What was found: row numbers with values, as `topk` returns them, or row numbers alone, of which ties
        cannot be seen. Values have to be of the metric of the true ones.
    truth : TopK, or tuple of ndarray, or array_like of int, shape (n, k) or (k,)
        The true neighbours, best first.
    rtol : float
        By how much of the value of the last true row a value may be beyond it, for values that were not
        rounded alike.

    Returns
    -------
    float
        NaN if there are no true neighbours.

    Raises
    ------
    ValueError
        They are not of the same number of queries.

    Examples
    --------
    >>> import vecblade as vb
    >>> vb.recall([[1, 2, 7]], [[1, 2, 3]])
    0.6666666666666666
    >>> vb.recall(([[1, 2, 7]], [[0.0, 0.5, 0.9]]), ([[1, 2, 3]], [[0.0, 0.5, 0.9]]))  # 7 is as close as 3
    1.0
    """
    rows, values = _rows_and_values(found, "found")
    true, limits = _rows_and_values(truth, "truth")
    if len(rows) != len(true):
        raise ValueError(f"found has results of {len(rows)} queries, and truth of {len(true)}")
    if not (rtol >= 0):
        raise ValueError(f"rtol must be at least 0, not {rtol}")
    k, hits = true.shape[1], 0
    if true.size == 0:
        return float("nan")
    close = np.zeros(rows.shape, bool)
    if values is not None and limits is not None and rows.size:
        first, last = limits[:, :1].astype(np.float64), limits[:, -1:].astype(np.float64)
        ascending = np.nansum(last - first) >= 0
        slack = rtol * np.abs(last)
        close = values <= last + slack if ascending else values >= last - slack
    for some, near, wanted in zip(rows, close, true, strict=True):
        distinct, places = np.unique(some, return_index=True)
        counts = (near[places] | np.isin(distinct, wanted)) & (distinct >= 0)
        hits += min(int(counts.sum()), k)
    return float(hits / (len(true) * k))


def _rows_and_values(x: Any, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    pair = isinstance(x, tuple) and len(x) == 2
    rows = np.atleast_2d(np.asarray(x[0] if pair else x))
    values = np.atleast_2d(np.asarray(x[1])) if pair else None
    if rows.ndim != 2 or (rows.dtype.kind not in "iu" and rows.size):
        raise TypeError(f"{name} has dtype {rows.dtype} and shape {rows.shape}; expected row numbers, (n, k)")
    if values is not None and values.shape != rows.shape:
        raise ValueError(f"{name} has row numbers of shape {rows.shape} and values of {values.shape}")
    return rows, values
