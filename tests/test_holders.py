"""Whose rows a `FlatIndex` holds: what its caller can still write to is copied, unless the index is told not to."""

import array
import ctypes
import gc
import mmap
import multiprocessing.shared_memory
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from conftest import TYPES, same_bits

import vecblade as vb

ROWS, D = 1100, 16


@pytest.fixture(params=TYPES.values(), ids=str)
def kind(request):
    return request.param


def given(kind):
    return kind.some(0, ROWS, D).view(kind.given)


def same_rows(vectors, rows):
    """Rows as an index shows them (bfloat16 in the type of ml_dtypes) and as they were given."""
    return same_bits(vectors.view(rows.dtype), rows)


def metric(kind):
    return "hamming" if kind.bits else "euclidean"


def rows_at(memory, kind):
    """What is meant by the bytes that an object holds."""
    return np.frombuffer(memory, kind.given).reshape(ROWS, D)


class Shown:
    """An object with an array inside, and nothing but its interface."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


class Tensor(Shown):
    __array__ = None

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def read_only(array):
    array.flags.writeable = False
    return array


def thaw(array):
    """Its owner may have its flag set again."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    owner.flags.writeable = True
    return owner


def torch_tensor(x):
    return pytest.importorskip("torch").from_numpy(x)


def frame(x):
    return pytest.importorskip("pandas").DataFrame(x, copy=False)


def arrow(x):
    pa = pytest.importorskip("pyarrow")
    return pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), D)


# What holds rows, made of an array that may be written to, and the array again.
HOLDERS = {
    "array": lambda x: (x, x),
    "view": lambda x: (x[:], x),
    "views of views": lambda x: (x[::-1].reshape(ROWS, D)[::-1].view(), x),
    "read-only view": lambda x: (read_only(x[:]), x),
    "broadcast": lambda x: (np.broadcast_to(x, x.shape), x),
    "read-only array": lambda x: (read_only(x), x),
    "memoryview": lambda x: (memoryview(x), x),
    "read-only memoryview": lambda x: (memoryview(x).toreadonly(), x),
    "__array__": lambda x: (Shown(x), x),
    "__array__, read-only": lambda x: (Shown(read_only(x[:])), x),
    "dlpack": lambda x: (Tensor(x), x),
    "torch": lambda x: (torch_tensor(x), x),
    "pandas": lambda x: (frame(x), x),
}


def is_unchanged(index, X, change):
    """The index finds what it would have found."""
    wanted = index.search(X[:3].copy(), 5)
    change()
    return all(
        same_bits(a, b) for a, b in zip(index.search(index.vectors[:3], 5), wanted, strict=True)
    ) and same_rows(index.vectors, X)


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_can_be_written_to_is_copied(kind, holder):
    x = given(kind)
    kept = x.copy()
    held, owner = HOLDERS[holder](x)
    index = vb.FlatIndex(held, metric(kind), **kind.options)
    assert not np.shares_memory(index.vectors, owner)
    assert is_unchanged(index, kept, lambda: thaw(owner).fill(1))


@pytest.mark.parametrize("holder", [name for name in HOLDERS if name != "pandas"])
def test_it_is_not_copied_if_that_is_said(kind, holder):
    held, owner = HOLDERS[holder](given(kind))
    index = vb.FlatIndex(held, metric(kind), **kind.options, copy=False)
    assert np.shares_memory(index.vectors, owner)
    assert not index.vectors.flags.writeable


@pytest.mark.parametrize(
    "make",
    [bytearray, lambda data: memoryview(bytearray(data)), lambda data: memoryview(bytearray(data)).toreadonly(),
     lambda data: array.array("B", data), lambda data: (ctypes.c_uint8 * len(data))(*data)],
    ids=["bytearray", "memoryview", "read-only memoryview", "array.array", "ctypes"],
)  # fmt: skip
def test_buffers(kind, make):
    x = given(kind)
    memory = make(x.tobytes())
    held = rows_at(memory, kind)
    index = vb.FlatIndex(held, metric(kind), **kind.options)
    writable = memory.obj if isinstance(memory, memoryview) else memory
    assert is_unchanged(index, x, lambda: np.frombuffer(writable, np.uint8).fill(1))
    other = vb.FlatIndex(held, metric(kind), **kind.options, copy=False)
    assert np.shares_memory(other.vectors, held)


def test_rows_of_a_bytearray_as_it_is():
    x = np.arange(ROWS * D, dtype=np.float32).reshape(ROWS, D)
    memory = bytearray(x.tobytes())
    index = vb.FlatIndex(memoryview(memory).cast("f", (ROWS, D)))
    assert is_unchanged(index, x, lambda: memory.__setitem__(slice(0, 400), bytes(400)))


def test_bytes_stay(kind):
    x = given(kind)
    for memory in (x.tobytes(), memoryview(x.tobytes())):
        held = rows_at(memory, kind)
        index = vb.FlatIndex(held[:], metric(kind), **kind.options)
        assert np.shares_memory(index.vectors, held)
        copied = vb.FlatIndex(held, metric(kind), **kind.options, copy=True)
        assert not np.shares_memory(copied.vectors, held)
        for each in (index, copied):
            assert same_rows(each.vectors, x)
            each.add(x[:2])
            assert same_rows(each.vectors, np.concatenate([x, x[:2]]))


# ---- maps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["r", "r+", "c", "w+"])
def test_maps_stay(kind, mode, tmp_path):
    x = given(kind)
    path = tmp_path / "rows"
    path.write_bytes(x.tobytes())
    mapped = np.memmap(path, kind.given, mode, shape=(ROWS, D))
    if mode == "w+":
        mapped[:] = x
    options = {"metric": metric(kind), **kind.options}
    for held in (mapped, np.asarray(mapped), mapped[::2], mapped.view(np.ndarray)[100:], memoryview(mapped)):
        index = vb.FlatIndex(held, **options)
        assert np.shares_memory(index.vectors, mapped)
        assert not np.shares_memory(vb.FlatIndex(held, **options, copy=True).vectors, mapped)
    index = vb.FlatIndex(mapped[:], **options)
    index.remove([0])
    index.add(x[:1])
    assert same_rows(index.vectors, np.concatenate([x[1:], x[:1]]))
    assert same_bits(np.asarray(mapped), x)


@pytest.mark.parametrize("access", [mmap.ACCESS_READ, mmap.ACCESS_WRITE, mmap.ACCESS_COPY])
def test_maps_of_the_standard_library_stay(access, tmp_path):
    kind = TYPES["f32"]
    path = tmp_path / "rows"
    path.write_bytes(given(kind).tobytes())
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=64)  # which is another map
    try:
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0, access=access) as mapped:
            for held in (rows_at(mapped, kind), np.ndarray((ROWS, D), np.float32, mapped)):
                index = vb.FlatIndex(held)
                assert np.shares_memory(index.vectors, held)
                del index, held
            gc.collect()
    finally:
        memory.close()
        memory.unlink()


def test_what_is_made_of_a_map_is_no_map(tmp_path):
    """NumPy calls a copy of a `memmap` one, too."""
    path = tmp_path / "rows"
    path.write_bytes(given(TYPES["f32"]).tobytes())
    copied = np.memmap(path, np.float32, "r", shape=(ROWS, D)).copy()
    assert isinstance(copied, np.memmap)
    index = vb.FlatIndex(copied)
    assert is_unchanged(index, copied.copy(), lambda: copied.fill(1))


def test_shared_memory_is_copied(kind):
    x = given(kind)
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=x.nbytes)
    try:
        for make in (
            lambda: np.ndarray(x.shape, x.dtype, memory.buf),
            lambda: rows_at(memory.buf[: x.nbytes], kind),
        ):
            held = make()
            held[:] = x
            index = vb.FlatIndex(held, metric(kind), **kind.options)
            assert is_unchanged(index, x, lambda h=held: h.fill(1))
            other = vb.FlatIndex(held, metric(kind), **kind.options, copy=False)
            assert np.shares_memory(other.vectors, held)
            del held, other
            gc.collect()
    finally:
        memory.close()
        memory.unlink()


# ---- Arrow -------------------------------------------------------------------------------------


def test_a_column_over_an_array_is_copied():
    x = given(TYPES["f32"])
    kept = x.copy()
    pd = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    column = arrow(x)
    series = pd.Series(pd.arrays.ArrowExtensionArray(column))
    for held in (
        column,
        column[10:],
        pa.chunked_array([column]),
        series,
        column.flatten().to_numpy().reshape(-1, D),
    ):
        index = vb.FlatIndex(held)
        assert not np.shares_memory(index.vectors, x)
        assert is_unchanged(index, kept[len(kept) - len(index) :], lambda: x.fill(1))
        assert np.shares_memory(vb.FlatIndex(held, copy=False).vectors, x)
        x[:] = kept


def test_immutable_columns_stay(tmp_path):
    pa = pytest.importorskip("pyarrow")
    x = given(TYPES["f32"])
    over_bytes = pa.Array.from_buffers(pa.float32(), x.size, [None, pa.py_buffer(x.tobytes())])
    table = pa.table({"x": pa.FixedSizeListArray.from_arrays(over_bytes, D)})
    with pa.ipc.new_file(str(tmp_path / "rows"), table.schema) as file:
        file.write(table)
    mapped = pa.ipc.open_file(pa.memory_map(str(tmp_path / "rows"))).read_all()["x"]
    for column in (table["x"], table["x"].chunk(0), mapped):
        flat = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        values = flat.flatten().to_numpy()
        for held in (
            column,
            values.reshape(ROWS, D),
            np.frombuffer(flat.flatten().buffers()[1], np.float32)[: x.size].reshape(ROWS, D),
        ):
            index = vb.FlatIndex(held)
            assert np.shares_memory(index.vectors, values)
            assert same_rows(index.vectors, x)
            assert not np.shares_memory(vb.FlatIndex(held, copy=True).vectors, values)


def test_columns_of_other_libraries_stay():
    pl = pytest.importorskip("polars")
    x = given(TYPES["f32"])
    column = pl.Series(x.tolist(), dtype=pl.Array(pl.Float32, D))
    first, second = vb.FlatIndex(column), vb.FlatIndex(column)
    assert np.shares_memory(first.vectors, second.vectors)
    assert same_bits(first.vectors, x)


# ---- how much is copied ------------------------------------------------------------------------


def peak(call):
    gc.collect()
    tracemalloc.start()
    try:
        kept = call()
        return tracemalloc.get_traced_memory()[1], kept
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("copy", [None, True])
@pytest.mark.parametrize(
    "make",
    [lambda x: x, lambda x: x[:, ::-1], np.asfortranarray, lambda x: x.astype(">f4"),
     lambda x: (x * 100).astype(np.int64)],
    ids=["plain", "reversed", "fortran", "swapped", "int64"],
)  # fmt: skip
def test_no_more_memory_than_rows_and_codes(make, copy):
    X = make(np.random.default_rng(0).standard_normal((120_000, 64)).astype(np.float32))
    most, index = peak(lambda: vb.FlatIndex(X, copy=copy))
    assert index.nbytes <= most <= 1.03 * index.nbytes + (9 << 20), "and some pieces of it"
    assert not np.shares_memory(index.vectors, X)


def test_what_is_new_is_not_copied():
    """Rows that were made of a list, or joined from chunks of a column, are nobody else's."""
    rows = np.random.default_rng(0).standard_normal((30_000, 32)).tolist()
    for options in ({}, {"copy": True}, {"copy": False}):
        most, index = peak(lambda o=options: vb.FlatIndex(rows, **o))
        assert most <= 1.05 * index.nbytes + (1 << 20)
    pa = pytest.importorskip("pyarrow")
    chunk = arrow(np.ones((100_000, D), np.float32))
    most, index = peak(lambda: vb.FlatIndex(pa.chunked_array([chunk, chunk]), copy=True))
    assert most <= 1.05 * index.nbytes + (1 << 20)


def test_an_index_does_not_copy_what_it_has_copied():
    X = np.random.default_rng(0).standard_normal((100_000, 32)).astype(np.float32)
    index = vb.FlatIndex(X)
    for call in (lambda: index.add(X[:5]), lambda: index.remove([3]), lambda: index.add(X[:5])):
        most, _ = peak(call)
        assert most < 1 << 20


def test_the_argument():
    X = np.ones((4, 3), np.float32)
    for bad in (0, 1, "yes", "if needed", 1.0, [], np.array([True])):
        with pytest.raises(TypeError, match=r"copy must be True, False or None, not "):
            vb.FlatIndex(X, copy=bad)
    assert np.shares_memory(vb.FlatIndex(X, copy=np.False_).vectors, X)
    with pytest.raises(TypeError, match="positional"):
        vb.FlatIndex(X, "dot", True)
    called = []
    with pytest.raises(TypeError, match="copy must be"):
        vb.FlatIndex(X, copy="no", progress=lambda *done: called.append(done))
    assert not called


def test_other_modules_are_not_loaded_for_it():
    code = """
import sys
import numpy as np
import vecblade as vb
vb.FlatIndex(np.eye(3))
assert not {"multiprocessing.shared_memory", "pyarrow", "pandas", "torch"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
