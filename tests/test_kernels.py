"""Every kernel of the registry against the reference, bit by bit. A new kernel needs no new test."""

import numpy as np
import pytest
from conftest import REGISTRY, GuardedRow, kernels_of, needs_guard_pages, same_bits
from hypothesis import given
from hypothesis import strategies as st

from vecblade import _core
from vecblade import reference as ref

DTYPES = {"f32": np.float32, "f64": np.float64}
# Past every edge: of a vector, of the 32 lanes, and of several rounds of them.
LENGTHS = (*range(70), 95, 96, 97, 127, 128, 129, 255, 256, 257)


kernel = kernels_of("pair", "rows")
screen = kernels_of("screen")


def expected(record, a, x):
    """What the kernel gives for one row, by the reference."""
    a, x = a.tolist(), x.tolist()
    if record["accumulator"] == "sqdiff":
        return [ref.sqeuclidean(a, x)]
    if record["accumulator"] == "dot":
        return [ref.dot(a, x)]
    sums = [ref.dot(a, x), ref.dot(x, x)]
    return sums if record["form"] == "rows" else [sums[0], ref.dot(a, a), sums[1]]


def check(kernel, a, rows, ids=None):
    """`a` in the rows' type; the rows form takes it as float64."""
    number, record = kernel
    query = a.astype(np.float64) if record["form"] == "rows" else a
    found = _core.run_kernel(number, query, rows, ids)
    wanted = [expected(record, a, rows[i]) for i in (range(len(rows)) if ids is None else ids)]
    assert same_bits(np.array(found, dtype=float), np.array(wanted, dtype=float)), record["name"]


def gaussian(seed, *shape, dtype):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def test_registry_names_what_it_holds():
    for record in REGISTRY:
        form = "" if record["form"] == "pair" else f"_{record['form']}"
        assert record["name"] == f"vb_{record['accumulator']}{form}_{record['type']}_{record['isa']}"
    slots = {(r["accumulator"], r["form"], r["type"]) for r in REGISTRY}
    scalar = {(r["accumulator"], r["form"], r["type"]) for r in REGISTRY if r["isa"] == "scalar"}
    assert slots == scalar, "every level falls back on scalar, which must have every kernel"


def test_every_length(kernel):
    dtype = DTYPES[kernel[1]["type"]]
    for d in LENGTHS:
        check(kernel, gaussian(d, d, dtype=dtype), gaussian(d + 1, 2, d, dtype=dtype))


def test_every_alignment(kernel):
    dtype = np.dtype(DTYPES[kernel[1]["type"]])
    d = 37
    values = gaussian(0, 2, d, dtype=dtype)
    for offset in range(1, 20):
        moved = np.empty(2 * values.nbytes + 64, np.uint8)
        rows = np.ndarray((2, d), dtype, moved, offset)
        rows[...] = values
        a = np.ndarray((d,), dtype, np.empty(values.nbytes + 64, np.uint8), offset)
        a[...] = values[0]
        if kernel[1]["form"] == "pair":
            check(kernel, a, rows)
        else:
            check(kernel, values[0], rows)


@pytest.mark.parametrize("stride", [0, 1, 7, -13, 400])
def test_every_stride(kernel, stride):
    """Rows that overlap, go backwards, or lie at odd addresses."""
    dtype = np.dtype(DTYPES[kernel[1]["type"]])
    d, n = 41, 5
    memory = gaussian(1, 4000, dtype=dtype)
    first = 2000
    step = stride if stride in (1, 7, -13) else stride * dtype.itemsize
    with np.errstate(all="ignore"):
        rows = np.ndarray((n, d), dtype, memory, first, (step, dtype.itemsize))
        check(kernel, memory[:d].copy(), rows)


def test_rows_by_id(kernel):
    dtype = DTYPES[kernel[1]["type"]]
    rows = gaussian(2, 20, 33, dtype=dtype)
    check(kernel, rows[3].copy(), rows, np.array([0, 7, 7, 19, 2]))


def test_no_rows(kernel):
    dtype = DTYPES[kernel[1]["type"]]
    check(kernel, np.ones(5, dtype), np.ones((0, 5), dtype))


@needs_guard_pages
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "start"])
def test_nothing_is_read_beyond_a_row(kernel, at_end):
    dtype = DTYPES[kernel[1]["type"]]
    for d in (*range(70), 127, 128, 129):
        values = gaussian(d, d, dtype=dtype)
        x, a = GuardedRow(values, at_end).row, GuardedRow(values.astype(np.float64), at_end).row
        if kernel[1]["form"] == "pair":
            a = GuardedRow(values, at_end).row
        found = _core.run_kernel(kernel[0], a, x[None])
        assert same_bits(np.array(found), np.array([expected(kernel[1], values, values)]))


@given(data=st.data())
def test_any_values(kernel, data):
    """Denormals, extremes, infinities and NaN."""
    dtype = np.dtype(DTYPES[kernel[1]["type"]])
    number = st.floats(width=8 * dtype.itemsize) | st.sampled_from(
        [0.0, -0.0, float("inf"), float("nan"), 1.0]
    )
    d = data.draw(st.integers(0, 67))
    a, x, y = (np.array(data.draw(st.lists(number, min_size=d, max_size=d)), dtype) for _ in range(3))
    check(kernel, a, np.stack([x, y]))


def test_special_values_at_every_place(kernel):
    dtype = DTYPES[kernel[1]["type"]]
    info = np.finfo(dtype)
    for special in (np.nan, np.inf, -np.inf, info.smallest_subnormal, info.max, -0.0):
        for place in (0, 1, 15, 16, 31, 32, 33, 38):
            a, x = gaussian(place, 39, dtype=dtype), gaussian(place + 1, 39, dtype=dtype)
            x[place] = special
            check(kernel, a, x[None])


def test_zero_is_positive(kernel):
    """Also where products of either sign underflow, or all terms are -0.0."""
    dtype = DTYPES[kernel[1]["type"]]
    tiny = np.finfo(dtype).tiny
    for a, x in (([tiny] * 3, [-tiny] * 3), ([-0.0] * 40, [0.0] * 40), ([1.0] * 5, [-0.0] * 5)):
        check(kernel, np.array(a, dtype), np.array([x], dtype))


# ---- screens: float32, not canonical, so held to their bound ------------------------------


def screened(screen, q, rows):
    """Check which rows pass, for limits all around the true values."""
    number, record = screen
    d = len(q)
    e, tiny = (d / 32 + 12) * 2.0**-24, d * 2.0**-149
    exact = [[float(v) for v in true_sums(record["accumulator"], q, x)] for x in rows]
    for s0, n0 in exact:
        for nudge in (0.5, 0.999, 1.0, 1.001, 2.0):
            limit, slope, low = 0.0, 0.0, 0.0
            if record["accumulator"] == "sqdiff":
                limit = s0 * nudge
            elif record["accumulator"] == "dot":
                slope, limit = 0.25, s0 + 0.25 * n0 * nudge
            else:
                slope = s0 * abs(s0) / n0 * nudge if n0 else 1.0
            limit, slope = float(np.float32(limit)), float(np.float32(slope))
            passed = set(_core.run_screen(number, q, rows, limit, slope, low))
            for i, ((s, n), x) in enumerate(zip(exact, rows, strict=True)):
                terms = s if record["accumulator"] == "sqdiff" else float(np.abs(q.astype(float) * x).sum())
                off = 1.1 * e * terms + 2 * tiny
                if record["accumulator"] == "sqdiff":
                    gap, off = limit - s, off
                elif record["accumulator"] == "dot":
                    gap, off = s + slope * n - limit, off + slope * (1.1 * e * n + tiny) + 1e-6 * abs(limit)
                else:
                    gap = s * abs(s) - slope * n
                    off = 2.2 * abs(s) * off + off * off + abs(slope) * (1.2 * e * n + tiny) + 2.0**-140
                if gap > off:
                    assert i in passed
                if gap < -off:
                    assert i not in passed


def true_sums(accumulator, q, x):
    q, x = q.tolist(), x.tolist()
    if accumulator == "sqdiff":
        return ref.exact_sqeuclidean(q, x), 0
    return ref.exact_dot(q, x), ref.exact_dot(x, x)


def test_a_screen_keeps_its_bound_at_every_length(screen):
    for d in LENGTHS:
        screened(screen, gaussian(d, d, dtype=np.float32), gaussian(d + 1, 3, d, dtype=np.float32))


@given(data=st.data())
def test_a_screen_keeps_its_bound_for_any_values(screen, data):
    d = data.draw(st.integers(1, 40))
    number = st.floats(-(2.0**25), 2.0**25, width=32) | st.floats(-(2.0**-60), 2.0**-60, width=32)
    q, x, y = (np.array(data.draw(st.lists(number, min_size=d, max_size=d)), np.float32) for _ in range(3))
    screened(screen, q, np.stack([x, y, q]))


def test_a_screen_never_rules_out_nan_or_overflow(screen):
    d = 40
    q = np.ones(d, np.float32)
    for special in (np.nan, np.inf, -np.inf, 3e38, -3e38):
        for place in (0, 31, 32, 39):
            x = np.ones((1, d), np.float32)
            x[0, place] = special
            assert _core.run_screen(screen[0], q, x, 1.0, 1e-30, 0.0) == [0]


@needs_guard_pages
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "start"])
def test_a_screen_reads_nothing_beyond_a_row(screen, at_end):
    for d in (*range(70), 127, 128, 129):
        values = gaussian(d, d, dtype=np.float32)
        x, q = (GuardedRow(values, at_end).row for _ in range(2))
        assert _core.run_screen(screen[0], q, x[None], np.inf, 0.0, np.inf) in ([0], [])


def test_run_kernel_refuses_what_would_read_out_of_bounds():
    with pytest.raises(ValueError, match="registry"):
        _core.run_kernel(len(REGISTRY), np.ones(3, np.float32), np.ones((1, 3), np.float32))
    number = next(i for i, r in enumerate(REGISTRY) if r["isa"] == "scalar" and r["type"] == "f32")
    for a, rows in ((np.ones(3, np.float32), np.ones((1, 4), np.float32)), (np.ones(3), np.ones((1, 3)))):
        with pytest.raises(ValueError, match=r"core takes|kernel takes"):
            _core.run_kernel(number, a, rows)
    with pytest.raises(ValueError, match="is no screen"):
        _core.run_screen(number, np.ones(3, np.float32), np.ones((1, 3), np.float32), 0, 0, 0)
    with pytest.raises(ValueError, match="ids"):
        _core.run_kernel(number, np.ones(3, np.float32), np.ones((1, 3), np.float32), np.array([1]))
