"""The kernels of many rows with many: tiles, sieves and encoders of the registry, against plain loops."""

import math
from fractions import Fraction

import numpy as np
import pytest
from conftest import REGISTRY, TYPES, GuardedRow, kernels_of, needs_guard_pages, same_bits
from hypothesis import given
from hypothesis import strategies as st

from vecblade import _core

BLOCK = 64  # of a tile's sums
PANEL = 32  # rows of a sieve
EPILOGUES = tuple(name for name in _core.EPILOGUES if name != "unshared")  # of tiles: bits have none
LENGTHS = (*range(10), 31, 32, 33, 63, 64, 65, 127, 128, 129, 200)

tile = kernels_of("tile")
products = kernels_of("products")
sieve = kernels_of("sieve")
encode = kernels_of("encode")


def gaussian(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ---- tiles --------------------------------------------------------------------------------


def rounded(exact, dtype):
    """A fraction in the type, rounded once: float64 rounded to odd is no midpoint of two float32."""
    near = float(exact)
    if dtype == np.float32 and Fraction(near) != exact:
        other = math.nextafter(near, math.inf if exact > near else -math.inf)
        near = next(x for x in (near, other) if np.float64(x).view(np.int64) & 1)
    return dtype(near)


def kind_of(tile):
    return TYPES[tile[1]["type"]]


def value_type(tile):
    return np.float64 if tile[1]["type"] == "f64" else np.float32


def is_direct(tile):
    """Whether it sums squared differences."""
    return tile[1]["accumulator"] == "sqdiff"


def epilogues_of(tile):
    return ("squared", "root") if is_direct(tile) else EPILOGUES


def chained(tile, rows, columns):
    """
    The sums of a tile: a chain of fused multiply-adds for every 64 elements, and a sum of these.

    Of two elements of bfloat16 the second goes first. Differences are rounded before they are squared.
    """
    dtype, total = value_type(tile), None
    rows, columns = kind_of(tile).numbers(rows), kind_of(tile).numbers(columns)
    for start in range(0, max(rows.shape[1], 1), BLOCK):
        block = np.zeros((len(rows), len(columns)), dtype)
        order = range(start, min(start + BLOCK, rows.shape[1]))
        for k in sorted(order, key=lambda k: k ^ 1) if kind_of(tile).name == "bf16" else order:
            for i, a in enumerate(rows[:, k]):
                for j, b in enumerate(columns[:, k]):
                    factors = (dtype(a) - dtype(b),) * 2 if is_direct(tile) else (a, b)
                    exact = math.prod(Fraction(float(x)) for x in factors) + Fraction(float(block[i, j]))
                    block[i, j] = rounded(exact, dtype)
        total = block if total is None else total + block
    return total


def run(tile, rows, columns, epilogue=None, low=0.0, high=np.inf, row=None, column=None):
    """With the sums as they are, if not said."""
    number, record = tile
    epilogue = epilogue or ("squared" if is_direct(tile) else "raw")
    dtype = value_type(tile)
    r, c = record["shape"]
    row = np.ones(r, dtype) if row is None else row
    column = np.ones(c, dtype) if column is None else column
    panel = np.ascontiguousarray(columns.T)
    if kind_of(tile).name == "bf16":
        panel = np.ascontiguousarray(columns.reshape(c, -1, 2).transpose(1, 0, 2))
    return _core.run_tile(number, rows, panel, epilogue, low, high, row, column)


def operands(tile, d, seed=0):
    """Of bfloat16 an even number of elements: an odd one, and zero."""
    (r, c), kind = tile[1]["shape"], kind_of(tile)
    rows, columns = kind.some(seed, r, d), kind.some(seed + 1, c, d)
    if kind.name == "bf16" and d % 2:
        rows, columns = (np.concatenate([x, np.zeros((len(x), 1), x.dtype)], axis=1) for x in (rows, columns))
    return rows, columns


def test_a_tile_sums_in_its_order(tile):
    for d in (0, 1, 2, 3, 8, 65, 130):
        rows, columns = operands(tile, d, seed=d)
        values, unsure = run(tile, rows, columns)
        assert unsure == [0] * len(rows)
        # All rows with some columns, of every vector: exact arithmetic is slow.
        some = np.r_[0 : len(columns) : 5, len(columns) - 1]
        assert same_bits(values[:, some], chained(tile, rows, columns[some]))


def test_tiles_of_all_levels_agree(tile):
    """At every length, with the scalar kernel of the same type, element by element."""
    scalar = next(
        (i, r)
        for i, r in enumerate(REGISTRY)
        if r["isa"] == "scalar" and all(r[key] == tile[1][key] for key in ("form", "type", "accumulator"))
    )
    (r, c), (height, width) = tile[1]["shape"], scalar[1]["shape"]
    for d in LENGTHS:
        rows, columns = operands(tile, d, seed=d)
        values, _ = run(tile, rows, columns)
        for i in range(0, r, height):
            for j in range(0, c, width):
                at, to = min(i, r - height), min(j, c - width)
                part, _ = run(scalar, rows[at : at + height], columns[to : to + width])
                assert same_bits(part, values[at : at + height, to : to + width])


@pytest.mark.parametrize("epilogue", EPILOGUES)
def test_epilogues(tile, epilogue):
    if epilogue not in epilogues_of(tile):
        return
    rows, columns = operands(tile, 20)
    dtype, kind = value_type(tile), kind_of(tile)
    rows[0], columns[1] = columns[2], kind.of(-kind.numbers(rows[1]))
    columns[3] = kind.of(kind.numbers(rows[1]) * 0.999)
    s, _ = run(tile, rows, columns)
    row, column = (np.einsum("ij,ij->i", x, x).astype(dtype) for x in map(kind.numbers, (rows, columns)))
    if epilogue in ("similarity", "angular"):
        row, column = 1 / np.sqrt(row), 1 / np.sqrt(column)
    column[0] = np.nan
    low, high = 0.25, 0.75 if epilogue != "raw" else 3.0
    if is_direct(tile):
        low, high = 20.0, 40.0
    found, unsure = run(tile, rows, columns, epilogue, low, high, row, column)

    both = row[:, None] + column if epilogue in ("squared", "root") else row[:, None] * column
    if is_direct(tile):
        expected, sure = np.sqrt(s) if epilogue == "root" else s, (low <= s) & (s <= high)
    elif epilogue == "raw":
        expected, sure = s, np.abs(s) <= dtype(high)
    elif epilogue in ("squared", "root"):
        expected = both - (s + s)
        sure = dtype(low) * both <= expected
        with np.errstate(invalid="ignore"):
            expected = np.sqrt(expected) if epilogue == "root" else expected
    else:
        expected = np.maximum(dtype(-1), s * both)
        sure = expected <= dtype(high)
        expected = 1 - expected if epilogue == "angular" else expected
    assert same_bits(found, expected)
    assert [[not bits >> j & 1 for j in range(len(columns))] for bits in unsure] == sure.tolist()
    assert 0 < sure.sum() < sure.size


def test_a_tile_is_not_sure_of_nan(tile):
    rows, columns = operands(tile, 9)
    kind, dtype = kind_of(tile), value_type(tile)
    rows[1, 3], columns[2, 8] = kind.of(np.array([np.nan, np.inf]))
    for epilogue in epilogues_of(tile):
        _, unsure = run(tile, rows, columns, epilogue, 0.1, np.finfo(dtype).max)
        assert unsure[1] == 2 ** len(columns) - 1
        assert not (epilogue == "raw" or is_direct(tile)) or all(bits >> 2 & 1 for bits in unsure)
    # Of infinite sums the epilogues know by the row's own number.
    unknown = np.full(len(columns), np.nan, dtype)
    for epilogue in () if is_direct(tile) else [name for name in EPILOGUES if name != "raw"]:
        _, unsure = run(tile, rows, columns, epilogue, 0.1, np.finfo(dtype).max, None, unknown)
        assert set(unsure) == {2 ** len(columns) - 1}


@needs_guard_pages
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "start"])
def test_a_tile_reads_nothing_beyond(tile, at_end):
    number, record = tile
    (r, c), dtype = record["shape"], value_type(tile)
    for d in (1, 2, 3, 64, 65, 67):
        rows, columns = operands(tile, d, seed=d)
        panel = columns.T
        if kind_of(tile).name == "bf16":
            panel = columns.reshape(c, -1, 2).transpose(1, 0, 2)
        guarded = [GuardedRow(x.ravel(), at_end) for x in (rows, panel)]
        numbers = [GuardedRow(np.ones(n, dtype), at_end).row for n in (r, c)]
        found, _ = _core.run_tile(
            *(number, guarded[0].row.reshape(rows.shape), guarded[1].row.reshape(panel.shape)),
            *("root", 0.1, 0.9, *numbers),
        )
        assert same_bits(found, run(tile, rows, columns, "root", 0.1, 0.9)[0])


def test_a_tile_of_strided_rows(tile):
    rows, columns = operands(tile, 34)
    wide = np.zeros((2 * len(rows), 40), rows.dtype)
    wide[::2, 3:37] = rows
    assert same_bits(run(tile, wide[::2, 3:37], columns)[0], run(tile, rows, columns)[0])


# ---- sieves -------------------------------------------------------------------------------


def panel_of(codes, unit, norm_term):
    """vb_panel: codes of 32 rows as bytes, and their two numbers."""
    head = np.zeros(80, np.float32)
    head[:32], head[32:64] = unit, norm_term
    return np.concatenate([head.view(np.uint8), panel_codes(codes).ravel()])


def panel_codes(codes):
    d = codes.shape[1]
    padded = np.zeros((PANEL, -(-d // 4) * 4), np.uint8)
    padded[:, :d] = codes
    return np.ascontiguousarray(padded.reshape(PANEL, -1, 4).transpose(1, 0, 2))


def query_codes(kernel, codes, group):
    return _core.pack_codes(kernel[0], codes.astype(np.uint8).view(np.int8), group)


def sift(sieve, rows, unit, norm_term, queries, a, t, k, group):
    """`rows` and `queries` are what the products are of: codes less 128, or bytes of bits."""
    number, record = sieve
    d, bits = rows.shape[1], record["type"] == "b1"
    bias = (0 if bits else 128) * queries.sum(axis=1, dtype=np.int32)
    panel = panel_of(rows if bits else rows + 128, unit, norm_term)
    codes = query_codes(sieve, queries, group)
    masks = _core.run_sieve(number, d, panel, group, codes, bias, a, t, k)
    return np.array([[mask >> r & 1 for r in range(PANEL)] for mask in masks], bool)


def codes_for(record, seed, n, d, extreme=False):
    """32 rows and n queries of codes, and their products."""
    random = np.random.default_rng(seed)
    if record["type"] == "b1":
        rows, queries = (random.integers(0, 256, (m, d)) for m in (PANEL, n))
        if extreme:
            rows, queries = rows | 255, queries | 255
        unpacked = [np.unpackbits(x.astype(np.uint8), axis=1).astype(int) for x in (queries, rows)]
        return rows, queries, unpacked[0] @ unpacked[1].T
    most = record["largest_code"]
    low, high = (-128, 127) if record["form"] == "products" else (-most, most)
    rows, queries = random.integers(-128, 128, (PANEL, d)), random.integers(low, high + 1, (n, d))
    if extreme:
        rows = np.where(random.random((PANEL, 1)) < 0.5, -128, 127) * np.ones((1, d), int)
        queries = np.where(random.random((n, 1)) < 0.5, low, high) * np.ones((1, d), int)
    return rows, queries, queries @ rows.T


@pytest.mark.parametrize("extreme", [False, True], ids=["random", "extreme"])
def test_a_sieve_keeps_its_promise(sieve, extreme):
    """A dot product of codes at, just over and just under what a row has to reach."""
    for d in (*range(1, 20), 63, 64, 65, 128, 515, 4096):
        for group in sieve[1]["groups"]:
            random = np.random.default_rng(d)
            rows, queries, products = codes_for(sieve[1], d, 2 * group, d, extreme)
            products = products.astype(np.float32)
            unit = np.ones(PANEL, np.float32)
            unit[3] = np.nan
            norm_term = random.integers(1, 9, PANEL).astype(np.float32)
            t = random.integers(-3, 4, 2 * group).astype(np.float32)
            k = random.integers(0, 5, 2 * group).astype(np.float32)
            if extreme:
                t, k = 0 * t, 0 * k  # the products leave float32 no digits for these
            for nudge in (-1, 0, 1):
                # Reached, by whole numbers that float32 holds, in row 7; in others by more or less.
                step = np.maximum(1, np.spacing(np.abs(products[:, 7])))
                a = products[:, 7] - (t * norm_term[7] - k) + nudge * step
                passed = sift(sieve, rows, unit, norm_term, queries, a, t, k, group)
                expected = ~(products < a[:, None] * unit + (t[:, None] * norm_term - k[:, None]))
                assert (passed == expected).all()
                assert passed[:, 3].all(), "a row without codes is never ruled out"
                assert passed[:, 7].all() == (nudge <= 0)


def test_a_sieve_rules_out_what_infinity_says(sieve):
    rows, queries = np.ones((PANEL, 8), int), np.ones((sieve[1]["shape"][0], 8), int)
    n = len(queries)
    zero, one = np.zeros(n, np.float32), np.ones(PANEL, np.float32)
    never, always = (np.full(n, x, np.float32) for x in (np.inf, np.nan))
    assert not sift(sieve, rows, one, 0 * one, queries, never, zero, zero, n).any()
    assert sift(sieve, rows, one, 0 * one, queries, always, zero, zero, n).all()
    # A zero row under a cosine: infinitely far if a positive cosine is wanted, else not known.
    far = np.full(PANEL, np.inf, np.float32)
    assert not sift(sieve, rows, one, far, queries, zero, zero + 1, zero, n).any()
    assert sift(sieve, rows, one, far, queries, zero, zero - 1, zero, n).all()
    assert sift(sieve, rows, one, far, queries, zero, zero, zero, n).all()


def test_products_of_any_codes(products):
    """-128 too, at any length; modulo 2^32 where they are too long for it."""
    number, record = products
    for d in (*range(0, 20), 63, 64, 65, 515, 4096, 140_000):
        for extreme in (False, True):
            rows, queries, wanted = codes_for(record, d, record["shape"][0], d, extreme)
            bits = record["type"] == "b1"
            if not bits:  # the panel's codes are unsigned, and nothing is taken off
                wanted = queries @ (rows + 128).T
            panel = panel_codes(rows if bits else rows + 128)
            found = _core.run_products(number, d, panel, query_codes(products, queries, len(queries)))
            assert (found == wanted.astype(np.int64).astype(np.int32)).all(), d


@needs_guard_pages
def test_products_read_nothing_beyond(products):
    number, record = products
    for d in (4, 64, 68):
        rows, queries, _ = codes_for(record, d, record["shape"][0], d)
        panel = panel_codes(rows + 128)
        codes = query_codes(products, queries, len(queries))
        guarded = [GuardedRow(x.ravel(), True).row.reshape(x.shape) for x in (panel, codes)]
        assert (_core.run_products(number, d, *guarded) == _core.run_products(number, d, panel, codes)).all()


def test_run_functions_refuse_what_does_not_fit():
    tile, sieve, encode = (
        next((i, r) for i, r in enumerate(REGISTRY) if r["form"] == form and r["isa"] == "scalar")
        for form in ("tile", "sieve", "encode")
    )
    with pytest.raises(ValueError, match="whole groups"):
        _core.run_sieve(sieve[0], 8, None, 2, None, np.zeros(3), None, None, None)
    with pytest.raises(ValueError, match="such groups"):
        _core.pack_codes(sieve[0], np.zeros((3, 8), np.int8), 2)
    with pytest.raises(ValueError, match="is no tile"):
        run((sieve[0], tile[1]), *operands(tile, 3))
    with pytest.raises(ValueError, match="as many rows"):
        run(tile, *(x[:-1] for x in operands(tile, 3)))
    with pytest.raises(ValueError, match="of shape"):
        _core.run_encode(encode[0], np.zeros(3, np.float32), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="is no products"):
        _core.run_products(tile[0], 8, None, None)
    with pytest.raises(ValueError, match="is no score"):
        _core.run_score(tile[0], "raw", False, 1.0, 0.9, np.ones(3), np.ones(3))


# ---- encoders -----------------------------------------------------------------------------


def check_encoding(encode, x, center):
    d = len(x)
    padded = np.zeros(-(-d // 32) * 32, np.float32)
    padded[:d] = center
    codes, found = _core.run_encode(encode[0], x, padded)
    y = x - center
    most = np.abs(y).max(initial=0)
    unit = np.float32(127) / most if most > 0 else np.float32(1)
    scaled = y * unit
    expected = np.rint(scaled)
    assert found["most"] == most
    assert found["unit"] == unit
    assert (codes[:d] == (expected + 128).astype(np.uint8)).all()
    assert (codes[d:] == 128).all()
    wide, exact = y.astype(np.float64), expected.astype(np.float64)
    relative = (d / 2 + 16) * 2.0**-23
    for name, wanted in (
        ("square", np.sum(wide * wide)),
        ("norm", np.sum(x.astype(np.float64) ** 2)),
        ("code", np.sum(exact * exact)),
    ):
        assert found[name] == pytest.approx(wanted, rel=relative), name
    # What is lost may have been rounded once more, as a part of the codes.
    residual, code = np.sqrt(np.sum((wide * float(unit) - exact) ** 2)), np.sqrt(found["code"])
    assert np.sqrt(found["residual"]) == pytest.approx(residual, rel=relative, abs=2.0**-23 * code)


def test_encoding_at_every_length(encode):
    for d in (*range(1, 70), 95, 96, 97, 127, 128, 129, 255, 256, 257, 768):
        check_encoding(encode, gaussian(d, d), gaussian(d + 1, d))
        check_encoding(encode, gaussian(d, d), np.zeros(d, np.float32))


def test_encoding_of_rows_that_have_little(encode):
    d = 40
    center = np.zeros(d, np.float32)
    check_encoding(encode, np.zeros(d, np.float32), center)
    check_encoding(encode, np.full(d, -3.5, np.float32), center)
    one = np.zeros(d, np.float32)
    one[37] = -1e6
    check_encoding(encode, one, center)
    check_encoding(encode, (np.arange(d) - 20).astype(np.float32) * np.float32(1e9), center)


@given(data=st.data())
def test_encoding_of_any_ordinary_values(encode, data):
    number = st.floats(2.0**-20, 2.0**20, width=32)
    d = data.draw(st.integers(1, 70))
    x, center = (np.array(data.draw(st.lists(number, min_size=d, max_size=d)), np.float32) for _ in range(2))
    check_encoding(encode, x, center)


def test_encoding_tells_of_nan_and_infinity(encode):
    """What the driver looks at to see that a row has no codes."""
    for place in (0, 5, 31, 32, 39):
        for special in (np.nan, np.inf, -np.inf):
            x = gaussian(place, 40)
            x[place] = special
            _, found = _core.run_encode(encode[0], x, np.zeros(64, np.float32))
            assert not found["square"] <= np.finfo(np.float32).max


@needs_guard_pages
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "start"])
def test_encoding_reads_nothing_beyond_a_row(encode, at_end):
    for d in (*range(1, 70), 127, 128, 129):
        x = gaussian(d, d)
        check_encoding(encode, GuardedRow(x, at_end).row, np.zeros(d, np.float32))
