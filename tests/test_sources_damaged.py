"""Files that are damaged, cut or of another shape: an error with path, row and reason, before or while they are read."""

import builtins
import os
import pickle
import sys

import numpy as np
import pytest
from files import FORMATS, hdf5, parquet, rows_for, table, vecs, written

import vecblade as vb

ROWS = rows_for("npy", shape=(500, 4))


def library(name):
    return pytest.importorskip(name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(path, **how):
    source = vb.open(path, **how)
    return vb.topk(ROWS[:2], source, 2)


# ---- files that are cut ------------------------------------------------------------------------

# Where the rows of a file may end, for the format notes it nowhere, so that a shorter file is right.
ENDS = {".bvecs", ".fvecs", ".ivecs"}


def opened(path):
    """All rows, or why there are none. (What is damaged may say that it has very many.)"""
    try:
        source = vb.open(path)
        return source[: 1 << 20], None
    except (ValueError, OSError, TypeError) as error:
        return None, str(error)


@pytest.mark.parametrize("form", [form for form in FORMATS if "folder" not in form and "pattern" not in form])
def test_files_that_are_cut(folder, form):
    """At any place: refused with the path."""
    rows = rows_for(form, shape=(120, 6))
    path = written(folder, form, rows).partition(":")[0]
    if os.path.isdir(path):
        pytest.skip("is a folder")
    with open(path, "rb") as file:
        whole = file.read()
    cut = f"cut{os.path.splitext(path)[1]}"
    sizes = sorted({*range(0, 40, 3), *range(0, len(whole), max(1, len(whole) // 23)), len(whole) - 1})
    for size in sizes:
        with open(cut, "wb") as file:
            file.write(whole[:size])
        ends = os.path.splitext(path)[1] in ENDS and size and size % (len(whole) // 120) == 0
        # The footer of an HDF5 or Arrow file may be longer than what is needed to read it.
        found, refused = opened(cut)
        if found is None:
            assert cut in refused
            continue
        assert ends or size > len(whole) - 40 or form == "arrow stream", (size, len(whole))
        np.testing.assert_array_equal(found, rows[: len(found)])


@pytest.mark.parametrize("form", [form for form in FORMATS if "folder" not in form and "pattern" not in form])
def test_files_with_other_bytes(folder, form):
    """What is there is read or refused: nothing else, and nothing outside of the file."""
    rows = rows_for(form, shape=(60, 6))
    path = written(folder, form, rows).partition(":")[0]
    if os.path.isdir(path):
        pytest.skip("is a folder")
    with open(path, "rb") as file:
        whole = file.read()
    other, rng = f"other{os.path.splitext(path)[1]}", np.random.default_rng(0)
    for trial in range(40):
        damaged = bytearray(whole)
        start = int(rng.integers(0, min(len(whole), 400) if trial % 2 else len(whole)))
        damaged[start : start + 8] = rng.bytes(8)[: len(whole) - start] if trial % 4 else b"\xff" * 8
        with open(other, "wb") as file:
            file.write(damaged)
        found, refused = opened(other)
        assert found is not None or other in refused


def test_records_of_another_size(folder):
    vecs(folder / "x.fvecs", ROWS)
    data = bytearray((folder / "x.fvecs").read_bytes())
    data[77 * 20 : 77 * 20 + 4] = (5).to_bytes(4, "little")
    (folder / "x.fvecs").write_bytes(data)
    with pytest.raises(
        ValueError, match=r"^x.fvecs: row 77 has 5 elements, and row 0 has 4; the file is damaged"
    ):
        read("x.fvecs")
    assert vb.open("x.fvecs")[:77].shape == (77, 4)


def test_chunks_that_are_damaged(folder):
    h5py = library("h5py")
    hdf5(folder / "x.h5", ROWS, chunks=(100, 4), compression="gzip")
    with h5py.File("x.h5", "r") as file:
        place = file["train"].id.get_chunk_info(1).byte_offset
    data = bytearray((folder / "x.h5").read_bytes())
    data[place : place + 8] = b"\xff" * 8
    (folder / "x.h5").write_bytes(data)
    with pytest.raises(OSError, match=r"^x.h5:/train: rows 0 to 500 cannot be read: "):
        read("x.h5")


def test_parquet_that_is_damaged(folder):
    parquet(folder / "x.parquet", ROWS)
    data = bytearray((folder / "x.parquet").read_bytes())
    group = library("pyarrow.parquet").ParquetFile("x.parquet").metadata.row_group(3)
    place = group.column(1).data_page_offset
    data[place : place + 30] = b"\xff" * 30
    (folder / "x.parquet").write_bytes(data)
    with pytest.raises(
        ValueError, match=r"^x.parquet: truncated or damaged, it cannot be read from row 300 on: "
    ):
        read("x.parquet")


# ---- what is no matrix of numbers ----------------------------------------------------------------

ARRAYS = {
    "objects": (np.array([[None, 1]], object), "holds Python objects"),
    "fields": (np.zeros((3, 4), [("a", "f4")]), "it has fields"),
    "complex numbers": (np.zeros((3, 4), "c8"), "dtype complex64; expected real numbers"),
    "booleans": (np.zeros((3, 4), bool), "dtype bool"),
    "dates": (np.zeros((3, 4), "M8[s]"), "dtype datetime64"),
    "texts": (np.array([["a"]]), "dtype <U1"),
    "a vector": (np.zeros(4), r"expected shape \(m, d\), got \(4,\)"),
    "three axes": (np.zeros((3, 4, 2)), r"expected shape \(m, d\), got \(3, 4, 2\)"),
    "a number": (np.float32(3), r"expected shape \(m, d\), got \(\)"),
    "large integers": (np.full((3, 4), 2**60), "row 0 has integers past 2\\*\\*53"),
    "other columns": (np.zeros((3, 5)), "queries have 4 columns, the corpus 5"),
    "no columns": (np.zeros((3, 0)), "queries have 4 columns, the corpus 0"),
}


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("form", [".npy", ".npz"])
def test_arrays_of_other_kinds(folder, kind, form):
    array, message = ARRAYS[kind]
    (np.save if form == ".npy" else np.savez)(f"x{form}", array)
    with pytest.raises((TypeError, ValueError), match=message):
        read(f"x{form}")


def test_no_rows(folder):
    for form in ("npy", "npz", "fbin", "safetensors", "hdf5", "parquet", "arrow", "index"):
        (folder / form).mkdir()
        source = vb.open(written(folder / form, form, np.zeros((0, 4), "f4")))
        assert source.shape == source[:].shape == (0, 4)
        assert vb.topk(ROWS[:2], source, 3).indices.shape == (2, 0)
        assert len(vb.within(ROWS[:2], source, 3.0).indices) == 0
        assert list(source.blocks()) == [] or all(len(block) == 0 for block in source.blocks())
        assert len(vb.FlatIndex(source)) == 0
    (folder / "x.fvecs").touch()
    with pytest.raises(ValueError, match=r"it is empty, so that it is not known how many elements"):
        vb.open("x.fvecs")


def test_datasets_of_other_kinds(folder):
    h5py = library("h5py")
    with h5py.File("x.h5", "w") as file:
        file["a"], file["b"], file["one"], file["g/x"] = ROWS, ROWS, ROWS[0], 1.0
        file.create_dataset("ragged", (3, 4), dtype=h5py.vlen_dtype("f4"))
        file["fields"], file["null"] = np.zeros((3, 4), [("a", "f4")]), h5py.Empty("f4")
        file.create_dataset("unwritten", (500, 4), "f4")
    for name, message in {
        "": "several of 2-D dataset: '/a', '/b', .*; say which, as in 'x.h5:/a'",
        ":/nothing": "it has no dataset '/nothing'; it has '/a', '/b'",
        ":/g": "it has no dataset '/g'",
        ":/one": r"x.h5:/one: expected shape \(m, d\), got \(4,\)",
        ":/null": r"expected shape \(m, d\), got \(\)",
        ":/ragged": "x.h5:/ragged: it holds Python objects or rows of several lengths",
        ":/fields": "x.h5:/fields: it has fields",
    }.items():
        with pytest.raises((TypeError, ValueError), match=message):
            vb.open(f"x.h5{name}")
    np.testing.assert_array_equal(vb.open("x.h5:/unwritten")[:], np.zeros((500, 4)))
    np.testing.assert_array_equal(vb.open("x.h5", vectors="a")[:], ROWS)


# ---- tables ------------------------------------------------------------------------------------


def save(name, **columns):
    arrow = library("pyarrow")
    library("pyarrow.parquet").write_table(arrow.table(columns), name, row_group_size=100)
    return name


LISTS = ROWS.astype(float).tolist()
FIXED = table(ROWS).column("vector")


def without(row, value):
    return [*LISTS[:row], value, *LISTS[row + 1 :]]


@pytest.mark.parametrize("fixed", [True, False])
def test_vectors_that_are_missing(folder, fixed):
    arrow = library("pyarrow")
    kind = arrow.list_(arrow.float32(), 4) if fixed else arrow.list_(arrow.float32())
    for row in (0, 321, 499):
        save("x.parquet", v=arrow.array(without(row, None), kind))
        with pytest.raises(
            ValueError, match=f"x.parquet: column 'v': row {row} is missing; a filter can leave"
        ):
            read("x.parquet")
        some = vb.open("x.parquet", filter=library("pyarrow.compute").field("v").is_valid())
        np.testing.assert_array_equal(some[:], np.delete(ROWS, row, 0))
        save("x.parquet", v=arrow.array(without(row, [1.0, None, 3.0, 4.0]), kind))
        with pytest.raises(
            ValueError, match=f"x.parquet: column 'v': row {row} has a number that is missing"
        ):
            read("x.parquet")
        if not fixed:
            save("x.parquet", v=arrow.array(without(row, LISTS[row][:3]), kind))
            wrong, has, others = (row, 3, 4) if row else (1, 4, 3)
            message = f"column 'v': row {wrong} has {has} elements, where rows have {others}"
            with pytest.raises(ValueError, match=message):
                vb.open("x.parquet")[:]


def test_columns_of_other_kinds(folder):
    arrow = library("pyarrow")
    save("x.parquet", a=np.arange(500), b=["x"] * 500)
    with pytest.raises(ValueError, match=r"x.parquet: it has no column of vectors, .* a: int64, b: string"):
        vb.open("x.parquet")
    for values in ([[[1.0, 2.0]]] * 5, ["a"] * 5, [["a"]] * 5, [[True]] * 5, [None] * 5):
        save("x.parquet", v=arrow.array(values))
        with pytest.raises(ValueError, match=r"it has no column of vectors"):
            vb.open("x.parquet")
        with pytest.raises(
            TypeError, match=r"x.parquet: column 'v' is of type .*; expected lists of numbers"
        ):
            vb.open("x.parquet", vectors="v")
    save("x.parquet", v=FIXED, w=FIXED, id=arrow.array([*range(7), None, *range(8, 500)]))
    with pytest.raises(ValueError, match=r"several columns of vectors: 'v', 'w'; say which: vectors='v'"):
        vb.open("x.parquet")
    with pytest.raises(ValueError, match=r"it has no column 'u' of vectors; it has 'v', 'w', 'id'"):
        vb.open("x.parquet", vectors="u")
    with pytest.raises(ValueError, match=r"it has no column 'u' for ids"):
        vb.open("x.parquet:v", ids="u")
    with pytest.raises(ValueError, match=r"x.parquet: column 'id': the id of row 7 is missing"):
        _ = vb.open("x.parquet:v", ids="id").ids


def test_filters_that_are_none(folder):
    save("x.parquet", v=FIXED, id=np.arange(500))
    with pytest.raises(ValueError, match=r"x.parquet: the filter \(zz > 1\) cannot be applied: No match"):
        vb.open("x.parquet", filter=[("zz", ">", 1)])
    with pytest.raises(ValueError, match=r"which are no conditions"):
        vb.open("x.parquet", filter=[("id", "?", 1)])
    for filter in ("id > 3", np.ones(500, bool)):
        with pytest.raises(TypeError, match=r"expected an expression of pyarrow"):
            vb.open("x.parquet", filter=filter)


def test_folders_of_files_that_differ(folder):
    arrow = library("pyarrow")
    cases = {
        "sizes": (
            "b.parquet: column 'v' is of type fixed_size_list<.*>.3., and in others",
            FIXED,
            table(ROWS[:, :3]),
        ),
        "types": ("b.parquet: column 'v' is of type", FIXED, table(ROWS.astype("f8"))),
    }
    for name, (message, one, other) in cases.items():
        (folder / name).mkdir()
        save(f"{name}/a.parquet", v=one)
        save(f"{name}/b.parquet", v=other.column("vector"))
        with pytest.raises(ValueError, match=message):
            vb.open(name)
    (folder / "lists").mkdir()
    for name, n in (("a", 4), ("b", 3)):
        save(f"lists/{name}.parquet", v=arrow.array([row[:n] for row in LISTS], arrow.list_(arrow.float32())))
    with pytest.raises(ValueError, match=r"b.parquet: column 'v': row 0 has 3 elements, where rows have 4"):
        read("lists")
    save("lists/b.parquet", u=FIXED)
    with pytest.raises(ValueError, match=r"b.parquet: it has no column 'v' of vectors, as other"):
        vb.open("lists")
    (folder / "lists" / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"b.parquet: not a readable Parquet file"):
        vb.open("lists")
    np.save("a.npy", ROWS)
    np.save("b.npy", ROWS[:, :3])
    with pytest.raises(ValueError, match=r"b.npy: rows of 3 x float32; those of a.npy are 4 x float32"):
        vb.open(["a.npy", "b.npy"])


# ---- other ways to be wrong ------------------------------------------------------------------------


def test_iterators_that_differ_or_fail():
    def fails():
        yield ROWS[:100]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match=r"no more") as caught:
        read(fails())
    assert caught.value.__notes__ == ["raised by an iterator (generator) when it was asked for block 1"]
    for blocks, message in (
        ([ROWS[:5], ROWS[:5, :3]], "block 1 of an iterator .* has 3 columns of float32; those before have 4"),
        (
            [ROWS[:5], ROWS[:5].astype("f8")],
            "block 1 of .* 4 columns of float64; those before have 4 of float32",
        ),
        ([ROWS[0]], r"block 0 of .*: expected shape \(n, d\), got \(4,\)$"),
        (["a text"], "block 0 of .* is not an array of numbers"),
        ([], "queries have 4 columns, the corpus 0"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            read(iter(blocks))


def test_paths_of_other_things(folder):
    (folder / "x.npy").write_bytes(pickle.dumps([1]))
    (folder / "text").write_text("hello world")
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    (folder / "none.zarr").mkdir()
    np.save("y.npy", ROWS)
    for path, message in {
        "nowhere.npy": "^nowhere.npy: no such file or folder$",
        "*.parquet": "no file has such a name",
        "x.npy": "^x.npy: not a readable .npy file",
        "text": "^text: it is of no type that is known",
        "empty": "^empty: it is of no type",
        "folder": "^folder: there is no Parquet file in this folder, nor a zarr store",
        "none.zarr": "^none.zarr: not a readable zarr store",
        "y.npy:rows": "^y.npy: it holds one array, and none named 'rows'",
    }.items():
        with pytest.raises((FileNotFoundError, ValueError), match=message):
            vb.open(path)
    if sys.platform != "win32":
        with pytest.raises(ValueError, match=r"^/dev/null: it is a pipe or a device"):
            vb.open("/dev/null")
    with pytest.raises(ValueError, match=r"ids is for tables, that is Parquet and Arrow, and y.npy is none"):
        vb.open("y.npy", ids="id")
    with pytest.raises(TypeError, match=r"vectors must be a string"):
        vb.open("y.npy", vectors=3)
    for nothing in (None, object(), 5):
        with pytest.raises((TypeError, ValueError), match=r"^source[: ]"):
            vb.open(nothing)
    assert repr(vb.open(ROWS)) == "<ndarray: 500 x 4 float32>"


def test_indexes_of_faiss_that_are_not_flat(folder):
    faiss = library("faiss")
    index = faiss.index_factory(4, "IVF4,Flat")
    index.train(ROWS)
    faiss.write_index(index, "ivf.faiss")
    with pytest.raises(ValueError, match=r"^ivf.faiss: it is of no type"):
        vb.open("ivf.faiss")
    mapped = faiss.IndexIDMap(index)
    mapped.add_with_ids(ROWS, np.arange(500))
    faiss.write_index(mapped, "mapped.faiss")
    with pytest.raises(ValueError, match=r"it holds an index b'IwFl', and no flat one"):
        vb.open("mapped.faiss")
    bits = faiss.IndexBinaryFlat(32)
    bits.add(ROWS.view(np.uint8)[:, :4].copy())
    faiss.write_index_binary(bits, "bits.faiss")
    np.testing.assert_array_equal(vb.open("bits.faiss")[:], ROWS.view(np.uint8)[:, :4])


@pytest.mark.parametrize(
    ("form", "name"), [("parquet", "pyarrow"), ("hdf5", "h5py"), ("zarr", "zarr"), ("arrow", "pyarrow")]
)
def test_libraries_that_are_not_there(folder, form, name, monkeypatch):
    path = written(folder, form, ROWS)
    real = builtins.__import__

    def missing(module, *args, **kwargs):
        if module.partition(".")[0] == name:
            raise ImportError(module)
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(
        ImportError, match=rf"needs {name}, which is not installed: pip install 'vecblade\[io\]'"
    ):
        vb.open(path)
    np.save("y.npy", ROWS)
    assert vb.open("y.npy").shape == (500, 4)


def test_open_files_are_not_pickled(folder):
    np.save("y.npy", ROWS)
    hdf5(folder / "x.h5", ROWS, chunks=(100, 4))
    for path in ("y.npy", "x.h5"):
        with pytest.raises(TypeError, match=r"is an open file, which is not pickled; pickle its path"):
            pickle.dumps(vb.open(path))
