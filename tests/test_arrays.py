"""Every kind of array, without a copy where there is one to avoid."""

import array
import subprocess
import sys

import numpy as np
import pytest
from conftest import same_bits

import vecblade as vb
from vecblade._rows import arrays

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3) - 5
WANTED = vb.dot(ROWS[0], ROWS)


class OnlyArray:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


class OnlyDlpack:
    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OnAnotherDevice(OnlyDlpack):
    def __dlpack__(self, **options):
        raise BufferError("it is on a GPU")

    def __dlpack_device__(self):
        return (2, 0)


class Subclass(np.ndarray):
    pass


@pytest.mark.parametrize(
    "wrap", [OnlyArray, OnlyDlpack, memoryview, lambda x: x.view(Subclass), lambda x: x.view(np.memmap)]
)
def test_foreign_arrays_are_read_where_they_lie(wrap):
    wrapped = wrap(ROWS)
    assert np.shares_memory(arrays.numbers(wrapped, "a"), ROWS)
    assert same_bits(vb.dot(ROWS[0], wrapped), WANTED)
    assert vb.topk(wrapped, wrapped, 1).indices.tolist() == [[0], [1], [2], [3]]


def test_sequences():
    assert vb.dot(array.array("f", [1, 2]), array.array("d", [3, 4])) == 11.0
    assert vb.dot([1, 2], (3, 4)) == 11.0
    assert vb.dot(range(3), [1.5, 1, 1]) == 3.0
    assert vb.dot(bytearray(b"\x01\x02"), bytearray(b"\x03\x04")) == 11.0
    assert vb.dot([np.float32(1.5), 2], [2, 1]) == 5.0
    assert vb.dot([], []) == 0.0
    assert vb.pairwise([[1, 2], [3, 4]], metric="dot").tolist() == [[5.0, 11.0], [11.0, 25.0]]


def test_buffers_of_nothing_have_a_type():
    """As those of something; of a list of nothing it is not known."""
    bits, X = np.empty((0, 8), np.uint8), np.zeros((3, 8), np.uint8)
    assert vb.topk(memoryview(bits), X, 1, "hamming").indices.shape == (0, 1)
    assert vb.unpack_bits(memoryview(bits)).shape == (0, 64)
    assert vb.pairwise(memoryview(ROWS[:0]), ROWS).dtype == np.float32
    assert vb.dot(array.array("f"), np.empty((2, 0), np.float32)).dtype == np.float32
    assert vb.dot([], np.empty((2, 0), np.float32)).dtype == np.float64


@pytest.mark.filterwarnings("error")
def test_signalling_nan_is_converted_without_a_warning():
    for bits, dtype in ((np.uint32(0x7FA00000), np.float32), (np.uint16(0x7D00), np.float16)):
        signals = np.full((2, 3), bits).view(dtype)
        assert np.isnan(vb.pairwise(np.asfortranarray(signals), np.ones((1, 3)))).all()
        with pytest.raises(ValueError, match="not finite in row 0"):
            vb.quantize(signals)
    half = np.full((2, 3), 0x7F81, np.uint16)
    assert np.isnan(vb.pairwise(half, np.ones((1, 3)), dtype="bfloat16")).all()


def test_a_memory_map(tmp_path):
    np.save(tmp_path / "x.npy", ROWS)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(arrays.numbers(mapped, "a"), mapped)
    assert same_bits(vb.dot(ROWS[0], mapped), WANTED)
    assert same_bits(vb.dot(mapped[0], mapped[:, :3]), WANTED)


def test_read_only_arrays():
    frozen = ROWS.copy()
    frozen.flags.writeable = False
    assert same_bits(vb.dot(frozen[0], frozen), WANTED)
    assert vb.dot(frozen[0], frozen[1]) == WANTED[1]
    assert vb.topk(frozen, frozen, 2).indices.shape == (4, 2)


def test_another_device_is_refused():
    with pytest.raises(TypeError, match=r"a \(OnAnotherDevice\) cannot be read: it is on a GPU"):
        vb.dot(OnAnotherDevice(ROWS), ROWS)


def test_an_object_that_fails_is_refused():
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("no data")

    with pytest.raises(TypeError, match=r"corpus \(Broken\) cannot be read as an array of numbers: no data"):
        vb.topk(ROWS, Broken(), 1)


def test_other_small_floats_are_refused():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with pytest.raises(TypeError, match="a has dtype float8_e4m3; expected"):
        vb.dot(ROWS.astype(ml_dtypes.float8_e4m3), ROWS)


def test_structured_fields_and_odd_strides():
    records = np.zeros(5, dtype=[("tag", "i1"), ("row", "f4", (3,))])
    records["row"] = np.arange(15).reshape(5, 3)
    assert np.shares_memory(arrays.native(arrays.numbers(records["row"], "a")), records)
    assert same_bits(vb.dot(ROWS[0], records["row"]), vb.dot(ROWS[0], records["row"].copy()))
    with pytest.raises(TypeError, match="a has dtype"):
        vb.dot(records, ROWS)


def test_no_copy_of_a_strided_corpus():
    X = np.zeros((100, 64), np.float32)
    for view in (X[:, :32], X[::3], X[::-1], X[5:, 7:9], np.broadcast_to(X[0], (100, 64))):
        assert arrays.native(view) is view


def test_types_without_a_number_are_refused():
    """NumPy gives those of other packages -1; no bfloat16 has been met yet in a process of its own."""
    code = """
import numpy as np, vecblade as vb
rows = np.ones((2, 4)).view(np._core._multiarray_umath._get_sfloat_dtype()(1.0))
assert rows.dtype.num == -1
for call in (lambda: vb.dot(rows[0], rows[1]), lambda: vb.dot(rows, rows[0]), lambda: vb.topk(rows, rows, 1)):
    try:
        call()
    except TypeError as error:
        assert "has dtype _ScaledFloatTestDType" in str(error)
    else:
        raise AssertionError("taken for something else")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
