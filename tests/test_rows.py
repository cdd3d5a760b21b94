"""The row functions: shapes, types, `out=`, and what they refuse."""

import numpy as np
import pytest
from conftest import DTYPES, METRICS, same_bits

import vecblade as vb
from vecblade import reference as ref

functions = pytest.mark.parametrize("f", [getattr(vb, name) for name in METRICS], ids=METRICS)


def gaussian(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@functions
@pytest.mark.parametrize("dtype", DTYPES)
def test_two_rows_give_a_python_float(f, dtype):
    a, b = gaussian(2, 30, dtype=dtype)
    value = f(a, b)
    assert type(value) is float
    assert value == ref.METRICS[f.__name__](a.tolist(), b.tolist())
    assert same_bits(value, f(list(map(float, a)), b.tolist()))


@functions
@pytest.mark.parametrize(
    ("a", "b", "out"),
    [
        ((5,), (3, 5), (3,)),
        ((3, 5), (5,), (3,)),
        ((3, 5), (3, 5), (3,)),
        ((3, 1, 5), (4, 5), (3, 4)),
        ((2, 1, 3, 5), (4, 1, 5), (2, 4, 3)),
        ((1, 5), (5,), (1,)),
        ((0, 5), (5,), (0,)),
        ((3, 0), (0,), (3,)),
        ((0, 3, 5), (3, 5), (0, 3)),
        ((1, 1, 5), (1, 5), (1, 1)),
        ((300, 1, 3), (1, 270, 3), (300, 270)),
    ],
)
def test_broadcasting_as_vecdot(f, a, b, out):
    a, b = gaussian(*a), gaussian(*b, seed=1)
    assert np.vecdot(a, b).shape == out
    values = f(a, b)
    assert values.shape == out
    assert values.dtype == np.float32
    wanted = np.empty(out, np.float32)
    for place in np.ndindex(out if np.prod(out) < 1000 else (3, 2)):
        left, right = (np.broadcast_to(x, (*out, x.shape[-1]))[place] for x in (a, b))
        wanted[place] = f(left.copy(), right.copy())
        assert same_bits(values[place], wanted[place])


@functions
def test_two_types_are_measured_as_the_wider(f):
    a, b = gaussian(4, 30), gaussian(6, 30, dtype=np.float64)
    assert same_bits(f(a[0], b[0]), f(a[0].astype(np.float64), b[0]))
    assert same_bits(f(a[0], b), f(a[0].astype(np.float64), b))
    assert same_bits(f(a, b[0]), f(a.astype(np.float64), b[0]))
    assert same_bits(f(a, b[:4]), f(a.astype(np.float64), b[:4]))
    assert same_bits(f(a[:, None], b), f(a.astype(np.float64)[:, None], b))


@functions
@pytest.mark.parametrize("dtype", [np.float16, np.int16, np.uint16, np.int32, np.uint32, np.int64,
                                   ">f4", ">f8", ">i2"])  # fmt: skip
def test_other_numbers_convert_without_loss(f, dtype):
    a, b = (np.random.default_rng(s).integers(0, 100, (7, 9)).astype(dtype) for s in (0, 1))
    wide = np.float32 if np.dtype(dtype).char in "ef" else np.float64
    assert same_bits(f(a, b), f(a.astype(wide), b.astype(wide)))
    assert same_bits(f(a[0], b[0]), f(a[0].astype(wide), b[0].astype(wide)))


@functions
def test_axes_are_walked_as_one_where_that_is_right(f):
    """Stacks that lie in memory as longer ones do, beside others that do not."""
    a, b = gaussian(4, 5, 6, 7), gaussian(4, 5, 6, 7, seed=1)
    wanted = f(a.reshape(120, 7), b.reshape(120, 7)).reshape(4, 5, 6)
    assert same_bits(f(a, b), wanted)
    out = np.empty((4, 5, 12), np.float32)[..., ::2]
    assert same_bits(np.ascontiguousarray(f(a, b, out=out)), wanted)
    for x in (a[:, ::-1], a[::2], a[:, :, 1:], a.transpose(1, 0, 2, 3)):
        other = (
            b[: x.shape[0], : x.shape[1], : x.shape[2]] if x.shape[:2] != (5, 4) else b.transpose(1, 0, 2, 3)
        )
        assert same_bits(f(x, other), f(x.copy(), other.copy()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_pairs_of_rows_a_power_of_two_apart(isa, dtype):
    """Which all fall into a few sets of the cache, and are copied apart."""
    wide = gaussian(50, 4096 // np.dtype(dtype).itemsize, dtype=dtype)
    for X in (wide[:, :40], wide[::2, 3:90], wide[::-1, :33]):
        for metric in METRICS:
            assert same_bits(vb.pairwise(X, metric=metric), vb.pairwise(X.copy(), metric=metric))
            assert same_bits(vb.pairwise(X[:9], X, metric), vb.pairwise(X[:9].copy(), X.copy(), metric))


def test_integers_do_not_wrap():
    a = np.full(1000, -128, np.int8)
    assert vb.dot(a, a) == 128 * 128 * 1000
    assert vb.sqeuclidean(a, np.full(1000, 127, np.int8)) == 255 * 255 * 1000


@functions
def test_layouts_that_are_not_contiguous(f):
    a = gaussian(40, 50)
    for x in (a[:, ::-1], a[:, ::2], a.T, np.asfortranarray(a), a[::-1], a[:, 10:20]):
        assert same_bits(f(x[0], x), f(x[0].copy(), x.copy()))
        assert same_bits(f(x, x[::-1]), f(x.copy(), x[::-1].copy()))


def test_a_big_operand_is_copied_in_pieces(monkeypatch):
    from vecblade._rows import arrays

    a, q = gaussian(50, 16, dtype=np.float64).T[:, :40].copy(order="F"), gaussian(40, seed=1)
    big = np.asfortranarray(gaussian(500, 40))
    whole, pairs = vb.euclidean(q, big), vb.pairwise(a, big)
    monkeypatch.setattr(arrays, "PIECE", 1000)
    assert same_bits(vb.euclidean(q, big), whole)
    assert same_bits(vb.euclidean(a[:, None], big), np.stack([vb.euclidean(x.copy(), big) for x in a]))
    assert same_bits(vb.pairwise(a, big), pairs)


@functions
def test_out(f):
    a, b = gaussian(5, 8), gaussian(8, seed=1)
    out = np.empty(5, np.float32)
    assert f(a, b, out=out) is out
    assert same_bits(out, f(a, b))
    wide = np.zeros((5, 3), np.float32)
    f(a, b, out=wide[:, 1])
    assert same_bits(wide[:, 1].copy(), out)
    assert not wide[:, [0, 2]].any()
    single = np.empty((), np.float32)
    assert f(a[0], b, out=single) is single
    assert same_bits(single[()], out[0])


def bad_outs():
    frozen = np.empty(5, np.float32)
    frozen.flags.writeable = False
    yield "list", [0.0] * 5, TypeError, "out must be a numpy.ndarray, not list"
    yield "shape", np.empty(4, np.float32), ValueError, r"out has shape \(4,\).*result has \(5,\)"
    yield "dtype", np.empty(5, np.float64), ValueError, r"out has .*dtype <f8.*<f4"
    yield "read-only", frozen, ValueError, "out is read-only"
    yield "itself", np.broadcast_to(np.float32(0), (5,)), ValueError, "out is read-only"
    twice = np.lib.stride_tricks.as_strided(np.empty(1, np.float32), (5,), (0,), writeable=True)
    yield "inner overlap", twice, ValueError, "share memory with each other"


@functions
@pytest.mark.parametrize(("out", "error", "message"), [pytest.param(*b[1:], id=b[0]) for b in bad_outs()])
def test_out_that_does_not_fit(f, out, error, message):
    with pytest.raises(error, match=message):
        f(gaussian(5, 8), gaussian(8), out=out)


@functions
def test_out_must_not_overlap_what_is_read(f):
    a = gaussian(5, 8)
    for name, arguments in (("a", (a, gaussian(8))), ("b", (gaussian(8), a))):
        with pytest.raises(ValueError, match=f"out overlaps {name}"):
            f(*arguments, out=a[:, 3])
    # Beside it, before and after, whichever way its rows go; one element nearer is too near.
    memory, wanted = gaussian(51), f(a, a[0])
    for rows in (slice(None), slice(None, None, -1)):
        for start, apart in ((1, True), (2, False), (20, False), (45, False), (46, True)):
            memory[6:46] = a.ravel()
            x, out = memory[6:46].reshape(5, 8)[rows], memory[start : start + 5]
            if apart:
                assert f(x, a[0], out=out) is out
                assert same_bits(out.copy(), wanted[rows].copy())
            else:
                with pytest.raises(ValueError, match="out overlaps a"):
                    f(x, a[0], out=out)
    interleaved = gaussian(5, 9)  # the same memory, no element in common
    assert same_bits(f(interleaved[:, :8], a[0], out=interleaved[:, 8]), f(interleaved[:, :8].copy(), a[0]))


@functions
@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [
        (np.ones(3), np.ones(4), ValueError, r"a has 3 columns, b 4 \(shapes \(3,\) and \(4,\)\)"),
        (np.ones((2, 3)), np.ones((4, 3)), ValueError, r"leading axes of a \(2, 3\) and b \(4, 3\) do not broadcast"),
        (np.float32(1), np.ones(3), ValueError, "a is a single number"),
        (np.ones(3), 2.0, ValueError, "b is a single number"),
        (np.ones(3, complex), np.ones(3), TypeError, "a has dtype complex128; expected real numbers$"),
        (np.ones(3), np.ones(3, bool), TypeError, r"b has dtype bool; pass b.astype"),
        (np.ones(3, np.longdouble), np.ones(3), TypeError, r"a has dtype .*astype\(np.float64\)"),
        (np.array(["x", "y"]), np.ones(2), TypeError, "a has dtype <U1"),
        (np.array([1, None]), np.ones(2), TypeError, "a has missing values, the first at 1"),
        ([[1.0], [2.0, 3.0]], np.ones(2), TypeError, r"a \(list\) is not an array of numbers, nor rows of one length"),
        ("text", np.ones(2), TypeError, r"a \(str\) is not an array of numbers, but a string"),
        (None, np.ones(2), TypeError, r"a \(NoneType\) is not an array of numbers"),
        (object(), np.ones(2), TypeError, r"a \(object\) is not an array"),
        (np.array(["2026-11-01"], "M8[D]"), np.ones(1), TypeError, "a has dtype datetime64"),
        (np.array([2**60 + 1]), np.ones(1), TypeError, r"a has dtype int64 and values past 2\*\*53"),
        (np.array([2**63], np.uint64), np.ones(1), TypeError, "a has dtype uint64 and values past"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), np.ones(2), TypeError, "a has missing values, the first at 0"),
    ],
)  # fmt: skip
def test_what_is_refused(f, a, b, error, message):
    with pytest.raises(error, match=message):
        f(a, b)


@functions
def test_wrong_calls(f):
    a = gaussian(3)
    with pytest.raises(TypeError):
        f(a)
    with pytest.raises(TypeError):
        f(a, a, np.empty(3))
    with pytest.raises(TypeError):
        f(a, a, wrong=1)
    for threads, error in (
        (0, ValueError),
        (-2, ValueError),
        (1.5, TypeError),
        (True, TypeError),
        ("2", TypeError),
    ):
        with pytest.raises(error, match="threads must be"):
            f(a, a, threads=threads)


@functions
def test_huge_strides_and_shapes(f):
    """Addresses that numbers of 64 bits reach only by the strides; many axes; many rows of nothing."""
    a = gaussian(2, 6)
    far = np.lib.stride_tricks.as_strided(a, (1, 6), (2**62, 4))
    assert same_bits(f(far, a), f(a[:1], a))
    deep = a[0].reshape((1,) * 63 + (6,))
    assert f(deep, a[1]).shape == (1,) * 63
    repeated = np.broadcast_to(a[0], (3000, 6))
    assert same_bits(f(repeated, a[1]), np.full(3000, f(a[:1], a[1])[0]))
    assert f(np.empty((2**40, 0), np.float32)[:5], np.empty(0, np.float32)).shape == (5,)
    with pytest.raises(MemoryError):
        f(np.broadcast_to(a[0], (2**50, 6)), a[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 2, 7, 300])
def test_normalize(isa, dtype, d):
    X = gaussian(9, d, dtype=dtype)
    X[3] = 0
    X[4, 0] = np.inf
    if dtype == np.float64:
        X[5] *= 1e-200
        X[6] *= 1e200
    wanted = np.array([ref.normalize(row.tolist()) for row in X]).astype(dtype)
    assert same_bits(vb.normalize(X), wanted)
    assert same_bits(vb.normalize(X[1]), wanted[1])
    assert same_bits(vb.normalize(np.asfortranarray(X)), wanted)
    out = np.empty((9, 2 * d), dtype)[:, ::2]
    assert vb.normalize(X, out=out) is out
    assert same_bits(np.ascontiguousarray(out), wanted)
    assert vb.normalize(X, out=X, threads=2) is X
    assert same_bits(X, wanted)
    with pytest.raises(ValueError, match="out overlaps X"):
        vb.normalize(X[1:], out=X[:-1])


def test_values_past_float32_are_infinite_without_a_warning():
    a = np.full((2, 4), 3e38, np.float32)
    assert np.isinf(vb.dot(a, a)).all()
    assert np.isinf(vb.topk(a, a, 1, "dot").values).all()
    assert vb.dot(a[0], a[0]) == 4 * float(a[0, 0]) ** 2


def test_out_of_nothing():
    """An empty output shares no memory with itself."""
    empty, X = np.empty((0, 4), np.float32), np.ones((3, 4), np.float32)
    assert vb.pairwise(empty, X, out=np.empty((0, 3), np.float32)).shape == (0, 3)
    assert vb.dot(empty, X[0], out=np.empty(0, np.float32)).shape == (0,)
    assert vb.normalize(empty, out=np.empty((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("types", ["dd", "ff", "df", "fd", "ee"])
def test_equal_rows_are_at_no_distance(isa, types):
    """They are told at once; a difference in the last element, however small, and infinities are not lost."""
    for d in (1, 15, 16, 17, 40):
        values = np.arange(d) % 7 - 3.0
        a, x = values.astype(types[0]), np.tile(values, (5, 1)).astype(types[1])
        x[1, x[1] == 0] *= -1  # -0.0
        x[2, -1] = np.inf
        x[3, -1] += 1
        assert vb.euclidean(a, x).tolist() == [0.0, 0.0, np.inf, 1.0, 0.0]
        assert [vb.euclidean(a, row) for row in x] == [0.0, 0.0, np.inf, 1.0, 0.0]
        assert vb.topk(a, x, 5).indices.tolist() == [0, 1, 4, 3, 2]
        endless = a.copy()
        endless[-1] = np.inf
        assert np.isnan(vb.euclidean(endless, x[2]))
        assert np.isnan(vb.euclidean(endless, x)[2])
        if "d" in types:
            near = np.zeros((2, d), "d")
            near[0, -1] = 1e-200
            other = np.zeros((2, d), types.replace("d", "", 1))
            assert vb.euclidean(near, other).tolist() == [1e-200, 0.0]
