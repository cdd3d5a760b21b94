"""
The package in naive Python: what every value is, with nothing in the way.

The names and rules of the package, on rows that are sequences of numbers; one loop each, no NumPy, no
shortcuts. Tests hold the C core against it bit by bit. Rows of floats are rows of any real type, for
each holds its numbers exactly; rows of ints are those of int8, uint8, or bits, one after the other. Two
kinds of values:

- `dot`, `sqeuclidean`, ... are the canonical values: float64, in the order that the kernels sum in; of
  ints exact.
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


def whole(*rows: Sequence[float]) -> bool:
    """Whether all numbers are ints, which are summed exactly."""
    return all(isinstance(x, int) for row in rows for x in row)


# ---- metrics -------------------------------------------------------------------------------


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.dot` of two rows."""
    if whole(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))
    return canonical_sum(a, b)


def sqeuclidean(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.sqeuclidean` of two rows."""
    d = differences(a, b)
    return dot(d, d)


def euclidean(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.euclidean` of two rows."""
    d = differences(a, b)
    square = dot(d, d)
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
    safe = [2.0**-480 <= dot(row, row) <= 2.0**480 for row in (a, b)]
    if not all(safe):
        a, b = scaled(a)[0], scaled(b)[0]
    s = float(dot(a, b)) / math.sqrt(float(dot(a, a)) * float(dot(b, b)))
    return max(-1.0, min(1.0, s))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.cosine` of two rows."""
    return 1.0 - cosine_similarity(a, b)


def hamming(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.hamming` of two rows of bits."""
    return sum(x != y for x, y in zip(a, b, strict=True))


def jaccard(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.jaccard` of two rows of bits."""
    either = sum(bool(x or y) for x, y in zip(a, b, strict=True))
    return hamming(a, b) / either if either else 0.0


METRICS: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "dot": dot,
    "cosine_similarity": cosine_similarity,
    "cosine": cosine,
    "euclidean": euclidean,
    "sqeuclidean": sqeuclidean,
    "hamming": hamming,
    "jaccard": jaccard,
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


# ---- smaller types --------------------------------------------------------------------------

# Bits of exponent of the floats of two bytes, whose highest bit is the sign and the rest the fraction.
EXPONENT_BITS = {"float16": 5, "bfloat16": 8}


def from_half(code: int, kind: str) -> float:
    """The number that a pattern of 16 bits is, as a float16 or a bfloat16."""
    fraction = 15 - EXPONENT_BITS[kind]
    bias = 2 ** (EXPONENT_BITS[kind] - 1) - 1
    exponent, part = divmod(code & 0x7FFF, 2**fraction)
    if exponent == 2 * bias + 1:
        value = math.nan if part else math.inf
    elif exponent:
        value = math.ldexp(2**fraction + part, exponent - bias - fraction)
    else:
        value = math.ldexp(part, 1 - bias - fraction)
    return -value if code & 0x8000 else value


def to_half(x: float, kind: str) -> int:
    """The pattern of the float16 or bfloat16 nearest to a number, ties to even. NaN becomes one of them."""
    fraction = 15 - EXPONENT_BITS[kind]
    bias = 2 ** (EXPONENT_BITS[kind] - 1) - 1
    infinity = int((2 * bias + 1) * 2**fraction)
    if x != x:
        return infinity + int(2 ** (fraction - 1))
    code = infinity
    if x == 0:
        code = 0
    elif math.isfinite(x):
        exponent = max(math.frexp(x)[1] - 1, 1 - bias)  # of the last place, with `fraction`
        steps = round(Fraction(abs(x)) / Fraction(2) ** (exponent - fraction))  # Python rounds ties to even
        code = min(steps + int((exponent + bias - 1) * 2**fraction), infinity)
    return code + (0x8000 if math.copysign(1.0, x) < 0 else 0)


def pack_bits(row: Sequence[float]) -> list[int]:
    """As `vecblade.pack_bits` of one row."""
    bits = [int(x > 0) for x in row]
    bits += [0] * (-len(bits) % 8)
    return [sum(bit << (7 - i) for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8)]


def unpack_bits(codes: Sequence[int]) -> list[int]:
    """As `vecblade.unpack_bits` of one row."""
    return [code >> (7 - i) & 1 for code in codes for i in range(8)]


def quantize(row: Sequence[float], scale: float) -> list[int]:
    """The codes of `vecblade.quantize` for one row and its scale."""
    return [max(-127, min(127, round(x / scale))) for x in row]
