"""
Search that rules rows out by codes or by tiles, against brute force, on data built to break a wrong bound.

Corpora are just large enough for codes, and codes are made on the way for the few queries too. The oracle is the
row functions on the same numbers in float64, whose values are the canonical ones.
"""

from contextlib import contextmanager

import numpy as np
import pytest
from conftest import DTYPES, METRICS, TYPES, are_within, closest_first, same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import vecblade as vb
from vecblade import _core
from vecblade import reference as ref

M = 1100  # rows: past the least number that has codes, and no multiple of a panel
N = 9  # queries: fewer than codes are made for by default, more than fit in a group of them at some level


@contextmanager
def forced(plan):
    """Searches make codes of the rows on the way ("sieve"), or have float32 tiles rule rows out ("tiles")."""
    _core.use_plan(plan)
    try:
        yield
    finally:
        _core.use_plan("codes")


REALS = [kind for kind in TYPES.values() if not kind.whole]
WHOLE = [kind for kind in TYPES.values() if kind.whole]


def kind_of(X):
    return next(kind for kind in TYPES.values() if kind.dtype == X.dtype)


def oracle(metric, queries, X):
    """float64 values of every pair, and for each query the order of the rows."""
    q, x = (kind_of(rows).numbers(rows) for rows in (queries, X))
    if metric == "jaccard":
        both, either = q @ x.T, q.sum(axis=1)[:, None] + x.sum(axis=1) - q @ x.T
        values = np.where(either > 0, (either - both) / np.maximum(either, 1), 0.0)
        return values, np.argsort(values, axis=1, kind="stable")
    if kind_of(X).whole and metric.startswith("cosine"):
        return whole_angles(metric, q.astype(np.int64), x.astype(np.int64))
    metric = {"hamming": "sqeuclidean"}.get(metric, metric)
    values = getattr(vb, metric)(q[:, None], x)
    return values, [closest_first(metric, row, x) for row in q]


def whole_angles(metric, q, x):
    """The same for cosines of integers, whose sums are exact: near 0, distances come from a difference of integers."""
    dot, qq, xx = q @ x.T, (q * q).sum(axis=1)[:, None], (x * x).sum(axis=1)
    with np.errstate(invalid="ignore"):
        length = np.sqrt(qq * xx)
        similarity = np.clip(dot / length, -1.0, 1.0)
        near = similarity >= ref.near_edge(x.shape[1])
        distance = np.where(near, (qq * xx - dot * dot) / (length * (length + dot)), 1.0 - similarity)
    similarity = np.where(near, np.maximum(1.0 - distance, ref.near_edge(x.shape[1])), similarity)
    if metric == "cosine":
        return distance, np.argsort(distance, axis=1, kind="stable")
    return similarity, np.lexsort((np.where(near, distance, 0), np.where(near, -2.0, -similarity)))


def check(metric, queries, X, ks=(1, 10), thresholds=True, where=None):
    """Bare and prepared, `topk` and `within` give what brute force gives. Rows as the package has them inside."""
    values, ranked = oracle(metric, queries, X)
    on_the_way = ("sieve",) if kind_of(X).whole else ("sieve", "tiles")
    options = {"metric": metric, **kind_of(X).options}
    queries, X = (rows.view(kind_of(rows).given) for rows in (queries, X))
    eligible = np.ones(len(X), bool) if where is None else where
    index = vb.FlatIndex(X, **options)
    for k in ks:
        k = min(k, int(eligible.sum()))
        order = [row[eligible[row]][:k] for row in ranked]
        for plan in on_the_way:
            with forced(plan):
                bare = vb.topk(queries, X, k, where=where, **options)
            assert np.array_equal(bare.indices, np.stack(order)), plan
        prepared = index.search(queries, k, where=where)
        single = index.search(queries[0], k, where=where)
        assert same_bits(prepared.indices, bare.indices)
        assert same_bits(prepared.values, bare.values)
        assert same_bits(single.indices, bare.indices[0])
        wanted = np.take_along_axis(values, bare.indices, axis=1) + 0.0
        with np.errstate(over="ignore"):
            assert same_bits(bare.values, wanted.astype(bare.values.dtype))
    if not thresholds:
        return
    # The value of some row, exactly, and the next numbers on both sides.
    dtype, finite = prepared.values.dtype, np.sort(values[0][np.isfinite(values[0])])
    for place in {0, len(finite) // 50, len(finite) // 2, len(finite) - 1} if len(finite) else ():
        for threshold in (finite[place], *np.nextafter(finite[place], [-np.inf, np.inf])):
            if threshold < 0 and metric not in vb._core.SIMILARITIES:
                continue
            hits = [np.flatnonzero(are_within(metric, row, threshold, dtype) & eligible) for row in values]
            bare = []
            for plan in on_the_way:
                with forced(plan):
                    bare.append(vb.within(queries, X, threshold, where=where, **options))
            for found in (*bare, index.within(queries, threshold, where=where)):
                assert np.diff(found.offsets).tolist() == [len(h) for h in hits]
                assert np.array_equal(found.indices, np.concatenate(hits))


def gaussian(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


# ---- rows at the very bound ----------------------------------------------------------------


def tight(d, lost_by_query):
    """
    A query and a row whose dot product is as far from that of their codes as the bound allows.

    Either every code of the row is exact and the query's are off, all to the same side, or the other
    way round. Signs alternate, and every row comes with its negative, so that the center is zero.
    """
    signs = np.where(np.arange(d) % 2, -1.0, 1.0)
    exact, off = 127.0 * signs, 60.4921875 * signs
    off[0] = 127.0  # the scale: a code is a whole number
    query, row = (off, exact) if lost_by_query else (exact, off)
    filling = np.rint(np.random.default_rng(d).uniform(-20, 20, (M // 4, d)))
    filling[:, 0] = 127.0
    rows = np.concatenate([filling, row[None]])
    X = np.zeros((4 * len(rows), d))
    X[0::4], X[1::4], X[2::4], X[3::4] = rows, rows, -rows, -rows
    return query, X.astype(np.float32), 4 * len(filling)


@pytest.mark.parametrize("lost_by_query", [False, True], ids=["lost by row", "lost by query"])
@pytest.mark.parametrize("metric", METRICS)
def test_a_row_at_the_bound_is_found(isa, metric, lost_by_query):
    for d in (64, 256, 900):
        query, X, place = tight(d, lost_by_query)
        for dtype in DTYPES:
            queries = np.tile(query, (N, 1)).astype(dtype)
            rows = X.astype(dtype)
            value = getattr(vb, metric)(query, X[place].astype(np.float64))
            with forced("sieve"):
                bare = vb.within(queries, rows, value, metric)
            for found in (bare, vb.FlatIndex(rows, metric).within(queries, value)):
                assert all(
                    place in found.indices[found.offsets[i] :][: np.diff(found.offsets)[i]] for i in range(N)
                )
            check(metric, queries, rows, thresholds=False)


def test_the_bound_that_is_tested_is_tight():
    """Of what the codes cannot tell, the rows above use more than 98 in 100: weaken the bound, and they are lost."""
    for lost_by_query in (False, True):
        query, X, place = tight(256, lost_by_query)
        row = X[place].astype(np.float64)
        codes = [np.rint(v * 127 / np.abs(v).max()) for v in (query, row)]
        residues = [v * 127 / np.abs(v).max() - c for v, c in zip((query, row), codes, strict=True)]
        gap = abs((query * 127 / np.abs(query).max()) @ (row * 127 / np.abs(row).max()) - codes[0] @ codes[1])
        lengths = [np.linalg.norm(v) for v in (*codes, *residues)]
        assert gap > 0.98 * (lengths[0] * lengths[3] + lengths[2] * lengths[1])


# ---- rows of every unpleasant kind -----------------------------------------------------------


def corpora(d, seed=0):
    """Name and float64 rows, M of them."""
    plain = gaussian(seed, M, d)
    scale = np.exp2(np.random.default_rng(seed).integers(-12, 13, (M, d)).astype(float))
    one = np.full((M, d), 1e-3)
    one[np.arange(M), np.arange(M) % d] = gaussian(seed + 1, M) * 1000
    near = np.tile(gaussian(seed + 2, 1, d), (M, 1)) * (1 + 1e-7 * gaussian(seed + 3, M, 1))
    special = plain.copy()
    special[5::50, d // 2], special[6::50, 0], special[7::50, d - 1] = np.nan, np.inf, -np.inf
    special[8::50] = 0
    special[9::50] *= 1e-42
    special[10::50] *= 1e30
    special[11::50] *= 1e-25
    return {
        "gaussian": plain,
        "unit": plain / np.linalg.norm(plain, axis=1, keepdims=True),
        "dynamic range": plain * scale,
        "one dominant": one,
        "all equal": np.tile(plain[:1], (M, 1)),
        "nearly equal": near,
        "duplicates": plain[np.random.default_rng(seed).integers(0, 40, M)],
        "far from origin": 1000 + 1e-2 * plain,
        "far in two places": 100 * np.sign(plain[:, :1]) + plain,
        "special": special,
        "zeros": np.zeros((M, d)),
        "denormal": plain * 1e-40,
        "huge": plain * 1e18,
        "of all sizes": plain
        * 10.0 ** np.random.default_rng(seed).choice([-300, -160, -20, 18, 150, 200], (M, 1)),
        "mostly tiny": plain * 10.0 ** np.random.default_rng(seed).choice([-160, -160, -160, 150], (M, 1)),
        "integers": np.rint(3 * plain),
        "positive": np.abs(plain),
    }


@pytest.mark.parametrize("kind", REALS, ids=repr)
@pytest.mark.parametrize("name", corpora(8))
def test_any_corpus(isa, name, kind):
    for d in (8, 45):
        X = kind.of(corpora(d)[name])
        queries = np.concatenate([X[:6], kind.of(gaussian(1, 2, d)), kind.of(np.zeros((1, d)))])
        for metric in METRICS:
            check(metric, queries, X, ks=(1, 10, M))


def bytes_of(d, seed=0):
    """Name and rows of bytes, M of them: whatever these are."""
    random = np.random.default_rng(seed)
    plain = random.integers(0, 256, (M, d), np.uint8)
    few = random.choice(np.array([0, 1, 2, 254, 255], np.uint8), (M, d))
    half = np.where(random.random((M, 1)) < 0.5, plain[:1], plain)
    return {
        "random": plain,
        "few values": few,
        "few distinct": few[random.integers(0, 30, M)],
        "all equal": np.tile(plain[:1], (M, 1)),
        "half equal": half,
        "extremes": np.where(random.random((M, 1)) < 0.5, 127, 128).astype(np.uint8)
        * np.ones((1, d), np.uint8),
        "sparse": np.where(random.random((M, d)) < 0.1, plain, 0).astype(np.uint8),
        "zeros": np.zeros((M, d), np.uint8),
    }


@pytest.mark.parametrize("kind", WHOLE, ids=repr)
@pytest.mark.parametrize("name", bytes_of(8))
def test_any_bytes(isa, name, kind):
    """Codes that lose nothing: what is tied at the bar has to be found, though nothing is to spare."""
    for d in (8, 45, 130):
        X = bytes_of(d)[name]
        one = np.ones((1, d), np.uint8)  # a query of 128 is just past the codes
        queries = np.concatenate([X[:6], bytes_of(d, 1)["random"][:2], 0 * one, 128 * one]).view(kind.dtype)
        X = X.view(kind.dtype)
        for metric in kind.metrics():
            check(metric, queries, X, ks=(1, 10, M))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33, 4096])
def test_any_width(isa, d):
    X = gaussian(d, M, d).astype(np.float32)
    queries = gaussian(d + 1, N, d).astype(np.float32)
    for metric in METRICS:
        check(metric, queries, X, ks=(1, 7), thresholds=d < 100)


@pytest.mark.parametrize("name", ["gaussian", "duplicates", "special"])
def test_where(isa, name):
    X = corpora(33)[name].astype(np.float32)
    for eligible in (np.arange(M) % 2 == 0, np.arange(M) % 40 == 3, np.arange(M) > M - 30):
        for metric in METRICS:
            check(metric, X[:N], X, where=eligible)


def test_where_of_many_rows(isa):
    """As ids and as a mask, sparse and dense: more than a plan, one result."""
    X = gaussian(0, 40_000, 16).astype(np.float32)
    index = vb.FlatIndex(X)
    for step in (1, 3, 17, 30, 2000):
        ids = np.arange(5, len(X), step)
        mask = np.zeros(len(X), bool)
        mask[ids] = True
        for queries in (X[:1], X[:60]):
            wanted = vb.topk(queries, X[ids], 10)
            for where in (ids, mask):
                with forced("sieve"):
                    coded = vb.topk(queries, X, 10, where=where)
                with forced("tiles"):
                    tiled = vb.topk(queries, X, 10, where=where)
                bare, prepared = vb.topk(queries, X, 10, where=where), index.search(queries, 10, where=where)
                for found in (coded, tiled, bare, prepared):
                    assert same_bits(found.indices, ids[wanted.indices])
                    assert same_bits(found.values, wanted.values)


@settings(max_examples=15)
@given(data=st.data())
def test_anything_against_brute_force(isa, data):
    """Rows put together from a few numbers, in which ties and exact differences are frequent."""
    d = data.draw(st.integers(8, 40))
    dtype = data.draw(st.sampled_from(DTYPES))
    number = st.floats(-100, 100, width=32) | st.sampled_from([0.0, 1.0, -1.0, 127.0, 0.5, 1e-30, 1e20])
    pool = np.array(data.draw(st.lists(number, min_size=1, max_size=12)))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    distinct = random.choice(pool, (data.draw(st.integers(1, 200)), d))
    X = distinct[random.integers(0, len(distinct), M)].astype(dtype)
    queries = np.concatenate([X[:5], random.choice(pool, (N - 5, d)).astype(dtype)])
    for metric in METRICS:
        check(metric, queries, X, ks=(1, 5, 300))


def test_queries_of_the_other_type(isa):
    """float64 queries over float32 rows and the other way round: values are float64."""
    X, queries = gaussian(0, M, 20), gaussian(1, N, 20)
    for metric in METRICS:
        check(metric, queries, X.astype(np.float32))
        check(metric, queries.astype(np.float32), X)


def test_threads_and_pieces_cannot_be_seen(isa):
    X, queries = gaussian(0, 20_000, 24).astype(np.float32), gaussian(1, 40, 24).astype(np.float32)
    X[::7] = X[3]
    for metric in METRICS:
        index = vb.FlatIndex(X, metric, threads=2)
        one = vb.topk(queries, X, 20, metric, threads=1)
        for n in (1, 3, 40):
            for found in (
                index.search(queries[:n], 20, threads=2),
                index.search(queries[:n], 20, threads=1),
                vb.topk(queries[:n], X, 20, metric, threads=2),
            ):
                assert same_bits(found.indices, one.indices[:n])
                assert same_bits(found.values, one.values[:n])


# ---- that codes are at work at all ------------------------------------------------------------


@pytest.mark.parametrize("queries", [1, 50])
@pytest.mark.parametrize("metric", METRICS)
def test_ties_between_parts_of_the_corpus(isa, metric, queries):
    """
    A part that has found its rows raises the bar for the others, whose rows may tie with it and come first.

    Equal rows, the best, lie at the beginning of every part but the first, and at the end of that.
    """
    d, part, parts = 16, 4096, 8  # two threads cut the corpus into eight
    X = gaussian(0, part * parts, d).astype(np.float32)
    best = np.full(d, 8.0, np.float32)
    rows = np.concatenate(
        [np.arange(part - 6, part), *(np.arange(i, i + 40) for i in range(part, len(X), part))]
    )
    X[rows] = best
    q = np.tile(best, (queries, 1))
    for k in (1, 10, 50):
        for found in (vb.topk(q, X, k, metric, threads=2), vb.FlatIndex(X, metric).search(q, k, threads=2)):
            assert found.indices.tolist() == [rows[:k].tolist()] * queries


def test_codes_rule_out_nearly_all_rows(isa):
    """Or all of the above would prove nothing."""
    X, queries = gaussian(0, 40_000, 64).astype(np.float32), gaussian(1, 40, 64).astype(np.float32)
    for metric in METRICS:
        for dtype in DTYPES:
            with forced("sieve"):
                bare = vb.explain(queries, X.astype(dtype), 10, metric)
            index = vb.FlatIndex(X.astype(dtype), metric)
            prepared = vb.explain(queries, index, 10)
            assert (bare.plan, prepared.plan) == ("sieve", "codes")
            for told in (bare, prepared):
                assert told.pairs == told.sifted == 40 * 40_000
                assert 400 <= told.rescored < told.pairs / 20


@pytest.mark.parametrize("k", [10, 1000])
def test_more_threads_do_not_measure_more_rows(k):
    """They share what they have found: parts of the corpus on their own would measure several times as many."""
    X, queries = gaussian(0, 80_000, 16).astype(np.float32), gaussian(1, 20, 16).astype(np.float32)
    one, two = (vb.explain(queries, X, k, "dot", threads=n).rescored for n in (1, 2))
    assert two < 1.6 * one


def test_tiles_rule_out_nearly_all_rows(isa):
    X, queries = gaussian(0, 20_000, 24), gaussian(1, 40, 24)
    for mean in (0, 100):
        for metric in METRICS:
            for dtype in DTYPES:
                with forced("tiles"):
                    told = vb.explain((queries + mean).astype(dtype), (X + mean).astype(dtype), 10, metric)
                assert told.plan == "tiles"
                assert told.pairs == told.sifted == 40 * 20_000
                assert 400 <= told.rescored < told.pairs / 20


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_any_row_that_float32_cannot_tell_from_the_best(isa, metric):
    """
    Rows of one number each, from one float32 to the next: the sums of some round up at each step, of others down.

    That is the largest error of a tile that is known. Half of the rows are negative, or it would be subtracted.
    """
    for d in (64, 1000):
        number = 1.3 + 2.0**-23 * np.arange(M // 2)
        rows = np.repeat(np.concatenate([number, -number])[:, None], d, axis=1)
        check(metric, np.repeat([[0.7], [-1.1]], d, axis=1).astype(np.float32), rows.astype(np.float32))


def test_any_rows_very_far_from_the_origin(isa):
    """Their products with what is subtracted are a million million times those that tell them apart."""
    queries, X = 1e6 + gaussian(1, 3, 300), 1e6 + gaussian(2, M, 300)
    for metric in METRICS:
        check(metric, queries, X, (20,), thresholds=metric == "dot")


def test_plans():
    X = gaussian(0, 3000, 16)
    index = vb.FlatIndex(X)
    assert vb.explain(X[:300], X, 5).plan in ("sieve", "tiles")
    for plan in ("sieve", "tiles"):
        with forced(plan):
            assert vb.explain(X[:1], X, 5).plan == vb.explain(X[:1], index, 5).plan == plan
            assert vb.explain(X[:1], X, threshold=1.0).plan == plan
            assert vb.explain(X[:1].astype(np.int8), X.astype(np.int8), 5).plan == {"tiles": "rows"}.get(
                plan, plan
            )
    assert vb.explain(X[:1], X, 5).plan == "rows", "codes are not worth their making for one query"
    assert vb.explain(X[:1], index, 5).plan == "codes"
    assert vb.explain(X[:1], X[:500], 5).plan == "rows"
    assert vb.explain(X[:1], index, 5, where=np.arange(20)).plan == "rows"
    assert vb.explain(X[:1, :7], X[:, :7], 5).plan == "rows"
    assert vb.explain(X[:300, :7], X[:, :7], 5).plan == "tiles", "rows too short for codes"
    assert vb.explain(X[:300], X[:60], 1).plan == "tiles", "too few for codes"
    assert vb.explain(X[:300], X, threshold=1.0).plan in ("sieve", "tiles")
    assert vb.explain(X[:N], X[:0], 5) == ("rows", 0, 0, 0)
    with pytest.raises(ValueError, match="either k or threshold"):
        vb.explain(X[:N], X)
    with pytest.raises(ValueError, match="metric='dot', but the index has metric 'euclidean'"):
        vb.explain(X[:N], index, 5, "dot")
