"""`where=`, as masks and row ids of every library; and values that are missing, in masks, ids and rows."""

import re

import numpy as np
import pytest

import vecblade as vb

X = np.random.default_rng(0).standard_normal((5, 3))
INDEX = vb.FlatIndex(X)
MASK, IDS = [True, False, True, False, True], [0, 2, 4]

SEARCHES = {
    "topk": lambda where: vb.topk(X[0], X, 5, where=where).indices,
    "within": lambda where: vb.within(X[0], X, 100.0, where=where).indices,
    "search": lambda where: INDEX.search(X[0], 5, where=where).indices,
    "index.within": lambda where: INDEX.within(X[0], 100.0, where=where).indices,
    "topk of an index": lambda where: vb.topk(X[0], INDEX, 5, where=where).indices,
    "rescore": lambda where: vb.topk(X[0], vb.pack_bits(X), 5, "cosine", rescore=X, where=where).indices,
}


def library(name):
    return pytest.importorskip(name)


def pd(values, **options):
    return library("pandas").Series(values, **options)


def pl(values, **options):
    return library("polars").Series(values, **options)


def pa(values):
    return library("pyarrow").array(values)


GOOD = {
    "list": (lambda: MASK, lambda: IDS),
    "numpy": (lambda: np.array(MASK), lambda: np.array(IDS, np.uint8)),
    "objects": (lambda: np.array(MASK, object), lambda: np.array(IDS, object)),
    "masked, nothing missing": (lambda: np.ma.masked_array(MASK), lambda: np.ma.masked_array(IDS)),
    "pandas": (lambda: pd(MASK, index=list("abcde")), lambda: pd(IDS)),
    "pandas nullable": (lambda: pd(MASK, dtype="boolean"), lambda: pd(IDS, dtype="Int64")),
    "pandas objects": (lambda: pd(MASK, dtype=object), lambda: pd(IDS, dtype=object)),
    "pandas of Arrow": (
        lambda: library("pyarrow") and pd(MASK, dtype="bool[pyarrow]"),
        lambda: library("pyarrow") and pd(IDS, dtype="int32[pyarrow]"),
    ),
    "polars": (lambda: pl(MASK), lambda: pl(IDS)),
    "pyarrow": (lambda: pa(MASK), lambda: pa(IDS)),
    "pyarrow chunks": (
        lambda: library("pyarrow").chunked_array([MASK[:2], MASK[2:]]),
        lambda: library("pyarrow").chunked_array([IDS[:1], IDS[1:]]),
    ),
}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("kind", GOOD)
def test_masks_and_ids_of_every_library(kind, search):
    for make in GOOD[kind]:
        assert sorted(SEARCHES[search](make())) == IDS
        assert vb.explain(X[0], X, 5, where=make()).pairs == 3
        index = vb.FlatIndex(X)
        assert index.remove(make()) == 3
        assert np.array_equal(index.vectors, X[[1, 3]])


# With what the message says to pass; None where it is said in words.
MISSING = {
    "masked ids": (lambda: np.ma.masked_array([1, 2], [0, 1]), "where.compressed()"),
    "masked mask": (lambda: np.ma.masked_array(MASK, [0, 1, 0, 0, 0]), "where.filled(False)"),
    "ids": (lambda: [1, None], None),
    "mask": (lambda: [True, None, True, False, True], None),
    "rows of ids": (lambda: [[1, None]], None),
    "NaN": (lambda: np.array([1.0, np.nan]), None),
    "NaN of a list": (lambda: [1, float("nan")], None),
    "a masked number in a list": (lambda: [1, np.ma.masked], None),
    "NaT": (lambda: np.array(["2026-11-01", "NaT"], "M8[D]"), None),
    "pandas ids": (lambda: pd([1, None]), "where.dropna().astype(int)"),
    "pandas nullable ids": (lambda: pd([1, None], dtype="Int64"), "where.dropna().astype(int)"),
    "pandas mask": (lambda: pd([True, None, True, False, True]), "where.fillna(False).astype(bool)"),
    "pandas nullable mask": (
        lambda: pd([True, None, True, False, True], dtype="boolean"),
        "where.fillna(False).astype(bool)",
    ),
    "pandas.NA": (lambda: [1, library("pandas").NA], None),
    "pandas.NaT": (lambda: [library("pandas").NaT, 1], None),
    "polars ids": (lambda: pl([1, None]), "where.drop_nulls()"),
    "polars mask": (lambda: pl([True, None, True, False, True]), "where.fill_null(False)"),
    "pyarrow ids": (lambda: pa([1, None]), "where.drop_null()"),
    "pyarrow mask": (lambda: pa([True, None, True, False, True]), "where.fill_null(False)"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_missing_values_are_refused(kind):
    make, advice = MISSING[kind]
    for search in (*SEARCHES.values(), vb.FlatIndex(X).remove, lambda w: vb.explain(X[0], X, 1, where=w)):
        with pytest.raises(TypeError, match=r"where has missing values, the first at [01]; ") as caught:
            search(make())
    if advice:
        assert f"pass {advice}" in str(caught.value)
        expected = {1} if "ids" in kind else {0, 2, 4}
        assert set(SEARCHES["topk"](eval(advice, {"where": make()}))) == expected


def test_a_mask_in_disguise():
    for mask in (
        np.array(MASK, int),
        np.array(MASK, np.uint8),
        [1, 0, 1, 0, 1],
        pd(MASK).astype(int),
        [0] * 5,
        [1] * 5,
    ):
        for search in (*SEARCHES.values(), vb.FlatIndex(X).remove):
            with pytest.raises(
                ValueError, match=r"zeros and ones, 5 as the corpus has rows: .*\.astype\(bool\)"
            ):
                search(mask)
    assert vb.topk(X[0], X, 5, where=np.array(MASK, int).astype(bool)).indices.tolist()[0] == 0
    for ids, rows in (
        ([0, 1], X[:2]),
        ([1, 0], X[:2]),
        ([0], X[:1]),
        ([0, 1, 1, 0], X),
        ([0, 1, 2, 0, 1], X),
    ):
        assert set(vb.topk(X[0], rows, 5, where=ids).indices) == set(ids), "row ids stay row ids"
    with pytest.raises(ValueError, match="zeros and ones"):
        vb.topk(X[0], X[:2], 1, where=[1, 1])


@pytest.mark.parametrize(
    ("where", "advice"),
    [
        (np.nonzero(MASK), "where[0]"),
        (np.argwhere(MASK), "np.unique(where)"),
        (np.array(MASK)[:, None], "where.ravel()"),
        (np.array(MASK, float), "where.astype(bool)"),
        ([0.0, 2.0, 4.0], "np.asarray(where).astype(np.int64)"),
        ({0, 2, 4}, "list(where)"),
        (iter(IDS), "np.array(list(where))"),
    ],
    ids=str,
)
def test_an_advice_works_when_it_is_followed(where, advice):
    with pytest.raises((TypeError, ValueError), match=re.escape(f"pass {advice}")):
        vb.topk(X[0], X, 5, where=where)
    followed = eval(advice, {"where": where, "np": np})
    assert sorted(vb.topk(X[0], X, 5, where=followed).indices) == IDS


def test_what_other_functions_return():
    with pytest.raises(TypeError, match=re.escape("pass np.unique(where.indices)")):
        vb.topk(X[0], X, 5, where=vb.topk(X, X, 2))
    sparse = library("scipy.sparse").csr_array([MASK])
    with pytest.raises(TypeError, match=re.escape("pass where.toarray().ravel()")):
        vb.topk(X[0], X, 5, where=sparse)
    lazy = library("polars").LazyFrame({"m": MASK})
    with pytest.raises(TypeError, match=re.escape("pass where.collect().to_series()")):
        vb.topk(X[0], X, 5, where=lazy)
    assert sorted(vb.topk(X[0], X, 5, where=lazy.collect().to_series()).indices) == IDS


# ---- rows --------------------------------------------------------------------------------------

HOLES = {"a": [1.0, None, 3.0], "b": [4.0, 5.0, 6.0], "c": [7.0, 8.0, 9.0]}


def frame(name, **options):
    module = library(name)
    if name == "pyarrow":
        return module.table(HOLES)
    return module.DataFrame(HOLES, **options)


# One vector, or a table, whose value 1 is missing; and what the message says to pass.
ROWS = {
    "list": (lambda: HOLES["a"], None),
    "rows": (lambda: [[1.0, 2.0, 3.0], [1.0, None, 2.0]], None),
    "a row": (lambda: [[1.0, 2.0, 3.0], None], None),
    "objects": (lambda: np.array(HOLES["a"], object), None),
    "masked": (lambda: np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]), "{0}.filled(0)"),
    "masked rows": (lambda: np.ma.masked_array(X[:3], np.arange(3)[:, None] == [1, 1, 1]), "{0}.filled(0)"),
    "masked in a list": (lambda: [X[0], np.ma.masked_array(X[0], X[0] > 0)], None),
    "pandas": (lambda: pd(HOLES["a"]), "{0}.fillna(0)"),
    "pandas nullable": (lambda: pd(HOLES["a"], dtype="Float64"), "{0}.fillna(0)"),
    "pandas integers": (lambda: pd([1, None, 2], dtype="Int64"), "{0}.fillna(0)"),
    "pandas table": (lambda: frame("pandas"), "{0}.dropna()"),
    "pandas nullable table": (lambda: frame("pandas", dtype="Float64"), "{0}.fillna(0)"),
    "pandas vectors": (lambda: pd([X[0], None]), None),
    "pandas in a list": (lambda: [pd([1.0, 2.0, 3.0]), pd(HOLES["a"])], None),
    "polars": (lambda: pl(HOLES["a"]), "{0}.fill_null(0)"),
    "polars integers": (lambda: pl([1, None, 2]), "{0}.fill_null(0)"),
    "polars bools": (lambda: pl([True, None, False]), None),
    "polars table": (lambda: frame("polars"), "{0}.drop_nulls()"),
    "polars vectors": (lambda: pl([[1.0, 2.0, 3.0], None]), "{0}.drop_nulls()"),
    "polars numbers in vectors": (lambda: pl([[1.0, 2.0, 3.0], [1.0, None, 3.0]]), None),
    "polars in a list": (lambda: [pl([1.0, 2.0, 3.0]), pl(HOLES["a"])], None),
    "pyarrow": (lambda: pa(HOLES["a"]), "{0}.fill_null(0)"),
    "pyarrow chunks": (lambda: library("pyarrow").chunked_array([[1.0], [None, 2.0]]), "{0}.fill_null(0)"),
    "pyarrow slice": (lambda: pa([None, *HOLES["a"]])[1:], "{0}.fill_null(0)"),
    "pyarrow table": (lambda: frame("pyarrow"), "{0}.drop_null()"),
    "pyarrow slice of a table": (lambda: frame("pyarrow")[0:2], "{0}.drop_null()"),
    "pyarrow batch": (lambda: frame("pyarrow").to_batches()[0], "{0}.drop_null()"),
    "pyarrow structs": (lambda: pa([{"a": 1.0, "b": 2.0, "c": 3.0}, None]), None),
    "pyarrow dictionary": (lambda: pa(HOLES["a"]).dictionary_encode(), None),
    "pyarrow entries": (
        lambda: library("pyarrow").DictionaryArray.from_arrays([1, 0, 1], pa([None, 2.0])),
        None,
    ),
}


@pytest.mark.parametrize("kind", ROWS)
def test_missing_numbers_are_refused(kind):
    make, advice = ROWS[kind]
    calls = {
        "corpus": (lambda x: vb.topk(X[0], x, 1), lambda x: vb.FlatIndex(x)),
        "queries": (
            lambda x: vb.topk(x, X, 1),
            lambda x: vb.within(x, X, 1.0),
            lambda x: INDEX.search(x, 1),
            lambda x: vb.explain(x, X, 1),
            lambda x: vb.topk(x, INDEX, 1),
        ),
        "rows": (vb.FlatIndex(X).add,),
        "A": (vb.pairwise,),
        "a": (lambda x: vb.dot(x, X[0]), lambda x: vb.cosine(x, X)),
        "X": (vb.quantize, vb.pack_bits, vb.normalize, lambda x: vb.astype(x, "float16")),
    }
    for name, functions in calls.items():
        for call in functions:
            with pytest.raises(TypeError, match=f"{name} has missing values, the first at 1; ") as caught:
                call(make())
            if advice:
                assert f" {advice.format(name)}" in str(caught.value)
    if advice:
        vb.dot(eval(advice.format("a"), {"a": make()}), X[0])


def test_nan_is_a_number():
    holes = np.array([[1.0, 2.0, 3.0], [np.nan, 1.0, 1.0]])
    assert vb.topk([1.0, 2.0, 3.0], holes, 2).indices.tolist() == [0, 1]
    assert np.isnan(vb.dot(holes[1].tolist(), holes[1]))
    polars = library("polars")
    assert np.isnan(vb.dot(polars.Series(holes[1]), holes[0])), "of Polars NaN is one, and null is missing"
    assert vb.topk(holes[0], polars.DataFrame(holes), 2).indices.tolist() == [0, 1]
    pandas = library("pandas")
    assert vb.topk(holes[0], pandas.DataFrame(holes).to_numpy(), 2).indices.tolist() == [0, 1]


def test_tables_of_numbers_are_rows():
    columns = {
        "a": np.arange(4, dtype=np.int8),
        "b": np.arange(4, dtype=np.float32) / 2,
        "c": np.arange(4) ** 2,
    }
    wanted = np.stack(list(columns.values()), axis=1).astype(np.float64)
    tables = [library("pyarrow").table(columns), library("polars").DataFrame(columns)]
    tables += [
        tables[0].to_batches()[0],
        tables[0][1:],
        library("pyarrow").concat_tables([tables[0], tables[0]]),
    ]
    for made in tables:
        rows = len(made)
        expected = wanted if rows == 4 else wanted[1:] if rows == 3 else np.concatenate([wanted, wanted])
        assert np.array_equal(vb.pairwise(made, metric="dot"), expected @ expected.T)
    for made in (tables[0][:0], tables[1][:0]):
        assert vb.pairwise(made, wanted).shape == (0, 4)
    pandas = library("pandas").DataFrame(columns)
    for made in (pandas, pandas.convert_dtypes(), pandas.astype("Float64"), tables[0].to_pandas()):
        assert np.array_equal(vb.pairwise(made, metric="dot"), wanted @ wanted.T)
    wide = {"a": [2**60 + 1, 1], "b": [0.5, 1.0]}
    for made in (
        library("pyarrow").table(wide),
        library("polars").DataFrame(wide),
        library("pandas").DataFrame(wide),
    ):
        with pytest.raises(TypeError, match=r"a column 'a' of int64 past 2\*\*53"):
            vb.pairwise(made)
