"""Which rows of a corpus a search may find: `where=` as a mask, or as row ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._rows import advice, missing
from .._rows.exports import first_of


@dataclass(frozen=True)
class Eligible:
    """Which corpus rows may be found: by mask, by ascending distinct ids, or all (both None)."""

    mask: np.ndarray | None
    ids: np.ndarray | None
    count: int

    @property
    def where(self) -> np.ndarray | None:
        """The eligible rows as an argument `where`."""
        return self.ids if self.mask is None else self.mask

    def part(self, start: int, stop: int) -> Eligible:
        """The same for a slice of the corpus."""
        if self.mask is not None:
            mask = self.mask[start:stop]
            return Eligible(mask, None, int(np.count_nonzero(mask)))
        if self.ids is not None:
            first, last = np.searchsorted(self.ids, [start, stop])
            return Eligible(None, np.ascontiguousarray(self.ids[first:last] - start), int(last - first))
        return Eligible(None, None, stop - start)


def eligible_rows(where: Any, rows: int) -> Eligible:
    if where is None:
        return Eligible(None, None, rows)
    array, called = plain(where), advice.callable_name(where, "where")
    if array.dtype == np.bool_:
        if array.shape != (rows,):
            hint = f"; pass {called}.ravel()" if array.size == rows and array.ndim else ""
            raise ValueError(
                f"where is a mask of shape {array.shape}; expected ({rows},), one entry per corpus row{hint}"
            )
        mask = array.copy()  # as it is counted here, it stays
        return Eligible(mask, None, int(np.count_nonzero(mask)))
    if array.size == 0 and array.ndim == 1:
        return Eligible(None, np.empty(0, np.int64), 0)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError(
            f"where has dtype {array.dtype} and shape {array.shape}; expected a boolean mask of shape "
            f"({rows},) or a 1-D array of integer row ids{hint_for(where, array, rows)}"
        )
    ids = array.copy()
    low, high = ids.min(), ids.max()
    if low < 0 or high >= rows:
        has = f"rows 0 to {rows - 1}" if rows else "no rows"
        raise ValueError(f"where has row ids from {low} to {high}; the corpus has {has}")
    ids = ascending(ids.astype(np.int64, copy=False))
    if len(array) == rows and high <= 1 and len(ids) < rows:
        raise ValueError(
            f"where holds zeros and ones, {rows} as the corpus has rows: if that is a mask, pass "
            f"{called}.astype(bool); if these are row ids, pass np.unique(where)"
        )
    return Eligible(None, ids, len(ids))


def ascending(ids: np.ndarray) -> np.ndarray:
    """Each id once, in order. (333,000 in order take 0.2 ms, and np.unique, which hashes, 130.)"""
    if (ids[1:] > ids[:-1]).all():
        return ids
    ids.sort()
    return ids[np.flatnonzero(np.diff(ids, prepend=-1))]


def plain(where: Any) -> np.ndarray:
    """As an array without missing values; of booleans, if Python objects are such, or of integers."""
    if type(where) is not np.ndarray:
        refuse(where)
    try:
        array = np.asarray(where)
    except (RuntimeError, TypeError, ValueError):
        raise TypeError("where is neither a boolean mask nor a 1-D array of integer row ids") from None
    if array.dtype == object and array.ndim:
        if (at := missing.first_item(array)) is None and array.ndim == 1:
            at = next((i for i, item in enumerate(array) if isinstance(item, float) and item != item), None)
        if at is not None:
            raise refusal(where, at)
        kinds = set(map(type, array)) if array.ndim == 1 else set()
        for dtype, wanted in ((np.bool_, {bool, np.bool_}), (np.int64, {int})):
            if kinds and kinds <= wanted:
                try:
                    return array.astype(dtype)
                except OverflowError:
                    break
    elif array.dtype.kind in "fmM" and (at := first_of(array != array)) is not None:
        raise refusal(where, at)
    return array


def refuse(where: Any) -> None:
    """Raise a TypeError for objects that are not arrays of any kind, and for values marked as missing."""
    listed = type(where) in (list, tuple)
    at = advice.first_inside(where) if listed else missing.first_anywhere(where)
    if at is not None:
        raise refusal(where, at)
    if listed or isinstance(where, np.ndarray):
        return
    if isinstance(where, str) and not advice.FILE_NAME.fullmatch(where):
        return
    if (what := other_kind(where)) is not None:
        raise TypeError(f"where ({type(where).__name__}) is neither a boolean mask nor row ids{what}")


def other_kind(where: Any) -> str | None:
    """What to pass instead of what is not an array, where that differs from the advice for rows."""
    if advice.has(where, "collect", "collect_schema"):
        return ", but a query that has not run; pass where.collect().to_series()"
    if advice.has(where, "toarray", "nnz"):
        return ", but a sparse matrix; pass where.toarray().ravel()"
    if type(where).__module__ == "vecblade":
        return ", but what a search returned; pass np.unique(where.indices)"
    return advice.theirs(where, "where")


def refusal(where: Any, at: int) -> TypeError:
    """The error for missing values: in a mask they may be taken for False, and ids may be left out."""
    values = where if isinstance(where, (list, tuple)) else np.asarray(where).reshape(-1)
    cast = missing.is_pandas(where)
    if any(isinstance(value, (bool, np.bool_)) for value in values):
        fill = missing.method(where, missing.FILL)
        call = (
            f"pass where.{fill}(False){'.astype(bool)' if cast else ''}"
            if fill
            else "put False in their place"
        )
    else:
        drop = missing.method(where, (*missing.DROP, "compressed"))
        call = f"pass where.{drop}(){'.astype(int)' if cast else ''}" if drop else "leave them out"
    return missing.refusal("where", at, call)


def hint_for(where: Any, array: np.ndarray, rows: int) -> str:
    called = advice.callable_name(where, "where")
    if array.ndim == 0 and array.dtype.kind in "iu":
        return "; pass [where]"
    if isinstance(where, tuple) and len(where) == 1:  # as np.nonzero returns it
        return "; pass where[0]"
    if array.dtype.kind in "iu" and array.ndim > 1:
        return "; pass np.unique(where), whose rows go for all queries"
    if array.dtype.kind == "f" and array.ndim == 1 and (array == np.rint(array)).all():
        if len(array) == rows and ((array == 0) | (array == 1)).all():
            return f"; pass {called}.astype(bool) if that is a mask"
        return f"; pass {called}.astype(np.int64)"
    return ""
