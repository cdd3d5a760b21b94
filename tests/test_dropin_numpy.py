"""`vecblade.numpy` beside NumPy: results, their types, errors, and the known differences."""

import itertools

import numpy as np
import pytest
from conftest import as_original, outcome, same_bits

import vecblade.numpy as ours

PRODUCTS = ("dot", "inner", "vdot", "vecdot", "matmul")
DTYPES = (*"fdebBhiIlq", "?", ">f8", "F")
DIGITS = {"f": 1e-6, "e": 2e-3}


def operands(dtype):
    """Arrays of all shapes that meet in a product: vectors, matrices, stacks, transposes, one number, none."""
    random = np.random.default_rng(0)
    a, A, B, C = (random.integers(0, 4, shape).astype(dtype) for shape in (6, (5, 6), (7, 6), (3, 5, 6)))
    return [a, A, B, C, A.T, B.T, a[None], A[:, ::2], a[:0], np.zeros((0, 6), dtype), np.asarray(2, dtype)]


def as_numpy(found, expected, dtype):
    """Of bytes NumPy's sums are ours, wrapped."""
    if dtype in "bB" and not isinstance(expected, tuple):
        # However the arrays lie in memory.
        assert np.asarray(found).dtype in (np.int32, np.int64)
        assert np.shape(found) == np.shape(expected)
        return np.array_equal(np.asarray(found).astype(dtype), expected)
    return as_original(found, expected, DIGITS.get(dtype, 1e-12))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name, dtype):
    for a, b in itertools.product(operands(dtype), repeat=2):
        found, expected = outcome(getattr(ours, name), a, b), outcome(getattr(np, name), a, b)
        assert as_numpy(found, expected, dtype), (a.shape, b.shape, found, expected)
        if name in ("vecdot", "matmul"):
            found, expected = (outcome(getattr(m.linalg, name), a, b) for m in (ours, np))
            assert as_numpy(found, expected, dtype)


@pytest.mark.parametrize("dtype", "fdebB")
def test_what_is_fast(dtype, passed_on):
    random = np.random.default_rng(0)
    a, A, B, C = (
        random.integers(0, 4, shape).astype(dtype) for shape in (64, (3000, 64), (7, 64), (2, 3000, 64))
    )
    small = dtype in "ebB"
    for name, x, y, fast in (
        ("dot", a, a, True),
        ("dot", A, a, True),
        ("dot", C, a, True),
        ("dot", a, A.T, True),
        ("dot", A, B.T, small),
        ("matmul", A, a, True),
        ("matmul", a, A.T, True),
        ("matmul", A, B.T, small),
        ("inner", A, a, True),
        ("inner", A, B, small),
        ("vdot", B, B, True),
        ("vecdot", C, A, True),
        ("dot", A, B.T.copy(), small),
        ("dot", a, a.astype("l"), False),
        # What the BLAS does without a copy, or as soon.
        ("dot", A.T, A[:, 0].copy(), small),
        ("dot", A[:5], a, small),
        ("dot", A[:, :8].copy(), a[:8].copy(), small),
    ):
        getattr(ours, name)(x, y)
        assert passed_on() != fast, name


@pytest.mark.parametrize("dtype", "fdebB")
@pytest.mark.parametrize("name", ["dot", "vecdot", "matmul"])
def test_out(name, dtype):
    a, A = operands(dtype)[:2]
    expected = getattr(ours, name)(A, a)
    out = np.empty_like(expected)
    assert getattr(ours, name)(A, a, out=out) is out
    assert same_bits(out, expected)
    for bad in (np.empty(3, expected.dtype), np.empty(5, "F"), [1], np.empty(10, expected.dtype)[::2]):
        refused, answer = (outcome(getattr(m, name), A, a, out=bad) for m in (np, ours))
        assert as_original(answer, refused, 1e-3) or dtype in "bB"


def test_other_arguments_are_numpys(passed_on):
    x = np.random.default_rng(0).random((4, 6))
    for call in (
        lambda m: m.vecdot(x, x, axis=0),
        lambda m: m.vecdot(x, x, axis=3),
        lambda m: m.matmul(x, x.T, dtype=np.float32, casting="same_kind"),
        lambda m: m.vecdot(x, x, 7),
        lambda m: m.dot(x, "a"),
        lambda m: m.dot(None, x),
        lambda m: m.inner([[1, 2], [3]], [1, 2]),
        lambda m: m.linalg.norm(x, "nuc"),
        lambda m: m.linalg.norm(x, axis=5),
        lambda m: m.linalg.norm("abc"),
        lambda m: m.linalg.vector_norm(x, ord=0),
    ):
        assert as_original(outcome(call, ours), outcome(call, np), 0)
        assert passed_on()
    wide = np.ones((3000, 64))
    assert as_original(ours.vecdot(wide, wide, axis=-1), np.vecdot(wide, wide, axis=-1), 1e-15)
    assert not passed_on()
    out = np.empty(3000)
    assert ours.matmul(wide, wide[0], out=(out,)) is out
    assert (out == 64).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["norm", "vector_norm"])
def test_norms(name, dtype):
    a, A, _, C, T = operands(dtype)[:5]
    for x, axis, order, keep in itertools.product(
        (a, A, C, T, a[:0], A[:, :0], A[::2], np.asarray(2, dtype)),
        (None, 0, -1, 1, 2, (0, 1)),
        (None, 2, 1, np.inf, -2, "fro"),
        (False, True),
    ):
        if name == "vector_norm" and order is None:
            continue
        options = {"axis": axis, "ord": order, "keepdims": keep}
        found, expected = (outcome(getattr(m.linalg, name), x, **options) for m in (ours, np))
        assert as_original(found, expected, DIGITS.get(dtype, 1e-12)), (x.shape, options)


def test_norms_that_are_fast(passed_on):
    for dtype in "fdebB":
        a, A, _, C = operands(dtype)[:4]
        for call in (
            lambda a=a: ours.linalg.norm(a),
            lambda a=a: ours.linalg.norm(a, 2, keepdims=True),
            lambda A=A: ours.linalg.norm(A, axis=1),
            lambda C=C: ours.linalg.norm(C, axis=-1, keepdims=True),
            lambda A=A: ours.linalg.norm(A),
            lambda C=C: ours.linalg.vector_norm(C),
            lambda a=a: ours.linalg.norm(a.tolist()),
        ):
            call()
            assert not passed_on() or call.__defaults__ == (a,), "lists are of 64-bit integers for bytes"


def test_known_differences():
    """What docs/dropin.md says of NumPy's own answers."""
    a = np.array([100, 100], np.int8)
    assert (ours.dot(a, a), np.dot(a, a)) == (20000, 32)
    assert ours.vecdot(a[None], a).dtype == np.int32
    half = np.full(10_000, 0.1, np.float16)
    assert float(ours.vecdot(half, half)) == pytest.approx(10_000 * float(half[0]) ** 2, rel=1e-3)
    huge = np.array([[3e200, 4e200], [1.0, 0.0]])
    assert ours.linalg.norm(huge, axis=1).tolist() == pytest.approx([5e200, 1.0], rel=1e-15)
    assert outcome(np.linalg.norm, huge, axis=1).tolist() == [np.inf, 1.0]
    for scale in (1.0, 1e-300, 1e-200):
        assert ours.linalg.norm(huge[0] * scale * scale) == pytest.approx(5e200 * scale * scale, rel=1e-15)
    # A float32 sum is rounded once.
    x = np.random.default_rng(0).random((2, 1001), np.float32)
    exact = np.float32(np.sum(x[0].astype(np.float64) * x[1]))
    assert ours.dot(x[0], x[1]) == exact


def test_sums_of_bytes_are_exact_however_they_lie():
    A, B = np.full((2, 3), 100, np.int8), np.full((3, 2), 100, np.int8)
    for a, b in ((A, B), (A, np.asfortranarray(B)), (A[None], B), (A[:, ::-1], B[::-1]), (A.T.copy().T, B)):
        for name in ("dot", "matmul"):
            found = getattr(ours, name)(a, b)
            assert found.dtype == np.int32
            assert (found == 30000).all()
    assert ours.vecdot(A, A, axis=0).tolist() == [20000] * 3
    assert ours.inner(A, A).tolist() == [[30000] * 2] * 2
    assert ours.vdot(A, A) == 60000
    out = np.empty((2, 2), np.int64)
    assert ours.matmul(A, B, out=out) is out
    assert (out == 30000).all()
    narrow = np.empty((2, 2), np.int8)  # as NumPy has it, if that is what is asked for
    assert (ours.matmul(A, B, out=narrow) == np.matmul(A, B)).all()


def test_the_rest_is_numpys():
    assert ours.float32 is np.float32
    assert ours.einsum is np.einsum
    assert ours.linalg.svd is np.linalg.svd
    assert ours.random is np.random
    assert {"dot", "einsum", "linalg"} <= set(dir(ours))
    assert {"norm", "svd"} <= set(dir(ours.linalg))
    assert ours.__version__ == np.__version__
    for module in (ours, ours.linalg):
        with pytest.raises(AttributeError, match="has no attribute 'nope'"):
            module.nope  # noqa: B018
