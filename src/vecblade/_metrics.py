"""The metrics by the names that users give them, which `resolve` takes; inside, a metric is a `Metric`."""

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from . import _core

MetricName = Literal["dot", "cosine_similarity", "cosine", "euclidean", "sqeuclidean", "hamming", "jaccard"]


@dataclass(frozen=True, slots=True)
class Metric:
    """
    A metric as the core has it.

    Attributes
    ----------
    name : str
        What users call it.
    number : int
        What the core calls it.
    is_similarity : bool
        Whether larger is closer.
    takes_bits : bool
        Whether it measures packed bits, and nothing else.
    is_angle : bool
        Whether it is the same for rows of any norm.
    """

    name: str
    number: int
    is_similarity: bool
    takes_bits: bool
    is_angle: bool

    def value_dtype(self, a: np.dtype[Any], b: np.dtype[Any], d: int) -> np.dtype[Any]:
        """The type of the values of rows of d elements of these types."""
        return _core.value_dtype(self.number, a, b, d)


BY_NAME = {
    name: Metric(
        name,
        number,
        is_similarity=name in _core.SIMILARITIES,
        takes_bits=name in _core.BIT_METRICS,
        is_angle=name in ("cosine", "cosine_similarity"),
    )
    for name, number in _core.METRICS.items()
}
METRICS = cast("tuple[MetricName, ...]", tuple(BY_NAME))


def resolve(metric: Any) -> Metric:
    """The metric that a user names; a ValueError that says what may have been meant."""
    if isinstance(metric, str) and metric in BY_NAME:
        return BY_NAME[metric]
    known = ", ".join(map(repr, METRICS))
    raise ValueError(f"unknown metric {metric!r}{advice(metric)} Known: {known}")


# What other libraries call them, in small letters and without anything between words.
OTHER_NAMES = {
    "dot": ("ip", "inner", "innerproduct", "dotproduct", "mips", "maxinnerproduct"),
    "cosine_similarity": ("cossim", "cosinesim"),
    "cosine": ("cos", "cosinedistance", "cosinedistances", "angular"),
    "euclidean": ("l2", "euclid", "euclideandistance", "euclideandistances"),
    "sqeuclidean": ("l2sq", "l2sqr", "sql2", "squaredl2", "l2squared", "sqeuclid", "squaredeuclidean"),
    "hamming": ("hammingdistance", "matching"),
    "jaccard": ("jaccarddistance", "tanimoto"),
}
L1 = ("l1", "manhattan", "cityblock", "taxicab")


def advice(metric: Any) -> str:
    """What may have been meant, as the rest of a sentence."""
    name = metric if isinstance(metric, str) else str(getattr(metric, "__name__", ""))
    letters = "".join(filter(str.isalnum, name.lower())).removeprefix("metric")
    if letters in L1:
        return "; there is no L1 distance."
    names = {other: own for own, others in OTHER_NAMES.items() for other in others}
    names |= {own.replace("_", ""): own for own in METRICS}
    import difflib  # on demand: it takes long to import

    near = difflib.get_close_matches(letters, names, 1, 0.8)
    return f"; did you mean {names[near[0]]!r}?" if near else "."
