"""Every kernel of the registry against the reference, bit by bit. A new kernel needs no new test."""

import math

import numpy as np
import pytest
from conftest import REGISTRY, TYPES, GuardedRow, kernels_of, needs_guard_pages, same_bits
from hypothesis import given
from hypothesis import strategies as st

from vecblade import _core
from vecblade import reference as ref

# Past every edge: of a vector, of the 32 lanes, and of several rounds of them.
LENGTHS = (*range(70), 95, 96, 97, 127, 128, 129, 255, 256, 257)


kernel = kernels_of("pair", "rows")
real_kernel = kernels_of("pair", "rows", types=[t.name for t in TYPES.values() if not t.whole])
whole_kernel = kernels_of("pair", "rows", types=[t.name for t in TYPES.values() if t.whole])
screen = kernels_of("screen")
score = kernels_of("score")
apart = kernels_of("scaled", "residual")
widen = kernels_of("widen")


def expected(record, a, x):
    """What the kernel gives for one row, by the reference."""
    kind = TYPES[record["type"]]
    a, x = kind.listed(a), kind.listed(x)
    dot = ref.dot if kind.whole else ref.canonical_sum
    if record["accumulator"] == "sqdiff":
        return [ref.sqeuclidean(a, x)]
    if record["accumulator"] == "dot":
        return [dot(a, x)]
    sums = [dot(a, x), dot(x, x)]
    return sums if record["form"] == "rows" else [sums[0], dot(a, a), sums[1]]


def check(kernel, a, rows, ids=None):
    """`a` in the rows' type; the rows form takes real numbers as float64."""
    number, record = kernel
    query = as_query(record, a)
    wanted = [expected(record, a, rows[i]) for i in (range(len(rows)) if ids is None else ids)]
    for near in (False, True):
        found = _core.run_kernel(number, query, rows, ids, near)
        assert same_bits(np.array(found, dtype=float), np.array(wanted, dtype=float)), record["name"]


def as_query(record, a):
    kind = TYPES[record["type"]]
    return kind.numbers(a) if record["form"] == "rows" and not kind.whole else a


def gaussian(seed, *shape, dtype):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def test_registry_names_what_it_holds():
    for record in REGISTRY:
        form = None if record["form"] == "pair" else record["form"]
        parts = ("vb", record["accumulator"], form, record["type"], record["unit"])
        assert record["name"] == "_".join(part for part in parts if part)
        assert record["slot"] == "/".join(
            part for part in (record["accumulator"], record["form"], record["type"]) if part
        )
    assert len({record["name"] for record in REGISTRY}) == len(REGISTRY)
    slots = {record["slot"] for record in REGISTRY}
    scalar = {record["slot"] for record in REGISTRY if record["isa"] == "scalar"}
    assert slots == scalar, "every level falls back on scalar, which must have every kernel"


def test_every_length(kernel):
    kind = TYPES[kernel[1]["type"]]
    for d in LENGTHS:
        check(kernel, kind.some(d, d), kind.some(d + 1, 2 if d % 16 else 6, d))


def test_any_bits(kernel):
    """Denormals, infinities and NaN of every pattern, everywhere."""
    kind = TYPES[kernel[1]["type"]]
    for d in (1, 2, 7, 40, 100):
        with np.errstate(all="ignore"):
            check(kernel, kind.patterns(d, d), kind.patterns(d + 1, 20, d))


def test_every_alignment(kernel):
    kind = TYPES[kernel[1]["type"]]
    dtype, d = kind.dtype, 37
    values = kind.some(0, 2, d)
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
    kind = TYPES[kernel[1]["type"]]
    dtype, d, n = kind.dtype, 41, 5
    memory = kind.some(1, 4000)
    first = 2000
    step = stride if stride in (1, 7, -13) else stride * dtype.itemsize
    with np.errstate(all="ignore"):
        rows = np.ndarray((n, d), dtype, memory, first, (step, dtype.itemsize))
        check(kernel, memory[:d].copy(), rows)


def test_rows_by_id(kernel):
    rows = TYPES[kernel[1]["type"]].some(2, 20, 33)
    check(kernel, rows[3].copy(), rows, np.array([0, 7, 7, 19, 2]))


def test_no_rows(kernel):
    kind = TYPES[kernel[1]["type"]]
    check(kernel, kind.some(0, 5), kind.some(0, 0, 5))


@needs_guard_pages
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "start"])
def test_nothing_is_read_beyond_a_row(kernel, at_end):
    kind = TYPES[kernel[1]["type"]]
    for d in (*range(140), 255, 256, 257):
        values = kind.some(d, d)
        x, a = GuardedRow(values, at_end).row, GuardedRow(as_query(kernel[1], values), at_end).row
        found = _core.run_kernel(kernel[0], a, x[None])
        assert same_bits(np.array(found), np.array([expected(kernel[1], values, values)], dtype=float))


@given(data=st.data())
def test_any_values(real_kernel, data):
    """Denormals, extremes, infinities and NaN."""
    kind = TYPES[real_kernel[1]["type"]]
    bits = 8 * kind.dtype.itemsize
    number = st.floats(width=bits) | st.sampled_from([0.0, -0.0, float("inf"), float("nan"), 1.0])
    d = data.draw(st.integers(0, 67))

    def row():
        if bits == 16:  # by patterns: Hypothesis draws halves slowly
            return np.frombuffer(data.draw(st.binary(min_size=2 * d, max_size=2 * d)), kind.dtype)
        return np.array(data.draw(st.lists(number, min_size=d, max_size=d)), kind.dtype)

    check(real_kernel, row(), np.stack([row(), row()]))


@given(data=st.data())
def test_any_whole_values(whole_kernel, data):
    kind = TYPES[whole_kernel[1]["type"]]
    d = data.draw(st.integers(0, 300))
    a, x, y = (np.frombuffer(data.draw(st.binary(min_size=d, max_size=d)), kind.dtype) for _ in range(3))
    check(whole_kernel, a, np.stack([x, y]))


def test_whole_numbers_do_not_wrap(whole_kernel):
    """The extremes, past every place where a sum is put away."""
    kind, (number, record) = TYPES[whole_kernel[1]["type"]], whole_kernel
    lowest, highest = (-128, 127) if kind.name == "i8" else (0, 255)
    for d in (32767, 32768, 32769, 70001):
        low, high = (
            np.full((1, d), v, np.int16).astype(np.uint8).view(kind.dtype) for v in (lowest, highest)
        )
        for a, x in ((low, low), (low, high), (high, low), (high, high)):
            found = _core.run_kernel(number, a[0], x)
            n, p, q = (d, lowest, highest) if not kind.bits else (8 * d, 0, 1)
            values = {id(low): p, id(high): q}
            u, v = values[id(a)], values[id(x)]
            sums = (
                [n * (u - v) ** 2] if record["accumulator"] == "sqdiff" else [n * u * v, n * u * u, n * v * v]
            )
            keep = {"dot": [0], "sqdiff": [0], "dotnorm": [0, 1, 2] if record["form"] == "pair" else [0, 2]}
            assert found == [[float(sums[i]) for i in keep[record["accumulator"]]]]


def test_special_values_at_every_place(real_kernel):
    kind = TYPES[real_kernel[1]["type"]]
    info = np.finfo(np.float32 if kind.name == "bf16" else kind.dtype)
    for special in (np.nan, np.inf, -np.inf, info.smallest_subnormal, info.max, -0.0):
        for place in (0, 1, 15, 16, 31, 32, 33, 38):
            a, x = kind.some(place, 39), kind.some(place + 1, 39)
            x[place] = kind.of(np.array([special]))[0]
            check(real_kernel, a, x[None])


def test_zero_is_positive(real_kernel):
    """Also where products of either sign underflow, or all terms are -0.0."""
    kind = TYPES[real_kernel[1]["type"]]
    tiny = float(np.finfo(np.float32 if kind.name == "bf16" else kind.dtype).tiny)
    for a, x in (([tiny] * 3, [-tiny] * 3), ([-0.0] * 40, [0.0] * 40), ([1.0] * 5, [-0.0] * 5)):
        check(real_kernel, kind.of(np.array(a)), kind.of(np.array([x])))


# ---- scores: from sums to values -----------------------------------------------------------


def test_scores_are_those_of_pairs(score):
    """Of sums as they are, by the reference's own operations; NaN past the edge."""
    random, edge = np.random.default_rng(0), 0.875
    for n in (0, 1, 3, 8, 9, 31, 256):
        norms, norm = random.uniform(0.5, 9, n), 4.0
        sums = random.uniform(-6, 6, n)
        s = [max(-1.0, x / math.sqrt(norm * y)) for x, y in zip(sums.tolist(), norms.tolist(), strict=True)]
        s = [x if x < edge else math.nan for x in s]
        wanted = {
            "raw": sums.tolist(),
            "squared": sums.tolist(),
            "root": [math.sqrt(abs(x)) for x in sums.tolist()],
            "similarity": s,
            "angular": [1.0 - x for x in s],
            "unshared": [
                ((norm + y - x) - x) / (norm + y - x)
                for x, y in zip(sums.tolist(), norms.tolist(), strict=True)
            ],
        }
        for epilogue in _core.EPILOGUES:
            values = np.abs(sums) if epilogue == "root" else sums
            for wide in (False, True):
                found, unsure = _core.run_score(score[0], epilogue, wide, norm, edge, norms, values)
                assert same_bits(found, np.array(wanted[epilogue], dtype=float)), (epilogue, n)
                assert unsure == bool(np.isnan(found).any())


def test_scores_are_left_to_others_where_sums_are_extreme(score):
    def unsure(epilogue, wide, norms, sums):
        found, some = _core.run_score(score[0], epilogue, wide, 1.0, 0.75, norms, sums)
        assert some == bool(np.isnan(found).any())
        return np.flatnonzero(np.isnan(found)).tolist()

    norms, sums = np.ones(20), np.full(20, 0.5)
    for place in (0, 7, 19):
        for bad in (0.0, 1e-200, 1e200, np.inf, np.nan):
            odd = np.where(np.arange(20) == place, bad, 1.0)
            for epilogue in ("angular", "similarity"):
                assert unsure(epilogue, False, odd, sums) == [place]
        for bad, wide, narrow in (
            (0.0, True, False),
            (np.inf, True, False),
            (np.nan, True, True),
            (1e-300, True, False),
        ):
            odd = np.where(np.arange(20) == place, bad, 1.0)
            assert unsure("root", True, norms, odd) == ([place] if wide else [])
            assert unsure("root", False, norms, odd) == ([place] if narrow else [])
            if not 0.0 <= bad < 1.0:
                assert unsure("raw", True, norms, odd) == [place]
    nothing = np.zeros(3)
    found, some = _core.run_score(score[0], "unshared", False, 0.0, 0.75, nothing, nothing)
    assert found.tolist() == [0.0] * 3
    assert not some


# ---- scaled sums, and residual ones ----------------------------------------------------------


def expected_apart(record, a, x, scale_a, scale_x, t, u, swapped):
    """The sums of two rows of floats, by the reference."""
    if record["accumulator"] == "sqdiff":
        d = ref.times(ref.differences(a, x), scale_a)
        return [ref.canonical_sum(d, d)]
    a, x = (
        list(row) if scale == 1.0 else ref.times(row, scale) for row, scale in ((a, scale_a), (x, scale_x))
    )
    if record["form"] == "residual":
        y, z = (x, a) if swapped else (a, x)
        r = ref.residual(y, z, t, u)
        return [ref.canonical_sum(r, r), ref.canonical_sum(r, z)]
    sums = [ref.canonical_sum(a, x)]
    return (
        sums if record["accumulator"] == "dot" else [*sums, ref.canonical_sum(a, a), ref.canonical_sum(x, x)]
    )


def check_apart(apart, a, x, *how):
    number, record = apart
    kind = TYPES[record["type"]]
    wanted = expected_apart(
        record, kind.listed(a) if a.dtype == kind.dtype else a.tolist(), kind.listed(x), *how
    )
    found = _core.run_apart(number, a, x, *how)
    assert same_bits(np.array(found), np.array(wanted)), (record["name"], len(a), how)


# Scales of a and of x, t, u, swapped.
HOWS = [
    (1.0, 1.0, 0.3, 0.0, False),
    (1.0, 1.0, 1.7, 1e-17, True),
    (2.0**600, 2.0**600, 0.9, 1e-16, False),
    (2.0**-600, 2.0**1000, -0.9, 1e-16, True),
]


def test_sums_apart(apart):
    """Every length, in one of the ways; a in float64, and where the kernel takes it in its own type."""
    kind = TYPES[apart[1]["type"]]
    for d in LENGTHS:
        a, x = kind.some(d, d), kind.some(d + 1, d)
        for how in HOWS if d in (33, 97) else HOWS[d % 4 :][:1]:
            own = apart[1]["form"] == "residual" and d % 3 and (kind.name == "f64" or how[0] == 1.0)
            check_apart(apart, a if own else kind.numbers(a), x, *how)


def test_sums_apart_of_any_bits(apart):
    """Denormals too, each of which is scaled exactly; infinities and NaN."""
    kind = TYPES[apart[1]["type"]]
    for d in (1, 2, 7, 40, 100):
        for seed in range(2):
            with np.errstate(all="ignore"):
                a, x = kind.numbers(kind.patterns(d + seed, d)), kind.patterns(d + seed + 1, d)
                for how in HOWS[2:]:
                    check_apart(apart, a, x, *how)
        tiny = np.random.default_rng(d).integers(-(2**52), 2**52, (2, d)) * 5e-324
        tiny[:, d // 2] = 1e-300
        if kind.name == "f64":
            for how in HOWS[2:]:
                check_apart(apart, tiny[0], tiny[1], *how)


@needs_guard_pages
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "start"])
def test_sums_apart_read_nothing_beyond_a_row(apart, at_end):
    kind = TYPES[apart[1]["type"]]
    for d in (*range(140), 255, 256, 257):
        values = kind.some(d, d)
        x, a = GuardedRow(values, at_end).row, GuardedRow(kind.numbers(values), at_end).row
        found = _core.run_apart(apart[0], a, x, *HOWS[2])
        assert found == _core.run_apart(apart[0], kind.numbers(values), values, *HOWS[2])


# ---- two-byte floats as float32 --------------------------------------------------------------


def as_float32(kind, row):
    with np.errstate(all="ignore"):  # NaN that signal
        return kind.numbers(row).astype(np.float32)


def test_widening(widen):
    """Every pattern, in every place; NaN stays NaN."""
    kind = TYPES[widen[1]["type"]]
    every = np.arange(65536, dtype=np.uint16).view(kind.dtype)
    assert same_bits(_core.run_widen(widen[0], every), as_float32(kind, every))
    for d in range(70):
        row = kind.patterns(d, d)
        assert same_bits(_core.run_widen(widen[0], row), as_float32(kind, row))


@needs_guard_pages
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "start"])
def test_widening_reads_nothing_beyond_a_row(widen, at_end):
    kind = TYPES[widen[1]["type"]]
    for d in range(70):
        row = kind.some(d, d)
        found = _core.run_widen(widen[0], GuardedRow(row, at_end).row)
        assert same_bits(found, as_float32(kind, row))


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
