"""How exact the answers are: errors of each contender, against arithmetic without rounding."""

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial

from .peers import distance, faiss, np, numkong, pairs, simsimd, vb

PAIRS, D = 24, 768


def data():
    """Pairs of float32 rows: random, and near duplicates far from the origin."""
    random = np.random.default_rng(11)
    a, b = random.standard_normal((2, PAIRS, D), np.float32)
    far = 10 + random.standard_normal((PAIRS, D), np.float32)
    near = far + np.float32(1e-3) * random.standard_normal((PAIRS, D), np.float32)
    return {"random rows": (a, b), "near duplicates": (far, near)}


def forms(metric):
    """Functions of two collections that give a distance a pair, in the order of the rows."""
    theirs = {"dot": "inner"}.get(metric, metric)
    kind = {"dot": "METRIC_INNER_PRODUCT", "sqeuclidean": "METRIC_L2"}.get(metric)
    rows = {
        "vecblade": each(getattr(vb, metric)),
        "vecblade, all pairs": lambda a, b: vb.pairwise(a, b, metric).diagonal(),
        "numpy": {
            "dot": lambda a, b: (a * b).sum(axis=1),
            "sqeuclidean": lambda a, b: np.square(a - b).sum(axis=1),
            "cosine": lambda a, b: (
                1 - (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
            ),
        }[metric],
    }
    if simsimd:
        rows["simsimd"] = each(getattr(simsimd, theirs))
    if numkong:
        rows["numkong"] = each(getattr(numkong, theirs.replace("cosine", "angular")))
    if distance and metric != "dot":
        rows["scipy"] = each(getattr(distance, metric))
        rows["scipy, all pairs"] = lambda a, b: distance.cdist(a, b, metric).diagonal()
    if faiss and kind:
        rows["faiss, all pairs"] = lambda a, b: faiss.pairwise_distances(
            a, b, metric=getattr(faiss, kind)
        ).diagonal()
    if pairs and metric != "dot":
        function = (
            pairs.cosine_distances if metric == "cosine" else partial(pairs.euclidean_distances, squared=True)
        )
        rows["sklearn, all pairs"] = lambda a, b: function(a, b).diagonal()
    return rows


def each(function):
    return lambda a, b: [function(x, y) for x, y in zip(a, b, strict=True)]


def exact(metric, x, y):
    """(The value, what an error is relative to): the value itself, of dot products the product of lengths."""
    x, y = ([Fraction(float(v)) for v in row] for row in (x, y))
    with localcontext() as context:
        context.prec = 60
        dot, a, b = (
            decimal(sum(p * q for p, q in zip(*two, strict=True))) for two in ((x, y), (x, x), (y, y))
        )
        if metric == "dot":
            return dot, (a * b).sqrt()
        if metric == "sqeuclidean":
            value = decimal(sum((p - q) ** 2 for p, q in zip(x, y, strict=True)))
            return value, value
        value = 1 - dot / (a * b).sqrt()
        return value, value


def decimal(fraction):
    return Decimal(fraction.numerator) / Decimal(fraction.denominator)


def errors():
    """Median and largest relative error of every form, by data and metric."""
    found = []
    for what, (a, b) in data().items():
        for metric in ("dot", "sqeuclidean", "cosine"):
            truth = [exact(metric, x, y) for x, y in zip(a, b, strict=True)]
            for name, function in forms(metric).items():
                apart = [
                    float(abs(Decimal(float(value)) - true) / scale)
                    for value, (true, scale) in zip(function(a, b), truth, strict=True)
                ]
                found.append(
                    {
                        "data": what,
                        "metric": metric,
                        "name": name,
                        "median": float(np.median(apart)),
                        "largest": max(apart),
                    }
                )
    return found
