"""Random calls of the public functions: the right values, or an exception that is promised; never anything else."""

import warnings

import ml_dtypes
import numpy as np
from choices import (
    NUMBERS,
    REFUSED,
    SIMILARITIES,
    TYPES,
    Choices,
    Rows,
    container,
    elements,
    laid_out,
    metric_for,
    result_type,
    rounded,
    values_of,
)

import vecblade as vb
from vecblade import reference as ref

PROMISED = (ValueError, TypeError, MemoryError)
COUNTS = (0, 1, 2, 3, 5, 7, 31, 33, 64, 100)
WIDTHS = (0, 1, 2, 3, 7, 8, 9, 16, 24, 25, 31, 32, 33, 40, 65)


def run(data):
    choices = Choices(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choices.pick(CALLS)(choices)


def same(a, b):
    """Equal in type, shape and every bit; any NaN equals any."""
    a, b = np.asarray(a), np.asarray(b)
    assert (a.dtype, a.shape) == (b.dtype, b.shape), (a.dtype, a.shape, b.dtype, b.shape)
    nan = np.isnan(a)
    assert np.array_equal(nan, np.isnan(b))
    assert a[~nan].tobytes() == b[~nan].tobytes(), (a, b)


def two_sides(choices, counts=COUNTS, single=False):
    """Rows of two matrices of one width, and a metric for them; the first may be a single row."""
    d = choices.pick(WIDTHS)
    b = Rows(choices, (choices.pick(counts), d))
    kind = choices.pick((b.kind, b.kind, "f4", "f8", "bf16", "i1")) if b.kind != "bits" else "bits"
    if b.reading and kind != b.kind:
        kind = "f4"  # what unsigned integers are read as goes for both sides
    if kind == "u2 as bf16" and b.kind != kind:
        kind = "f8"
    shape = (d,) if single and choices.flag() else (choices.pick((0, 1, 2, 3, 9)), d)
    a = Rows(choices, shape, kind)
    return a, b, metric_for(choices, b.kind)


def check_reference(choices, metric, a, b, values):
    """A few of the values against naive Python, which is slow."""
    whole = a.working == b.working and a.working in ("i1", "u1", "bits")
    left, right = np.atleast_2d(a.numbers), b.numbers
    for _ in range(3):
        if values.size:
            i, j = choices.number(len(left) - 1), choices.number(len(right) - 1)
            q, x = (row.astype(int).tolist() if whole else row.tolist() for row in (left[i], right[j]))
            same(np.float64(values[i, j]), np.float64(ref.METRICS[metric](q, x)))


def threads(choices):
    return choices.pick((None, 1, 2, 3))


# ---- rows with rows --------------------------------------------------------------------------


def rows(choices):
    """A row function, broadcast, perhaps into an array of the caller's."""
    a, b, metric = two_sides(choices, single=True)
    dtype, kinds = a.reading or b.reading, (a.working, b.working)
    values = values_of(metric, np.atleast_2d(a.numbers), b.numbers)
    check_reference(choices, metric, a, b, values)
    wanted = rounded(values, result_type(metric, *kinds))
    f, options = getattr(vb, metric), {"dtype": dtype, "threads": threads(choices)}
    left = a.given
    if a.plain.ndim == 1:
        wanted = wanted[0]
    else:
        left = np.asarray(a.plain)[:, None]
    if choices.flag():
        out = np.empty((*wanted.shape, 2), wanted.dtype)[..., 1]
        assert f(left, b.given, out=out, **options) is out
        same(out, wanted)
    else:
        same(f(left, b.given, **options), wanted)
    if a.plain.ndim == 1 and len(b.plain):
        one = f(a.given, laid_out(choices, b.plain[0]), **options)
        assert type(one) is (int if wanted.dtype.kind == "i" else float)
        same(np.float64(one), np.float64(values[0, 0]))


def pairwise(choices):
    a, b, metric = two_sides(choices)
    alone, condensed = choices.flag(), False
    if alone:
        a, condensed = b, choices.flag()
    dtype = result_type(metric, a.working, b.working)
    values = values_of(metric, a.numbers, b.numbers)
    found = vb.pairwise(
        *(a.given, None if alone else b.given, metric),
        condensed=condensed,
        dtype=a.reading or b.reading,
        threads=threads(choices),
    )
    with np.errstate(all="ignore"):
        lengths = [np.sqrt((side.numbers**2).sum(axis=1)) for side in (a, b)]
        sizes = np.outer(*lengths)
    if condensed:
        above = np.triu_indices(len(values), 1)
        values, sizes = values[above], sizes[above]
    check_near(found, values, sizes, metric, dtype)


def check_near(found, values, sizes, metric, dtype):
    """Pairwise values: those of whole numbers are the row functions', others as near as is promised."""
    assert (found.dtype, found.shape) == (dtype, values.shape)
    if dtype.kind == "i":
        assert np.array_equal(found, values)
        return
    narrow = dtype == np.float32
    with np.errstate(all="ignore"):
        values = rounded(values, dtype)
        # Of a dot product or a cosine near zero, digits are lost to cancellation.
        slack = {"dot": 1e-5 * sizes, "cosine_similarity": 1e-6}.get(metric, 0.0) * (1 if narrow else 1e-7)
        slack = np.where(np.isfinite(slack), slack, 0.0) + np.finfo(dtype).tiny
        near = np.abs(found - values) <= (1e-5 if narrow else 1e-12) * np.abs(values) + slack
    assert (near | (found == values) | (np.isnan(found) & np.isnan(values))).all(), (found, values)


# ---- search ----------------------------------------------------------------------------------


def eligible(choices, n):
    """An argument `where`, and the rows that it leaves."""
    how, random = choices.number(5), np.random.default_rng(choices.number(255))
    if how == 1:
        mask = random.random(n) < choices.pick((0.0, 0.05, 0.5, 1.0))
        return mask, np.flatnonzero(mask)
    if how == 2 and n:
        ids = random.integers(0, n, choices.pick((0, 1, 5, 2 * n)))
        if len(ids) == n and ids.max() <= 1:  # which would be taken for a mask
            ids = np.unique(ids)
        dtype = choices.pick((np.int64, np.uint16, np.int32))
        return ids.astype(dtype), np.unique(ids)
    return None, np.arange(n)


def check_topk(found, values, rows, k, metric, dtype, single):
    k = min(k, len(rows))
    score = -values[:, rows] if metric in SIMILARITIES else values[:, rows]
    # A stable sort, in which NaN comes last, and -0.0 and 0.0 are one.
    order = np.argsort(score + 0.0, axis=1, kind="stable")[:, :k]
    indices = rows[order]
    wanted = rounded(np.take_along_axis(values, indices, axis=1), dtype)
    same(found.indices, (indices[0] if single else indices).astype(np.int64))
    same(found.values, wanted[0] if single else wanted)


def check_within(found, values, rows, threshold, metric, dtype):
    counts = [0]
    for q, row in enumerate(values):
        close = row[rows] >= threshold if metric in SIMILARITIES else row[rows] <= threshold
        part = slice(found.offsets[q], found.offsets[q + 1])
        same(found.indices[part], rows[close].astype(np.int64))
        same(found.values[part], rounded(row[rows[close]], dtype))
        counts.append(counts[-1] + int(close.sum()))
    same(found.offsets, np.array(counts))


def threshold_for(choices, values, metric):
    """One of the values, or a number of its own."""
    finite = values[np.isfinite(values)]
    value = float(choices.pick(finite.tolist())) if finite.size and choices.flag() else 1.5
    return value if metric in SIMILARITIES else abs(value)


def search(choices):
    """The closest, or all within a threshold, of an array or an index; sometimes of enough rows for codes."""
    many = choices.number(7) == 0
    a, b, metric = two_sides(choices, (1030, 1100) if many else COUNTS, single=True)
    single = a.plain.ndim == 1
    values = values_of(metric, np.atleast_2d(a.numbers), b.numbers)
    check_reference(choices, metric, a, b, values)
    dtype = result_type(metric, a.working, b.working)
    where, rows = eligible(choices, len(b.plain))
    if choices.flag():
        index = vb.FlatIndex(b.given, metric, dtype=b.reading)
        topk, within, options = index.search, index.within, {"where": where, "threads": threads(choices)}
        if b.working in ("i1", "u1") and a.working != b.working:
            a_numbers = np.atleast_2d(a.numbers)
            if not np.array_equal(rounded(a_numbers, b.plain.dtype).astype(float), a_numbers):
                refused(topk, a.given, 1, **options)
                return
            dtype = result_type(metric, b.working, b.working)
    else:

        def topk(q, k, **options):
            return vb.topk(q, b.given, k, metric, **options)

        def within(q, threshold, **options):
            return vb.within(q, b.given, threshold, metric, **options)

        options = {"where": where, "threads": threads(choices), "dtype": a.reading or b.reading}
    if choices.flag():
        k = choices.pick((1, 2, 10, 40, 5000))
        check_topk(topk(a.given, k, **options), values, rows, k, metric, dtype, single)
    else:
        threshold = threshold_for(choices, values, metric)
        check_within(within(a.given, threshold, **options), values, rows, threshold, metric, dtype)


def refused(f, *args, **options):
    try:
        f(*args, **options)
    except PROMISED:
        return
    raise AssertionError(f"{f} took {args}, {options}")


def changing_index(choices):
    """Adding and removing at random: the index finds what a search of its rows finds."""
    first = Rows(
        choices, (choices.pick(COUNTS), choices.pick(WIDTHS)), choices.pick(("f4", "f8", "f2", "i1", "bits"))
    )
    metric = metric_for(choices, first.kind)
    index, X = vb.FlatIndex(first.given, metric, dtype=first.reading), first.plain.copy()
    for _ in range(choices.number(5)):
        if choices.flag():
            more = Rows(choices, (choices.pick(COUNTS), X.shape[1]), first.kind)
            assert index.add(more.given, threads=threads(choices)) == range(len(X), len(X) + len(more.plain))
            X = np.concatenate([X, more.plain])
        else:
            where, rows = eligible(choices, len(X))
            if where is None:
                continue
            assert index.remove(where) == len(rows)
            X = np.delete(X, rows, axis=0)
        assert len(index) == len(X)
        same(index.vectors, X)
        found, wanted = index.search(X[:3], 4), vb.topk(X[:3], X, 4, metric, dtype=first.reading)
        same(found.indices, wanted.indices)
        same(found.values, wanted.values)


def rescored(choices):
    """Two stages: exact values in order; and with every row a candidate, what `topk` finds."""
    kind = choices.pick(("f4", "f8", "f2"))
    originals = Rows(
        choices, (choices.pick(COUNTS), choices.pick(WIDTHS)), kind, choices.pick(("gaussian", "few"))
    )
    X, metric, k = originals.plain, choices.pick(NUMBERS), choices.pick((1, 3, 9))
    n, d = X.shape
    if d < 2:
        return
    scale = "row" if metric in ("cosine", "cosine_similarity") else "global"
    codes = choices.pick((vb.pack_bits, lambda X: vb.quantize(X, scale), lambda X: X[:, : d // 2]))(X)
    q, where = X[: choices.pick((1, 4))] * 2, eligible(choices, n)
    options = {"where": where[0], "rescore": originals.given, "oversample": choices.pick((1, n + 1))}
    found = vb.topk(q, codes, k, metric, **options)
    values = values_of(metric, np.asarray(q, float), originals.numbers)
    dtype = result_type(metric, originals.working, originals.working)
    if options["oversample"] > n:
        check_topk(found, values, where[1], k, metric, dtype, False)
        return
    assert np.isin(found.indices, where[1]).all()
    same(found.values, rounded(np.take_along_axis(values, found.indices, axis=1), dtype))
    for row in found.indices:
        assert len(set(row.tolist())) == len(row)


# ---- conversions -----------------------------------------------------------------------------


def one_matrix(choices, kinds=TYPES):
    shape = choices.pick(((choices.pick(COUNTS), choices.pick(WIDTHS)), (choices.pick(WIDTHS),)))
    return Rows(choices, shape, choices.pick([kind for kind in kinds if kind != "bits"]))


def as_rows(lists, like):
    return np.array(lists, float).reshape(len(lists), like.numbers.shape[-1])


def converted(choices):
    X = one_matrix(choices)
    to = choices.pick(("float16", "float32", "float64", "bfloat16", ml_dtypes.bfloat16))
    found = vb.astype(X.given, to, dtype=X.reading, threads=threads(choices))
    if to == "bfloat16":
        found = found.view(ml_dtypes.bfloat16)
    numbers = X.numbers
    # ml_dtypes rounds float64 by way of float32, that is twice: halves of a step are left out.
    if found.dtype == ml_dtypes.bfloat16:
        wanted = [
            [ref.from_half(ref.to_half(x, "bfloat16"), "bfloat16") for x in row]
            for row in np.atleast_2d(numbers)[:4]
        ]
        same(np.atleast_2d(found)[:4].astype(float), as_rows(wanted, X))
    else:
        same(found, rounded(numbers, to))


def unit_rows(choices):
    X = one_matrix(choices)
    found = vb.normalize(X.given, dtype=X.reading, threads=threads(choices))
    wanted = [ref.normalize(row.tolist()) for row in np.atleast_2d(X.numbers)[:6]]
    dtype = np.float32 if X.working == "f4" else np.float64
    same(np.atleast_2d(found)[:6], rounded(as_rows(wanted, X), dtype))


def quantized(choices):
    X = one_matrix(choices)
    scale = choices.pick(("row", "global", 0.5))
    numbers = np.atleast_2d(X.numbers)
    most = np.abs(numbers).max(axis=-1, initial=0.0)
    if not np.isfinite(most).all() or most.max(initial=0.0) / 127 >= np.finfo(np.float32).max:
        if scale != 0.5 or not np.isfinite(most).all():
            refused(vb.quantize, X.given, scale, dtype=X.reading)
        return
    codes, scales, loss = vb.quantize(X.given, scale, dtype=X.reading)
    assert codes.shape == X.plain.shape
    assert loss.dtype == scales.dtype == np.float32
    exact = np.clip(np.rint(numbers / np.reshape(scales, (-1, 1)).astype(float)), -127, 127)
    assert np.array_equal(np.atleast_2d(codes), exact)
    if scale != 0.5:  # nothing saturates, so nothing is further from its code than half a step
        assert (
            np.abs(numbers - exact * np.reshape(scales, (-1, 1)).astype(float))
            <= 0.5001 * np.reshape(scales, (-1, 1))
        ).all()


def packed(choices):
    X = one_matrix(choices, (*TYPES, "?"))
    with np.errstate(all="ignore"):
        positive = X.numbers > 0 if X.kind != "?" else X.plain
    found = vb.pack_bits(X.given, dtype=X.reading)
    same(found, np.packbits(positive, axis=-1))
    d = choices.number(positive.shape[-1])
    same(vb.unpack_bits(container(choices, laid_out(choices, found)), d), positive[..., :d].astype(np.uint8))


# ---- anything --------------------------------------------------------------------------------


def anything(choices):
    """Arguments of every kind where they may not belong: a result, or an exception that is promised."""
    random = np.random.default_rng(choices.number(255))
    shapes = ((), (0,), (3,), (2, 3), (4, 3), (0, 3), (3, 0), (2, 2, 3), (1,) * 5, (0, 1 << 40))

    def argument():
        how = choices.number(9)
        if how == 9:
            return choices.pick(
                (None, "text", 3, 2.5, object(), [], [[]], [[1.0], [1, 2]], {}, b"abc", True, [None])
            )
        shape = choices.pick(shapes)
        array = np.empty(shape, np.int8)
        if array.size or len(shape) < 2:
            array = elements(random, choices.pick(TYPES + REFUSED), shape or (1,), "few").reshape(shape)
        return container(choices, laid_out(choices, array))

    def word(*right):
        return choices.pick((*right, None, 0, -1, 1 << 70, "no", 2.5, [1], np.nan, True))

    metric = choices.pick((*NUMBERS, "hamming", "jaccard", "no", 7))
    dtype = choices.pick((None, None, "bfloat16", "bits", "float32", 3, ml_dtypes.bfloat16))
    a, b = argument(), argument()
    options = {"dtype": dtype} if choices.flag() else {}
    calls = (
        lambda: getattr(vb, metric if metric in NUMBERS else "jaccard")(a, b, **options),
        lambda: vb.dot(a, b, out=choices.pick((b, argument())), threads=word(1, 2)),
        lambda: vb.pairwise(a, b, metric, condensed=choices.flag(), **options),
        lambda: vb.topk(a, b, word(1, 2), metric, where=word(b), **options),
        lambda: vb.topk(a, b, word(1, 2), metric, rescore=argument(), oversample=word(1, 5)),
        lambda: vb.within(a, b, word(0.5, 3.0), metric, where=word(a), **options),
        lambda: vb.FlatIndex(a, metric, **options).search(b, word(1, 2)),
        lambda: vb.FlatIndex(a, metric, **options).add(b),
        lambda: vb.FlatIndex(a, metric, **options).remove(b),
        lambda: vb.explain(a, b, word(1), metric, threshold=word(1.0)),
        lambda: vb.normalize(a, out=word(b), **options),
        lambda: vb.astype(a, word("float16", "bfloat16", "float64"), **options),
        lambda: vb.quantize(a, word("row", "global", 0.5), **options),
        lambda: vb.pack_bits(a, **options),
        lambda: vb.unpack_bits(a, word(1, 8)),
        lambda: vb.set_num_threads(word()),
    )
    try:
        choices.pick(calls)()
    except PROMISED:
        pass
    finally:
        vb.set_num_threads(None)


CALLS = (
    *(rows, pairwise, search, search, search, changing_index, rescored),
    *(converted, unit_rows, quantized, packed, anything, anything),
)
