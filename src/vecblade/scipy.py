"""
``scipy.spatial.distance``, faster: ``from vecblade import scipy as distance``.

`cdist`, `pdist`, `cosine`, `euclidean`, `sqeuclidean`, `hamming` and `jaccard` have SciPy's signatures,
shapes, result types and errors. Calls that are not accelerated (other metrics, weights, odd input), and
all other names of ``scipy.spatial.distance``, are SciPy's own, if it is installed. What is which, and
every known difference: ``docs/dropin.md``.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _core
from ._dropin import common
from ._metrics import BY_NAME, Metric
from ._rows import arrays

MODULE = "scipy.spatial.distance"

__all__ = ["cdist", "cosine", "euclidean", "hamming", "jaccard", "pdist", "sqeuclidean", "squareform"]

# SciPy's names for the metrics that are fast here.
ALIASES = {
    alias: metric
    for metric, aliases in {
        "cosine": ("cosine", "cos"),
        "euclidean": ("euclidean", "euclid", "eu", "e"),
        "sqeuclidean": ("sqeuclidean", "sqe", "sqeuclid"),
        "hamming": ("matching", "hamming", "hamm", "ha", "h"),
        "jaccard": ("jaccard", "jacc", "ja", "j"),
    }.items()
    for alias in aliases
}


def __dir__() -> list[str]:
    return sorted({*globals(), *getattr(common.loaded(MODULE), "__all__", ())})


def __getattr__(name: str) -> Any:
    """SciPy's own object, for all other names."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return common.original(MODULE, name)
    except (ImportError, AttributeError) as error:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: {error}") from error


# ---- all pairs -----------------------------------------------------------------------------


def cdist(XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **kwargs: Any) -> np.ndarray:
    """
    Distance between each pair of rows of two collections: `scipy.spatial.distance.cdist`.

    Parameters
    ----------
    XA : array_like, shape (mA, n)
        Rows of numbers.
    XB : array_like, shape (mB, n)
        Rows of numbers.
    metric : str or callable
        Any of SciPy's. Fast are ``"euclidean"``, ``"sqeuclidean"`` and ``"cosine"`` of real numbers,
        ``"jaccard"``, and ``"hamming"`` of zeros and ones; by any of their names, in any case.
    out : ndarray, shape (mA, mB), optional
        Where to put the distances: float64, C-contiguous.
    **kwargs
        SciPy's, for the metrics that have any; calls with weights `w` are left to SciPy.

    Returns
    -------
    ndarray, shape (mA, mB)
        float64 distances; NaN for the cosine distance of a row of zeros.

    Raises
    ------
    ValueError, TypeError
        As SciPy does.
    ImportError
        The call is left to SciPy, which is not installed.

    Examples
    --------
    >>> from vecblade.scipy import cdist
    >>> cdist([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0]])
    array([[0.],
           [5.]])
    """
    name = fast_metric(metric)
    if name is not None and (not kwargs or no_weights(kwargs)):
        a, b = common.plain_rows(XA), common.plain_rows(XB)
        if a is not None and b is not None and a.shape[1] == b.shape[1]:
            found = distances(name, a, b, (len(a), len(b)), out)
            if found is not None:
                return found
    function: Callable[..., np.ndarray] = common.pass_on(MODULE, "cdist")
    return function(XA, XB, metric, out=out, **kwargs)


def pdist(X: Any, metric: Any = "euclidean", *, out: Any = None, **kwargs: Any) -> np.ndarray:
    """
    Distance between each two rows of one collection: `scipy.spatial.distance.pdist`.

    Parameters
    ----------
    X : array_like, shape (m, n)
        Rows of numbers.
    metric, out, **kwargs
        As for `cdist`; `out` has the shape of the result.

    Returns
    -------
    ndarray, shape (m * (m - 1) / 2,)
        float64 distances in condensed form; see `squareform`.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `cdist`.

    Examples
    --------
    >>> from vecblade.scipy import pdist
    >>> pdist([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], "sqeuclidean")
    array([25.,  1., 18.])
    """
    name = fast_metric(metric)
    if name is not None and (not kwargs or no_weights(kwargs)):
        a = None if stays_with_its_library(X) else common.plain_rows(X)
        if a is not None:
            found = distances(name, a, None, (len(a) * (len(a) - 1) // 2,), out)
            if found is not None:
                return found
    function: Callable[..., np.ndarray] = common.pass_on(MODULE, "pdist")
    return function(X, metric, out=out, **kwargs)


def squareform(X: Any, force: str = "no", checks: bool = True) -> np.ndarray:
    """
    Condensed distances as a matrix, or a matrix condensed: SciPy's own `scipy.spatial.distance.squareform`.

    Parameters
    ----------
    X : array_like
        Condensed distances, shape (m * (m - 1) / 2,), or a matrix, shape (m, m).
    force : {"no", "tovector", "tomatrix"}
        What to make, whatever `X` looks like.
    checks : bool
        Whether a matrix has to be symmetric with a diagonal of zeros.

    Returns
    -------
    ndarray
        The other form.

    Raises
    ------
    ValueError
        As SciPy does.
    ImportError
        SciPy is not installed.

    Examples
    --------
    >>> from vecblade.scipy import pdist, squareform
    >>> squareform(pdist([[0.0], [3.0], [4.0]]))
    array([[0., 3., 4.],
           [3., 0., 1.],
           [4., 1., 0.]])
    """
    function: Callable[..., np.ndarray] = common.pass_on(MODULE, "squareform")
    return function(X, force, checks)


def no_weights(keywords: dict[str, Any]) -> bool:
    return keywords.keys() == {"w"} and keywords["w"] is None


def fast_metric(metric: Any) -> Metric | None:
    """The metric if it is one that is fast here: by any of SciPy's names, or by its function."""
    if isinstance(metric, str):
        return BY_NAME.get(ALIASES.get(metric.lower(), ""))
    metric = getattr(metric, "__wrapped__", metric)  # of patch(log=True)
    for name, ours in FUNCTIONS.items():
        if metric is ours or metric is common.known_original(MODULE, name):
            return BY_NAME[name]
    return None


def stays_with_its_library(X: Any) -> bool:
    """Whether SciPy, set to support other arrays, would answer with one of them."""
    return not isinstance(X, (np.ndarray, list, tuple)) and os.environ.get("SCIPY_ARRAY_API", "0") != "0"


def distances(
    metric: Metric, a: np.ndarray, b: np.ndarray | None, shape: tuple[int, ...], out: Any
) -> np.ndarray | None:
    """All pairs of plain rows; None where SciPy is to answer, or to say what is wrong with `out`."""
    sides = [a] if b is None else [a, b]
    if metric.takes_bits:  # NumPy compares no bfloat16
        sides = [arrays.converted(x, arrays.FLOAT32) if x.dtype == _core.BFLOAT16 else x for x in sides]
    if metric.name == "hamming" and not all(map(common.zeros_and_ones, sides)):
        return None
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError("Output array must be writeable.")  # SciPy would write to it for some metrics
    if out is None:
        result = np.empty(shape)
    elif (
        type(out) is np.ndarray
        and out.shape == shape
        and out.dtype == np.float64
        and out.dtype.isnative
        and out.flags.c_contiguous
    ):
        shared = any(arrays.overlap(out, side) for side in sides)
        result = np.empty(shape) if shared else out
    else:
        return None
    packed = list(map(common.as_bits, sides)) if metric.takes_bits else sides
    common.float64_pairs(metric, packed[0], packed[1] if b is not None else None, result)
    if metric.name == "hamming":
        result /= a.shape[1]
    if out is not None and result is not out:
        out[...] = result
    return result if out is None else out


# ---- two vectors ---------------------------------------------------------------------------


def vectors(u: Any, v: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Two vectors of one size and type; None if the call is to be forwarded."""
    if type(u) is not np.ndarray or type(v) is not np.ndarray:
        u, v = common.plain(u), common.plain(v)
        if u is None or v is None:
            return None
    if u.dtype is not v.dtype and u.dtype != v.dtype:
        return None
    return (u, v) if u.ndim == 1 and u.shape == v.shape and u.shape[0] else None


# The type of SciPy's result, where it is not float64.
SMALL: dict[str, type[np.floating[Any]]] = {"f": np.float32, "e": np.float16}
# Past it a difference may be infinite in one of the types: of float16; of float32 and float64.
LARGEST_HALF, LARGEST_SINGLE = 65504.0, float(np.finfo(np.float32).max)
SMALLEST = 2.0**-14  # normal number of float16: smaller ones may be flushed to zero


def measured(function: Callable[..., Any], u: Any, v: Any) -> Any:
    """A metric of two vectors, in the type that SciPy returns; None if the call is to be forwarded."""
    if _core.two_rows(u, v) == "d":
        return np.float64(function(u, v))
    pair = vectors(u, v)
    if pair is None:
        return None
    u, v = pair
    if u.dtype.char in SMALL:
        return rounded(function(u, v), SMALL[u.dtype.char])
    try:
        found = function(common.as_bytes(u), common.as_bytes(v))
    except TypeError:  # integers past 2**53
        return None
    # Of bfloat16 a float64 divided by one is float32 there; sqeuclidean reads what is no float as float64.
    return np.float32(found) if u.dtype.kind == "V" and function is _core.cosine else np.float64(found)


def rounded(value: float, kind: type[np.floating[Any]]) -> Any:
    """A value in a smaller type, where it may be infinite."""
    if SMALLEST <= value <= LARGEST_HALF:
        return kind(value)
    with np.errstate(over="ignore", under="ignore"), _core.StandardMode():
        return kind(value)


def refuses(u: np.ndarray, v: np.ndarray) -> bool:
    """Whether SciPy raises for a euclidean distance: where a difference is not finite in its type."""
    with np.errstate(all="ignore"):
        return not np.isfinite(u - v).all()


def euclidean(u: Any, v: Any, w: Any = None) -> Any:
    """
    Euclidean distance of two vectors: `scipy.spatial.distance.euclidean`.

    Parameters
    ----------
    u, v : array_like, shape (n,)
        The vectors.
    w : array_like, shape (n,), optional
        Weights, zero or more; calls with weights are left to SciPy.

    Returns
    -------
    float
        The distance; of float16 vectors a float16.

    Raises
    ------
    ValueError, TypeError
        As SciPy does.
    ImportError
        The call is left to SciPy, which is not installed.

    Examples
    --------
    >>> from vecblade.scipy import euclidean
    >>> euclidean([0.0, 0.0], [3.0, 4.0])
    5.0
    """
    if w is None:
        pair = (u, v) if _core.two_rows(u, v) in ("d", "f") else vectors(u, v)
        if pair is not None and pair[0].dtype.char in "df":
            found = _core.euclidean(*pair)
            if found <= LARGEST_SINGLE or not refuses(*pair):
                return found
        elif pair is not None and pair[0].dtype.kind in "fiu":
            found = measured(_core.euclidean, *pair)
            if found is not None and (found <= LARGEST_HALF or not refuses(*pair)):
                return found
    return common.pass_on(MODULE, "euclidean")(u, v, w)


def sqeuclidean(u: Any, v: Any, w: Any = None) -> Any:
    """
    Squared Euclidean distance of two vectors: `scipy.spatial.distance.sqeuclidean`.

    Parameters
    ----------
    u, v, w
        As for `euclidean`.

    Returns
    -------
    float
        float64, or of float32 and float16 vectors their type.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `euclidean`.

    Examples
    --------
    >>> from vecblade.scipy import sqeuclidean
    >>> float(sqeuclidean([0.0, 0.0], [3.0, 4.0]))
    25.0
    """
    if w is None:
        found = measured(_core.sqeuclidean, u, v)
        if found is not None:
            return found
    return common.pass_on(MODULE, "sqeuclidean")(u, v, w)


def cosine(u: Any, v: Any, w: Any = None) -> Any:
    """
    Cosine distance of two vectors, 1 - their cosine similarity: `scipy.spatial.distance.cosine`.

    Parameters
    ----------
    u, v, w
        As for `euclidean`.

    Returns
    -------
    float
        float64, or of float32 and float16 vectors their type, of bfloat16 float32. NaN if one is all zeros.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `euclidean`.

    Examples
    --------
    >>> from vecblade.scipy import cosine
    >>> float(cosine([1.0, 0.0], [0.0, 1.0]))
    1.0
    """
    if w is None:
        found = measured(_core.cosine, u, v)
        if found is not None:
            return found
    return common.pass_on(MODULE, "cosine")(u, v, w)


def hamming(u: Any, v: Any, w: Any = None) -> Any:
    """
    The part of two vectors in which they differ: `scipy.spatial.distance.hamming`.

    Parameters
    ----------
    u, v : array_like, shape (n,)
        The vectors. Fast are bools; others are left to SciPy.
    w : array_like, shape (n,), optional
        Weights, zero or more; calls with weights are left to SciPy.

    Returns
    -------
    float64
        From 0 to 1.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `euclidean`.

    Examples
    --------
    >>> from vecblade.scipy import hamming
    >>> float(hamming([True, False, True, True], [True, True, True, True]))
    0.25
    """
    pair = vectors(u, v) if w is None else None
    if pair is not None and pair[0].dtype.kind == "b":
        differing = _core.sqeuclidean(common.as_bytes(pair[0]), common.as_bytes(pair[1]))
        return np.float64(differing / len(pair[0]))
    return common.pass_on(MODULE, "hamming")(u, v, w)


def jaccard(u: Any, v: Any, w: Any = None) -> Any:
    """
    1 - the common part of two sets, given as vectors that are nonzero at their members.

    This is `scipy.spatial.distance.jaccard`.

    Parameters
    ----------
    u, v : array_like, shape (n,)
        The vectors. Fast are bools; others are left to SciPy.
    w : array_like, shape (n,), optional
        Weights, zero or more; calls with weights are left to SciPy.

    Returns
    -------
    float64
        From 0 to 1; 0 for two empty sets.

    Raises
    ------
    ValueError, TypeError, ImportError
        As for `euclidean`.

    Examples
    --------
    >>> from vecblade.scipy import jaccard
    >>> float(jaccard([True, False, True, True], [True, True, True, False]))
    0.5
    """
    pair = vectors(u, v) if w is None else None
    if pair is not None and pair[0].dtype.kind == "b":
        return np.float64(_core.jaccard(np.packbits(pair[0]), np.packbits(pair[1])))
    return common.pass_on(MODULE, "jaccard")(u, v, w)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cosine": cosine,
    "euclidean": euclidean,
    "sqeuclidean": sqeuclidean,
    "hamming": hamming,
    "jaccard": jaccard,
}
