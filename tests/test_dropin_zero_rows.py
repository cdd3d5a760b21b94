"""Cosine distances of rows of zeros in `vecblade.sklearn` and `vecblade.scipy`: those of the originals, in every order."""

import itertools

import numpy as np
import pytest
from conftest import as_original, outcome

from vecblade import scipy as ours_of_scipy
from vecblade import sklearn as ours

theirs = pytest.importorskip("sklearn.metrics.pairwise")
neighbors = pytest.importorskip("sklearn.neighbors")
distance = pytest.importorskip("scipy.spatial.distance")

FUNCTIONS = ("cosine_similarity", "cosine_distances", "pairwise_distances")


def signs(n, share, seed=0, d=12):
    """Rows of four elements that are 1 or -1, so that cosines are multiples of 1/4; a share of them of zeros."""
    random = np.random.default_rng(seed)
    x = np.zeros((n, d))
    for row in x:
        row[random.choice(d, 4, replace=False)] = random.choice([-1.0, 1.0], 4)
    x[random.random(n) < share] = 0
    return x


def exact_distances(queries, rows, same):
    """1 - a quarter of the dot product, exact; 0 of a row of zeros and itself."""
    found = 1 - queries @ rows.T / 4
    if same:
        np.fill_diagonal(found, 0)
    return found


def check(values, indices, exact):
    """Whether rows found for one query are the closest, with their distances; of those at just 1 the first, in order."""
    assert len(set(indices.tolist())) == len(indices)
    assert np.allclose(values, exact[indices], rtol=0, atol=1e-15)
    assert (exact[indices] == np.sort(exact)[: len(indices)]).all()
    at_one = indices[exact[indices] == 1]
    assert at_one.tolist() == np.flatnonzero(exact == 1)[: len(at_one)].tolist()


SHARES = (0, 0.02, 0.2, 0.7, 1)


@pytest.mark.parametrize("dtype", ["d", "f", "e", "b", "l", "?"])
@pytest.mark.parametrize(("of_queries", "of_rows"), list(itertools.product(SHARES, SHARES)))
def test_neighbors(of_queries, of_rows, dtype, passed_on):
    X, Q = signs(60, of_rows), signs(23, of_queries, seed=1)
    if dtype == "?":
        X, Q = X != 0, Q != 0
    X, Q = X.astype(dtype), Q.astype("d" if dtype == "?" else dtype)
    made = ours.NearestNeighbors(algorithm="brute", metric="cosine").fit(X)
    for queries, same in ((Q, False), (X, True)):
        exact = exact_distances(queries.astype("d"), X.astype("d"), same)
        for k in (1, 3, 12, 59, 60):
            found = made.kneighbors(queries, k)
            assert not passed_on()
            assert found[0].shape == found[1].shape == exact[:, :k].shape
            for values, indices, row in zip(*found, exact, strict=True):
                check(values, indices, row)
        for radius, sort in itertools.product((0.0, 0.6, 0.99, 1.0, 1.1, 2.0), (False, True)):
            values, indices = made.radius_neighbors(queries, radius, sort_results=sort)
            assert not passed_on()
            for i, row in enumerate(exact):
                assert np.sort(indices[i]).tolist() == np.flatnonzero(row <= radius).tolist()
                if sort:
                    check(values[i], indices[i], row)
                else:
                    assert (np.diff(indices[i]) > 0).all()
                    assert np.allclose(values[i], row[indices[i]], rtol=0, atol=1e-15)
                assert values[i].dtype == (np.float32 if dtype == "f" else np.float64)
        for axis in (0, 1):
            found = ours.pairwise_distances_argmin_min(queries, X, axis=axis, metric="cosine")
            assert not passed_on()
            for index, value, row in zip(*found, exact if axis else exact.T, strict=True):
                check(np.array([value]), np.array([index]), row)
            only = ours.pairwise_distances_argmin(queries, X, axis=axis, metric="cosine")
            assert only.tolist() == found[0].tolist()


@pytest.mark.parametrize("dtype", "dfl")
@pytest.mark.parametrize("share", SHARES)
def test_neighbors_are_as_far_as_scikit_learns(share, dtype):
    random = np.random.default_rng(0)
    X, Q = (random.integers(-5, 6, (n, 20)).astype(dtype) for n in (80, 30))
    X[random.random(80) < share] = Q[random.random(30) < share] = 0
    made = [m.NearestNeighbors(algorithm="brute", metric="cosine").fit(X) for m in (ours, neighbors)]
    for call in (
        lambda m: m.kneighbors(Q, 7)[0],
        lambda m: m.kneighbors(X, 80)[0],
        lambda m: m.kneighbors(X.copy(), 80)[0],
        lambda m: m.kneighbors(n_neighbors=5)[0],
        lambda m: m.kneighbors(n_neighbors=79)[0],
        lambda m: m.radius_neighbors(Q, 1.1, sort_results=True)[0],
        lambda m: m.radius_neighbors(X, 0.3, sort_results=True)[0],
        lambda m: m.radius_neighbors(radius=1.1, sort_results=True)[0],
        lambda m: m.radius_neighbors(radius=0.9, sort_results=True)[0],
        lambda m: m.kneighbors_graph(n_neighbors=9, mode="distance").sum(axis=1),
        lambda m: m.radius_neighbors_graph(Q, 1.3).sum(axis=1),
    ):
        found, expected = map(call, made)
        assert as_original(found, expected, 1e-5 if dtype == "f" else 1e-9, 1e-6 if dtype == "f" else 1e-14)


@pytest.mark.parametrize("dtype", "dfebl")
@pytest.mark.parametrize(("of_a", "of_b"), list(itertools.product(SHARES, SHARES)))
def test_matrices(of_a, of_b, dtype, passed_on):
    for n, m in ((40, 30), (1, 30), (40, 1), (1, 1)):
        A, B = signs(n, of_a).astype(dtype), signs(m, of_b, seed=1).astype(dtype)
        for args in ((A, B), (A,), (A, A)):
            for name in FUNCTIONS:
                options = {"metric": "cosine"} if name == "pairwise_distances" else {}
                found, expected = (outcome(getattr(x, name), *args, **options) for x in (ours, theirs))
                assert not passed_on()
                assert as_original(found, expected, 1e-6, 1e-6 if dtype == "f" else 1e-15)
        found, expected = (m.cdist(A, B, "cosine") for m in (ours_of_scipy, distance))
        assert as_original(found, expected, 0, 1e-15)
        found, expected = (m.pdist(A, "cosine") for m in (ours_of_scipy, distance))
        assert as_original(found, expected, 0, 1e-15)


def test_tiny_rows_have_a_direction():
    """A square that underflows makes no row of zeros."""
    X = np.array([[0.0, 0.0], [1e-200, 0.0], [0.0, 5e-324], [0.0, 0.0], [-1.0, 0.0]])
    Q = np.array([[0.0, 0.0], [-1e-310, 0.0], [0.0, 1.0]])
    exact = np.array([[1, 1, 1, 1, 1], [1, 2, 1, 1, 0], [1, 1, 0, 1, 1.0]])
    assert ours.cosine_distances(Q, X).tolist() == exact.tolist()
    made = ours.NearestNeighbors(algorithm="brute", metric="cosine").fit(X)
    for k in range(1, 6):
        for values, indices, row in zip(*made.kneighbors(Q, k), exact, strict=True):
            check(values, indices, row)
    for i, found in enumerate(made.radius_neighbors(Q, 1.0)[1]):
        assert found.tolist() == np.flatnonzero(exact[i] <= 1).tolist()


def test_rows_in_any_layout_and_many_of_zeros():
    x = signs(3000, 0.5, d=16)
    x[:1000] = 0
    exact = exact_distances(x[990:1020], x, False)
    for rows in (x, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x.astype(">f8"), x.astype("h")):
        made = ours.NearestNeighbors(algorithm="brute", metric="cosine").fit(rows)
        for values, indices, row in zip(*made.kneighbors(rows[990:1020], 1500), exact, strict=True):
            check(values, indices, row)
        assert np.allclose(ours.cosine_distances(rows[990:1020], rows), exact, rtol=0, atol=1e-15)
        found = ours.pairwise_distances_argmin_min(rows, rows[990:1020], metric="cosine")
        for index, value, row in zip(*found, exact.T, strict=True):
            check(np.array([value]), np.array([index]), row)
