"""
The package in naive Python: what every value is, with nothing in the way.

The names and rules of the package, on rows that are sequences of numbers; one loop each, no
NumPy, no shortcuts. Tests hold the C core against it bit by bit. Two kinds of values:

- `dot`, `sqeuclidean`, ... are the canonical values: float64, in the order that the kernels sum in.
- `exact_dot`, `exact_sqeuclidean` are the true values of finite rows, as fractions.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

LANES = 32
SIMILARITIES = frozenset({"dot", "cosine_similarity"})


# ---- exact ---------------------------------------------------------------------------------


def exact_dot(a: Sequence[float], b: Sequence[float]) -> Fraction:
    """The sum of products without any rounding."""
    return sum((Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)), Fraction(0))


def exact_sqeuclidean(a: Sequence[float], b: Sequence[float]) -> Fraction:
    """The sum of squared differences without any rounding."""
    return sum(((Fraction(x) - Fraction(y)) ** 2 for x, y in zip(a, b, strict=True)), Fraction(0))


# ---- canonical sums ------------------------------------------------------------------------


def fma(a: float, b: float, c: float) -> float:
    """``a * b + c``, rounded once."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return a * b + c
    if not math.isfinite(c):
        return c  # a * b alone might overflow
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def settled(value: float) -> float:
    """Zero is positive, and there is one NaN."""
    return math.nan if value != value else value + 0.0


def canonical_sum(a: Sequence[float], b: Sequence[float]) -> float:
    """The sum of ``a[i] * b[i]``: element i to lane i mod 32, the lanes folded in halves."""
    lanes = [0.0] * LANES
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        lanes[i % LANES] = fma(x, y, lanes[i % LANES])
    half = LANES // 2
    while half:
        lanes = [lanes[i] + lanes[i + half] for i in range(half)]
        half //= 2
    return settled(lanes[0])


def differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def scaled(row: Sequence[float]) -> tuple[list[float], int]:
    """A finite row that is not zero over a power of two, its largest element in [0.5, 1)."""
    exponent = math.frexp(max(abs(x) for x in row))[1]
    return [math.ldexp(x, -exponent) for x in row], exponent


def has_direction(row: Sequence[float]) -> bool:
    return any(row) and all(map(math.isfinite, row))


# ---- metrics -------------------------------------------------------------------------------


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.dot` of two rows."""
    return canonical_sum(a, b)


def sqeuclidean(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.sqeuclidean` of two rows."""
    d = differences(a, b)
    return canonical_sum(d, d)


def euclidean(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.euclidean` of two rows."""
    d = differences(a, b)
    square = canonical_sum(d, d)
    if 2.0**-960 <= square < math.inf:
        return math.sqrt(square)
    if any(x != x for x in d):
        return math.nan
    most = max(map(abs, d), default=0.0)
    if most in (0.0, math.inf):
        return most
    d, exponent = scaled(d)
    try:
        return math.ldexp(math.sqrt(canonical_sum(d, d)), exponent)
    except OverflowError:
        return math.inf


def cosine_similarity(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.cosine_similarity` of two rows."""
    if not (has_direction(a) and has_direction(b)):
        return math.nan
    safe = [2.0**-480 <= canonical_sum(row, row) <= 2.0**480 for row in (a, b)]
    if not all(safe):
        a, b = scaled(a)[0], scaled(b)[0]
    s = canonical_sum(a, b) / math.sqrt(canonical_sum(a, a) * canonical_sum(b, b))
    return max(-1.0, min(1.0, s))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.cosine` of two rows."""
    return 1.0 - cosine_similarity(a, b)


METRICS: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "dot": dot,
    "cosine_similarity": cosine_similarity,
    "cosine": cosine,
    "euclidean": euclidean,
    "sqeuclidean": sqeuclidean,
}


def normalize(row: Sequence[float]) -> list[float]:
    """As `vecblade.normalize` of one row."""
    if not has_direction(row):
        return [math.nan] * len(row)
    if not 2.0**-480 <= canonical_sum(row, row) <= 2.0**480:
        row = scaled(row)[0]
    length = math.sqrt(canonical_sum(row, row))
    return [x / length for x in row]


# ---- many rows -----------------------------------------------------------------------------


def pairwise(
    A: Sequence[Sequence[float]], B: Sequence[Sequence[float]] | None = None, metric: str = "euclidean"
) -> list[list[float]]:
    """As `vecblade.pairwise`."""
    return [[METRICS[metric](a, b) for b in (A if B is None else B)] for a in A]


def rank(metric: str, value: float, row: int) -> tuple[bool, float, int]:
    """Sorts the closest first: NaN last, then by value, then by row."""
    return value != value, -value if metric in SIMILARITIES else value, row


def topk(
    queries: Sequence[Sequence[float]],
    corpus: Sequence[Sequence[float]],
    k: int,
    metric: str = "euclidean",
    where: Collection[int] | None = None,
) -> list[list[tuple[int, float]]]:
    """As `vecblade.topk`: for each query its (row, value) pairs. `where`: ids of rows."""
    found = []
    for q in queries:
        values = {i: METRICS[metric](q, x) for i, x in enumerate(corpus) if where is None or i in where}
        rows = sorted(values, key=lambda i: rank(metric, values[i], i))
        found.append([(i, values[i]) for i in rows[:k]])
    return found


def within(
    queries: Sequence[Sequence[float]],
    corpus: Sequence[Sequence[float]],
    threshold: float,
    metric: str = "euclidean",
    where: Collection[int] | None = None,
) -> list[list[tuple[int, float]]]:
    """As `vecblade.within`: for each query its (row, value) pairs, by row."""
    found = []
    for q in queries:
        values = {i: METRICS[metric](q, x) for i, x in enumerate(corpus) if where is None or i in where}
        close = [
            i for i, v in values.items() if (v >= threshold if metric in SIMILARITIES else v <= threshold)
        ]
        found.append([(i, values[i]) for i in close])
    return found
