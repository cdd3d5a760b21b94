"""`topk`, `within` and `pairwise` against the reference, and what they refuse."""

import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from conftest import DTYPES, METRICS, are_within, closest_first, same_bits
from hypothesis import example, given
from hypothesis import strategies as st

import vecblade as vb
from vecblade import _core
from vecblade import reference as ref
from vecblade._rows import arrays


@st.composite
def searches(draw):
    """Queries and a corpus of few distinct numbers, so that ties, zeros and NaN abound."""
    dtype, d = draw(st.sampled_from(DTYPES)), draw(st.integers(0, 4))
    element = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, np.nan, np.inf, 1e-30, 3.0])
    row = st.lists(element, min_size=d, max_size=d)
    corpus, queries = draw(st.lists(row, max_size=30)), draw(st.lists(row, max_size=4))
    corpus, queries = (np.array(rows, dtype).reshape(len(rows), d) for rows in (corpus, queries))
    ids = None
    if draw(st.booleans()):
        ids = draw(st.lists(st.integers(0, len(corpus) - 1), max_size=10)) if len(corpus) else []
        if len(ids) == len(corpus) and max(ids, default=2) <= 1:  # which would be taken for a mask
            ids = sorted(set(ids))
    return queries, corpus, ids


@given(searches(), st.sampled_from(METRICS), st.integers(1, 40), st.sampled_from([None, 1, 2]))
def test_topk_is_brute_force(isa, search, metric, k, threads):
    queries, corpus, ids = search
    found = vb.topk(queries, corpus, k, metric, where=ids, threads=threads)
    wanted = ref.topk(queries.tolist(), corpus.tolist(), k, metric, None if ids is None else set(ids))
    eligible = len(corpus) if ids is None else len(set(ids))
    assert found.indices.shape == found.values.shape == (len(queries), min(k, eligible))
    assert found.indices.tolist() == [[i for i, _ in row] for row in wanted]
    values = np.array([[v for _, v in row] for row in wanted], np.float64).reshape(found.values.shape)
    assert same_bits(found.values, values.astype(corpus.dtype))


PLAIN = [("f4", "f4"), ("f8", "f4"), ("f2", "f8"), ("i1", "i1"), ("u1", "u1"), ("i1", "f4")]


@pytest.mark.parametrize(
    ("metric", "types"),
    [(metric, types) for metric in METRICS for types in PLAIN]
    + [(metric, ("u1", "u1")) for metric in sorted(_core.BIT_METRICS)],
)
def test_small_searches_take_no_other_answer(isa, metric, types):
    """A few plain arrays are searched at once (`_core.topk_plain`), as everything else is in due course."""
    rng = np.random.default_rng(4)
    Q, X = (
        rng.integers(0 if kind == "u1" else -5, 6, (n, 20)).astype(kind)
        for kind, n in zip(types, (3, 50), strict=True)
    )
    at_once = types != ("i1", "f4")
    for queries, corpus in (
        (Q, X),
        (Q[1], X),
        (Q[:, ::1][::-1], X[::2]),
        (Q[:, :7], X[:, :7]),
        (Q[2, 3:9], X[::-3, 3:9]),
    ):
        for k in (1, 10, 70):
            made = _core.topk_plain(_core.METRICS[metric], queries, corpus, k)
            assert (made is not None) == at_once
            small = vb.topk(queries, corpus, k, metric)
            full = vb.topk(queries, corpus, k, metric, progress=lambda done, total: None)
            index = vb.FlatIndex(corpus, metric).search(queries, k)
            for found in (small, index):
                assert same_bits(found.indices, full.indices)
                assert same_bits(found.values, full.values)


# A distance that rounds to 0.
@example(
    search=(np.full((1, 1), 1e-30, np.float32), np.zeros((1, 1), np.float32), None),
    metric="sqeuclidean",
    threshold=0.0,
    threads=1,
)
@given(
    searches(),
    st.sampled_from(METRICS),
    st.sampled_from([0.0, 0.5, 1.0, 2.0, -0.5, 1e-40]),
    st.sampled_from([1, 2]),
)
def test_within_is_brute_force(isa, search, metric, threshold, threads):
    queries, corpus, ids = search
    if metric not in ref.SIMILARITIES:
        threshold = abs(threshold)
    found = vb.within(queries, corpus, threshold, metric, where=ids, threads=threads)
    wanted = ref.within(
        queries.tolist(),
        corpus.tolist(),
        threshold,
        metric,
        None if ids is None else set(ids),
        single=corpus.dtype == np.float32,
    )
    assert found.offsets.tolist() == np.cumsum([0] + [len(row) for row in wanted]).tolist()
    assert found.indices.tolist() == [i for row in wanted for i, _ in row]
    values = np.array([v for row in wanted for _, v in row], np.float64)
    assert same_bits(found.values, values.astype(corpus.dtype))


@pytest.mark.parametrize("metric", METRICS)
def test_every_k(isa, metric):
    """K from one to all, through the reservoir's edges, on sorted, reversed and random order."""
    X = np.random.default_rng(0).standard_normal((400, 6)).astype(np.float32)
    X[50:90] = X[7]
    q = X[3] + 0.25
    scores = getattr(vb, metric)(q.astype(np.float64), X)
    order = np.argsort(-scores if metric in ref.SIMILARITIES else scores, kind="stable")
    for rows in (np.arange(400), order, order[::-1]):
        Y = np.ascontiguousarray(X[rows])
        ranked = order_of(metric, q, Y)
        for k in (1, 2, 63, 64, 65, 127, 128, 129, 399, 400, 1000):
            for threads in (1, 3):
                assert vb.topk(q, Y, k, metric, threads=threads).indices.tolist() == ranked[:k]


def order_of(metric, q, X):
    return closest_first(metric, q, X).tolist()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("queries", [1, 3, 70])
def test_large_enough_for_threads_blocks_and_splits(isa, metric, queries):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((9000, 24)).astype(np.float32)
    X[4000:4050] = X[:50]
    Q = X[::100][:queries]
    one = vb.topk(Q, X, 40, metric, threads=1)
    for threads in (2, 5):
        many = vb.topk(Q, X, 40, metric, threads=threads)
        assert same_bits(many.indices, one.indices)
        assert same_bits(many.values, one.values)
    for q, rows in zip(Q, one.indices, strict=True):
        assert rows.tolist() == order_of(metric, q, X)[:40]
    threshold = float(
        np.sort(getattr(vb, metric)(Q[0].astype(np.float64), X))[-50 if metric in ref.SIMILARITIES else 50]
    )
    near = vb.within(Q, X, threshold, metric, threads=1)
    far = vb.within(Q, X, threshold, metric, threads=4)
    for a, b in zip(near, far, strict=True):
        assert same_bits(a, b)
    for i, q in enumerate(Q):
        scores = getattr(vb, metric)(q.astype(np.float64), X)
        close = are_within(metric, scores, threshold, np.float32)
        assert near.indices[near.offsets[i] : near.offsets[i + 1]].tolist() == np.flatnonzero(close).tolist()


def test_the_threshold_itself_is_within(isa):
    X = np.random.default_rng(3).standard_normal((500, 33)).astype(np.float32)
    for metric in METRICS:
        values = getattr(vb, metric)(X[0].astype(np.float64), X)
        for i in range(0, 500, 25):
            if values[i] < 0 and metric not in ref.SIMILARITIES:
                continue
            found = vb.within(X[0], X, values[i], metric)
            wanted = values >= values[i] if metric in ref.SIMILARITIES else values <= values[i]
            assert found.indices.tolist() == np.flatnonzero(wanted).tolist()


@pytest.mark.parametrize("metric", METRICS)
def test_a_corpus_in_pieces(monkeypatch, metric):
    """Rows that must be converted or copied give what they give whole."""
    rng = np.random.default_rng(4)
    X = rng.integers(-3, 4, (600, 5)).astype(np.int16)
    X[100] = 0
    Q = X[[0, 100, 300]]
    where = rng.random(600) < 0.5
    wide = X.astype(np.float64)
    monkeypatch.setattr(arrays, "PIECE", 700)
    for options in ({}, {"where": where}, {"where": np.flatnonzero(where)}):
        for k in (1, 20, 1000):
            found = vb.topk(Q, X, k, metric, **options)
            wanted = vb.topk(wide[[0, 100, 300]], wide, k, metric, **options)
            assert same_bits(found.indices, wanted.indices)
            assert same_bits(found.values, wanted.values)
        for a, b in zip(vb.within(X[:90], X, 1.0, metric, **options), vb.within(wide[:90], wide, 1.0, metric, **options),
                        strict=True):  # fmt: skip
            assert same_bits(a, b)
    assert same_bits(vb.pairwise(X, metric=metric), vb.pairwise(wide, metric=metric))


def test_shapes_of_results():
    X = np.ones((6, 3), np.float32)
    assert vb.topk(X[0], X, 2).indices.shape == (2,)
    assert vb.topk(X[:1], X, 2).indices.shape == (1, 2)
    assert vb.topk(X[:0], X, 2).indices.shape == (0, 2)
    assert vb.topk(X, X[:0], 2).indices.shape == (6, 0)
    assert vb.topk(X[0], X, 2, where=[]).indices.shape == (0,)
    assert vb.topk(X[0], X, 2, where=np.zeros(6, bool)).values.shape == (0,)
    assert vb.topk(X[0], X, 9, where=[5, 1, 1, 5]).indices.tolist() == [1, 5]
    assert vb.within(X[:0], X, 1.0).offsets.tolist() == [0]
    assert vb.within(X[0], X[:0], 1.0).offsets.tolist() == [0, 0]
    assert vb.pairwise(X[:0], X).shape == (0, 6)
    assert vb.pairwise(X, X[:0]).shape == (6, 0)
    assert vb.topk(X[0], X, 2).values.dtype == np.float32
    assert vb.topk(X[0].astype(np.float64), X, 2).values.dtype == np.float64
    assert vb.topk(X[0], X, 2).indices.dtype == np.int64


def test_memory_beside_the_result_is_small():
    X = np.random.default_rng(5).standard_normal((200_000, 64)).astype(np.float32)
    fortran = np.asfortranarray(X)
    tracemalloc.start()
    try:
        vb.topk(X[:50], X, 10)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        vb.topk(X[:3], fortran, 10)  # not contiguous: copied in pieces
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("call", ["vb.topk(X[0], X, 10)", "vb.topk(X[:100], X, 100, threads=2)",
                                  "vb.within(X[0], X, 1.0)", "vb.topk(X[0], X, 10, where=mask)"])  # fmt: skip
def test_the_process_grows_little(call):
    """All of it, the core's own memory included: under 16 MiB."""
    assert grown_by(300_000, 64, call) < 16 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("rows", "d", "k"), [(100_000, 128, 100), (20_000, 768, 10)])
def test_the_process_grows_little_with_many_queries(rows, d, k, threads):
    """Their codes, and those of a chunk of the corpus, too: under 64 MiB."""
    assert grown_by(rows, d, f"vb.topk(X[:1000], X, {k}, threads={threads})") < 64 << 20


def grown_by(rows, d, call):
    """Bytes that a process has at most had more than before, in a fresh one."""
    code = f"""
import numpy as np, vecblade as vb
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
X = np.random.default_rng(0).standard_normal(({rows}, {d}), dtype=np.float32)
mask = np.arange(len(X)) % 3 > 0
vb.topk(X[0], X[:5000], 10)
before = peak()
{call}
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, check=True)
    return int(done.stdout) << 10


X3 = np.ones((4, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: vb.topk(X3, X3[0], 1), ValueError, r"corpus: expected shape \(m, d\), got \(3,\)"),
        (lambda: vb.topk(X3[None], X3, 1), ValueError, r"queries: expected shape \(d,\) or \(n, d\), got \(1, 4, 3\)"),
        (lambda: vb.topk(X3[:, :2], X3, 1), ValueError, "queries have 2 columns, the corpus 3"),
        (lambda: vb.topk(1.0, X3, 1), ValueError, r"queries: expected shape \(d,\) or \(n, d\), got \(\)"),
        (lambda: vb.topk(X3, None, 1), TypeError, r"corpus \(NoneType\)"),
        (lambda: vb.topk(X3, X3 * 1j, 1), TypeError, "corpus has dtype complex"),
        (lambda: vb.topk(X3, X3, 0), ValueError, "k must be at least 1, not 0"),
        (lambda: vb.topk(X3, X3, -5), ValueError, "k must be at least 1, not -5"),
        (lambda: vb.topk(X3, X3, 2.0), TypeError, "k must be an integer"),
        (lambda: vb.topk(X3, X3, True), TypeError, "k must be an integer"),
        (lambda: vb.topk(X3, X3, None), TypeError, "k must be an integer"),
        (lambda: vb.topk(X3, X3, 1, "l2"), ValueError, r"unknown metric 'l2'; did you mean 'euclidean'\? Known: 'dot', 'cosine_similarity'"),
        (lambda: vb.topk(X3, X3, 1, ["dot"]), ValueError, r"unknown metric \['dot'\]"),
        (lambda: vb.topk(X3, X3, 1, where=np.ones(3, bool)), ValueError, r"where is a mask of shape \(3,\); .*\(4,\)"),
        (lambda: vb.topk(X3, X3, 1, where=np.ones((4, 1), bool)), ValueError, "where is a mask of shape"),
        (lambda: vb.topk(X3, X3, 1, where=[0, 4]), ValueError, "where has row ids from 0 to 4; the corpus has rows 0 to 3"),
        (lambda: vb.topk(X3, X3, 1, where=[-1]), ValueError, "where has row ids from -1"),
        (lambda: vb.topk(X3, X3, 1, where=[0.5]), TypeError, "where has dtype float64"),
        (lambda: vb.topk(X3, X3, 1, where="all"), TypeError, "where has dtype"),
        (lambda: vb.topk(X3, X3, 1, where=np.array([2**63], np.uint64)), ValueError, "where has row ids"),
        (lambda: vb.topk(X3, X3, 1, threads=0), ValueError, "threads must be at least 1"),
        (lambda: vb.within(X3, X3, -1.0), ValueError, "threshold must not be negative for the distance 'euclidean'"),
        (lambda: vb.within(X3, X3, float("nan")), ValueError, "threshold must be finite, not nan"),
        (lambda: vb.within(X3, X3, float("inf"), "dot"), ValueError, "threshold must be finite"),
        (lambda: vb.within(X3, X3, "near"), TypeError, "threshold must be a number, not 'near'"),
        (lambda: vb.within(X3, X3, None), TypeError, "threshold must be a number"),
        (lambda: vb.within(X3, X3, 1, "x"), ValueError, "unknown metric 'x'"),
        (lambda: vb.pairwise(X3[0]), ValueError, r"A: expected shape \(n, d\), got \(3,\)"),
        (lambda: vb.pairwise(X3, X3[0]), ValueError, r"B: expected shape \(m, d\), got \(3,\)"),
        (lambda: vb.pairwise(X3, X3[:, :2]), ValueError, "A has 3 columns, B 2"),
        (lambda: vb.pairwise(X3, metric="manhattan"), ValueError, "unknown metric 'manhattan'; there is no L1 distance. Known: "),
        (lambda: vb.pairwise(X3, out=np.empty((4, 4))), ValueError, "out has shape .*<f8"),
        (lambda: vb.normalize(np.ones((2, 2, 2))), ValueError, r"X: expected shape \(d,\) or \(n, d\), got \(2, 2, 2\)"),
    ],
)  # fmt: skip
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("l2", "did you mean 'euclidean'?"),
        ("METRIC_INNER_PRODUCT", "did you mean 'dot'?"),
        ("ip", "did you mean 'dot'?"),
        ("cos", "did you mean 'cosine'?"),
        ("Cosine", "did you mean 'cosine'?"),
        ("cosine-similarity", "did you mean 'cosine_similarity'?"),
        ("euclidian", "did you mean 'euclidean'?"),
        ("L2_squared", "did you mean 'sqeuclidean'?"),
        (vb.jaccard, "did you mean 'jaccard'?"),
        ("cityblock", "there is no L1 distance."),
        ("chebyshev", None),
        ("", None),
        (3, None),
    ],
)
def test_an_unknown_metric_may_have_meant(name, meant):
    said = f"unknown metric {name!r}{'.' if meant is None else f'; {meant}'} Known: "
    for call in (
        lambda: vb.topk(X3, X3, 1, name),
        lambda: vb.within(X3, X3, 1.0, name),
        lambda: vb.explain(X3, X3, 1, name),
        lambda: vb.pairwise(X3, metric=name),
        lambda: vb.FlatIndex(X3, name),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(said)}") as refused:
            call()
        assert str(refused.value).endswith("Known: " + ", ".join(map(repr, vb.METRICS)))


def test_pairwise_out():
    X = np.random.default_rng(6).standard_normal((5, 3)).astype(np.float32)
    out = np.zeros((10, 5), np.float32)[::2].T
    assert vb.pairwise(X, out=out) is out
    assert same_bits(np.ascontiguousarray(out), vb.pairwise(X))
    square = np.ones((4, 4), np.float32)
    with pytest.raises(ValueError, match="out overlaps A"):
        vb.pairwise(square, out=square)


def test_pairwise_of_near_duplicates_far_from_the_origin():
    """Where the expansion of the square would leave no digit: offset 1000, noise 1e-4."""
    rng = np.random.default_rng(7)
    X = (1000 + 1e-4 * rng.standard_normal((40, 64))).astype(np.float32)
    exact = np.sqrt(np.square(X[:, None].astype(np.longdouble) - X).sum(-1))
    off = ~np.eye(40, dtype=bool)
    assert (np.abs(vb.pairwise(X) - exact)[off] / exact[off]).max() < 1e-7
    assert not vb.pairwise(X).diagonal().any()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [2, 33, 300])
def test_ties_closer_than_float32_can_tell(isa, metric, d):
    """A few rows whose scores differ by less than a screen's rounding, among far ones that it rules out."""
    rng = np.random.default_rng(d)
    base = rng.standard_normal(d).astype(np.float32)
    X = (-base * rng.uniform(0.5, 1, (6000, 1)) + 0.1 * rng.standard_normal((6000, d))).astype(np.float32)
    near = np.repeat(base[None], 120, axis=0)
    near.view(np.int32)[...] += rng.integers(-2, 3, near.shape, dtype=np.int32)  # units in the last place
    X[::50] = near
    q = near[0] if metric in ("dot", "cosine", "cosine_similarity") else near[0] + np.float32(0.5)
    ranked = order_of(metric, q, X)
    scores = getattr(vb, metric)(q.astype(np.float64), X)
    for k in (1, 5, 20, 60, 119):
        assert vb.topk(q, X, k, metric).indices.tolist() == ranked[:k]
        threshold = float(scores[ranked[k]])
        close = are_within(metric, scores, threshold, np.float32)
        assert vb.within(q, X, threshold, metric).indices.tolist() == np.flatnonzero(close).tolist()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e-19, 1e-10, 1e10, 1e18, 1e19, 1e20, 1e30, 3e37])
def test_the_screen_where_float32_over_and_underflows(isa, metric, scale):
    rng = np.random.default_rng(8)
    X = rng.standard_normal((2000, 20)).astype(np.float32)
    X[::2] *= np.float32(scale)
    X[5], X[7, 3], X[9, 2], X[11] = 0, np.inf, np.nan, np.float32(1e-45)
    X[100:110] = 3e38
    X[110:120] = -3e38
    for q in (
        X[0],
        X[1],
        X[2] * np.float32(1e-20),
        np.full(20, 3e38, np.float32),
        np.full(20, 1e-45, np.float32),
    ):
        for k in (1, 20, 1500):
            assert vb.topk(q, X, k, metric).indices.tolist() == order_of(metric, q, X)[:k]


def test_within_some_rows_of_a_corpus_in_pieces(monkeypatch):
    """Converted a piece at a time, of which only one, and not the first, holds rows that may be found."""
    monkeypatch.setattr(arrays, "PIECE", 4000)
    X = np.random.default_rng(0).integers(-9, 10, (900, 20))
    for corpus in (X, X.astype(">f4"), np.asfortranarray(X.astype(np.float32)), X.astype(np.int8)):
        queries = X[800:802].astype(np.float32)
        for ids in ([800], [5, 800], [], [899, 3, 450]):
            found = vb.within(queries, corpus, 1e9, where=ids)
            assert found.indices.tolist() == sorted(ids) * 2
            assert found.offsets.tolist() == [0, len(ids), 2 * len(ids)]
            assert set(vb.topk(queries, corpus, 3, where=ids).indices[0].tolist()) == set(ids)
