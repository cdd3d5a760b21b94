"""What scikit-learn asks of the arrays of a call, before it is ours."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .. import _core
from .._rows import arrays
from . import common

MODULE = "sklearn.metrics.pairwise"


def config(option: str) -> Any:
    """An option of scikit-learn's configuration; None if it is not loaded."""
    sklearn = sys.modules.get("sklearn")
    return sklearn.get_config().get(option) if sklearn is not None else None


def is_finite(x: np.ndarray) -> bool:
    """Whether all numbers are finite, which scikit-learn checks: usually one pass over the memory."""
    if x.dtype.kind not in "fV" or config("assume_finite"):
        return True
    if not arrays.readable(x, x.dtype):
        return all(np.isfinite(some).all() for _, some in arrays.blocks(x, arrays.real_dtype(x)))
    squares = np.asarray(_core.dot(x, x))
    if np.isfinite(squares).all():
        return True
    # The first row whose square is not finite is likely to say why; large numbers have such squares too.
    doubtful = np.flatnonzero(~np.isfinite(squares))
    step = max(1, arrays.PIECE // (8 * x.shape[1]))
    pieces = [doubtful[:1], *(doubtful[i : i + step] for i in range(1, len(doubtful), step))]
    return all(np.isfinite(arrays.converted(x[some], arrays.real_dtype(x))).all() for some in pieces)


def checked(X: Any, Y: Any) -> tuple[np.ndarray, np.ndarray | None] | None:
    """
    Two collections of finite rows of one width, None for the second if it is the first.

    None where the call is to be passed on. What is not an ndarray goes through scikit-learn's own checks.
    """
    if type(X) is not np.ndarray or not (Y is None or type(Y) is np.ndarray):
        if config("array_api_dispatch"):
            return None
        if any(hasattr(x, "tocsr") for x in (X, Y)):
            return None
        if not any(common.reads_best_here(x) for x in (X, Y)):
            try:
                X, Y = common.original(MODULE, "check_pairwise_arrays")(X, X if Y is None else Y)
            except (TypeError, ValueError):
                return None
    a = common.plain_rows(X)
    b = a if Y is None or Y is X else common.plain_rows(Y)
    if a is None or b is None or a.shape[1] != b.shape[1]:
        return None
    if not is_finite(a) or (b is not a and not is_finite(b)):
        return None
    return a, None if b is a else b
