"""
Missing values: masked, null, None, pandas.NA and NaT. They are not numbers, and are refused alike everywhere.

NaN in an array of floats is a number, which ranks last. In pandas it is what a missing value is kept as.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from .exports import first_of, missing_entry

if TYPE_CHECKING:
    from collections.abc import Iterable

# Methods that put something in the place of what is missing, and that leave it out, by library.
FILL = ("fillna", "fill_null", "filled")
DROP = ("dropna", "drop_nulls", "drop_null")


def refusal(name: str, at: int, cure: str) -> TypeError:
    """The error for an argument whose first missing value is at this place of the first axis."""
    return TypeError(f"{name} has missing values, the first at {at}; {cure}")


def rows_refusal(x: Any, name: str, at: int) -> TypeError:
    """The same for rows, with what to call. Rows of a column of vectors can only be left out, not filled."""
    vectors = holds_vectors(x)
    fill = method(x, FILL) if not vectors and holds_numbers(x) else None
    rows = vectors or (getattr(x, "ndim", 2) == 2 and holds_numbers(x))
    drop = method(x, DROP) if rows else None
    calls = [f"{name}.{fill}(0)"] if fill else []
    calls += [f"{name}.{drop}()"] if drop else []
    if fill and is_pandas(x) and np.asarray(x).dtype.kind == "f":
        calls.append(f"{name}.to_numpy() for NaN that are numbers")
    return refusal(name, at, f"pass {', or '.join(calls)}" if calls else "fill them, or leave those rows out")


def method(x: Any, names: tuple[str, ...]) -> str | None:
    """The first of these methods that it has."""
    return next((name for name in names if hasattr(type(x), name)), None)


def holds_vectors(x: Any) -> bool:
    """Whether it is a column whose entries are lists or arrays of numbers."""
    if is_pandas(x):
        return x.ndim == 1 and (x.dtype == object or "list" in str(x.dtype))
    form = str(getattr(x, "type", getattr(x, "dtype", ""))).lower()
    lists = form.startswith(("list", "fixed_size_list", "large_list", "array("))
    return lists and any(word in form for word in ("float", "double", "int"))


def holds_numbers(x: Any) -> bool:
    """Whether a number can take the place of what is missing: not of a category, nor of all there is."""
    form = str(getattr(x, "type", getattr(x, "dtype", "")))
    return not form.startswith(("category", "dictionary", "null", "struct"))


def is_pandas(x: Any) -> bool:
    """Whether it is a frame, a column or an array of pandas, which is not imported for that."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not hasattr(type(x), "isna"):
        return False
    kinds = (pandas.DataFrame, pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)
    return isinstance(x, kinds) and not isinstance(x, pandas.MultiIndex)


def is_masked(x: Any) -> bool:
    masked = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(x, masked.MaskedArray)


def first_marked(x: Any) -> int | None:
    """Where on the first axis a masked array or tensor, or an object of pandas, has a missing value."""
    if is_masked(x):
        return first_of(np.ma.getmaskarray(x))
    if hasattr(type(x), "get_mask") and hasattr(type(x), "get_data"):  # torch's
        return first_of(~np.asarray(x.get_mask()))
    if is_pandas(x):
        return first_of(np.asarray(x.isna()))
    return None


def first_anywhere(x: Any) -> int | None:
    """The same, and of columns and tables of Arrow."""
    if (at := first_marked(x)) is not None or is_pandas(x):
        return at
    if not hasattr(x, "__arrow_c_stream__") and not hasattr(x, "__arrow_c_array__"):
        return None
    return missing_entry(x)


def is_missing(item: Any) -> bool:
    """Whether an object stands for nothing: None, pandas.NA, NaT, numpy.ma.masked, a null of pyarrow."""
    if item is None or type(item).__name__ in ("NAType", "NaTType", "MaskedConstant"):
        return True
    if isinstance(item, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(item))
    return getattr(item, "is_valid", True) is False


def first_item(items: Iterable[Any]) -> int | None:
    """Where the first of these is missing, or has something in it that is."""
    for at, item in enumerate(items):
        if is_missing(item):
            return at
        objects = isinstance(item, np.ndarray) and item.dtype == object and item.ndim > 0
        if (objects or isinstance(item, (list, tuple))) and first_item(item) is not None:
            return at
    return None
