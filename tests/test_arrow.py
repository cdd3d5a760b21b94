"""Arrow columns, from pyarrow, Polars and pandas, read where they lie."""

import gc
import subprocess
import sys

import numpy as np
import pytest
from conftest import same_bits

import vecblade as vb
from vecblade._rows import arrays

pa = pytest.importorskip("pyarrow")

TYPES = "fdebBhHiIqQ"
X = np.arange(-7, 8).reshape(5, 3)


def fixed(x):
    return pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1])


def lists(x, kind=pa.ListArray, offset=np.int32):
    ends = np.arange(0, x.size + 1, x.shape[1], dtype=offset)
    return kind.from_arrays(pa.array(ends), pa.array(x.ravel()))


@pytest.mark.parametrize("dtype", TYPES)
def test_columns_are_read_where_they_lie(dtype):
    x = X.astype(dtype)
    large = lists(x, pa.LargeListArray, np.int64)
    for column, expected in (
        (fixed(x), x),
        (lists(x), x),
        (large, x),
        (fixed(x)[1:4], x[1:4]),
        (lists(x)[2:], x[2:]),
        (large[:0], x[:0, :0]),
        (fixed(x)[:0], x[:0]),
        (pa.chunked_array([fixed(x)]), x),
        (pa.table({"x": fixed(x)})["x"], x),
    ):
        found = arrays.foreign(column, "a")
        assert same_bits(found, expected)
        assert not found.flags.writeable or not found.size
    flat = pa.array(x.ravel())
    assert np.shares_memory(
        arrays.foreign(pa.FixedSizeListArray.from_arrays(flat, 3), "a"), flat.to_numpy(zero_copy_only=True)
    )


def test_chunks_are_joined():
    x = X.astype(np.float32)
    column = pa.chunked_array([fixed(x), fixed(x)[1:3], fixed(x)[:0], fixed(x)[4:]])
    assert same_bits(arrays.foreign(column, "a"), np.concatenate([x, x[1:3], x[4:]]))
    empty = pa.chunked_array([], pa.list_(pa.float32(), 7))
    assert arrays.foreign(empty, "a").shape == (0, 7)
    assert arrays.foreign(pa.chunked_array([], pa.list_(pa.int8())), "a").dtype == np.int8


def test_lists_of_lists():
    column = pa.array([[[1.0, 2.0], [3.0, 4.0]]] * 3, pa.list_(pa.list_(pa.float64(), 2), 2))
    assert arrays.foreign(column[1:], "a").tolist() == [[[1.0, 2.0], [3.0, 4.0]]] * 2


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)), "has missing values, the first at 1"),
        (pa.array([[1.0, None]], pa.list_(pa.float32())), "has missing values, the first at 0"),
        (pa.array([[1.0], [1.0, 2.0]]), "of lists of 1 to 2 numbers; expected rows of one size"),
        (pa.chunked_array([pa.array([[1.0]]), pa.array([[1.0, 2.0]])]), "has lists of several lengths"),
        (pa.array([["a"]]), "is not an array of numbers"),
        (pa.array([[True, False]]), "is not an array of numbers"),
    ],
)
def test_columns_that_are_refused(column, message):
    with pytest.raises(TypeError, match=f"corpus .*{message}"):
        vb.topk([1.0], column, 1)


def test_missing_values_outside_a_slice_do_not_matter():
    column = pa.array([None, [1.0, 2.0], [3.0, 4.0], None], pa.list_(pa.float32(), 2))
    assert arrays.foreign(column[1:3], "a").tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_column_of_numbers_is_a_vector():
    assert vb.dot(pa.array([1.0, 2.0]), pa.array([3, 4])) == 11.0


def test_entries_of_a_dictionary_are_not_the_numbers():
    """Of such an array the buffer holds which entry of the dictionary each number is."""
    inner = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, 0], pa.int8()), pa.array([1.5, 2.5]))
    for column in (pa.FixedSizeListArray.from_arrays(inner, 2), pa.ListArray.from_arrays([0, 2, 4], inner)):
        with pytest.raises(TypeError, match="is not an array of numbers"):
            vb.dot(column, np.ones(2))
        with pytest.raises(TypeError, match="is not an array of numbers"):
            vb.topk(np.ones(2), pa.chunked_array([column]), 1)
    assert vb.dot(inner, np.ones(4)) == 8.0, "a vector that is the array itself is decoded"


def test_memory_lives_as_long_as_its_array_and_no_longer():
    gc.collect()
    before = pa.total_allocated_bytes()
    made = pa.array(np.arange(3_000_000, dtype=np.float32) + 1)  # the sum's memory is NumPy's
    column = pa.FixedSizeListArray.from_arrays(pa.concat_arrays([made, made]), 4)
    for source in (column, pa.chunked_array([column])):
        found = arrays.foreign(source, "a")
        found = found[1:]
    del made, column, source
    gc.collect()
    assert pa.total_allocated_bytes() - before >= 24_000_000
    assert found[0].tolist() == [5.0, 6.0, 7.0, 8.0]
    del found
    gc.collect()
    assert pa.total_allocated_bytes() - before < 1_000_000


def test_an_array_is_read_once():
    schema, array = fixed(X.astype("f")).__arrow_c_array__()
    from vecblade import _core

    _core.arrow_array(schema, array)
    with pytest.raises(ValueError, match="the Arrow array was read before"):
        _core.arrow_array(schema, array)


def test_polars():
    pl = pytest.importorskip("polars")
    x = np.random.default_rng(0).random((50, 8), np.float32)
    frame = pl.DataFrame({"id": range(50), "vector": pl.Series(x, dtype=pl.Array(pl.Float32, 8))})
    assert np.shares_memory(arrays.foreign(frame["vector"], "a"), arrays.foreign(frame["vector"], "a"))
    expected = vb.topk(x[3], x, 4)
    for column in (frame["vector"], frame["vector"].arr.to_list()):
        assert same_bits(vb.topk(x[3], column, 4).values, expected.values)
    assert same_bits(vb.pairwise(frame["vector"][10:20]), vb.pairwise(x[10:20]))
    near = frame.filter(pl.col("id") % 3 == 0)["vector"]
    assert same_bits(vb.cosine(near, x[0]), vb.cosine(x[::3], x[0]))


def test_pandas():
    pd = pytest.importorskip("pandas")
    x = np.random.default_rng(0).random((20, 6), np.float32)
    series = pd.Series(pd.arrays.ArrowExtensionArray(fixed(x)))
    assert same_bits(vb.euclidean(series, x[0]), vb.euclidean(x, x[0]))
    assert same_bits(vb.pairwise(pd.DataFrame(x)), vb.pairwise(x))
    with pytest.raises(TypeError, match=r"pass np.stack\(A\)"):
        vb.pairwise(np.array([*x, None], object)[:-1])


def test_frames_of_pandas_are_not_taken_for_columns_of_vectors():
    """They export themselves to Arrow too, by a copy, and only if pyarrow is there."""
    pytest.importorskip("pandas")
    code = """
import sys
sys.modules["pyarrow"] = None
import numpy as np, pandas as pd, vecblade as vb
frame = pd.DataFrame(np.eye(3))
assert vb.pairwise(frame)[0, 1] == 2**0.5
assert vb.dot(frame[0], frame[0]) == 1.0
assert vb.topk(frame, frame, 1).indices.ravel().tolist() == [0, 1, 2]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_index_of_a_column():
    x = np.random.default_rng(0).random((300, 16), np.float32)
    index = vb.FlatIndex(fixed(x))
    assert same_bits(index.search(fixed(x[:2]), 3).values, vb.topk(x[:2], x, 3).values)
