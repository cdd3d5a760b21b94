"""Every kernel of the registry against the reference, bit by bit. A new kernel needs no new test."""

import numpy as np
import pytest
from conftest import GuardedRow, needs_guard_pages, same_bits
from hypothesis import given
from hypothesis import strategies as st

from vecblade import _core
from vecblade import reference as ref

REGISTRY = _core.registry()
DTYPES = {"f32": np.float32, "f64": np.float64}
# Past every edge: of a vector, of the 32 lanes, and of several rounds of them.
LENGTHS = (*range(70), 95, 96, 97, 127, 128, 129, 255, 256, 257)


@pytest.fixture(params=range(len(REGISTRY)), ids=[record["name"] for record in REGISTRY])
def kernel(request):
    record = REGISTRY[request.param]
    if not record["runs"]:
        pytest.skip(f"{record['isa']} does not run on this machine")
    return request.param, record


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
        form = "_rows" if record["form"] == "rows" else ""
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


def test_run_kernel_refuses_what_would_read_out_of_bounds():
    with pytest.raises(ValueError, match="registry"):
        _core.run_kernel(len(REGISTRY), np.ones(3, np.float32), np.ones((1, 3), np.float32))
    number = next(i for i, r in enumerate(REGISTRY) if r["isa"] == "scalar" and r["type"] == "f32")
    for a, rows in ((np.ones(3, np.float32), np.ones((1, 4), np.float32)), (np.ones(3), np.ones((1, 3)))):
        with pytest.raises(ValueError, match=r"core takes|kernel takes"):
            _core.run_kernel(number, a, rows)
    with pytest.raises(ValueError, match="ids"):
        _core.run_kernel(number, np.ones(3, np.float32), np.ones((1, 3), np.float32), np.array([1]))
