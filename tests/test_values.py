"""Values against exact rationals, where the usual formulas lose digits: near 0, near overflow, at thresholds."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from conftest import TYPES, same_bits

import vecblade as vb
from vecblade import reference as ref

FLOOR = Decimal("1e-28")  # nearer than this, distances are right to this


def relative_error(found, a, b):
    """Of a cosine distance, from exact rationals."""
    exact = ref.exact_cosine(np.asarray(a, np.float64).tolist(), np.asarray(b, np.float64).tolist())
    return float(abs(Decimal(float(found)) - exact) / max(exact, FLOOR))


def everywhere(a, b):
    """The float64 cosine distance of two float64 rows in every path; one value, or the test fails."""
    a, b = np.ascontiguousarray(a, np.float64), np.ascontiguousarray(b, np.float64)
    many = np.stack([b, -b, b])
    alone = vb.cosine(a, b)
    assert alone == vb.cosine(b, a), "symmetric"
    index = vb.FlatIndex(many, "cosine")
    found = {
        "broadcast": vb.cosine(a, many)[0],
        "row by row": vb.cosine(np.stack([a, a]), np.stack([b, b]))[1],
        "strided": vb.cosine(a, np.repeat(many, 2, axis=1)[:, ::2])[2],
        "pairwise": vb.pairwise(a[None], many, "cosine")[0, 0],
        "with itself": vb.pairwise(np.stack([a, b]), metric="cosine")[1, 0],
        "topk": vb.topk(a, many, 1, "cosine").values[0],
        "within": vb.within(a, many, 0.5, "cosine").values[1],
        "index": index.search(a, 2).values[1],
        "index, within": index.within(a, 0.5).values[0],
        "similarity": vb.topk(a, many, 1, "cosine_similarity").values[0],
    }
    similarity = found.pop("similarity")
    assert same_bits(similarity, np.float64(vb.cosine_similarity(a, b)))
    assert abs(similarity - (1.0 - alone)) <= 1e-12
    assert set(found.values()) == {alone}, found
    return alone


def near_rows():
    """Name, and two float64 rows that are near each other; the distance is about 10^-place."""
    random = np.random.default_rng(0)
    for place in (*range(3, 29, 5), 28):
        for d in (2, 3, 33, 200):
            for name, base in (
                ("gaussian", random.standard_normal(d)),
                ("lognormal", random.lognormal(0, 2, d)),
                ("Cauchy", random.standard_cauchy(d)),
                ("translated", 1e6 + random.standard_normal(d)),
            ):
                aside = random.standard_normal(d)
                aside *= np.linalg.norm(base) / np.linalg.norm(aside) * math.sqrt(2 * 10.0**-place)
                yield f"{name}, d = {d}, 1e-{place}", base, (base + aside) * random.uniform(0.1, 9)


def test_near_rows_keep_their_distance(isa):
    seen = 0
    for name, a, b in near_rows():
        found = vb.cosine(a, b)
        assert relative_error(found, a, b) < 1e-12, name
        assert found > 0 or ref.exact_cosine(a.tolist(), b.tolist()) < FLOOR, name
        seen += 0 < found < 1e-3
    assert seen > 50, "the rows are near each other"


def test_every_path_has_the_same_distance(isa):
    for name, a, b in list(near_rows())[::3]:
        assert relative_error(everywhere(a, b), a, b) < 1e-12, name


@pytest.mark.parametrize(
    ("u", "v", "wanted"),
    [
        (
            [-0.30039746, -0.13594460, 0.58292344],
            [-0.65563949, -0.29700866, 1.27146813],
            7.691462729648659e-08,
        ),
        ([1.0, 0.0], [1.0, 1e-7], 4.99999999999996e-15),
        ([1.0, 3.0], [3.0, 9.0], 0.0),
        ([2.0**665, 3 * 2.0**665], [3 * 2.0**-665, 9 * 2.0**-665], 0.0),
        ([5e-324, 1.5e-323], [3.0, 9.0], 0.0),
        ([1e200, 0.0], [1e200, 1e193], 4.99999999999996e-15),
    ],
)
def test_distances_that_were_lost(isa, u, v, wanted):
    assert everywhere(u, v) == pytest.approx(wanted, rel=1e-14, abs=0)


def test_parallel_rows(isa):
    random, differ = np.random.default_rng(1), 0
    for _ in range(200):
        d = int(random.integers(1, 80))
        x = random.standard_normal(d).astype(np.float32).astype(np.float64)
        y = x * float(random.integers(2, 2**20))  # exactly
        assert vb.cosine(x, y) == vb.cosine(y, x) == 0.0
        assert vb.cosine_similarity(x, y) == 1.0
        assert vb.cosine(x, -y) == pytest.approx(2.0, rel=1e-15)
        differ += 1.0 - (x @ y) / math.sqrt((x @ x) * (y @ y)) != 0.0
    assert differ > 20, "1 - s would miss some"


@pytest.mark.parametrize("metric", ["cosine", "cosine_similarity"])
def test_rows_a_few_units_apart_are_ranked_by_their_true_distance(isa, metric):
    random = np.random.default_rng(2)
    for _ in range(10):
        base = random.standard_normal(24).astype(np.float32)
        X = np.repeat(base[None], 20, axis=0)
        X.view(np.int32)[...] += random.integers(-3, 4, X.shape, dtype=np.int32)
        exact = [ref.exact_cosine(base.tolist(), x.tolist()) for x in X]
        wanted = sorted(range(20), key=exact.__getitem__)
        assert vb.topk(base, X, 20, metric).indices.tolist() == wanted
        assert vb.FlatIndex(X, metric).search(base, 20).indices.tolist() == wanted
        assert vb.topk(base[::-1], X[:, ::-1], 7, metric, threads=2).indices.tolist() == wanted[:7]
        far = np.concatenate([-X, X])  # in pieces, some of them converted
        assert vb.topk(base, np.asfortranarray(far), 20, metric).indices.tolist() == [i + 20 for i in wanted]


@pytest.mark.parametrize("metric", ["cosine", "cosine_similarity"])
def test_parallel_rows_are_not_ruled_out_among_near_ones(isa, metric):
    """1 - s of these constant rows is 5e-15: more than the distances of the others."""
    d, q, x = 4096, 0.7934931828844045, 0.7163137519402861
    query = np.full(d, q)
    assert 1.0 - vb.dot(query, np.full(d, x)) / math.sqrt(vb.dot(query, query) * (d * x * x)) > 1e-15
    near = query + np.random.default_rng(0).standard_normal((1500, d)) * q * math.sqrt(2e-15)
    near[700], near[1400] = x, -x
    for corpus in (near, np.concatenate([near] * 2)):
        places = [700] if corpus is near else [700, 2200]
        for found in (
            vb.topk(query, corpus, len(places), metric),
            vb.FlatIndex(corpus, metric).search(query, len(places)),
        ):
            assert found.indices.tolist() == places
            assert set(found.values.tolist()) == {1.0 if metric == "cosine_similarity" else 0.0}
    threshold = 1.0 if metric == "cosine_similarity" else 0.0
    for found in (
        vb.within(query, near, threshold, metric),
        vb.FlatIndex(near, metric).within(query, threshold),
    ):
        assert 700 in found.indices
        assert metric == "cosine_similarity" or found.indices.tolist() == [700]


@pytest.mark.parametrize("name", ["i8", "u8", "b1"])
def test_distances_of_integers_are_as_exact(isa, name):
    kind = TYPES[name]
    d = 200 if kind.bits else 400
    X = kind.some(0, 60, d)
    X[30:] = X[:30]
    for i in range(30, 60):
        X[i].view(np.uint8)[i] ^= 1
    f = vb.pairwise(X.view(kind.given), metric="cosine", **kind.options)
    near = 0
    for i in range(60):
        for j in (i, (i + 30) % 60, (i + 1) % 60):
            a, b = kind.numbers(X[i]), kind.numbers(X[j])
            one = vb.cosine(X[i].view(kind.given), X[j].view(kind.given), **kind.options)
            assert one == f[i, j]
            assert relative_error(one, a, b) < 1e-14 or ref.exact_cosine(a.tolist(), b.tolist()) > Decimal(
                "1e-3"
            )
            near += 0 < one < 1e-3
    assert near > 20
    assert vb.pairwise(np.array([[1, 3], [3, 9], [2, 6]], np.int8), metric="cosine").max() == 0.0


# ---- dot products that overflow on the way ---------------------------------------------------


def test_dot_products_that_overflow_on_the_way(isa):
    big = np.array([1.7e308, -1.7e308, 1.7e308, -1.7e308, 5e307, 0, 0, 0])
    ones = np.ones(8)
    X = np.stack([ones, big, -big, ones * 1e300])
    assert vb.dot(big, ones) == 5e307
    assert vb.dot([1e200, 1e200], [1e200, -2e200]) == -math.inf
    assert vb.dot([1e200, -1e200], [1e200, -2e200]) == math.inf
    assert vb.dot([1e200, 1e200, 7.0], [1e200, -1e200, 1.0]) == 0.0, "right beside terms of 1e400"
    assert vb.dot(X, ones).tolist() == [8.0, 5e307, -5e307, 8e300]
    assert vb.pairwise(X, ones[None], "dot").ravel().tolist() == [8.0, 5e307, -5e307, 8e300]
    index = vb.FlatIndex(X, "dot")
    for found in (vb.topk(ones, X, 2, "dot"), index.search(ones, 2)):
        assert found.indices.tolist() == [1, 3]
        assert found.values.tolist() == [5e307, 8e300]
    for found in (vb.within(ones, X, 1e307, "dot"), index.within(ones, 1e307)):
        assert found.indices.tolist() == [1]
    many = np.concatenate([np.random.default_rng(0).standard_normal((3000, 8)), X])
    for found in (vb.topk(ones, many, 2, "dot"), vb.FlatIndex(many, "dot").search(np.stack([ones] * 20), 2)):
        assert found.indices.reshape(-1, 2)[0].tolist() == [3001, 3003]


def test_any_dot_product_near_overflow(isa):
    random = np.random.default_rng(3)
    seen = 0
    for d in (2, 5, 40, 70):
        a = random.standard_normal((20, d)) * 2.0 ** random.integers(500, 521, (20, d))
        b = random.standard_normal((20, d)) * 2.0 ** random.integers(500, 521, (20, d))
        # Of every second pair terms that nearly cancel, and a rest that fits.
        a = np.concatenate([a, a, np.full((20, 1), 2.0**500)], axis=1)
        b = np.concatenate(
            [b, random.standard_normal((20, d)) * 2.0**300, np.full((20, 1), 2.0**510)], axis=1
        )
        b[::2, d:-1] = -b[::2, :d] * (1 + 2.0**-50 * np.sign(a[::2, :d]))
        for x, y, found in zip(a, b, vb.dot(a, b), strict=True):
            exact = ref.exact_dot(x.tolist(), y.tolist())
            magnitude = sum(
                abs(Fraction(p) * Fraction(q)) for p, q in zip(x.tolist(), y.tolist(), strict=True)
            )
            try:
                wanted = float(exact)
            except OverflowError:
                assert found == (math.inf if exact > 0 else -math.inf)
                continue
            assert abs(Fraction(found) - exact) <= magnitude * Fraction(2 * d + 10) / 2**53, (x, y, wanted)
            seen += magnitude > Fraction(2) ** 1024
    assert seen > 10
    assert np.isnan(vb.dot([np.inf, 1.0], [0.0, 1.0]))
    assert vb.dot([np.inf, 1e200], [1e-300, 1e200]) == math.inf


# ---- thresholds ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["f32", "f16", "bf16", "f64"])
@pytest.mark.parametrize("metric", ["dot", "cosine", "cosine_similarity", "euclidean", "sqeuclidean"])
def test_a_threshold_taken_from_results_holds_them(isa, name, metric):
    kind = TYPES[name]
    X = kind.some(0, 2000, 20).view(kind.given)
    index = vb.FlatIndex(X, metric, **kind.options)
    for i in range(40):
        nearest = vb.topk(X[i], X, 5, metric, **kind.options)
        for found in (
            vb.within(X[i], X, nearest.values[4], metric, **kind.options),
            index.within(X[i], float(nearest.values[4])),
        ):
            assert set(nearest.indices) <= set(found.indices)
            assert len(found.indices) == 5, "no two rows are as far"
        closer = np.nextafter(nearest.values[4], nearest.values[3])
        assert len(vb.within(X[i], X, closer, metric, **kind.options).indices) == 4


def test_a_threshold_is_rounded_as_results_are(isa):
    """0.1 is no float32: the float32 that it rounds to is what counts, as where NumPy compares an array with it."""
    X = np.float32(0.1) + np.arange(-3, 4, dtype=np.float32)[:, None] * np.float32(2.0**-27)
    zero = np.zeros(1, np.float32)
    values = vb.euclidean(zero, X)
    assert vb.within(zero, X, 0.1).indices.tolist() == np.flatnonzero(values <= 0.1).tolist() == [0, 1, 2, 3]
    wide = X.astype(np.float64)
    assert (
        vb.within(np.zeros(1), wide, 0.1).indices.tolist()
        == np.flatnonzero(wide[:, 0] <= 0.1).tolist()
        == [0, 1, 2]
    )
    assert vb.within(zero, np.array([[3e38], [-3e38]], np.float32), 1e39, "sqeuclidean").indices.tolist() == [
        0,
        1,
    ]
