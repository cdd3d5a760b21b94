"""Columns of numbers as rows of one type, which holds them all."""

from __future__ import annotations

from typing import Any

import numpy as np

EXACT_INTEGER = 2**53
# Integers that float64 holds or not, by their values.
WIDE_INTEGERS = frozenset("lLqQ")


def fits_float64(array: np.ndarray) -> bool:
    return array.size == 0 or bool(array.max() <= EXACT_INTEGER and array.min() >= -EXACT_INTEGER)


def joined(columns: list[np.ndarray], names: list[Any], name: str) -> np.ndarray:
    """Columns of numbers as rows of a type that holds them all."""
    made = np.empty((len(columns[0]), len(columns)), np.result_type(*columns))
    for i, column in enumerate(columns):
        if column.dtype.char in WIDE_INTEGERS and made.dtype.kind == "f" and not fits_float64(column):
            raise TypeError(
                f"{name} has a column {names[i]!r} of {column.dtype} past 2**53, which {made.dtype}, "
                f"the type of all columns, cannot hold"
            )
        made[:, i] = column
    return made
