"""
Every element type in every public function, against the reference: values, types of results, layouts, refusals.

Over 500 lines: a third are tables of calls and messages.
"""

import ctypes
import math
import pickle
from functools import partial

import numpy as np
import pytest
from conftest import METRICS, TYPES, same_bits
from hypothesis import given
from hypothesis import strategies as st

import vecblade as vb
from vecblade import _core
from vecblade import reference as ref
from vecblade._rows import arrays

SMALL = [TYPES[name] for name in ("f16", "bf16", "i8", "u8", "b1")]
WHOLE = [t for t in SMALL if t.whole]
COUNTS = ("dot", "sqeuclidean", "hamming")


@pytest.fixture(params=SMALL, ids=repr)
def kind(request):
    return request.param


def given_as(kind, array):
    """The array as a user has it."""
    return np.asarray(array).view(kind.given)


def corpus(kind, n, d, seed=0):
    """Random rows, some of them twice, zero rows, and of real types some with NaN, infinity and little numbers."""
    X = kind.some(seed, n, d)
    X[n // 3 : n // 3 + 20] = X[0]
    X[n // 2 : n // 2 + 9] = np.zeros((), X.dtype)
    if not kind.whole:
        X[5 : 5 + 40] = kind.patterns(seed, 40, d)
        small = kind.numbers(X[60:70]) * 2.0**-14
        X[60:70] = kind.of(small)
    return X


def reference_matrix(kind, metric, A, X):
    A, X = ([kind.listed(row) for row in rows] for rows in (A, X))
    return [[ref.METRICS[metric](a, x) for x in X] for a in A]


def result_type(kind, metric):
    if not kind.whole:
        return np.float32
    return np.int32 if metric in COUNTS else np.float64


def as_result(kind, metric, values):
    """Reference values in the type of results."""
    values = np.array(values, np.float64)
    return (
        _core.narrowed(values)
        if result_type(kind, metric) == np.float32
        else values.astype(result_type(kind, metric))
    )


# ---- values --------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 7, 33])
def test_row_functions(isa, kind, d):
    X = corpus(kind, 100, d)[:60]
    queries = X[[0, 1, 6, 20, 50]]
    for metric in kind.metrics():
        f = getattr(vb, metric)
        wanted = reference_matrix(kind, metric, queries, X)
        a, x = given_as(kind, queries), given_as(kind, X)
        pairs = [[f(q, row, **kind.options) for row in x] for q in a]
        assert same_bits(np.array(pairs, float), np.array(wanted, float)), metric
        assert type(pairs[0][0]) is (int if kind.whole and metric in COUNTS else float), metric
        expected = as_result(kind, metric, wanted)
        for found in (f(a[:, None], x, **kind.options), f(x, a[:, None], **kind.options)):
            assert same_bits(found, expected), metric
        assert same_bits(f(a[0], x, **kind.options), expected[0]), metric
        assert same_bits(f(x[: len(a)], a, **kind.options), expected.T[: len(a)].diagonal().copy()), metric
        out = np.full((len(a), 2 * len(x)), 7, expected.dtype)
        assert f(a[:, None], x, out=out[:, ::2], **kind.options).base is not None
        assert same_bits(np.ascontiguousarray(out[:, ::2]), expected)
        assert (out[:, 1::2] == 7).all()


@pytest.mark.parametrize("n", [90, 3000], ids=["few rows", "many rows"])
@pytest.mark.parametrize("single", [False, True], ids=["queries", "one query"])
def test_searches(isa, kind, single, n):
    """Against a sort of all values, in every way that a search can go; with an index too."""
    d, k = 24, 40
    X = corpus(kind, n, d)
    X[-5:] = X[1]
    queries = X[[1]] if single else X[[0, 1, 6, 20, *range(n - 20, n), n // 2]]
    x, q = given_as(kind, X), given_as(kind, queries)
    random = np.random.default_rng(0)
    mask = random.random(n) < 0.4
    for metric in kind.metrics():
        with at_scalar():
            if kind.whole:
                values = getattr(vb, metric)(q[:, None], x, **kind.options).astype(np.float64)
            else:  # in float64, which results of these types are not
                values = getattr(vb, metric)(kind.numbers(queries)[:, None], kind.numbers(X))
        index = vb.FlatIndex(x, metric, **kind.options)
        for where in (None, mask, np.flatnonzero(mask)[::-1]):
            eligible = np.arange(n) if where is None else np.flatnonzero(mask)
            wanted = [eligible[ranked(metric, row[eligible], k)] for row in values]
            direct = partial(vb.topk, corpus=x, metric=metric, **kind.options)
            for search in (direct, index.search):
                found = search(q, k=k, where=where, threads=2)
                assert found.indices.tolist() == [rows.tolist() for rows in wanted], metric
                best = np.array([row[rows] for row, rows in zip(values, wanted, strict=True)])
                assert same_bits(found.values, as_result(kind, metric, best)), metric
            threshold = float(np.nanmedian(values[0]))
            if not math.isfinite(threshold) or (threshold < 0 and metric not in _core.SIMILARITIES):
                continue
            direct = partial(vb.within, corpus=x, metric=metric, **kind.options)
            for within in (direct, index.within):
                found = within(q, threshold=threshold, where=where)
                for i, row in enumerate(values):
                    near = row >= threshold if metric in _core.SIMILARITIES else row <= threshold
                    rows = eligible[near[eligible]]
                    part = slice(*found.offsets[i : i + 2])
                    assert found.indices[part].tolist() == rows.tolist(), metric
                    assert same_bits(found.values[part], as_result(kind, metric, row[rows])), metric


def ranked(metric, values, k):
    keys = -values if metric in _core.SIMILARITIES else values
    return np.argsort(keys, kind="stable")[:k]


class at_scalar:
    def __enter__(self):
        self.before = _core.active_level()
        _core.use_level("scalar")

    def __exit__(self, *_):
        _core.use_level(self.before)


@pytest.mark.parametrize("d", [1, 3, 64, 65, 200])
def test_pairwise(isa, kind, d):
    X = corpus(kind, 150, d)
    A = X[[0, 1, 6, 20, 50, 61, 62, 75, *range(100, 120)]]
    a, x = given_as(kind, A), given_as(kind, X)
    for metric in kind.metrics():
        found = vb.pairwise(a, x, metric, **kind.options)
        exact = getattr(vb, metric)(a[:, None], x, **kind.options)
        if kind.whole:
            assert same_bits(found, exact), metric
            strided = np.zeros((len(a), 2 * len(x)), found.dtype)
            assert same_bits(np.array(vb.pairwise(a, x, metric, out=strided[:, ::2], **kind.options)), exact)
        elif kind.name == "f16":
            assert same_bits(found, vb.pairwise(a.astype(np.float32), x.astype(np.float32), metric)), metric
        else:
            check_near(kind, metric, A, X, found)
            with at_scalar():
                assert same_bits(found, vb.pairwise(a, x, metric, **kind.options)), metric
        whole = vb.pairwise(x, metric=metric, **kind.options)
        assert same_bits(whole, vb.pairwise(x, x.copy(), metric, **kind.options)), metric
        for threads in (1, 2):
            condensed = vb.pairwise(x, metric=metric, condensed=True, threads=threads, **kind.options)
            assert same_bits(condensed, whole[np.triu_indices(len(x), 1)]), metric


def check_near(kind, metric, A, X, found):
    """Within 1e-5 of a distance or angle, and of the lengths for a product; NaN and infinity in the same places."""
    a, x = kind.numbers(A), kind.numbers(X)
    exact = getattr(vb, metric)(a[:, None], x)
    found = found.astype(np.float64)
    assert (np.isnan(found) == np.isnan(exact)).all()
    narrow = _core.narrowed(np.ascontiguousarray(exact))
    sure = np.isfinite(narrow)
    assert (found[~sure] == narrow[~sure]).sum() == (~np.isnan(found[~sure])).sum()
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(x, axis=1)
    allowed = {"dot": lengths, "cosine_similarity": 1.0}.get(metric, exact)
    error = np.abs(found - exact)[sure]
    assert (error <= 1e-5 * np.broadcast_to(allowed, exact.shape)[sure] + 2.0**-120).all()


def test_bfloat16_products_of_denormals_are_not_lost(isa):
    """Which the instruction for pairs takes for zero."""
    kind = TYPES["bf16"]
    A = kind.of(np.array([[1e-39, 1.0, 2.0], [1e-39, 0.0, 0.0], [1e-30, 0.0, 0.0]]))
    X = kind.of(np.array([[1e38, 0.0, 0.0], [1.0, 1.0, 1.0], [1e-30, 0.0, 1e-3]]))
    found = vb.pairwise(given_as(kind, A), given_as(kind, X), "dot", dtype="bfloat16")
    exact = kind.numbers(A) @ kind.numbers(X).T
    assert np.allclose(found, exact, rtol=1e-6, atol=1e-44)
    assert found[1, 0] > 0.09


@pytest.mark.parametrize("kind", WHOLE, ids=repr)
def test_long_rows_of_whole_numbers(isa, kind):
    """Sums past int32 and past what a tile adds up, in every form."""
    for d, wide in ((33_000, False), (33_025, False), (33_026, True), (140_000, True)):
        A = np.concatenate([kind.some(0, 2, d), np.full((1, d), 255, np.uint8).view(kind.dtype)])
        A = np.concatenate([A, np.full((1, d), 128, np.uint8).view(kind.dtype), np.zeros((1, d), kind.dtype)])
        a = given_as(kind, A)
        numbers = kind.numbers(A)
        for metric, exact in (
            ("dot", numbers @ numbers.T),
            ("sqeuclidean", ((numbers[:, None] - numbers) ** 2).sum(axis=2)),
        ):
            found = vb.pairwise(a, metric=metric, **kind.options)
            longer = wide and not kind.bits and not (kind.name == "i8" and metric == "dot" and d < 131_072)
            assert found.dtype == (np.int64 if longer else np.int32)
            assert (found == exact).all()
            assert same_bits(getattr(vb, metric)(a[:, None], a, **kind.options), found)
            best = vb.topk(a, a, 1, metric, **kind.options)
            assert best.values.dtype == found.dtype


def test_metrics_of_bits_are_those_of_zeros_and_ones(isa):
    kind = TYPES["b1"]
    packed = given_as(kind, corpus(kind, 80, 9))
    plain = vb.unpack_bits(packed).astype(np.float64)
    for metric in METRICS:
        f = getattr(vb, metric)
        assert same_bits(f(packed[:9, None], packed, dtype="bits").astype(float), f(plain[:9, None], plain))
    assert same_bits(vb.hamming(packed[0], packed), vb.sqeuclidean(packed[0], packed, dtype="bits"))


# ---- laws ----------------------------------------------------------------------------------


def rows_of_bytes(count):
    """A type, and rows of it from any bytes."""

    def rows(pair):
        kind, d = pair
        size = count * d * kind.dtype.itemsize
        raw = st.binary(min_size=size, max_size=size)
        return raw.map(lambda raw: (kind, np.frombuffer(raw, kind.given).reshape(count, d)))

    return st.tuples(st.sampled_from(SMALL), st.integers(1, 100)).flatmap(rows)


@given(rows_of_bytes(3))
def test_laws(isa, drawn):
    """Symmetry, a row with itself, the triangle, Cauchy and Schwarz, and bounds; whatever the bytes say."""
    kind, (a, b, c) = drawn
    for metric in kind.metrics():
        f = partial(getattr(vb, metric), **kind.options)
        assert same_bits(np.float64(f(a, b)), np.float64(f(b, a))), metric
    numbers = kind.numbers(np.stack([a, b, c]).view(kind.dtype))
    dot, square, length, cosine = (
        partial(f, **kind.options) for f in (vb.dot, vb.sqeuclidean, vb.euclidean, vb.cosine)
    )
    direction = bool(np.isfinite(numbers[0]).all() and numbers[0].any())
    assert cosine(a, a) == 0.0 if direction else math.isnan(cosine(a, a))
    similarity = vb.cosine_similarity(a, b, **kind.options)
    assert math.isnan(similarity) or -1.0 <= similarity <= 1.0
    if np.isfinite(numbers).all():
        assert square(a, a) == length(a, a) == 0.0
        assert length(a, c) <= (length(a, b) + length(b, c)) * (1 + 1e-12)
        assert abs(dot(a, b)) <= math.sqrt(dot(a, a) * dot(b, b)) * (1 + 1e-12)
    if kind.bits:
        assert vb.jaccard(a, a) == 0.0
        assert 0.0 <= vb.jaccard(a, b) <= 1.0
        assert vb.jaccard(a, c) <= vb.jaccard(a, b) + vb.jaccard(b, c) + 1e-12
        assert vb.hamming(a, c) <= vb.hamming(a, b) + vb.hamming(b, c)
        assert vb.hamming(a, b) == dot(a, a) + dot(b, b) - 2 * dot(a, b)


@given(rows_of_bytes(2), st.integers(0, 5))
def test_cosines_ignore_powers_of_two(isa, drawn, power):
    """Of whole numbers that stay in their range, exactly; of halves that are not denormal."""
    kind, (a, b) = drawn
    if kind.bits or kind.name == "u8":
        return
    wide = kind.numbers(np.stack([a, b]).view(kind.dtype))
    if kind.name == "i8":
        wide = np.trunc(wide / 2**power)
    elif not np.isfinite(wide).all():
        return
    near, far = (given_as(kind, kind.of(rows)) for rows in (wide, wide * 2.0**power))
    if np.array_equal(kind.numbers(far.view(kind.dtype)), wide * 2.0**power):
        found = (vb.cosine(near[0], far[1], **kind.options), vb.cosine(near[0], near[1], **kind.options))
        assert same_bits(*map(np.float64, found))


# ---- all there is --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_half(isa, name):
    """All 65,536 patterns, through kernels and through conversions, and the midpoints between them."""
    codes = np.arange(65536, dtype=np.uint16)
    numbers = np.array([ref.from_half(int(c), name) for c in codes])
    one = vb.astype(np.ones(1), name).view(np.uint16)
    rows = codes[:, None] if name == "bfloat16" else codes.view(np.float16)[:, None]
    one, options = (one, {"dtype": name}) if name == "bfloat16" else (one.view(np.float16), {})
    wide = np.float64(1.0).reshape(1)
    assert same_bits(vb.dot(wide, rows, **options), numbers + 0.0)
    assert same_bits(vb.dot(one, rows, **options).astype(np.float64), numbers + 0.0)
    assert same_bits(vb.pairwise(rows, one[None], "dot", **options)[:, 0].astype(np.float64), numbers + 0.0)
    assert same_bits(vb.astype(rows[:, 0], "float64", **options), numbers)
    nan = np.isnan(numbers)
    again = vb.astype(numbers, name).view(np.uint16)
    assert (again[~nan] == codes[~nan]).all()
    assert np.isnan(
        vb.astype(again, "float64", dtype=name) if name == "bfloat16" else again.view(np.float16)
    )[nan].all()
    finite = np.sort(np.unique(np.abs(numbers[np.isfinite(numbers)])))
    middle = (finite[1:] + finite[:-1]) / 2
    probes = np.concatenate([middle, np.nextafter(middle, np.inf), np.nextafter(middle, 0.0)])
    last = 2 * finite[-1] - finite[-2]  # where infinity would be
    edge = (finite[-1] + last) / 2
    probes = np.concatenate([probes, [edge, np.nextafter(edge, 0), last, 1e300, 5e-324]])
    probes = np.concatenate([probes, -probes])
    wanted = np.array([ref.to_half(float(x), name) for x in probes], np.uint16)
    assert (vb.astype(probes, name).view(np.uint16) == wanted).all()


@given(st.floats(), st.sampled_from(["float16", "bfloat16"]))
def test_any_number_is_rounded_once(x, name):
    assert int(vb.astype(np.array([x]), name).view(np.uint16)[0]) == ref.to_half(x, name)


@pytest.mark.parametrize("kind", WHOLE, ids=repr)
def test_every_pair_of_bytes(isa, kind):
    every = np.arange(256, dtype=np.uint8).view(kind.dtype)[:, None]
    a = given_as(kind, every)
    numbers = kind.numbers(every)
    dot = numbers @ numbers.T
    square = ((numbers[:, None] - numbers) ** 2).sum(axis=2)
    for metric, wanted in (
        ("dot", dot),
        ("sqeuclidean", square),
        *([("hamming", square)] if kind.bits else []),
    ):
        f = getattr(vb, metric)
        assert (vb.pairwise(a, metric=metric, **kind.options) == wanted).all()
        assert (f(a[:, None], a, **kind.options) == wanted).all()
        assert [[f(p, q, **kind.options) for q in a] for p in a[::17]] == wanted[::17].astype(int).tolist()
        # In the middle of longer rows, where vectors and tails are.
        for d, place in ((70, 0), (70, 63), (70, 69), (33, 32)):
            longer = np.zeros((256, d), kind.given)
            longer[:, place] = a[:, 0]
            assert (f(longer[:, None], longer, **kind.options) == wanted).all()
            assert (vb.pairwise(longer, metric=metric, **kind.options) == wanted).all()


# ---- arrays of every kind ------------------------------------------------------------------


def test_layouts(isa, kind):
    X = given_as(kind, corpus(kind, 400, 21))
    wide = np.full((800, 30), 3, X.dtype)
    wide[::2, 4:25] = X
    raw = np.empty(X.nbytes + 1, np.uint8)
    odd = np.ndarray(X.shape, X.dtype, raw, 1)
    odd[...] = X
    for metric in kind.metrics():
        f = getattr(vb, metric)
        plain = f(X[3], X, **kind.options)
        best = vb.topk(X[:12], X, 9, metric, **kind.options)
        pairs = vb.pairwise(X[:12], X, metric, **kind.options)
        for Y in (wide[::2, 4:25], odd, np.asfortranarray(X), X[::-1][::-1]):
            assert same_bits(f(X[3], Y, **kind.options), plain)
            assert same_bits(f(Y, X[3], **kind.options), plain)
            assert same_bits(vb.topk(X[:12], Y, 9, metric, **kind.options).indices, best.indices)
            assert same_bits(vb.pairwise(X[:12], Y, metric, **kind.options), pairs)


def test_a_prefix_is_not_copied(kind):
    X = given_as(kind, kind.some(0, 200, 64))
    prefix = X[:, :24]
    read = arrays.numbers(prefix, "a", kind.reading)
    assert np.shares_memory(arrays.native(read), X)
    for metric in kind.metrics():
        f = getattr(vb, metric)
        assert same_bits(
            f(prefix[0], prefix, **kind.options), f(prefix[0].copy(), prefix.copy(), **kind.options)
        )
        cut = X[:, :24].copy()
        assert same_bits(
            vb.topk(prefix, prefix, 3, metric, **kind.options).indices,
            vb.topk(cut, cut, 3, metric, **kind.options).indices,
        )


def test_mixed_types():
    """Real ones with each other as they are; whole ones by the type that holds both."""
    values = np.random.default_rng(0).integers(-9, 10, (50, 20)).astype(np.float64)
    sides = {
        t.name: given_as(t, t.of(np.abs(values) if t.name == "u8" else values))
        for t in TYPES.values()
        if not t.bits
    }
    for a_name, a in sides.items():
        for x_name, x in sides.items():
            options = {"dtype": "bfloat16"} if "bf16" in (a_name, x_name) else {}
            plain = [TYPES[n].numbers(s.view(TYPES[n].dtype)) for n, s in ((a_name, a), (x_name, x))]
            wide = {"f64"} & {a_name, x_name} or {a_name, x_name} == {"i8", "u8"}
            for metric in METRICS:
                f = getattr(vb, metric)
                exact = f(plain[0][:5, None], plain[1])
                found = f(a[:5, None], x, **options)
                if a_name != x_name:
                    assert found.dtype == (np.float64 if wide else np.float32)
                assert same_bits(found, exact.astype(found.dtype)), (metric, a_name, x_name)
                assert f(a[0], x[1], **options) == f(plain[0][0], plain[1][1])
                best = vb.topk(a[:12], x, 7, metric, **options)
                assert same_bits(best.indices, vb.topk(plain[0][:12], plain[1], 7, metric).indices)
                assert best.values.dtype == found.dtype
                near = vb.pairwise(a[:12], x, metric, **options)
                assert near.dtype == found.dtype
                assert np.allclose(
                    near, f(plain[0][:12, None], plain[1]), rtol=1e-5, atol=1e-6, equal_nan=True
                )


def test_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    X = np.random.default_rng(0).standard_normal((60, 30)).astype(ml_dtypes.bfloat16)
    codes = X.view(np.uint16)
    assert same_bits(vb.dot(X[0], X), vb.dot(codes[0], codes, dtype="bfloat16"))
    assert vb.cosine(X[0], X[1]) == vb.cosine(codes[0], codes[1], dtype="bfloat16")
    assert same_bits(vb.topk(X[:3], X, 4).values, vb.topk(codes[:3], codes, 4, dtype="bfloat16").values)
    assert same_bits(vb.pairwise(X), vb.pairwise(codes, dtype="bfloat16"))
    index = vb.FlatIndex(X)
    assert index.vectors.dtype == ml_dtypes.bfloat16
    assert same_bits(index.search(X[:2], 3).values, vb.topk(codes[:2], index, 3, dtype="bfloat16").values)
    assert vb.astype(np.ones(3), ml_dtypes.bfloat16).dtype == ml_dtypes.bfloat16
    random = np.random.default_rng(1).standard_normal(5000).astype(np.float32) * 1e-37
    half = vb.astype(random, "bfloat16")
    assert half.dtype == ml_dtypes.bfloat16
    assert np.array_equal(half.view(np.uint16), random.astype(ml_dtypes.bfloat16).view(np.uint16))


def test_what_is_taken_for_bfloat16():
    codes = vb.astype(np.random.default_rng(0).standard_normal((30, 8)), "bfloat16").view(np.uint16)
    for wrong in (codes.astype(">u2"), codes.view(np.int16), codes.astype("<i2"), codes.astype(">i2")):
        for call in (vb.dot, vb.pairwise, partial(vb.topk, k=1)):
            with pytest.raises(
                TypeError, match="expected uint16 in this machine's byte order for dtype='bfloat16'"
            ):
                call(codes, wrong, dtype="bfloat16")
    with pytest.raises(TypeError, match="dtype V2, two bytes of anything; if they are bfloat16, say"):
        vb.dot(codes.view("V2"), codes)
    assert same_bits(
        vb.dot(codes.view("V2"), codes, dtype="bfloat16"), vb.dot(codes, codes, dtype="bfloat16")
    )
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for name in (ml_dtypes.bfloat16, np.dtype(ml_dtypes.bfloat16)):
        assert same_bits(vb.dot(codes, codes, dtype=name), vb.dot(codes, codes, dtype="bfloat16"))


class BFloat16Tensor:
    """A producer of DLPack capsules that NumPy's reader refuses, as a tensor library has them."""

    class Managed(ctypes.Structure):
        _fields_ = (
            ("data", ctypes.c_void_p),
            ("device", ctypes.c_int32 * 2),
            ("ndim", ctypes.c_int32),
            ("code", ctypes.c_uint8),
            ("bits", ctypes.c_uint8),
            ("lanes", ctypes.c_uint16),
            ("shape", ctypes.POINTER(ctypes.c_int64)),
            ("strides", ctypes.POINTER(ctypes.c_int64)),
            ("offset", ctypes.c_uint64),
            ("context", ctypes.c_void_p),
            ("deleter", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        )

    def __init__(self, array, code=4, device=1, compact=False):
        self.array, self.code, self.device, self.compact, self.freed = array, code, device, compact, 0

    def __dlpack_device__(self):
        return self.device, 0

    def __dlpack__(self, **_):
        n = self.array.ndim
        self.shape = (ctypes.c_int64 * n)(*self.array.shape)
        self.strides = (ctypes.c_int64 * n)(*(s // 2 for s in self.array.strides))
        self.deleter = type(self).Managed._fields_[-1][1](self.free)
        strides = ctypes.POINTER(ctypes.c_int64)() if self.compact else self.strides
        self.managed = self.Managed(
            self.array.ctypes.data - 6,
            (self.device, 0),
            n,
            self.code,
            16,
            1,
            self.shape,
            strides,
            6,
            None,
            self.deleter,
        )
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        self.name = b"dltensor"
        return new(ctypes.addressof(self.managed), self.name, None)

    def free(self, _):
        self.freed += 1


def test_bfloat16_tensors_through_dlpack():
    codes = vb.astype(np.random.default_rng(0).standard_normal((40, 12)), "bfloat16").view(np.uint16)
    wanted = vb.dot(codes[0], codes, dtype="bfloat16")
    for array, compact in (
        (codes, True),
        (codes, False),
        (np.asfortranarray(codes), False),
        (codes[::2, 1:], False),
    ):
        tensor = BFloat16Tensor(array, compact=compact)
        found = vb.dot(codes[0][-array.shape[1] :], tensor, dtype="bfloat16")
        assert same_bits(found, vb.dot(codes[0][-array.shape[1] :], np.array(array), dtype="bfloat16"))
        assert tensor.freed == 1, "the memory is given back, once"
    assert same_bits(
        vb.topk(BFloat16Tensor(codes[0]), BFloat16Tensor(codes), 40, "dot").values, -np.sort(-wanted)
    )
    for broken in (BFloat16Tensor(codes, code=5), BFloat16Tensor(codes, device=2)):
        with pytest.raises(TypeError, match=r"a \(BFloat16Tensor\) cannot be read"):
            vb.dot(broken, codes)


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    X = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        Y = X.to(dtype)
        assert same_bits(vb.dot(Y[0], Y), vb.dot(Y[0].float().numpy(), Y.float().numpy()))
    codes = (X * 40).to(torch.int8)
    assert same_bits(vb.dot(codes[0], codes), vb.dot(codes[0].numpy(), codes.numpy()))
    with pytest.raises(TypeError, match=r"requires its gradient; pass a.detach\(\)"):
        vb.dot(X.to(torch.bfloat16).requires_grad_(), X)
    assert same_bits(vb.dot(X.numpy(), X, dtype=torch.bfloat16), vb.dot(X, X))
    negated = torch.tensor([1 + 2j, 3 + 4j]).conj().imag
    with pytest.raises(TypeError, match=r"is negated when it is read; pass a.resolve_neg\(\)"):
        vb.dot(negated, np.ones(2, np.float32))


# ---- conversions ---------------------------------------------------------------------------


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=40))
def test_quantize_against_the_reference(row):
    codes, scales, loss = vb.quantize(np.array([row]))
    assert codes[0].tolist() == ref.quantize(row, float(scales[0, 0]))
    assert 0 <= loss[0] <= 1
    if any(row):
        assert scales[0, 0] == pytest.approx(max(map(abs, row)) / 127, rel=1e-6, abs=1e-44)
        x, near = np.array(row) / max(map(abs, row)), codes[0] * scales[0].astype(float) / max(map(abs, row))
        assert loss[0] == pytest.approx(np.linalg.norm(x - near) / np.linalg.norm(x), rel=1e-5, abs=1e-12)


def test_quantize_the_least_numbers():
    """A row whose largest number over 127 is nothing has a scale all the same."""
    for scale in ("row", "global"):
        codes, scales, loss = vb.quantize(np.array([[5e-324, 0.0], [-1e-322, 1e-323]]), scale)
        assert (scales > 0).all()
        assert not codes.any()
        assert loss.tolist() == [1.0, 1.0]


def test_quantize_with_scales():
    X = np.random.default_rng(0).standard_normal((300, 40)).astype(np.float32)
    made = vb.quantize(X, scale="global")
    assert made.scales.shape == (1, 1)
    assert np.abs(made.codes.astype(int)).max() == 127
    saturated = vb.quantize(X, 0.001)
    assert (np.abs(saturated.codes[np.abs(X) > 0.128]) == 127).all()
    assert saturated.loss.min() > 0.5
    assert same_bits(vb.quantize(X, made.scales).codes, made.codes)
    rows = vb.quantize(X)
    assert same_bits(vb.quantize(X, rows.scales[:, 0]).codes, rows.codes)
    assert np.allclose(rows.codes * rows.scales, X, atol=rows.scales.max() / 2 + 1e-6)
    assert (rows.loss < 0.01).all()
    one = vb.quantize(X[0])
    assert same_bits(one.codes, rows.codes[0])
    assert one.scales.shape == (1,)
    assert one.loss == rows.loss[0]
    for tiny in (2.6e-43, 1e-45, 1e-60, 3e-39):  # scales round up, so that nothing saturates
        assert np.abs(vb.quantize(np.array([[tiny, -tiny / 3]])).codes).max() <= 127
    assert vb.quantize(np.array([[2.6e-43, 1e-43]])).loss[0] < 0.01
    assert vb.quantize(np.array([[1e300, 1.0]]), 1e-40).codes.tolist() == [[127, 127]]
    zero = vb.quantize(np.zeros((2, 3)))
    assert not zero.codes.any()
    assert not zero.loss.any()
    assert vb.quantize(np.zeros((0, 3))).codes.shape == (0, 3)


@given(st.lists(st.sampled_from([-1.5, -0.0, 0.0, 1e-300, 2.0, float("nan"), float("inf")]), max_size=40))
def test_bits_against_the_reference(row):
    packed = vb.pack_bits(np.array(row))
    assert packed.tolist() == ref.pack_bits(row)
    assert vb.unpack_bits(packed).tolist() == ref.unpack_bits(packed.tolist())
    assert vb.unpack_bits(packed, len(row)).tolist() == [int(x > 0) for x in row]


def test_bits_of_any_shape_and_type():
    X = np.random.default_rng(0).standard_normal((6, 5, 19))
    packed = np.packbits(X > 0, axis=-1)
    for same in (X, X > 0, X.astype(np.float16), (X * 25).astype(np.int8) + (X > 0), X.tolist()):
        assert same_bits(vb.pack_bits(same), packed)
    assert same_bits(vb.pack_bits(vb.astype(X[0], "bfloat16"), dtype="bfloat16"), packed[0])
    assert same_bits(vb.unpack_bits(packed, 19), (X > 0).astype(np.uint8))
    assert vb.pack_bits(np.zeros((0, 9))).shape == (0, 2)
    assert vb.pack_bits(np.zeros((3, 0))).shape == (3, 0)


# ---- two stages ----------------------------------------------------------------------------


def test_rescored_search_finds_the_closest_of_the_candidates():
    X = np.random.default_rng(0).standard_normal((2000, 64)).astype(np.float32)
    Q = X[:20] + 0.3 * np.random.default_rng(1).standard_normal((20, 64)).astype(np.float32)
    bits, rows, whole = vb.pack_bits(X), vb.quantize(X), vb.quantize(X, "global")
    for metric in METRICS:
        exact = vb.topk(Q, X, 5, metric)
        for corpus in (bits, whole, *([rows, rows.codes] if metric.startswith("cosine") else [])):
            for oversample in (1, 20, 400):
                found = vb.topk(Q, corpus, 5, metric, rescore=X, oversample=oversample)
                values = getattr(vb, metric)(Q[:, None], X[found.indices])
                assert same_bits(found.values, values), "the values are the originals'"
                keys = -values if metric in _core.SIMILARITIES else values
                assert (np.diff(keys, axis=1) >= 0).all()
                if oversample == 400:  # every row is a candidate
                    assert same_bits(found.indices, exact.indices)
                    assert same_bits(found.values, exact.values)
            share = [len(set(a) & set(b)) / 5 for a, b in zip(found.indices, exact.indices, strict=True)]
            assert np.mean(share) == 1
    index = vb.FlatIndex(bits, "hamming")
    for where in (None, np.arange(0, 2000, 3)):
        by_index = vb.topk(Q, index, 5, "cosine", rescore=X, where=where)
        assert same_bits(by_index.indices, vb.topk(Q, bits, 5, "cosine", rescore=X, where=where).indices)
    prefix = vb.topk(Q, X[:, :40], 5, "euclidean", rescore=X, oversample=400)
    assert same_bits(prefix.indices, vb.topk(Q, X, 5).indices)
    for originals in (np.asfortranarray(X), X.astype(">f4")):
        again = vb.topk(Q, bits, 5, rescore=originals)
        assert same_bits(again.indices, vb.topk(Q, bits, 5, rescore=X).indices)
    for none in ([], np.zeros(2000, bool)):
        for corpus in (bits, index):
            assert vb.topk(Q, corpus, 5, rescore=X, where=none).values.shape == (20, 0)
            assert vb.topk(Q[0], corpus, 5, rescore=X, where=none).indices.shape == (0,)
    assert vb.topk(Q, bits[:0], 5, rescore=X[:0]).indices.shape == (20, 0)
    for factor in (1e-30, 1e30):  # the length of a query does not matter
        far = vb.topk(Q.astype(float) * factor, rows, 5, "cosine", rescore=X, oversample=20)
        near = vb.topk(Q.astype(float), rows, 5, "cosine", rescore=X, oversample=20)
        assert same_bits(far.indices, near.indices)
    whole_numbers = np.random.default_rng(2).integers(0, 256, (2000, 64), np.uint8)
    found = vb.topk(whole_numbers[:9], whole_numbers[:, :8], 5, rescore=whole_numbers, oversample=400)
    assert same_bits(found.indices, vb.topk(whole_numbers[:9], whole_numbers, 5).indices)
    one = vb.topk(Q[0], bits, 5, "cosine", rescore=X, oversample=50)
    assert one.indices.shape == (5,)
    some = vb.topk(Q, bits, 5, "cosine", rescore=X, where=np.arange(0, 2000, 3))
    assert (some.indices % 3 == 0).all()
    assert vb.topk(Q[:0], bits, 5, "cosine", rescore=X).indices.shape == (0, 5)
    halves = vb.astype(X, "bfloat16")
    found = vb.topk(Q, bits, 5, "cosine", rescore=halves, oversample=400, dtype="bfloat16")
    assert same_bits(found.indices, vb.topk(Q, halves, 5, "cosine", dtype="bfloat16").indices)


# ---- indexes -------------------------------------------------------------------------------


def test_indexes_are_kept_and_changed(kind, tmp_path):
    X = given_as(kind, corpus(kind, 1500, 20))
    metric = "hamming" if kind.bits else "euclidean"
    index = vb.FlatIndex(X, metric, **kind.options)
    assert same_bits(index.vectors.view(np.uint8), X.view(np.uint8))
    more = given_as(kind, kind.some(5, 40, 20))
    index.add(more)
    index.remove(np.arange(7))
    Y = np.concatenate([X, more])[7:]
    index.save(tmp_path / "index")
    for again in (
        index,
        vb.FlatIndex.load(tmp_path / "index", verify=True),
        pickle.loads(pickle.dumps(index)),
    ):
        assert again.vectors.dtype == arrays.shown(kind.dtype)
        found = again.search(Y[::100], 5)
        wanted = vb.topk(Y[::100], Y, 5, metric, **kind.options)
        assert same_bits(found.indices, wanted.indices)
        assert same_bits(found.values, wanted.values)
    assert {"bf16": "bfloat16", "b1": "packed bits"}.get(kind.name, str(kind.given)) in repr(index)


def test_an_index_remembers_how_to_read():
    X = np.random.default_rng(0).standard_normal((1500, 12)).astype(np.float32)
    halves = vb.astype(X, "bfloat16").view(np.uint16)
    index = vb.FlatIndex(X, "cosine", dtype="bfloat16")
    for again in (index, pickle.loads(pickle.dumps(index))):
        assert same_bits(
            again.search(halves[3], 5).indices, vb.topk(halves[3], X, 5, "cosine", dtype="bfloat16").indices
        )
        assert list(again.add(halves[:2])) == [1500, 1501]
    assert vb.explain(halves[:2], index, 3, dtype="bfloat16").pairs == 2 * 1502
    with pytest.raises(ValueError, match="dtype='foo' is not supported"):
        vb.explain(X, index, 3, dtype="foo")
    with pytest.raises(ValueError, match="dtype='bits', but the index takes 'bfloat16'"):
        vb.explain(X, index, 3, dtype="bits")


def test_an_index_takes_what_it_can_hold():
    codes = np.arange(-60, 60, dtype=np.int8).reshape(30, 4)
    index = vb.FlatIndex(codes, "dot")
    assert index.search(codes[3].astype(np.float64), 2).values.dtype == np.int32
    assert index.search([1, 2, 3, 4], 1).indices.shape == (1,)
    index.add([[1, 2, 3, -128]])
    for bad in ([[0.5, 0, 0, 0]], [[128, 0, 0, 0]], [[np.nan, 0, 0, 0]]):
        with pytest.raises(
            TypeError, match=r"rows has dtype \w+ and numbers that int8, which the index holds, would"
        ):
            index.add(bad)
        with pytest.raises(TypeError, match="queries has dtype"):
            index.search(bad, 1)
    halves = vb.FlatIndex(vb.astype(np.ones((5, 8)), "bfloat16"))
    halves.add(np.full((1, 8), 1.5))
    with pytest.raises(
        TypeError, match=r"would change; if that is right, pass vb.astype\(rows, 'bfloat16'\)"
    ):
        halves.add(np.full((1, 8), 1.001))
    bits = vb.FlatIndex(np.zeros((9, 2), np.uint8), "jaccard")
    with pytest.raises(TypeError, match="expected packed bits"):
        bits.add(np.zeros((1, 2)))


# ---- refusals ------------------------------------------------------------------------------

F, B, U = np.ones((3, 4), np.float32), np.ones((3, 4), np.uint8), np.ones((3, 4), np.uint16)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: vb.hamming(F, F),
            TypeError,
            r"a has dtype float32; expected packed bits.*vb.pack_bits\(a\)",
        ),
        (lambda: vb.jaccard(B, B.astype(bool)), TypeError, "b has dtype bool; expected packed bits"),
        (
            lambda: vb.pairwise(F, metric="hamming"),
            TypeError,
            "A has dtype float32; expected packed bits",
        ),
        (
            lambda: vb.topk(F, B, 1, "jaccard"),
            TypeError,
            "queries has dtype float32; expected packed bits",
        ),
        (
            lambda: vb.within(B, F, 1, "hamming"),
            TypeError,
            "corpus has dtype float32; expected packed bits",
        ),
        (lambda: vb.FlatIndex(F, "hamming"), TypeError, "corpus has dtype float32; expected packed bits"),
        (lambda: vb.dot(F, F, dtype="bits"), TypeError, "a has dtype float32; expected packed bits"),
        (
            lambda: vb.dot(F, F, dtype="float8"),
            ValueError,
            "dtype='float8' is not supported; expected 'bfloat16', 'bits'",
        ),
        (lambda: vb.dot(F, F, dtype=np.float32), ValueError, "dtype=.* is not supported"),
        (lambda: vb.hamming(U, U, dtype="bfloat16"), ValueError, "does not go with metric 'hamming'"),
        (lambda: vb.hamming(B, B[:, :3]), ValueError, "a has 4 columns, b 3"),
        (lambda: vb.hamming(B, B, out=np.empty(3)), ValueError, "out has shape .* the result has .*<i4"),
        (lambda: vb.dot(B, B, out=np.empty(3, np.float32)), ValueError, "the result has .*<i4"),
        (lambda: vb.dot(B > 0, B), TypeError, r"a has dtype bool; .*vb.pack_bits\(a\)"),
        (lambda: vb.normalize(B, dtype="bits"), ValueError, "dtype='bits' has no unit rows"),
        (lambda: vb.within(B, B, -1, "hamming"), ValueError, "threshold must not be negative"),
        (
            lambda: vb.astype(F, "int8"),
            ValueError,
            "to='int8' is not supported; expected 'float16', 'bfloat16'",
        ),
        (lambda: vb.astype(F, "no"), ValueError, "to='no' is not supported"),
        (lambda: vb.astype(F[None], "float16"), ValueError, r"X: expected shape .* got \(1, 3, 4\)"),
        (lambda: vb.astype(B, "float16", dtype="bits"), ValueError, "vb.unpack_bits"),
        (lambda: vb.quantize(F * np.nan), ValueError, "X has a number that is not finite in row 0"),
        (
            lambda: vb.quantize(F, "column"),
            ValueError,
            "scale='column' is not supported; expected 'row', 'global'",
        ),
        (lambda: vb.quantize(F, 0.0), ValueError, "scale has numbers that are not positive"),
        (
            lambda: vb.quantize(F, [1.0, 2.0]),
            ValueError,
            r"scale: expected one number or shape \(3,\), got \(2,\)",
        ),
        (lambda: vb.quantize(F, None), ValueError, "scale"),
        (lambda: vb.quantize("no"), TypeError, "X"),
        (lambda: vb.pack_bits(1.0), ValueError, "X is a single number"),
        (lambda: vb.pack_bits(B, dtype="bits"), ValueError, "packed already"),
        (lambda: vb.unpack_bits(F), TypeError, "codes has dtype float32"),
        (lambda: vb.unpack_bits(B, 33), ValueError, "d must be from 0 to 32, not 33"),
        (lambda: vb.unpack_bits(B, 1.5), TypeError, "d must be an integer, not 1.5"),
        (
            lambda: vb.topk(F, B, 1, "cosine", rescore=F),
            ValueError,
            "rows of 4 bytes of bits and rescore rows of 4 elements",
        ),
        (
            lambda: vb.topk(F, F, 1, "cosine", rescore=F),
            TypeError,
            "corpus has dtype float32 and rows of 4 elements; with",
        ),
        (
            lambda: vb.topk(F, B[:2, :1], 1, "cosine", rescore=F),
            ValueError,
            "corpus has 2 rows and rescore 3",
        ),
        (lambda: vb.topk(F, B[:, :1], 1, "hamming", rescore=F), ValueError, "metric='hamming' is of bits"),
        (
            lambda: vb.topk(F, B[:, :1], 1, "cosine", rescore=F, oversample=0),
            ValueError,
            "oversample must be",
        ),
        (lambda: vb.topk(F, vb.quantize(F), 1, "dot", rescore=F), ValueError, "needs one scale for all"),
        (
            lambda: vb.topk(F, vb.quantize(F).codes, 1, rescore=F),
            ValueError,
            "only codes, and metric 'euclidean' needs one scale",
        ),
        (
            lambda: vb.topk(F, vb.quantize(F).codes[:, :3], 1, "cosine", rescore=F),
            ValueError,
            "rows of 3 codes",
        ),
        (
            lambda: vb.topk(F * np.nan, B[:, :1], 1, rescore=F),
            ValueError,
            "queries has a number that is not finite",
        ),
        (
            lambda: vb.topk(F, vb.FlatIndex(F), 1, rescore=F),
            ValueError,
            "index with metric 'euclidean'; with rescore",
        ),
        (lambda: vb.topk(F, F, 1, oversample=3), ValueError, "oversample is for a search with rescore"),
        (lambda: vb.topk(F, vb.quantize(F), 1), TypeError, "what vb.quantize returned; pass corpus.codes"),
        (lambda: vb.astype(F, None), ValueError, "to=None is not supported"),
        (lambda: vb.quantize(F, True), ValueError, "scale=True is not supported"),
        (lambda: vb.topk(F, F.astype(np.complex64), 1), TypeError, "corpus has dtype complex64"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_bits_meet_bits_only():
    with pytest.raises(TypeError, match="expected packed bits"):
        vb.dot(B, F, dtype="bits")
    index = vb.FlatIndex(B, "hamming")
    with pytest.raises(TypeError, match="queries has dtype float32; expected packed bits"):
        index.search(F, 1)


def test_the_core_refuses_types_that_do_not_go_together():
    """Whatever the layers above may think."""
    out = np.empty(3)
    for a, b in ((B, F), (B, B.view(np.int8)), (B, B.view(_core.BITS))):
        with pytest.raises(ValueError, match="two real types, or one type twice"):
            _core.measure(0, a, b, out)
        with pytest.raises(ValueError, match="two real types, or one type twice"):
            _core.topk(0, a, b, None, None, None, 3, 1, 1, np.empty((3, 1), np.int64), np.empty((3, 1)))
        with pytest.raises(ValueError, match="two real types, or one type twice"):
            _core.within(0, a, b, None, None, None, 3, 1.0, np.float64, 1)
        with pytest.raises(ValueError, match="one type"):
            _core.pairwise(0, a, b, "full", 1, np.empty((3, 3)))
    with pytest.raises(ValueError, match="does not put values"):
        _core.measure(0, B, B, np.empty(3, np.int16))
    with pytest.raises(ValueError, match="does not take"):
        _core.measure(0, U, U, out)
