"""What `vecblade.numpy`, `vecblade.scipy` and `vecblade.sklearn` share.

A function there is fast or passes the call on: what is not plainly work for the core (see `plain`), and every
wrong argument, is forwarded to the function of the same name in the original library, which answers or
raises as it always does.
"""

from __future__ import annotations

import importlib
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core, _measure, _threads
from .._core import BFLOAT16, BITS
from .._rows import arrays

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._metrics import Metric

PACKAGES = {"numpy": "numpy", "scipy": "scipy", "sklearn": "scikit-learn"}

# By module and name ("cdist", "NearestNeighbors.kneighbors"). `patch` fills it before it puts ours in place,
# so that it never holds one of ours.
_originals: dict[tuple[str, str], Any] = {}

# Whether this thread's last call was passed on: for the log of `patch`.
calls = threading.local()


def original(module: str, name: str) -> Any:
    """The original library's own object of this name, also while ours is patched in."""
    try:
        return _originals[module, name]
    except KeyError:
        pass
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        package = PACKAGES[module.partition(".")[0]]
        raise ImportError(
            f"this call of {name} is left to {module}, which cannot be imported ({error}); "
            f"pip install {package}, or see vecblade's docs/dropin.md for what is computed without it"
        ) from error
    for part in name.split("."):
        found = getattr(found, part)
    return _originals.setdefault((module, name), found)


def loaded(module: str) -> Any:
    """A module of another library; None if it cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def known_original(module: str, name: str) -> Any:
    """`original`, if its library is loaded already; else None."""
    return original(module, name) if module in sys.modules else None


def pass_on(module: str, name: str) -> Callable[..., Any]:
    """The original function, for a call that is forwarded."""
    calls.passed_on = True
    function: Callable[..., Any] = original(module, name)
    return function


# ---- inputs --------------------------------------------------------------------------------

REAL_KINDS = frozenset("fiub")


def plain(x: Any) -> np.ndarray | None:
    """
    Real numbers or bools as an array over the same memory; None if the call is to be passed on.

    Subclasses of ndarray (masked arrays, matrices) have rules of their own.
    """
    if type(x) is not np.ndarray:
        if isinstance(x, np.ndarray):
            if not isinstance(x, np.memmap):
                return None
            x = np.asarray(x)
        else:
            try:
                x = arrays.foreign(x, "x")
            except (TypeError, ValueError):
                return None
    if x.dtype.kind in REAL_KINDS and x.dtype.char != "g":
        return x  # type: ignore[no-any-return]
    if arrays.is_bfloat16(x.dtype):
        _core.know_bfloat16(x.dtype)
        return x.view(BFLOAT16)  # type: ignore[no-any-return]
    return None


def reads_best_here(x: Any) -> bool:
    """Whether it may be a tensor or an Arrow column of vectors, which others read slowly if at all."""
    return not isinstance(x, np.ndarray) and (arrays.is_arrow(x) or hasattr(x, "__dlpack__"))


def plain_rows(x: Any) -> np.ndarray | None:
    """`plain` rows, at least one with at least one element; None if the call is to be forwarded."""
    array = plain(x)
    return array if array is not None and array.ndim == 2 and array.size else None


def as_bytes(x: np.ndarray) -> np.ndarray:
    """Bools viewed as zeros and ones of uint8."""
    return x.view(np.uint8) if x.dtype.kind == "b" else x


def as_bits(x: np.ndarray) -> np.ndarray:
    """Rows as packed bits, set for each element that is not zero."""
    return np.packbits(x if x.dtype.kind == "b" else x != 0, axis=-1).view(BITS)


def one_to_many(metric: Metric, a: np.ndarray, b: np.ndarray, out: np.ndarray, threads: int | None) -> bool:
    """Measure one row with many into `out`, if the core can read them; returns whether it did."""
    if 1 not in (len(a), len(b)) or not (_core.native(a) and _core.native(b)) or a.dtype != b.dtype:
        return False
    job = _core.measure(metric.number, a, b, out.reshape(-1))
    _threads.run(job, _threads.resolve(threads))
    return True


def zeros_and_ones(x: np.ndarray) -> bool:
    return x.dtype.kind == "b" or bool(((x == 0) | (x == 1)).all())


# ---- all pairs, in float64 -----------------------------------------------------------------


def float64_pairs(
    metric: Metric, a: np.ndarray, b: np.ndarray | None, out: np.ndarray, threads: int | None = None
) -> None:
    """
    All pairs of plain rows into float64: exactly from int8, uint8, bools and bits, else from float64.

    `a` alone: each pair once, condensed if `out` is 1-D. float32 rows are read as float64, for a float32 sum
    has fewer digits than a float64 result promises.
    """
    a = as_bytes(a)
    b = None if b is None else as_bytes(b)
    if b is not None and a.dtype.kind == "f" and one_to_many(metric, a, b, out, threads):
        return
    same = b is None or a.dtype == b.dtype
    working = a.dtype if same and (a.dtype in arrays.BYTE_INTEGERS or a.dtype == BITS) else arrays.FLOAT64
    counted = metric.value_dtype(working, working, a.shape[1])
    into = out if counted == out.dtype else np.empty(out.shape, counted)
    _measure.pairwise_into(metric, a, b, working, into, _threads.resolve(threads))
    if into is not out:
        out[...] = into
