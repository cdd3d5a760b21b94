"""`vecblade.scipy` beside ``scipy.spatial.distance``: results, their types, errors, and the known differences."""

import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest
from conftest import as_original, outcome, same_bits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vecblade import scipy as ours

theirs = pytest.importorskip("scipy.spatial.distance")

DTYPES = (*"fdebBhHiIlLqQ", "?", ">f8")
MATRICES = ("cdist", "pdist")
REAL = ("euclidean", "sqeuclidean", "cosine")


def rows(dtype, n, d, seed=0):
    """Small whole numbers, exact in every type, with a row of zeros and a repeated one."""
    x = np.random.default_rng(seed).integers(0, 2 if dtype == "?" else 5, (n, d)).astype(dtype)
    x[1], x[2] = 0, x[3]
    return x


def called(module, name, X, Y, *args, **kwargs):
    function = getattr(module, name)
    return (
        outcome(function, X, *args, **kwargs) if name == "pdist" else outcome(function, X, Y, *args, **kwargs)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("metric", sorted(set(ours.ALIASES.values())))
def test_matrices(name, metric, dtype, passed_on):
    for n, m, d in ((8, 5, 3), (40, 70, 33), (5, 4, 200)):
        X, Y = rows(dtype, n, d), rows(dtype, m, d, seed=1)
        found, expected = called(ours, name, X, Y, metric), called(theirs, name, X, Y, metric)
        # Cosine distances near 0 are 1 - x in SciPy.
        assert as_original(found, expected, 1e-12, 4e-15 if metric == "cosine" else 0), (n, m, d)
        assert passed_on() == (metric == "hamming" and dtype != "?")


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("metric", REAL)
def test_two_types_in_one_call(name, metric):
    for a in ("f", "e", "b", "B", "i", "?"):
        X, Y = rows(a, 9, 20), rows("d", 6, 20, seed=1)
        for left, right in ((X, Y), (Y, X)):
            assert as_original(
                called(ours, name, left, right, metric),
                called(theirs, name, left, right, metric),
                1e-12,
                4e-15,
            )


@pytest.mark.parametrize("name", MATRICES)
def test_metrics_by_every_name_and_by_function(name):
    X, Y = rows("d", 7, 12), rows("d", 9, 12, seed=1)
    ones = X > 1, Y > 1
    for alias, metric in ours.ALIASES.items():
        a, b = ones if metric in ("hamming", "jaccard") else (X, Y)
        plain = called(ours, name, a, b, metric)
        assert same_bits(called(ours, name, a, b, alias.title()), plain), alias
        for function in (getattr(theirs, metric), getattr(ours, metric)):
            assert same_bits(called(ours, name, a, b, function), plain)
        # SciPy has the same names: no alias of ours is unknown there.
        assert as_original(plain, called(theirs, name, a, b, alias.upper()), 1e-12, 4e-15), alias


@pytest.mark.parametrize("name", MATRICES)
def test_hamming_of_zeros_and_ones_of_any_type_is_fast(name, passed_on):
    X, Y = rows("?", 30, 77), rows("?", 20, 77, seed=1)
    expected = called(theirs, name, X, Y, "hamming")
    for dtype in "dfbi?":
        assert same_bits(called(ours, name, X.astype(dtype), Y.astype(dtype), "hamming"), expected)
        assert not passed_on()
    called(ours, name, X.astype("d") * 2, Y.astype("d"), "hamming")
    assert passed_on()


@pytest.mark.parametrize("name", MATRICES)
def test_jaccard_is_of_what_is_not_zero(name):
    X, Y = rows("d", 12, 30), rows("d", 10, 30, seed=1)
    X[0, 0] = np.nan
    assert as_original(called(ours, name, X, Y, "jaccard"), called(theirs, name, X, Y, "jaccard"), 1e-15)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("metric", REAL)
def test_not_a_number_is_in_the_same_places(name, metric):
    X, Y = rows("d", 9, 11), rows("d", 8, 11, seed=1)
    X[4, 3], X[5, 2], Y[0] = np.nan, np.inf, 0
    assert as_original(called(ours, name, X, Y, metric), called(theirs, name, X, Y, metric), 1e-12, 4e-15)


@given(
    arrays.arrays(np.float64, (4, 3), elements=st.floats(-1e3, 1e3)),
    arrays.arrays(np.float64, (5, 3), elements=st.floats(-1e3, 1e3)),
    st.sampled_from(("euclidean", "sqeuclidean")),
)
def test_any_points(X, Y, metric):
    # Tiny squares: SciPy's underflow.
    for name in MATRICES:
        found, expected = called(ours, name, X, Y, metric), called(theirs, name, X, Y, metric)
        assert as_original(found, expected, 1e-14, 1e-150)


@pytest.mark.parametrize("metric", [*REAL, "jaccard", "hamming"])
@pytest.mark.parametrize("name", MATRICES)
def test_out(name, metric):
    X, Y = rows("d", 6, 9) > 1, rows("d", 5, 9, seed=1) > 1
    X, Y = (X, Y) if metric in ("jaccard", "hamming") else (X.astype("d"), Y.astype("d"))
    expected = called(ours, name, X, Y, metric)
    out = np.empty_like(expected)
    assert called(ours, name, X, Y, metric, out=out) is out
    assert same_bits(out, expected)
    shape = out.shape
    frozen = np.empty(shape)
    frozen.flags.writeable = False
    for bad in (np.empty((*shape[:-1], 1)), np.empty(shape, np.float32), np.empty((*shape, 2))[..., 0]):
        refused = called(theirs, name, X, Y, metric, out=bad)
        assert refused[0] is ValueError
        assert called(ours, name, X, Y, metric, out=bad) == refused
    assert called(ours, name, X, Y, metric, out=frozen) == (ValueError, "Output array must be writeable.")


def test_an_output_that_overlaps_an_input_is_right():
    square = np.random.default_rng(0).random((8, 8))
    expected = ours.cdist(square, square[::-1])
    assert ours.cdist(square, square[::-1], out=square) is square
    assert same_bits(square, expected)


BAD = [
    (np.ones(3), np.ones((2, 3)), "euclidean", {}),
    (np.ones((2, 3)), np.ones(3), "euclidean", {}),
    (np.ones((2, 3)), np.ones((2, 4)), "euclidean", {}),
    (np.ones((2, 3)), np.ones((2, 3)), "euclid_", {}),
    (np.ones((2, 3)), np.ones((2, 3)), 7, {}),
    (np.ones((2, 3)), np.ones((2, 3)), None, {}),
    (np.ones((2, 3)), np.ones((2, 3)), "euclidean", {"p": 2}),
    (np.ones((2, 3)), np.ones((2, 3)), "cosine", {"w": -np.ones(3)}),
    (np.ones((2, 3)), np.ones((2, 3)), "euclidean", {"w": np.ones(4)}),
    (np.array([["a", "b"]]), np.ones((1, 2)), "euclidean", {}),
    ([[1.0], [1.0, 2.0]], np.ones((1, 2)), "euclidean", {}),
    (object(), np.ones((1, 2)), "euclidean", {}),
    (None, np.ones((1, 2)), "euclidean", {}),
    (np.ones((2, 2, 2)), np.ones((2, 2, 2)), "euclidean", {}),
]


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("case", range(len(BAD)))
def test_errors_are_scipys(name, case):
    X, Y, metric, options = BAD[case]
    expected = called(theirs, name, X, Y, metric, **options)
    assert as_original(called(ours, name, X, Y, metric, **options), expected, 1e-15)


@pytest.mark.parametrize("name", MATRICES)
def test_other_calls_are_scipys(name, passed_on):
    X, Y = np.random.default_rng(0).random((2, 6, 4))
    masked = np.ma.masked_array(X, X > 0.5)
    calls = [
        ((X, Y, "cityblock"), {}),
        ((X, Y, "minkowski"), {"p": 3}),
        ((X, Y, "euclidean"), {"w": np.arange(4.0)}),
        ((X, Y, "cosine"), {"w": np.arange(4.0)}),
        ((X, Y, lambda u, v: u[0] - v[1]), {}),
        ((X + 1j, Y, "euclidean"), {}),
        ((masked, Y, "euclidean"), {}),
        ((np.zeros((0, 4)), Y, "euclidean"), {}),
        ((np.zeros((3, 0)), np.zeros((2, 0)), "euclidean"), {}),
        ((X.astype(np.longdouble), Y, "euclidean"), {}),
        ((X.astype(object), Y, "euclidean"), {}),
    ]
    for args, options in calls:
        assert as_original(called(ours, name, *args, **options), called(theirs, name, *args, **options), 0)
        assert passed_on()


def test_weights_of_none_are_no_weights(passed_on):
    X = np.random.default_rng(0).random((6, 4))
    assert same_bits(ours.cdist(X, X, w=None), ours.cdist(X, X))
    assert same_bits(ours.pdist(X, "cosine", w=None), ours.pdist(X, "cosine"))
    assert not passed_on()


def test_lists_and_strided_rows(passed_on):
    X = np.random.default_rng(0).random((30, 40))
    for view in (X[::2, 3:30], X[::-1, ::2], np.asfortranarray(X), X.tolist()):
        found = ours.cdist(view, view)
        assert as_original(found, theirs.cdist(view, view), 1e-12)
        assert same_bits(ours.pdist(view), theirs.squareform(found))
    assert not passed_on()
    assert same_bits(ours.squareform(ours.pdist(X)), theirs.squareform(ours.pdist(X)))


def test_one_row_with_many():
    X = np.random.default_rng(0).random((300, 24))
    X[7] = 0
    for dtype in "dfe":
        x = X.astype(dtype)
        for metric in REAL:
            for a, b in ((x[5:6], x), (x, x[7:8]), (x[3:4], x[3:4])):
                assert as_original(ours.cdist(a, b, metric), theirs.cdist(a, b, metric), 1e-12, 4e-15)


def test_integers_past_two_to_the_53_are_rounded_as_scipy_rounds_them():
    X = np.array([[2**62 + 1, 0], [3, 2**60 + 1]])
    for metric in REAL:
        assert as_original(ours.cdist(X, X, metric), theirs.cdist(X, X, metric), 1e-12, 4e-15)


# ---- two vectors --------------------------------------------------------------------------

VECTORS = ("euclidean", "sqeuclidean", "cosine", "hamming", "jaccard")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name, dtype, passed_on):
    u = np.array([3, 0, 1, 1, 0], dtype)
    for v in (np.array([1, 1, 0, 1, 0], dtype), u, np.zeros(5, dtype), np.array([1, 0, 0, 0, 4], dtype)):
        found, expected = outcome(getattr(ours, name), u, v), outcome(getattr(theirs, name), u, v)
        if np.dtype(dtype).kind == "u" or dtype == "b" or (name, dtype) == ("cosine", "?"):
            # Theirs wraps, or takes bools for their sum: a known difference.
            expected = outcome(getattr(theirs, name), u.astype(float), v.astype(float))
        if name == "euclidean" and isinstance(expected, float):
            expected, found = np.float64(expected), np.float64(found)  # float or float64, by SciPy's BLAS
        digits = {"f": 1e-6, "e": 1e-3}.get(dtype, 1e-14)
        assert as_original(found, expected, digits, digits), (found, expected)
        assert passed_on() == (name in ("hamming", "jaccard") and dtype != "?") or dtype == "?"


@pytest.mark.parametrize("name", VECTORS)
def test_calls_of_vectors_that_are_scipys(name, passed_on):
    u, v = np.random.default_rng(0).random((2, 6)) > 0.5
    x, y = u.astype(float), v.astype(float)
    calls = [
        ((x, y), {"w": np.arange(6.0)}),
        ((x, y, np.arange(6.0)), {}),
        ((x, y[:3]), {}),
        ((x[None], y), {}),
        ((x, "a"), {}),
        ((x, None), {}),
        ((x, y), {"w": -np.ones(6)}),
        ((x, y.astype("f")), {}),
        ((x[:0], y[:0]), {}),
        ((x + 1j, y), {}),
        ((np.float64(1), np.float64(2)), {}),
    ]
    for args, options in calls:
        expected = outcome(getattr(theirs, name), *args, **options)
        assert as_original(outcome(getattr(ours, name), *args, **options), expected, 0), args
        assert passed_on(), args
    if name != "cosine":  # of bools: a known difference
        expected = outcome(getattr(theirs, name), u, v)
        assert as_original(outcome(getattr(ours, name), u.tolist(), v.tolist()), expected, 1e-15)


SPECIAL = [
    [3.0, 0.0, 1.0, 1.0],
    [0.0, 0.0, 0.0, 0.0],
    [1.0, np.nan, 0.0, 0.0],
    [np.nan, np.nan, np.nan, np.nan],
    [np.inf, 1.0, 0.0, 0.0],
    [-np.inf, 1.0, 0.0, 2.0],
    [np.inf, -np.inf, 0.0, 0.0],
]
FORMS = {
    **{
        dtype: lambda x, dtype=dtype: np.array(x).astype(dtype)
        for dtype in ("d", "f", "e", "g", "F", ">f8", ">f4")
    },
    **{
        dtype: lambda x, dtype=dtype: np.nan_to_num(x, posinf=7, neginf=-7).astype(dtype) for dtype in "bhiq?"
    },
    "bfloat16": lambda x: np.array(x).astype(pytest.importorskip("ml_dtypes").bfloat16),
    "float8": lambda x: np.array(x).astype(pytest.importorskip("ml_dtypes").float8_e5m2),
    "list": list,
    "tuple": tuple,
    "object": lambda x: np.array(x, object),
    "masked": lambda x: np.ma.masked_invalid(x),
    "strided": lambda x: np.repeat(x, 2)[::2],
    "one row": lambda x: np.array([x]),
    "nothing": lambda x: np.array(x[:0]),
    "a number": lambda x: np.float64(x[0]),
}


def alike(found, expected, digits):
    """As `as_original`, with a float and a float64 apart, and NaN of any sign."""
    return as_original(found, expected, digits, digits) or (
        type(found) is type(expected)
        and type(expected).__name__ == "bfloat16"
        and str(found) == str(expected)
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VECTORS)
def test_special_values_of_every_type(name, form):
    """Errors and result types are SciPy's, for both sides of one type and of two."""
    for i, j in itertools.product(range(len(SPECIAL)), repeat=2):
        for other in (form, "d", "f", "list", "?"):
            u, v = FORMS[form](SPECIAL[i]), FORMS[other](SPECIAL[j])
            for args in ((u, v), (v, u)):
                found, expected = outcome(getattr(ours, name), *args), outcome(getattr(theirs, name), *args)
                if name == "cosine" and form == other in ("?", "b"):
                    continue  # its sums wrap, or are bools: a known difference
                digits = {"e": 1e-3, "bfloat16": 1e-2, "float8": 0.2}.get(form, 1e-6)
                assert alike(found, expected, digits), (args, found, expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("metric", sorted(set(ours.ALIASES.values())))
def test_special_rows_of_every_type(metric, name, form):
    made = [FORMS[form](x) for x in SPECIAL]
    X = made if form in ("list", "tuple") else np.ma.stack(made) if form == "masked" else np.stack(made)
    for Y in (X, np.array(SPECIAL[:3]), SPECIAL, np.array(SPECIAL) > 0, X[0], X[:0], X[:2]):
        found, expected = called(ours, name, X, Y, metric), called(theirs, name, X, Y, metric)
        if form == "bfloat16" and isinstance(expected, tuple) and not isinstance(found, tuple):
            continue  # read here: a known difference
        assert as_original(found, expected, 1e-12, 4e-15), (found, expected)


def test_bfloat16(passed_on):
    """SciPy's cosine divides them by a float64 number, in float32; its matrices refuse them."""
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    X = np.random.default_rng(0).standard_normal((6, 40)).astype(bfloat16)
    wide = X.astype("d")
    for name, dtype in (("cosine", np.float32), ("sqeuclidean", np.float64)):
        found = getattr(ours, name)(X[0], X[1])
        assert not passed_on()
        assert type(found) is type(getattr(theirs, name)(X[0], X[1])) is dtype
        assert found == pytest.approx(getattr(theirs, name)(wide[0], wide[1]), rel=1e-6)
    for x in (X, (X > 0).astype(bfloat16)):
        for metric in ("euclidean", "sqeuclidean", "cosine", "jaccard", "hamming"):
            if metric != "hamming" or x is not X:
                found, expected = ours.cdist(x, x, metric), theirs.cdist(x.astype("d"), x.astype("d"), metric)
                assert as_original(found, expected, 1e-12, 4e-15)
                assert as_original(
                    ours.pdist(x, metric), theirs.squareform(expected, checks=False), 1e-12, 4e-15
                )
                assert not passed_on()
    assert as_original(*(outcome(m.cdist, X, X, "hamming") for m in (ours, theirs)), 0)
    assert as_original(*(outcome(m.cdist, X, wide, "hamming") for m in (ours, theirs)), 0)


def test_differences_that_overflow_are_refused_as_by_scipy():
    for dtype, large in (("e", 6e4), ("f", 3e38), ("d", 1.7e308)):
        u = np.full(3, large, dtype)
        assert outcome(theirs.euclidean, u, -u)[0] is ValueError
        assert outcome(ours.euclidean, u, -u) == outcome(theirs.euclidean, u, -u)
        assert outcome(ours.euclidean, u.tolist(), (-u).tolist()) == outcome(
            theirs.euclidean, u.tolist(), (-u).tolist()
        )
        # Where only the sum of the squares does, the distance is right, if a float, or float16, holds it.
        zero = np.zeros(3, dtype)
        quarter = 3**0.5 * float(u[0] / 4)
        assert ours.euclidean(u, zero) == (pytest.approx(4 * quarter, rel=1e-7) if dtype == "f" else np.inf)
        assert ours.euclidean(u / 4, zero) == pytest.approx(quarter, rel=1e-3)
        assert type(ours.euclidean(u, zero)) is type(outcome(theirs.euclidean, u, zero))


def test_known_differences():
    """What docs/dropin.md says of SciPy's own answers."""
    a, b = np.array([[100, 100, -100], [100, -100, 3]], np.int8)
    assert ours.cosine(a, b) == pytest.approx(1 + 300 / np.sqrt(30000 * 20009))
    assert outcome(theirs.cosine, a, b) == (ValueError, "math domain error")
    assert ours.euclidean(np.uint8([0]), np.uint8([1])) == 1.0
    assert theirs.euclidean(np.uint8([0]), np.uint8([1])) == 255.0
    assert ours.cosine(np.array([True, False]), np.array([True, True])) == pytest.approx(1 - 0.5**0.5)
    assert theirs.cosine(np.array([True, False]), np.array([True, True])) == 0.0
    # Cosine distances keep their digits near 0; and there is no warning of a row without direction.
    near = np.array([[1.0, 1e-6]]), np.array([[1.0, 0.0]])
    assert ours.cdist(*near, "cosine")[0, 0] == pytest.approx(5e-13, rel=1e-9)
    assert abs(theirs.cdist(*near, "cosine")[0, 0] / 5e-13 - 1) > 1e-6
    assert np.isnan(ours.cosine(np.zeros(3), np.ones(3)))
    # Squares that overflow do not matter.
    huge = np.array([[1e200, 0.0]]), np.array([[1e200, 1e200]])
    assert ours.cdist(*huge, "euclidean")[0, 0] == 1e200
    assert outcome(theirs.cdist, *huge, "euclidean")[0, 0] == np.inf


# ---- the module ---------------------------------------------------------------------------


def test_the_rest_of_the_module_is_scipys():
    assert ours.cityblock is theirs.cityblock
    assert ours.is_valid_dm is theirs.is_valid_dm
    with pytest.raises(AttributeError, match=r"module 'vecblade.scipy' has no attribute 'cosinus'"):
        ours.cosinus  # noqa: B018
    assert not hasattr(ours, "__path__")


@pytest.mark.parametrize("name", ours.__all__)
def test_signatures_are_scipys(name):
    found, expected = (
        [(p.name, p.kind, p.default) for p in inspect.signature(getattr(m, name)).parameters.values()]
        for m in (ours, theirs)
    )
    assert found == expected


def test_without_scipy():
    """Fast calls work; of others the message says what is missing."""
    code = """
import sys
sys.modules["scipy"] = None
import numpy as np
from vecblade import scipy as distance
assert distance.cdist([[0.0, 0.0]], [[3.0, 4.0]]).tolist() == [[5.0]]
assert distance.pdist(np.eye(2), "cosine").tolist() == [1.0]
assert distance.hamming(np.array([True, False]), np.array([True, True])) == 0.5
for call in (lambda: distance.cdist([[1.0]], [[1.0]], "cityblock"), lambda: distance.squareform([1.0])):
    try:
        call()
    except ImportError as error:
        print(error)
try:
    distance.cityblock
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first.startswith(
        "this call of cdist is left to scipy.spatial.distance, which cannot be imported ("
    )
    assert first.endswith(
        "pip install scipy, or see vecblade's docs/dropin.md for what is computed without it"
    )
    assert second.startswith("this call of squareform is left to")
    assert "has no attribute 'cityblock'" in third
