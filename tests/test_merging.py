"""`merge`: results of parts are those of one search. `recall`: a share of true neighbours, ties counted fairly."""

import pickle
from fractions import Fraction

import numpy as np
import pytest

import vecblade as vb


def gaussian(seed, *shape, dtype="f4"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def parts_of(rows, parts, seed=0):
    """Rows cut anywhere, with where each part begins; some may be empty."""
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(rows) + 1, parts - 1))
    return np.split(rows, cuts), [0, *cuts.tolist()]


def same(found, wanted):
    assert type(found) is type(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def near_duplicates(spread):
    """Many of which have similarities that are equal in float32, though not in float64."""
    rng = np.random.default_rng(1)
    centers = rng.standard_normal((20, 24))
    return (centers[rng.integers(0, 20, 6000)] + spread * rng.standard_normal((6000, 24))).astype("f4")


@pytest.mark.parametrize("metric", vb.METRICS)
def test_keys_rank(metric):
    """By them rows are sorted; they are those of any way to search."""
    bits = metric in ("hamming", "jaccard")
    rows = np.random.default_rng(2).integers(0, 256, (3000, 9), np.uint8) if bits else gaussian(2, 3000, 9)
    found = vb.topk(rows[:20], rows, 12, metric)
    assert found.keys.dtype == np.float64
    assert found.keys.shape == (20, 12)
    assert (np.diff(found.keys, axis=1) >= 0).all()
    for other in (
        vb.FlatIndex(rows, metric).search(rows[:20], 12),
        vb.topk(rows[:20], vb.open(iter(np.split(rows, 3))), 12, metric),
        vb.topk(rows[:20], np.asfortranarray(rows), 12, metric),
        pickle.loads(pickle.dumps(found)),
    ):
        np.testing.assert_array_equal(other.keys, found.keys)
    if metric in ("euclidean", "cosine"):
        two_stages = vb.topk(rows[:20], rows[:, :5], 12, metric, rescore=rows, oversample=250)
        np.testing.assert_array_equal(two_stages.keys, found.keys)
    one = vb.topk(rows[3], rows[:40], 12, metric)
    np.testing.assert_array_equal(one.keys, vb.topk(rows[3:4], rows[:40], 12, metric).keys[0])
    indices, values = found
    assert vb.TopK(indices, values).keys is None
    assert found._replace(values=values).keys is None
    if metric in ("euclidean", "sqeuclidean", "cosine") and not bits:
        np.testing.assert_array_equal(found.keys.astype("f4"), found.values)


@pytest.mark.parametrize("spread", [1e-2, 1e-4])
@pytest.mark.parametrize("metric", ["cosine_similarity", "cosine", "euclidean", "dot"])
def test_near_duplicates_in_parts(metric, spread):
    rows = near_duplicates(spread)
    wanted = vb.topk(rows[:100], rows, 10, metric)
    some, starts = parts_of(rows, 20)
    found = vb.merge([vb.topk(rows[:100], part, 10, metric) for part in some], starts, k=10)
    same(found, wanted)
    np.testing.assert_array_equal(found.keys, wanted.keys)
    assert found.exact


def test_values_alone_do_not_tell():
    rows, metric = near_duplicates(1e-4), "cosine_similarity"
    wanted = vb.topk(rows[:300], rows, 10, metric)
    some, starts = parts_of(rows, 20)
    plain = [vb.TopK(*vb.topk(rows[:300], part, 10, metric)) for part in some]
    found = vb.merge(plain, starts, k=10, metric=metric)
    assert not found.exact
    assert found.keys is None
    assert (found.indices != wanted.indices).any()
    np.testing.assert_array_equal(found.values, wanted.values)
    with pytest.raises(ValueError, match=r"parts without keys need metric="):
        vb.merge(plain, starts)


def test_ties_and_nan():
    rows = np.repeat(gaussian(3, 40, 4), 10, axis=0)
    rows[::7] = np.nan
    rows[5] = rows[201] = 0.0
    queries = np.vstack([rows[1:60:3], np.zeros((1, 4), "f4")])
    for metric in ("euclidean", "cosine", "dot"):
        for k in (1, 15, 400):
            wanted = vb.topk(queries, rows, k, metric)
            for seed in range(3):
                some, starts = parts_of(rows, 6, seed)
                found = vb.merge([vb.topk(queries, part, k, metric) for part in some], starts, k=k)
                same(found, wanted)


def test_trees_and_single_queries():
    rows = gaussian(4, 1000, 8)
    some, starts = parts_of(rows, 4)
    found = [vb.topk(rows[5], part, 7) for part in some]
    left = vb.merge(found[:2], starts[:2], k=7)
    right = vb.merge(found[2:], starts[2:], k=7)
    same(vb.merge([left, right], k=7), vb.topk(rows[5], rows, 7))
    same(vb.merge(found, starts), vb.topk(rows[5], rows, 7))
    # Rows that were chosen by where= have their numbers already.
    halves = [vb.topk(rows[:9], rows, 7, where=np.arange(1000) % 2 == i) for i in (0, 1)]
    same(vb.merge(halves), vb.topk(rows[:9], rows, 7))


def test_thresholds():
    rows = gaussian(5, 2000, 6)
    wanted = vb.within(rows[:50], rows, 1.5)
    some, starts = parts_of(rows, 7)
    found = [vb.within(rows[:50], part, 1.5) for part in some]
    same(vb.merge(found, starts), wanted)
    same(vb.merge(found[::-1], starts[::-1]), wanted)
    with pytest.raises(ValueError, match=r"row \d+ is in several parts"):
        vb.merge([found[0], found[0]])
    with pytest.raises(ValueError, match=r"results of different queries: \[3, 50\]"):
        vb.merge([found[0], vb.within(rows[:3], rows, 1.5)])


def test_what_is_refused():
    rows = gaussian(6, 60, 4)
    found, near = vb.topk(rows[:3], rows, 5), vb.within(rows[:3], rows, 1.0)
    with pytest.raises(ValueError, match=r"parts is empty"):
        vb.merge([])
    with pytest.raises(TypeError, match=r"parts\[1\] is a Within; expected results of topk alone"):
        vb.merge([found, near])
    with pytest.raises(TypeError, match=r"parts\[0\] is a tuple"):
        vb.merge([tuple(found)])
    with pytest.raises(ValueError, match=r"first_rows has 1 numbers, and there are 2 parts"):
        vb.merge([found, found], [0])
    with pytest.raises(ValueError, match=r"row 0 is in several parts, for query 0; .*pass first_rows"):
        vb.merge([found, found])
    with pytest.raises(ValueError, match=r"results of different queries"):
        vb.merge([found, vb.topk(rows[:2], rows, 5)])
    with pytest.raises(ValueError, match=r"k must be at least 1, not 0"):
        vb.merge([found], k=0)


# ---- recall --------------------------------------------------------------------------------------


def naive(found, truth):
    """By ids: what of the truth was found."""
    hits = sum(len(set(some) & set(wanted)) for some, wanted in zip(found, truth, strict=True))
    return float(Fraction(hits, sum(map(len, truth))))


def test_recall_by_ids():
    rng = np.random.default_rng(7)
    truth = np.array([rng.permutation(50)[:10] for _ in range(30)])
    found = np.array([rng.permutation(50)[:15] for _ in range(30)])
    assert vb.recall(found, truth) == naive(found.tolist(), truth.tolist())
    assert vb.recall(truth[:, ::-1], truth) == 1.0
    assert vb.recall(truth[0], truth[0]) == 1.0
    assert vb.recall(truth[:, :0], truth) == 0.0
    assert np.isnan(vb.recall(truth, truth[:, :0]))


def test_recall_counts_ties_but_nothing_twice():
    truth = ([[4, 9, 2]], [[0.0, 1.0, 1.0]])
    for rows, values, wanted in (
        ([4, 9, 2], [0.0, 1.0, 1.0], 3),
        ([4, 9, 7], [0.0, 1.0, 1.0], 3),  # 7 is as far as 2
        ([4, 9, 7], [0.0, 1.0, 1.5], 2),
        ([4, 4, 4], [0.0, 0.0, 0.0], 1),
        ([4, -1, -1], [0.0, 0.0, 0.0], 1),
        ([1, 3, 5, 7, 8], [1.0] * 5, 3),  # no more than there are
        ([4, 9, 7], [0.0, 1.0, 1.0 + 1e-6], 2),
    ):
        assert vb.recall(([rows], [values]), truth) == wanted / 3
    assert vb.recall(([[4, 9, 7]], [[0.0, 1.0, 1.0 + 1e-6]]), truth, rtol=1e-5) == 1.0
    assert vb.recall([[4, 9, 7]], truth) == 2 / 3
    similar = ([[4, 9, 2]], [[3.0, 2.0, 1.0]])
    assert vb.recall(([[4, 9, 7]], [[3.0, 2.0, 1.0]]), similar) == 1.0
    assert vb.recall(([[4, 9, 7]], [[3.0, 2.0, 0.5]]), similar) == 2 / 3


def test_recall_of_searches():
    rows = np.repeat(gaussian(8, 300, 6), 2, axis=0)
    for metric in ("euclidean", "cosine_similarity"):
        truth = vb.topk(rows[:40], rows, 5, metric)
        assert vb.recall(truth, truth) == 1.0
        other = vb.topk(rows[:40], rows[::-1].copy(), 5, metric)  # ties in another order
        assert vb.recall(vb.TopK(599 - other.indices, other.values), truth) == 1.0
        assert vb.recall(599 - other.indices, truth) < 1.0


def test_recall_refuses():
    for found, truth, message in (
        ([[1.5]], [[1]], r"found has dtype float64"),
        ([[1], [2]], [[1]], r"found has results of 2 queries, and truth of 1"),
        (([[1]], [[1.0, 2.0]]), [[1]], r"row numbers of shape \(1, 1\) and values of \(1, 2\)"),
        ([[[1]]], [[1]], r"shape \(1, 1, 1\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            vb.recall(found, truth)
    with pytest.raises(ValueError, match=r"rtol must be at least 0"):
        vb.recall([[1]], [[1]], rtol=-1.0)
