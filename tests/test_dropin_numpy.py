"""`vecblade.numpy` beside NumPy: results, their types, errors, and the known differences."""

import inspect
import itertools
import math
from fractions import Fraction

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


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "transposed": lambda x: np.ascontiguousarray(np.swapaxes(x, 0, -1)).swapaxes(0, -1),
    "strided": lambda x: np.repeat(np.repeat(x, 2, axis=0), 3, axis=-1)[::2, ..., ::3],
    "negative": lambda x: np.ascontiguousarray(x[::-1, ..., ::-1])[::-1, ..., ::-1],
    "reversed": lambda x: np.asfortranarray(x[:, ::-1])[:, ::-1],
    "misaligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), x.dtype, x.size, 1).reshape(x.shape),
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
}


def exact_norms(x, axes):
    """Roots of exact sums of squares, rounded to float64."""
    rest = [i for i in range(x.ndim) if i not in axes]
    rows = x.transpose(*rest, *axes).reshape(*(x.shape[i] for i in rest), -1)
    found = np.empty(rows.shape[:-1])
    for at in np.ndindex(found.shape):
        square = sum(Fraction(float(value)) ** 2 for value in rows[at])
        shift = max(0, 200 - square.numerator.bit_length() + square.denominator.bit_length()) // 2
        root = Fraction(math.isqrt((square.numerator << 2 * shift) // square.denominator), 1 << shift)
        found[at] = float(root)
    return found


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # of what the test expects
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("dtype", "value"),
    [("e", 600), ("e", 3e-4), ("f", 1e30), ("f", 1e-30), ("d", 1e200), ("d", 1e-200), ("b", 100)],
)
def test_norms_do_not_depend_on_the_layout(dtype, value, layout):
    random = np.random.default_rng(0)
    for shape in ((3, 4), (2, 3, 5), (1, 40)):
        full = np.full(shape, value, dtype)
        for x in (full, (full * (1 + random.random(shape)) / 2).astype(dtype)):
            given = LAYOUTS[layout](x)
            assert np.array_equal(given, x)
            axes = [(i,) for i in range(x.ndim)] + list(itertools.combinations(range(x.ndim), 2)) + [None]
            for summed, keep in itertools.product(axes, (False, True)):
                count = x.ndim if summed is None else len(summed)
                over = tuple(range(x.ndim)) if summed is None else summed
                wanted = exact_norms(x, over).astype(x.dtype if dtype in "fed" else "d")
                wanted = np.expand_dims(wanted, over) if keep else wanted
                axis = summed if summed is None or len(summed) > 1 else summed[0] - x.ndim
                calls = [outcome(ours.linalg.vector_norm, given, axis=axis, keepdims=keep)]
                if summed is None or count < 3:
                    calls.append(outcome(ours.linalg.norm, given, None, axis, keep))
                if count < 3:
                    calls.append(outcome(ours.linalg.norm, given, 2 if count == 1 else "fro", axis, keep))
                for found in calls:
                    assert np.asarray(found).dtype == wanted.dtype
                    assert np.shape(found) == wanted.shape
                    assert np.allclose(found, wanted, rtol={"e": 1e-3, "f": 1e-7}.get(dtype, 1e-15), atol=0)


def test_norms_of_large_arrays_in_any_layout():
    """Many blocks of many tiles; the bits of rows are those of contiguous ones."""
    x = np.random.default_rng(0).random((300, 7, 400)) * 1e200
    for axis in (0, 1, 2, (0, 1), (2, 0), (1, 2), None):
        expected = ours.linalg.vector_norm(x, axis=axis)
        assert np.allclose(expected / 1e200, np.linalg.vector_norm(x / 1e200, axis=axis), rtol=1e-12, atol=0)
        for layout in LAYOUTS.values():
            found = ours.linalg.vector_norm(layout(x), axis=axis)
            assert same_bits(found, expected) if axis else np.allclose(found, expected, rtol=1e-15, atol=0)
    wide = np.broadcast_to(x[:1, :1], (50, 60, 400))
    assert same_bits(ours.linalg.norm(wide, axis=2), np.full((50, 60), ours.linalg.norm(x[0, 0])))
    assert ours.linalg.norm(wide) == pytest.approx(3000**0.5 * ours.linalg.norm(x[0, 0]), rel=1e-14)
    one = np.broadcast_to(np.float16(600), (9, 4))
    assert ours.linalg.norm(one, axis=1).tolist() == [1200.0] * 9
    assert ours.linalg.norm(one.T, axis=0).tolist() == [1200.0] * 9
    assert ours.linalg.norm(np.float64(-1e200)) == ours.linalg.norm(np.array(1e200)) == 1e200


def test_what_the_axes_of_a_norm_may_be():
    x = np.random.default_rng(0).random((2, 3, 4))
    axes = (
        None,
        0,
        -1,
        3,
        -4,
        (),
        (0,),
        (0, 1),
        (-1, -2),
        (0, 0),
        (0, 1, 2),
        np.int64(1),
        True,
        1.0,
        [0],
        "a",
        (0, "a"),
    )
    for given, axis, order, keep in itertools.product(
        (x, x[0], x[0, 0], x[0, 0, 0], x.tolist()),
        axes,
        (None, 2, 2.0, "fro", "f", "2", 2 + 0j),
        (False, True, 1, "a"),
    ):
        found, expected = (outcome(m.linalg.norm, given, order, axis, keep) for m in (ours, np))
        assert as_original(found, expected, 1e-14), (axis, order, keep)
        options = {"axis": axis, "ord": order, "keepdims": keep}
        found, expected = (outcome(m.linalg.vector_norm, given, **options) for m in (ours, np))
        assert as_original(found, expected, 1e-14), (axis, order, keep)


# As NumPy 2.4 shows them, which is the first to show any of its ufuncs.
UFUNC = "(x1, x2, /, out, *, axes, axis, keepdims, casting, order, dtype, subok, signature)"


@pytest.mark.parametrize(
    "name", [*PRODUCTS, "linalg.norm", "linalg.vector_norm", "linalg.vecdot", "linalg.matmul"]
)
def test_signatures_are_numpys(name):
    def shape(module):
        function = module
        for part in name.split("."):
            function = getattr(function, part)
        parameters = inspect.signature(function).parameters.values()
        plain = [p.replace(annotation=p.empty, default=p.empty) for p in parameters]
        return str(inspect.Signature(plain)), [p.default for p in parameters]

    found = shape(ours)
    if name in ("vecdot", "matmul"):
        assert found[0] == UFUNC
    try:
        assert found == shape(np)
    except ValueError:  # NumPy has none for functions in C
        assert np.lib.NumpyVersion(np.__version__) < "2.4.0"


def test_options_of_ufuncs():
    random = np.random.default_rng(0)
    for dtype in "fdebBlF":
        A, B = (random.integers(0, 3, (4, 4)).astype(dtype) for _ in range(2))
        for name, options in (
            ("vecdot", {"keepdims": True}),
            ("vecdot", {"axis": 0}),
            ("vecdot", {"axis": 0, "keepdims": True}),
            ("vecdot", {"axes": [0, -1, ()]}),
            ("vecdot", {"axes": [(0,), (1,)]}),
            ("vecdot", {"axis": None}),
            ("matmul", {"axes": [(1, 0), (0, 1), (1, 0)]}),
            ("matmul", {"order": "F"}),
            ("matmul", {"subok": False, "axis": 1}),
            ("matmul", {"keepdims": True}),
            ("matmul", {"where": True}),
            ("matmul", {"signature": "dd->d", "casting": "unsafe"}),
            ("vecdot", {"dtype": np.dtype("d"), "casting": "unsafe"}),
            ("vecdot", {"dtype": "F", "casting": "unsafe"}),
            ("matmul", {"casting": "no"}),
            ("matmul", {"casting": "maybe"}),
        ):
            found, expected = (outcome(getattr(m, name), A, B, **options) for m in (ours, np))
            if dtype in "bB" and not {"dtype", "casting"} & options.keys():
                assert as_numpy(found, expected, dtype), (name, options)
                continue
            assert as_original(found, expected, DIGITS.get(dtype, 1e-12)), (name, options)


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
    assert ours.vecdot(A, A, keepdims=True).tolist() == [[30000]] * 2
    assert ours.vecdot(A, A, axes=[0, 0, ()]).tolist() == [20000] * 3
    assert ours.matmul(A, A, axes=[(0, 1), (1, 0), (0, 1)]).tolist() == [[30000] * 2] * 2
    assert ours.vdot(A, np.asfortranarray(A)) == 60000
    assert (
        ours.vecdot(np.full((60_000, 1), 255, np.uint8), np.full((60_000, 1), 255, np.uint8), axis=0)
        == 3901500000
    )
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
