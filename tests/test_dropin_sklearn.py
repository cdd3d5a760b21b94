"""
`vecblade.sklearn` beside scikit-learn: results, their types, errors, estimators, and the known differences.

Over 500 lines: one function after the other, beside its original.
"""

import inspect
import itertools
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from conftest import as_original, outcome, same_bits

from vecblade import sklearn as ours

theirs = pytest.importorskip("sklearn.metrics.pairwise")
neighbors = pytest.importorskip("sklearn.neighbors")
sparse = pytest.importorskip("scipy.sparse")

DTYPES = (*"fdebBhiIlq", "?")
METRICS = tuple(ours.METRICS)
ALL_PAIRS = ("cosine_similarity", "cosine_distances", "euclidean_distances", "pairwise_distances")
# scikit-learn has float32 distances from float64 products; ours are float32 sums.
DIGITS = {"f": (1e-5, 1e-6)}
EXACT = (1e-9, 1e-13)


def rows(dtype, n, d, seed=0):
    x = np.random.default_rng(seed).integers(0, 2 if dtype == "?" else 5, (n, d)).astype(dtype)
    x[1], x[2] = 0, x[3]
    return x


def digits(*arrays):
    return DIGITS["f"] if all(x.dtype == np.float32 for x in arrays) else EXACT


# ---- functions ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ALL_PAIRS)
def test_all_pairs(name, dtype, passed_on):
    X, Y = rows(dtype, 12, 30), rows(dtype, 9, 30, seed=1)
    for args in ((X, Y), (X,), (X, X), (X, Y.astype("f")), (X.astype("f"), Y)):
        found, expected = outcome(getattr(ours, name), *args), outcome(getattr(theirs, name), *args)
        assert as_original(found, expected, *digits(*args))
        assert not passed_on()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_pairwise_distances(metric, dtype, passed_on):
    X, Y = rows(dtype, 12, 30), rows(dtype, 9, 30, seed=1)
    for args in ((X, Y), (X,), (X, Y.astype("f"))):
        expected = theirs.pairwise_distances(*args, metric=metric)
        for jobs in (None, 1, 2, -1):
            found = ours.pairwise_distances(*args, metric=metric, n_jobs=jobs)
            assert as_original(found, expected, *digits(*args))
    assert not passed_on()


@pytest.mark.parametrize("dtype", "fdi")
@pytest.mark.parametrize("metric", METRICS)
def test_chunks(metric, dtype):
    X, Y = rows(dtype, 40, 30), rows(dtype, 25, 30, seed=1)
    for args in ((X, Y), (X,)):
        for options in (
            {},
            {"working_memory": 0.001},
            {
                "reduce_func": lambda chunk, start: (chunk[:, 0], [start] * len(chunk)),
                "working_memory": 0.001,
            },
        ):
            found, expected = (
                list(module.pairwise_distances_chunked(*args, metric=metric, **options))
                for module in (ours, theirs)
            )
            assert as_original(found, expected, *digits(*args))


def test_chunks_whose_function_returns_something_else():
    X = rows("d", 6, 4)
    for wrong in (lambda chunk, start: 1, lambda chunk, start: chunk[:-1], lambda chunk, start: ([1], 2)):
        found, expected = (
            outcome(lambda m=module, f=wrong: list(m.pairwise_distances_chunked(X, reduce_func=f)))
            for module in (ours, theirs)
        )
        assert expected[0] in (TypeError, ValueError)
        assert as_original(found, expected, 0)
    assert next(ours.pairwise_distances_chunked(X, reduce_func=lambda chunk, start: None)) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_closest_rows(metric, dtype, passed_on):
    X, Y = rows(dtype, 12, 30), rows(dtype, 9, 30, seed=1)
    Y[1] = Y[4]  # no row of zeros
    for axis in (0, 1):
        for name in ("pairwise_distances_argmin_min", "pairwise_distances_argmin"):
            found = getattr(ours, name)(X, Y, axis=axis, metric=metric)
            expected = getattr(theirs, name)(X, Y, axis=axis, metric=metric)
            every = theirs.pairwise_distances(X, Y, metric=metric)
            if name.endswith("min_min"):
                assert as_original(found[1], expected[1], *digits(X, Y))
                found, expected = found[0], expected[0]
            # Ties: ours is the first row.
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            best = np.isclose(every, every.min(axis=axis, keepdims=True), rtol=1e-5, atol=1e-6)
            assert np.take_along_axis(best, np.expand_dims(found, axis), axis).all()


def test_squared_distances(passed_on):
    X, Y = rows("f", 12, 30), rows("f", 9, 30, seed=1)
    for call in (
        lambda m: m.euclidean_distances(X, Y, squared=True),
        lambda m: m.pairwise_distances(X, Y, metric="l2", squared=True),
        lambda m: m.pairwise_distances_argmin_min(X, Y, metric_kwargs={"squared": True})[1],
    ):
        assert as_original(call(ours), call(theirs), *DIGITS["f"])
    assert not passed_on()


PARAMETERS = (
    {"squared": True},
    {"squared": False},
    {"squared": 1},
    {"squared": None},
    {"p": 2},
    {"p": 3},
    {"w": None},
    {"w": np.arange(20.0) + 1},
    {"V": np.ones(20)},
    {"nope": 1},
)


def warned(call, *args):
    """The outcome of a call, and what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = call(*args)
        except Exception as error:
            found = type(error), str(error)
    return found, sorted({str(warning.message) for warning in caught})


@pytest.fixture
def one_thread():
    """For calls so small that scikit-learn's threads would mostly wait."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(1):
        yield


def same_outcome(ours, theirs, near):
    (found, warnings_of_ours), (expected, warnings_of_theirs) = ours, theirs
    return as_original(found, expected, *near) and warnings_of_ours == warnings_of_theirs


@pytest.mark.parametrize("dtype", ["d", "f", "l"])
@pytest.mark.parametrize("metric", [*METRICS, "minkowski", "manhattan"])
def test_keywords_of_metrics(metric, dtype, one_thread):
    """Some are heeded, some ignored with a warning, some refused; not everywhere alike."""
    random = np.random.default_rng(0)
    X, Y = (random.integers(-99, 99, (n, 20)).astype(dtype) for n in (12, 9))
    for options, args in itertools.product(
        ({}, *PARAMETERS), ((X, Y), (np.asfortranarray(X), np.asfortranarray(Y)))
    ):
        for call in (
            lambda m, args, o: m.pairwise_distances(*args, metric=metric, **o),
            lambda m, args, o: m.pairwise_distances(args[0], metric=metric, **o),
            lambda m, args, o: list(m.pairwise_distances_chunked(*args, metric=metric, **o)),
            lambda m, args, o: m.pairwise_distances_argmin(*args, metric=metric, metric_kwargs=o),
            lambda m, args, o: m.pairwise_distances_argmin_min(*args, metric=metric, metric_kwargs=o),
            lambda m, args, o: m.pairwise_distances_argmin_min(*args, axis=0, metric=metric, metric_kwargs=o),
        ):
            found, expected = (warned(call, m, args, dict(options)) for m in (ours, theirs))
            assert same_outcome(found, expected, digits(X, Y)), options


@pytest.mark.parametrize("dtype", ["d", "f", "l"])
@pytest.mark.parametrize("metric", ["euclidean", "l2", "sqeuclidean", "cosine", "minkowski"])
def test_parameters_of_estimators(metric, dtype, passed_on, one_thread):
    """scikit-learn's searches ignore squared= where its matrices would heed it."""
    import vecblade as vb

    cluster = pytest.importorskip("sklearn.cluster")
    random = np.random.default_rng(0)
    X, Y = (random.integers(-9999, 9999, (n, 20)).astype(dtype) for n in (40, 9))
    labels, targets = np.arange(40) % 3, np.arange(40.0)
    reach = {"cosine": 0.8, "sqeuclidean": 9e8}.get(metric, 3e4)

    def searches(kind, options):
        made = kind(n_neighbors=3, algorithm="brute", **options).fit(X)
        yield made.kneighbors(Y)
        yield made.kneighbors()
        yield made.radius_neighbors(Y, reach, sort_results=True)
        yield made.radius_neighbors(radius=reach, sort_results=True)
        yield made.kneighbors_graph(Y, mode="distance").toarray()
        yield made.radius_neighbors_graph(Y, reach, mode="distance").toarray()

    def estimators(options):
        options = {"algorithm": "brute", **options}
        yield neighbors.KNeighborsClassifier(3, weights="distance", **options).fit(X, labels).predict_proba(Y)
        yield neighbors.KNeighborsRegressor(3, weights="distance", **options).fit(X, targets).predict(Y)
        rated = neighbors.RadiusNeighborsClassifier(reach, weights="distance", outlier_label=0, **options)
        yield rated.fit(X, labels).predict_proba(Y)
        yield (
            neighbors.RadiusNeighborsRegressor(reach, weights="distance", **options)
            .fit(X, targets)
            .predict(Y)
        )
        yield neighbors.LocalOutlierFactor(4, **options).fit(X).negative_outlier_factor_
        yield neighbors.KNeighborsTransformer(n_neighbors=4, **options).fit_transform(X).toarray()
        yield cluster.DBSCAN(reach, min_samples=3, **options).fit(X).labels_

    near = (1e-5, 1e-6) if dtype == "f" else (1e-9, 1e-12)
    for parameters in (None, *PARAMETERS):
        options = [{"metric": metric, "metric_params": parameters and dict(parameters)} for _ in range(3)]
        found = warned(lambda o: list(searches(ours.NearestNeighbors, o)), options[0])
        left = passed_on()
        expected = warned(lambda o: list(searches(neighbors.NearestNeighbors, o)), options[1])
        assert same_outcome(found, expected, near), parameters
        assert left == bool(parameters) or metric == "minkowski" or isinstance(expected[0], tuple)
        with vb.patch():
            assert same_outcome(
                warned(lambda o: list(searches(neighbors.NearestNeighbors, o)), options[2]), expected, near
            )
        for each in options:
            each["metric_params"] = parameters and dict(parameters)
        with vb.patch():
            found = warned(lambda o: list(estimators(o)), options[0])
        assert same_outcome(found, warned(lambda o: list(estimators(o)), options[1]), near), parameters


def test_types_of_the_distances_of_closest_rows(one_thread):
    sklearn = pytest.importorskip("sklearn")
    X, Y = np.random.default_rng(0).random((2, 12, 20), np.float32)
    layouts = np.asarray, np.asfortranarray, lambda x: x[::2], lambda x: x[:, ::2], np.ndarray.tolist
    for metric, left, right in itertools.product(METRICS, layouts, layouts):
        if left(X[:, :]) is not None and np.shape(left(X))[1] == np.shape(right(Y))[1]:
            for usable in (True, False):
                with sklearn.config_context(enable_cython_pairwise_dist=usable):
                    found, expected = (
                        m.pairwise_distances_argmin_min(left(X), right(Y), metric=metric)
                        for m in (ours, theirs)
                    )
                    assert as_original(found, expected, *DIGITS["f"])
                    made = [
                        m.NearestNeighbors(n_neighbors=2, algorithm="brute", metric=metric).fit(left(X))
                        for m in (ours, neighbors)
                    ]
                    assert as_original(*(m.kneighbors(right(Y)) for m in made), *DIGITS["f"])


def test_bfloat16_with_nan_is_refused():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    X = np.random.default_rng(0).standard_normal((9, 20)).astype(bfloat16)
    for name in ALL_PAIRS:
        assert as_original(getattr(ours, name)(X), getattr(theirs, name)(X.astype("d")), 1e-5, 1e-6)
    for bad in (np.nan, np.inf):
        X[4, 7] = bad
        for name in ALL_PAIRS:
            expected = outcome(getattr(theirs, name), X)
            assert expected[0] is ValueError
            assert outcome(getattr(ours, name), X) == expected


@pytest.mark.parametrize("dtype", "dfe")
def test_not_a_number_is_found_wherever_it_is(dtype):
    large = {"d": 1e300, "f": 1e38, "e": 6e4}[dtype]
    for scale in (1, large):
        X = np.full((300, 70), scale, dtype)
        for layout in (np.asarray, np.asfortranarray, lambda x: x[:, ::-1]):
            assert ours.checked(layout(X), None) is not None
            for at in (0, 3, 299):
                for bad in (np.nan, np.inf, -np.inf):
                    Y = X.copy()
                    Y[at, at % 70] = bad
                    assert ours.checked(layout(Y), None) is None


@pytest.mark.parametrize("name", ["cosine_similarity", "cosine_distances"])
def test_rows_without_a_direction(name):
    X, zeros = rows("d", 6, 5), np.zeros((3, 5))
    for args in ((zeros, X), (X, zeros), (zeros, zeros), (zeros,), (X, X[:2])):
        assert as_original(getattr(ours, name)(*args), getattr(theirs, name)(*args), *EXACT)


def test_closest_of_rows_without_a_direction(passed_on):
    X = np.array([[1.0, 0.0], [0.0, 0.0], [-1.0, 0.1]])
    for queries in (-X, X, np.zeros((2, 2))):
        found, expected = (
            m.pairwise_distances_argmin_min(queries, X, metric="cosine") for m in (ours, theirs)
        )
        assert as_original(found, expected, *EXACT)
    passed_on()
    ours.pairwise_distances_argmin(X[:1], X, metric="cosine")
    assert not passed_on(), "no row of zeros comes into this"


BAD = [
    (([1.0, 2.0],), {}),
    ((np.ones((2, 3)), np.ones((2, 4))), {}),
    ((np.ones((2, 3)), np.ones(3)), {}),
    ((np.zeros((0, 3)),), {}),
    ((np.zeros((3, 0)),), {}),
    ((np.array([[np.nan, 1.0]]),), {}),
    ((np.ones((1, 2)), np.array([[np.inf, 1.0]])), {}),
    ((np.array([["a", "b"]]),), {}),
    ((None,), {}),
    (("text",), {}),
    ((np.ones((2, 2)) + 1j,), {}),
]


@pytest.mark.parametrize("name", [*ALL_PAIRS, "pairwise_distances_argmin"])
@pytest.mark.parametrize("case", range(len(BAD)))
def test_errors_are_scikit_learns(name, case):
    args, options = BAD[case]
    if name.endswith("argmin") and len(args) == 1:
        args = (*args, np.ones((2, 3)))
    expected = outcome(getattr(theirs, name), *args, **options)
    assert isinstance(expected[0], type)
    assert as_original(outcome(getattr(ours, name), *args, **options), expected, 0)


def test_other_errors_are_scikit_learns():
    X = np.ones((3, 2))
    for call in (
        lambda m: m.pairwise_distances(X, metric="nope"),
        lambda m: m.pairwise_distances(X, n_jobs=0),
        lambda m: m.pairwise_distances(X, n_jobs="a"),
        lambda m: m.pairwise_distances(X, metric="euclidean", p=3),
        lambda m: m.euclidean_distances(X, squared="yes"),
        lambda m: m.euclidean_distances(X, X_norm_squared=np.ones(7)),
        lambda m: m.cosine_similarity(X, dense_output="no"),
        lambda m: m.pairwise_distances_argmin(X, X, axis=2),
        lambda m: m.pairwise_distances_argmin(X, X, metric_kwargs=3),
        lambda m: list(m.pairwise_distances_chunked(X, working_memory=-1)),
        lambda m: list(m.pairwise_distances_chunked(X, reduce_func=3)),
    ):
        expected = outcome(call, theirs)
        assert isinstance(expected[0], type), expected
        assert as_original(outcome(call, ours), expected, 0)


def test_other_calls_are_scikit_learns(passed_on):
    X, Y = np.random.default_rng(0).random((2, 6, 4))
    S = sparse.csr_array(X * (X > 0.5))
    for call in (
        lambda m: m.cosine_similarity(S),
        lambda m: m.cosine_similarity(S, X),
        lambda m: m.euclidean_distances(X, S),
        lambda m: m.pairwise_distances(X, metric="manhattan"),
        lambda m: m.pairwise_distances(X, Y, metric="correlation"),
        lambda m: m.pairwise_distances(X @ X.T, metric="precomputed"),
        lambda m: m.pairwise_distances(X, Y, metric=lambda a, b: a[0] - b[0]),
        lambda m: m.pairwise_distances(X, Y, ensure_all_finite=False),
        lambda m: m.pairwise_distances(X, Y, force_all_finite=False),
        lambda m: m.euclidean_distances(X, Y, X_norm_squared=(X**2).sum(axis=1)),
        lambda m: m.pairwise_distances_argmin(X, Y, metric="manhattan"),
        lambda m: next(m.pairwise_distances_chunked(X, metric="manhattan")),
        lambda m: m.euclidean_distances(X.astype(np.longdouble)),
    ):
        found, expected = outcome(call, ours), outcome(call, theirs)
        assert passed_on()
        if sparse.issparse(expected):
            found, expected = found.toarray(), expected.toarray()
        assert as_original(found, expected, 0)


def test_finite_numbers_whose_squares_are_not():
    X = np.array([[1e200, 0.0], [0.0, 2e200]])
    assert same_bits(ours.cosine_similarity(X), np.eye(2))
    assert ours.euclidean_distances(X)[0, 1] == pytest.approx(5**0.5 * 1e200)


def test_lists_frames_and_memory_maps(tmp_path, passed_on):
    X = rows("d", 7, 5)
    np.save(tmp_path / "x.npy", X)
    expected = ours.cosine_similarity(X)
    for given in (X.tolist(), np.load(tmp_path / "x.npy", mmap_mode="r")):
        assert same_bits(ours.cosine_similarity(given), expected)
    pandas = pytest.importorskip("pandas")
    assert same_bits(ours.cosine_similarity(pandas.DataFrame(X)), expected)
    assert not passed_on()


def test_assumed_finite():
    sklearn = pytest.importorskip("sklearn")
    X = np.array([[np.nan, 1.0], [1.0, 2.0]])
    with sklearn.config_context(assume_finite=True):
        assert np.isnan(ours.euclidean_distances(X)).tolist() == [[True, True], [True, False]]


def test_not_a_number_that_is_assumed_not_to_be_there():
    sklearn = pytest.importorskip("sklearn")
    X = rows("d", 5, 4)
    X[3, 1] = np.nan
    with sklearn.config_context(assume_finite=True):
        for name in ("cosine_similarity", "cosine_distances"):
            for args in ((X,), (X, X[:2]), (X[:2], X)):
                found, expected = (outcome(getattr(m, name), *args) for m in (ours, theirs))
                assert as_original(found, expected, *EXACT), name


def test_one_row_with_many():
    X = np.random.default_rng(0).random((300, 24), np.float32)
    for a, b in ((X[:1], X), (X, X[:1])):
        for name in ALL_PAIRS:
            assert as_original(getattr(ours, name)(a, b), getattr(theirs, name)(a, b), *DIGITS["f"])


def test_columns_of_vectors_in_an_estimator():
    pa = pytest.importorskip("pyarrow")
    X = np.random.default_rng(0).random((50, 20))
    column = pa.array(X.tolist())
    plain = ours.NearestNeighbors(n_neighbors=3, algorithm="brute").fit(X).kneighbors(X[:4])
    found = ours.NearestNeighbors(n_neighbors=3, algorithm="brute").fit(column).kneighbors(column[:4])
    assert all(map(same_bits, found, plain))


def test_a_worker_of_joblib_has_as_many_threads_as_it_is_given(monkeypatch):
    import vecblade as vb

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert ours.threads_for(None) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert ours.threads_for(None) == vb.get_num_threads()
    assert ours.threads_for(3) == 3
    assert ours.threads_for(10**6) == 1024


def test_known_differences():
    """What docs/dropin.md says of scikit-learn's own answers."""
    tiny = np.array([[1e-20, 0.0], [1e-20, 1e-20]])
    assert ours.cosine_similarity(tiny)[0, 1] == pytest.approx(0.5**0.5)
    assert theirs.cosine_similarity(tiny)[0, 1] < 1e-30
    # The same row of two collections is at distance 0.
    X = np.random.default_rng(0).random((50, 300))
    assert not ours.euclidean_distances(X, X.copy()).diagonal().any()
    assert theirs.euclidean_distances(X, X.copy()).diagonal().any()
    assert not ours.cosine_distances(X, X.copy()).diagonal().any()


# ---- neighbors ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", [*METRICS, "minkowski"])
def test_neighbors(metric, dtype, passed_on):
    X, queries = rows(dtype, 60, 20), rows("d" if dtype == "?" else dtype, 8, 20, seed=1)
    X[1], queries[1] = X[5], queries[5]
    models = [
        kind(n_neighbors=4, radius=0.4, algorithm="brute", metric=metric).fit(X)
        for kind in (ours.NearestNeighbors, neighbors.NearestNeighbors)
    ]
    near = digits(X, queries)
    calls = [
        lambda m: m.kneighbors(queries)[0],
        lambda m: m.kneighbors(queries, 60)[0],
        lambda m: m.kneighbors()[0],
        lambda m: m.kneighbors(n_neighbors=59)[0],
        lambda m: m.radius_neighbors(queries, 9.0, sort_results=True)[0],
        lambda m: m.radius_neighbors(radius=9.0, sort_results=True)[0],
        lambda m: m.kneighbors_graph(queries).sum(axis=1),
        lambda m: np.sort(m.kneighbors_graph(mode="distance").data),
        lambda m: m.radius_neighbors_graph(queries, 9.0).sum(axis=1),
    ]
    for call in calls:
        found, expected = map(call, models)
        assert as_original(found, expected, *near)
        assert not passed_on() or call(models[0]) is None
    for shape in (
        models[0].kneighbors(queries, return_distance=False),
        models[0].radius_neighbors(queries)[1][0],
    ):
        assert shape.dtype == np.intp


def test_neighbors_are_those_of_a_matrix_of_distances():
    X, queries = np.random.default_rng(0).random((2, 300, 24))
    model = ours.NearestNeighbors(n_neighbors=7, radius=1.6, algorithm="brute").fit(X)
    every = theirs.euclidean_distances(queries, X)
    distances, indices = model.kneighbors(queries)
    assert (indices == np.argsort(every, axis=1)[:, :7]).all()
    for name in ("radius_neighbors",):
        distances, indices = getattr(model, name)(queries)
        for i, row in enumerate(every):
            assert indices[i].tolist() == np.flatnonzero(row <= 1.6).tolist()
            assert np.allclose(distances[i], row[indices[i]], atol=1e-7)


def test_no_row_is_its_own_neighbor():
    X = np.repeat(np.arange(3.0)[:, None], 20, axis=1)[[0, 0, 0, 1, 2, 2]]
    model = ours.NearestNeighbors(n_neighbors=2, algorithm="brute").fit(X)
    distances, indices = model.kneighbors()
    # Row 2 is not among the three rows at distance 0 that were found first: the first of them goes.
    assert indices.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [5, 3], [4, 3]]
    assert distances[3].tolist() == [20**0.5, 20**0.5]
    assert [x.tolist() for x in model.radius_neighbors(radius=0.0)[1]] == [
        [1, 2],
        [0, 2],
        [0, 1],
        [],
        [5],
        [4],
    ]


def test_cosine_neighbors_of_rows_without_a_direction():
    X = np.vstack([np.zeros((1, 20)), np.random.default_rng(0).standard_normal((30, 20))])
    queries = np.vstack([np.zeros((1, 20)), X[3:6]])
    fits = [
        kind(algorithm="brute", metric="cosine").fit(X)
        for kind in (ours.NearestNeighbors, neighbors.NearestNeighbors)
    ]
    for call in (
        lambda m: m.kneighbors(queries, 31)[0],
        lambda m: m.kneighbors(queries, 3)[0][1:],
        lambda m: m.radius_neighbors(queries, 1.2, sort_results=True)[0],
        lambda m: m.radius_neighbors(queries, 0.9, sort_results=True)[0],
    ):
        assert as_original(*map(call, fits), *EXACT)


def test_errors_of_neighbors_are_scikit_learns():
    X = rows("d", 9, 20)
    fits = [kind(algorithm="brute").fit(X) for kind in (ours.NearestNeighbors, neighbors.NearestNeighbors)]
    raw = [ours.NearestNeighbors(), neighbors.NearestNeighbors()]
    for models, call in (
        (fits, lambda m: m.kneighbors(X, 10)),
        (fits, lambda m: m.kneighbors(n_neighbors=9)),
        (fits, lambda m: m.kneighbors(X, 0)),
        (fits, lambda m: m.kneighbors(X, 2.5)),
        (fits, lambda m: m.kneighbors(X[:, :5])),
        (fits, lambda m: m.kneighbors(X * np.nan)),
        (fits, lambda m: m.kneighbors(X[0])),
        (fits, lambda m: m.radius_neighbors(X, 1.0, False, True)),
        (fits, lambda m: m.radius_neighbors(X[:, :5])),
        (fits, lambda m: m.kneighbors_graph(X, mode="nope")),
        (raw, lambda m: m.kneighbors(X)),
        (raw, lambda m: m.radius_neighbors(X)),
        (raw, lambda m: m.fit(X[:0])),
        (raw, lambda m: m.set_params(metric="nope").fit(X)),
        (raw, lambda m: m.set_params(n_neighbors=-1).fit(X)),
    ):
        found, expected = outcome(call, models[0]), outcome(call, models[1])
        assert isinstance(expected[0], type), expected
        assert found == expected


def test_other_searches_are_scikit_learns(passed_on):
    X = np.random.default_rng(0).random((30, 20))
    for options, data in (
        ({"metric": "manhattan", "algorithm": "brute"}, X),
        ({"algorithm": "kd_tree"}, X),
        ({"algorithm": "ball_tree"}, X),
        ({"algorithm": "brute"}, sparse.csr_array(X)),
        ({"algorithm": "auto"}, X[:, :3]),
        ({"metric": lambda a, b: abs(a[0] - b[0])}, X),
    ):
        fits = [kind(**options).fit(data) for kind in (ours.NearestNeighbors, neighbors.NearestNeighbors)]
        assert as_original(fits[0].kneighbors(data), fits[1].kneighbors(data), 0)
        assert passed_on()
    negative, array = -1.0, np.full(30, 0.5)
    brute = [kind(algorithm="brute").fit(X) for kind in (ours.NearestNeighbors, neighbors.NearestNeighbors)]
    for radius in (negative, array, np.inf):
        assert as_original(*(outcome(m.radius_neighbors, X, radius) for m in brute), 0) or radius is np.inf
        assert passed_on()


@pytest.mark.filterwarnings("ignore:Skipping check")  # of other array libraries
@pytest.mark.parametrize("algorithm", ["auto", "brute"])
def test_the_estimator_passes_scikit_learns_checks(algorithm):
    from sklearn.utils.estimator_checks import check_estimator

    check_estimator(ours.NearestNeighbors(algorithm=algorithm))


def test_the_estimator_in_a_pipeline_a_clone_and_a_pickle():
    from sklearn.base import clone
    from sklearn.neighbors import KNeighborsTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = np.random.default_rng(0).random((40, 20))
    model = ours.NearestNeighbors(n_neighbors=3, algorithm="brute")
    pipeline = make_pipeline(StandardScaler(), model).fit(X)
    scaled = StandardScaler().fit_transform(X)
    assert same_bits(pipeline[-1].kneighbors(scaled)[1], clone(model).fit(scaled).kneighbors(scaled)[1])
    again = pickle.loads(pickle.dumps(pipeline[-1]))
    assert type(again) is ours.NearestNeighbors
    assert same_bits(again.kneighbors(scaled)[0], pipeline[-1].kneighbors(scaled)[0])
    assert isinstance(model, neighbors.NearestNeighbors)
    assert KNeighborsTransformer  # its graphs come from kneighbors, which patch() replaces


# ---- the module ---------------------------------------------------------------------------


def test_the_rest_of_the_module_is_scikit_learns():
    assert ours.manhattan_distances is theirs.manhattan_distances
    assert ours.KNeighborsClassifier is neighbors.KNeighborsClassifier
    assert ours.silhouette_score.__module__.startswith("sklearn.metrics")
    with pytest.raises(AttributeError, match=r"module 'vecblade.sklearn' has no attribute 'cosinus'"):
        ours.cosinus  # noqa: B018


@pytest.mark.parametrize(
    "name", [*ours.__all__, "NearestNeighbors.kneighbors", "NearestNeighbors.radius_neighbors"]
)
def test_signatures_are_scikit_learns(name):
    def shape(*modules):
        found = next(x for x in modules if hasattr(x, name.partition(".")[0]))
        for part in name.split("."):
            found = getattr(found, part)
        return [(p.name, p.kind, p.default) for p in inspect.signature(found).parameters.values()]

    expected = shape(theirs, neighbors)
    if "force_all_finite" in [each[0] for each in expected]:  # until 1.7; here among the other keywords
        assert name == "pairwise_distances"
        return
    assert shape(ours) == expected


def test_without_scikit_learn():
    code = """
import sys
sys.modules["sklearn"] = None
import numpy as np
from vecblade import sklearn as metrics
X = np.eye(2)
assert metrics.cosine_similarity(X).tolist() == [[1.0, 0.0], [0.0, 1.0]]
assert metrics.euclidean_distances(X)[0, 1] == 2**0.5
assert metrics.pairwise_distances_argmin(X, X).tolist() == [0, 1]
for call in (lambda: metrics.cosine_similarity(np.array([[np.nan]])), lambda: metrics.cosine_similarity([[1.0]])):
    try:
        call()
    except ImportError as error:
        print(error)
try:
    metrics.NearestNeighbors
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first.startswith(
        "this call of cosine_similarity is left to sklearn.metrics.pairwise, which cannot be"
    )
    assert "pip install scikit-learn" in second
    assert "sklearn" in third
