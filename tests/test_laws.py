"""What must hold of any rows, whatever computes it: the laws of the metrics, and equal bits."""

import numpy as np
import pytest
from conftest import DTYPES, METRICS, same_bits
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import vecblade as vb

ROWS = ("dot", "sqeuclidean", "euclidean", "cosine", "cosine_similarity")


def some_rows(n, elements):
    return st.tuples(st.sampled_from(DTYPES), st.integers(1, 100)).flatmap(
        lambda kind: arrays(kind[0], (n, kind[1]), elements=elements)
    )


moderate = st.floats(-1000, 1000, width=32)
anything = st.floats(width=32)


@given(some_rows(2, anything))
def test_symmetry(isa, rows):
    a, b = rows
    for metric in ROWS:
        f = getattr(vb, metric)
        assert same_bits(f(a, b), f(b, a)), metric


@given(some_rows(1, anything))
def test_a_row_with_itself(isa, rows):
    (a,) = rows
    has_direction = np.isfinite(a).all() and a.any()
    assert vb.cosine(a, a) == 0.0 if has_direction else np.isnan(vb.cosine(a, a))
    assert vb.cosine_similarity(a, a) == 1.0 if has_direction else np.isnan(vb.cosine_similarity(a, a))
    if np.isfinite(a).all():
        assert vb.euclidean(a, a) == vb.sqeuclidean(a, a) == 0.0


@given(some_rows(3, moderate))
def test_triangle(isa, rows):
    a, b, c = rows
    assert vb.euclidean(a, c) <= (vb.euclidean(a, b) + vb.euclidean(b, c)) * (1 + 1e-12)


@given(some_rows(2, moderate))
def test_cauchy_schwarz(isa, rows):
    a, b = rows
    assert abs(vb.dot(a, b)) <= np.sqrt(vb.dot(a, a) * vb.dot(b, b)) * (1 + 1e-12)


@given(some_rows(2, anything))
def test_cosine_bounds(isa, rows):
    a, b = rows
    similarity, distance = vb.cosine_similarity(a, b), vb.cosine(a, b)
    assert np.isnan(similarity) or -1 <= similarity <= 1
    assert np.isnan(distance) or 0 <= distance <= 2


# Rows of which scaling makes either the longer one; and equally long ones.
@example(rows=np.array([[0.0, 2.0], [0.0625, 2.0]]), i=0, j=-1)
@example(rows=np.array([[0.0, 2.0], [0.0625, 2.0]]), i=-1, j=3)
@example(rows=np.array([[3.0, 3.0625], [3.0625, 3.0]]), i=2, j=0)
@given(some_rows(2, moderate), st.integers(-20, 20), st.integers(-20, 20))
def test_cosine_ignores_powers_of_two(isa, rows, i, j):
    a, b = rows
    a, b = a.astype(np.float64), b.astype(np.float64)
    assert same_bits(vb.cosine(a, b), vb.cosine(np.ldexp(a, i), np.ldexp(b, j)))


@given(arrays(np.float64, (2, 20), elements=st.floats(-1, 1)), st.integers(-1000, 900))
def test_extremes_are_measured_as_well_as_ordinary_rows(isa, rows, exponent):
    """Squares that over- or underflow cost no precision in distances and angles."""
    a, b = rows
    far_a, far_b = np.ldexp(a, exponent), np.ldexp(b, exponent)
    if (np.ldexp(far_a, -exponent) == a).all() and (np.ldexp(far_b, -exponent) == b).all():
        assert vb.cosine(far_a, far_b) == pytest.approx(vb.cosine(a, b), rel=1e-9, abs=1e-14, nan_ok=True)
        wanted = vb.euclidean(a, b)
        if wanted == 0.0 or wanted > 1e-150:
            assert np.ldexp(vb.euclidean(far_a, far_b), -exponent) == pytest.approx(wanted, rel=1e-14, abs=0)


def corpus(dtype, n=700, d=45):
    """Gaussian rows with duplicates, zero rows, NaN, infinities and (float64) extremes."""
    X = np.random.default_rng(1).standard_normal((n, d)).astype(dtype)
    X[100:120] = X[0]
    X[130:140] = 0
    X[150, 3 % d], X[151, 4 % d], X[152, 5 % d] = np.nan, np.inf, -np.inf
    X[160] *= np.finfo(dtype).smallest_subnormal
    X[161:165] = np.round(X[161:165])
    if dtype == np.float64:
        X[170:175] *= 1e200
        X[175:180] *= 1e-200
    return X


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_same_bits_everywhere(isa, metric, dtype):
    """Every form of the same work, at this level, against row by row at the scalar level."""
    X, k = corpus(dtype), 25
    queries = X[[0, 5, 130, 150, 170, 177, 300]]
    with at_level("scalar"):
        matrix = np.array([[getattr(vb, metric)(q, x) for x in X] for q in queries])
        expected = [ranked(metric, row, k) for row in matrix]
    f = getattr(vb, metric)
    narrow = matrix.astype(dtype) if dtype == np.float64 else vb._core.narrowed(matrix)
    layouts = {
        "contiguous": X,
        "strided": strided(X),
        "misaligned": misaligned(X),
        "fortran": np.asfortranarray(X),
    }
    for name, Y in layouts.items():
        for threads in (1, 2):
            options = {"threads": threads}
            assert same_bits(f(queries[:, None], Y, **options), narrow), name
            assert same_bits(f(queries[0], Y, **options), narrow[0]), name
            assert same_bits(f(Y, queries[0], **options), narrow[0]), name
            assert same_bits(f(Y[: len(queries)], Y[: len(queries)], **options), f(X[:7], X[:7])), name
            with at_level("scalar"):
                plain = vb.pairwise(queries, X, metric)
            assert same_bits(vb.pairwise(queries, Y, metric, **options), plain), name
            found = vb.topk(queries, Y, k, metric, **options)
            single = [vb.topk(q, Y, k, metric, **options) for q in queries]
            for i, (rows, values) in enumerate(expected):
                assert found.indices[i].tolist() == rows, name
                assert same_bits(found.values[i], values.astype(narrow.dtype)), name
                assert single[i].indices.tolist() == rows, name
                assert same_bits(single[i].values, found.values[i]), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 24, 45, 200, 512])
def test_pairwise_is_as_near_as_it_says(isa, metric, dtype, d):
    """The canonical value, within the rounding of the sums: of distances a small part of themselves."""
    X = corpus(dtype, d=d)
    queries = X[[0, 5, 130, 150, 151, 160, 163, 170, 177, 300]]
    with at_level("scalar"):
        exact = getattr(vb, metric)(queries.astype(np.float64)[:, None], X.astype(np.float64))
    found = vb.pairwise(queries, X, metric).astype(np.float64)
    assert (np.isnan(found) == np.isnan(exact)).all()
    sure = np.isfinite(exact)
    assert (found[~sure & ~np.isnan(exact)] == exact[~sure & ~np.isnan(exact)]).all()
    digits = 1e-5 if dtype == np.float32 else 1e-12
    if metric in ("dot", "cosine_similarity"):
        with np.errstate(over="ignore", invalid="ignore"):
            zero = np.zeros(d)
            lengths = vb.euclidean(queries, zero)[:, None] * vb.euclidean(X, zero)
        allowed = digits * (lengths if metric == "dot" else np.ones_like(exact))
    else:
        allowed = digits * exact
    # What underflows in each product and in the result.
    tiny = (d + 1) * np.finfo(dtype).smallest_subnormal
    assert (np.abs(found[sure] - exact[sure]) <= np.nan_to_num(allowed[sure], nan=np.inf) + tiny).all()


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_distances_of_short_rows_keep_all_digits(isa, metric, dtype):
    """They are summed from differences: as near as the sums themselves, however far from the origin."""
    random = np.random.default_rng(0)
    for d in range(1, 25):
        X = (1000 + random.standard_normal((70, d))).astype(dtype)
        X[3], X[4, 0] = X[2], np.inf
        exact = getattr(vb, metric)(X.astype(np.float64)[:, None], X.astype(np.float64))
        found = vb.pairwise(X, X[:65].copy(), metric)
        exact = exact[:, :65]
        sure = np.isfinite(exact)
        assert (np.abs(found[sure] - exact[sure]) <= (d + 2) / 2 * np.finfo(dtype).eps * exact[sure]).all()
        assert same_bits(found[~sure], exact[~sure].astype(dtype))


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "cosine"])
def test_pairwise_of_long_rows_whose_errors_add_up(isa, metric):
    """All elements equal, in one half or both: every rounding goes the same way."""
    random = np.random.default_rng(0)
    for d in (768, 1536, 4096, 20_000):
        a, b = random.uniform(0.5, 1, (20, 1)), random.uniform(0.5, 0.66, (30, 1))
        A, B = np.repeat(a, d, 1), np.repeat(b, d, 1)
        B[::2, d // 2 :] *= -0.7  # another direction
        for dtype, digits in ((np.float32, 1e-5), (np.float64, 1e-12)):
            A, B = A.astype(dtype), B.astype(dtype)
            exact = getattr(vb, metric)(A.astype(float)[:, None], B.astype(float))
            found = vb.pairwise(A, B, metric).astype(float)
            assert (np.abs(found - exact) <= digits * exact + 1e-15).all(), d


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_self_pairs_are_measured_once_and_mirrored(isa, metric, dtype):
    for n in (1, 2, 37, 300):
        X = corpus(dtype, n=700)[-n:] if n < 300 else corpus(dtype, n=300)
        whole = vb.pairwise(X, metric=metric)
        assert same_bits(whole, vb.pairwise(X, X.copy(), metric))
        assert same_bits(whole, whole.T)
        for threads in (1, 2):
            condensed = vb.pairwise(X, metric=metric, condensed=True, threads=threads)
            assert same_bits(condensed, whole[np.triu_indices(n, 1)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [15, 16, 17, 48, 49, 63, 64, 65, 129])
def test_mirrored_into_any_output(isa, dtype, n):
    """Around the blocks that are transposed; nothing beside the output is touched."""
    X = corpus(dtype)[-n:]
    for metric in METRICS:
        whole = vb.pairwise(X, X.copy(), metric)
        for view in (lambda m: m[:n, : 2 * n : 2], lambda m: m[:n, :n].T, lambda m: m[:n, :n][::-1, ::-1]):
            for threads in (1, 2):
                memory, wanted = np.full((n + 1, 2 * n + 1), 7, dtype), np.full((n + 1, 2 * n + 1), 7, dtype)
                vb.pairwise(X, metric=metric, out=view(memory), threads=threads)
                view(wanted)[...] = whole
                assert same_bits(memory, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (13, 33), (31, 700), (700, 13)])
def test_an_element_of_pairwise_depends_on_its_two_rows_alone(isa, dtype, shape):
    n, m = shape
    X = corpus(dtype)
    A, B = X[-n:], X[:m]
    for metric in METRICS:
        whole = vb.pairwise(A, B, metric)
        wide = np.full((n, 2 * m), 7, dtype)
        assert same_bits(vb.pairwise(A, B, metric, out=wide[:, ::2]), np.ascontiguousarray(whole))
        assert same_bits(wide[:, ::2], whole)
        assert (wide[:, 1::2] == 7).all()
        for i, j in ((0, 0), (n - 1, m - 1), (n // 2, m // 3)):
            assert same_bits(vb.pairwise(A[i : i + 1], B[j : j + 1], metric)[0, 0], whole[i, j])


@pytest.mark.parametrize("metric", METRICS)
def test_chunked_and_masked_runs_agree_with_one(isa, metric):
    X, k = corpus(np.float32), 30
    queries = X[::90]
    whole = vb.topk(queries, X, k, metric)
    for size in (1, 37, 256, 699):
        parts = []
        for start in range(0, len(X), size):
            where = np.zeros(len(X), bool)
            where[start : start + size] = True
            part = vb.topk(queries, X[start : start + size], k, metric)
            masked = vb.topk(queries, X, k, metric, where=where)
            by_id = vb.topk(queries, X, k, metric, where=np.flatnonzero(where)[::-1])
            assert same_bits(part.indices + start, masked.indices)
            assert same_bits(part.indices + start, by_id.indices)
            assert same_bits(part.values, masked.values)
            assert same_bits(part.values, by_id.values)
            parts.append((part.indices + start, part.values))
        rows = np.concatenate([p[0] for p in parts], axis=1)
        values = np.concatenate([p[1] for p in parts], axis=1)
        for i in range(len(queries)):
            # float32 values may tie where float64 did not: compare what they are, by rank.
            order = [np.flatnonzero(rows[i] == row)[0] for row in whole.indices[i]]
            assert same_bits(values[i][order], whole.values[i])


def ranked(metric, values, k):
    """Brute force over float64 values: (rows, values), NaN last, ties by row."""
    keys = -values if metric in vb._core.SIMILARITIES else values
    order = np.argsort(keys, kind="stable")[:k]
    return order.tolist(), values[order]


def strided(X):
    wide = np.full((2 * len(X), X.shape[1] + 3), 7, X.dtype)
    wide[::2, 1:-2] = X
    return wide[::2, 1:-2]


def misaligned(X):
    raw = np.empty(X.nbytes + 1, np.uint8)
    Y = np.ndarray(X.shape, X.dtype, raw, 1)
    Y[...] = X
    return Y


class at_level:
    def __init__(self, level):
        self.level = level

    def __enter__(self):
        self.before = vb._core.active_level()
        vb._core.use_level(self.level)

    def __exit__(self, *_):
        vb._core.use_level(self.before)
