"""`vecblade.sklearn` beside scikit-learn: results, their types, errors, estimators, and the known differences."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from conftest import as_original, outcome, same_bits

import vecblade as vb
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


# ---- rows of zeros, and parameters of metrics --------------------------------------------------


def rows_with_zeros(seed, n, d, dtype):
    """Small integers, so that there are ties, and a third of zeros."""
    random = np.random.default_rng(seed)
    X = random.integers(-2, 3, (n, d)).astype(dtype)
    X[random.random(n) < 0.3] = 0
    return X


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(12))
def test_neighbors_of_rows_of_zeros(seed, dtype, passed_on):
    """scikit-learn has them at cosine distance 1 from all rows: so have we, without a second search."""
    n = 7 + 4 * seed
    X, Q = rows_with_zeros(seed, n, 1 + seed % 5, dtype), rows_with_zeros(seed + 100, 9, 1 + seed % 5, dtype)
    Q[3] = 0
    for k in (1, 3, n - 1):
        fast = ours.NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(X)
        plain = neighbors.NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(X)
        for queries in (Q, None):
            (near, at), (wanted, _) = fast.kneighbors(queries), plain.kneighbors(queries)
            assert not passed_on()
            np.testing.assert_allclose(near, wanted, atol=1e-6)
            rows = X if queries is None else queries
            for i, (row, places) in enumerate(zip(rows, at, strict=True)):
                true = theirs.cosine_distances(row[None], X[places])[0]
                np.testing.assert_allclose(near[i], true, atol=1e-6)
                assert len(set(places.tolist())) == k
                assert queries is not None or i not in places
        for radius in (0.5, 1.0, 1.5):
            for queries in (Q, None):
                ours_found, theirs_found = (m.radius_neighbors(queries, radius + 1e-4) for m in (fast, plain))
                assert not passed_on()
                for near, at, wanted, places in zip(*ours_found, *theirs_found, strict=True):
                    assert at.tolist() == sorted(places.tolist())
                    np.testing.assert_allclose(near, wanted[np.argsort(places)], atol=1e-6)


@pytest.mark.parametrize("parameters", [{"squared": True}, {"squared": False}, {"p": 3}])
def test_parameters_of_metrics_are_left_to_scikit_learn(parameters, passed_on):
    """Some of its paths ignore them, and warn."""
    random = np.random.default_rng(0)
    X, y = random.standard_normal((60, 20)), np.arange(60) % 3
    for metric in ("euclidean", "minkowski"):

        def options(metric=metric):  # made anew, for scikit-learn writes to the parameters
            return {"algorithm": "brute", "metric": metric, "metric_params": dict(parameters)}

        def found(estimator, options=options):
            return estimator(n_neighbors=4, **options()).fit(X).kneighbors(X[:9])

        assert as_original(
            outcome(found, ours.NearestNeighbors), outcome(found, neighbors.NearestNeighbors), 1e-12
        )

        def predicted(estimator, options=options):
            return estimator(**options()).fit(X, y).predict(X[:9] + 0.1)

        for estimator in (neighbors.KNeighborsClassifier, neighbors.KNeighborsRegressor):
            wanted = outcome(predicted, estimator)
            with vb.patch():
                assert as_original(outcome(predicted, estimator), wanted, 1e-12)
