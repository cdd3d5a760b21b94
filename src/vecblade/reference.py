"""
The package in naive Python: what every value is, with nothing in the way.

The names and rules of the package, on rows that are sequences of numbers; one loop each, no NumPy, no
shortcuts. Tests hold the C core against it bit by bit. Rows of floats are rows of any real type, for
each holds its numbers exactly; rows of ints are those of int8, uint8, or bits, one after the other. Two
kinds of values:

- `dot`, `sqeuclidean`, ... are the canonical values: float64, in the order that the kernels sum in; of
  ints exact.
- `exact_dot`, `exact_sqeuclidean` are the true values of finite rows, as fractions, and `exact_cosine` is
  the true cosine distance to 50 digits.
"""

import math
import struct
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

LANES = 32
SIMILARITIES = frozenset({"dot", "cosine_similarity"})


# ---- exact ---------------------------------------------------------------------------------


def exact_dot(a: Sequence[float], b: Sequence[float]) -> Fraction:
    """The sum of products without any rounding."""
    return sum((Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)), Fraction(0))


def exact_sqeuclidean(a: Sequence[float], b: Sequence[float]) -> Fraction:
    """The sum of squared differences without any rounding."""
    return sum(((Fraction(x) - Fraction(y)) ** 2 for x, y in zip(a, b, strict=True)), Fraction(0))


def exact_cosine(a: Sequence[float], b: Sequence[float]) -> Decimal:
    """
    The cosine distance of two rows that have a direction, to 50 digits however small it is.

    With n^2 = aa bb it is 1 - ab / n; where ab > 0 the same as (aa bb - ab^2) / (n (n + ab)), in which
    nothing cancels.
    """
    ab, aa, bb = exact_dot(a, b), exact_dot(a, a), exact_dot(b, b)
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, -9999, 9999
        length = (decimal_of(aa) * decimal_of(bb)).sqrt()
        if ab <= 0:
            return 1 - decimal_of(ab) / length
        return decimal_of(aa * bb - ab * ab) / (length * (length + decimal_of(ab)))


def decimal_of(x: Fraction) -> Decimal:
    return Decimal(x.numerator) / Decimal(x.denominator)


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


def times(row: Sequence[float], scale: float) -> list[float]:
    return [x * scale for x in row]


def scale_of(row: Sequence[float]) -> float:
    """The power of two that brings the largest element of a row into [1/2, 1); at most 2^1000."""
    return math.ldexp(1.0, min(1000, -max(math.frexp(max(map(abs, row)))[1], -1021)))


def scaled(row: Sequence[float]) -> Sequence[float]:
    """A row whose square does not lie in 2^-480 .. 2^480, scaled by a power of two; any other as it is."""
    return row if 2.0**-480 <= dot(row, row) <= 2.0**480 else times(row, scale_of(row))


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
    found = canonical_sum(a, b)
    if math.isfinite(found):
        return found
    scaled = canonical_sum(times(a, 2.0**-600), times(b, 2.0**-600))  # it may have overflowed on the way
    return found if scaled != scaled else scaled * 2.0**600 * 2.0**600


def sqeuclidean(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.sqeuclidean` of two rows."""
    d = differences(a, b)
    return sum(x * x for x in d) if whole(d) else canonical_sum(d, d)


def euclidean(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.euclidean` of two rows."""
    d = differences(a, b)
    square = sqeuclidean(a, b)
    if square != square or 2.0**-960 <= square < math.inf:
        return math.sqrt(square)
    scale = 2.0**600 if square < 1 else 2.0**-600
    d = times(d, scale)
    return math.sqrt(canonical_sum(d, d)) / scale


def near_edge(d: int) -> float:
    """From this cosine of rows of d elements on their distance is told by residuals."""
    return 1.0 - min((d + 224.0) * 2.0**-18, 0.25)


def residual(y: Sequence[float], z: Sequence[float], t: float, u: float) -> list[float]:
    """``y - t z - u z``."""
    return [fma(-u, q, fma(-t, q, p)) for p, q in zip(y, z, strict=True)]


def residual_distance(y: Sequence[float], z: Sequence[float], cosine: float) -> float:
    """1 - cosine, near 0, from what remains of y after projection on z."""
    zz = dot(z, z)
    t = dot(y, z) / zz
    r = residual(y, z, t, 0.0)
    first, along = canonical_sum(r, r), canonical_sum(r, z)
    square = first - along * along / zz
    if not square >= first / 2:
        r = residual(y, z, t, along / zz)
        square = canonical_sum(r, r)
        rounding = (len(y) / 32 + 16) * 2.0**-52
        if not square > rounding * rounding * first:
            square = 0.0
    distance = square / (dot(y, y) * (1.0 + cosine))
    return 0.0 if distance < 2.0**-190 else distance


def unit_scale(square: float) -> float:
    """The power of two that brings a row with this square to a norm in [1, 2)."""
    return 2.0 ** -((math.frexp(square)[1] - 1) // 2)


def near_distance(a: Sequence[float], b: Sequence[float], cosine: float) -> float:
    """Of the longer one, once both are scaled by powers of two, or of the first in order: symmetric."""
    aa, bb = dot(a, a), dot(b, b)
    if whole(a, b):
        ab = dot(a, b)
        length = math.sqrt(float(aa) * float(bb))
        return float(aa * bb - ab * ab) / (length * (length + ab))
    unit_a, unit_b = times(a, unit_scale(aa)), times(b, unit_scale(bb))
    swapped = (dot(unit_b, unit_b), unit_a) > (dot(unit_a, unit_a), unit_b)
    return residual_distance(b, a, cosine) if swapped else residual_distance(a, b, cosine)


def angle(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, bool]:
    """The cosine similarity, the cosine distance, and whether it was near 0: then it has more digits."""
    if not (has_direction(a) and has_direction(b)):
        return math.nan, math.nan, False
    a, b, edge = scaled(a), scaled(b), near_edge(len(a))
    s = float(dot(a, b)) / math.sqrt(float(dot(a, a)) * float(dot(b, b)))
    if s < edge:
        return max(-1.0, s), 1.0 - max(-1.0, s), False
    distance = near_distance(a, b, min(s, 1.0))
    return max(1.0 - distance, edge), distance, True


def cosine_similarity(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.cosine_similarity` of two rows."""
    return angle(a, b)[0]


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """As `vecblade.cosine` of two rows."""
    return angle(a, b)[1]


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
    row = scaled(row)
    length = math.sqrt(canonical_sum(row, row))
    return [x / length for x in row]


# ---- many rows -----------------------------------------------------------------------------


def pairwise(
    A: Sequence[Sequence[float]], B: Sequence[Sequence[float]] | None = None, metric: str = "euclidean"
) -> list[list[float]]:
    """As `vecblade.pairwise`."""
    return [[METRICS[metric](a, b) for b in (A if B is None else B)] for a in A]


def rank(metric: str, a: Sequence[float], b: Sequence[float], row: int) -> tuple[bool, bool, float, int]:
    """Sorts the closest first: NaN last, then by value, then by row. Cosines near 1 go by their distance."""
    value = METRICS[metric](a, b)
    if metric == "cosine_similarity" and angle(a, b)[2]:
        return False, False, angle(a, b)[1], row
    return value != value, True, -value if metric in SIMILARITIES else value, row


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
        rows = sorted(values, key=lambda i: rank(metric, q, corpus[i], i))
        found.append([(i, values[i]) for i in rows[:k]])
    return found


def to_single(x: float) -> float:
    """A number rounded to float32; infinite past its range."""
    try:
        single: float = struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)
    return single


def within(
    queries: Sequence[Sequence[float]],
    corpus: Sequence[Sequence[float]],
    threshold: float,
    metric: str = "euclidean",
    where: Collection[int] | None = None,
    single: bool = False,
) -> list[list[tuple[int, float]]]:
    """
    As `vecblade.within`: for each query its (row, value) pairs, by row.

    With ``single`` results are float32: values and threshold are rounded to that before they are compared.
    """
    found = []
    rounded = to_single if single else float
    limit = rounded(threshold)
    for q in queries:
        values = {i: METRICS[metric](q, x) for i, x in enumerate(corpus) if where is None or i in where}
        held = {i: rounded(v) for i, v in values.items()}
        close = [i for i, v in held.items() if (v >= limit if metric in SIMILARITIES else v <= limit)]
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
