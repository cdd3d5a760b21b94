"""`vecblade.open`: rows of every format are those that were written, and are found as in memory."""

import os

import numpy as np
import pytest
from files import FORMATS, hdf5, parquet, rows_for, table, vecs, written, zarr

import vecblade as vb
from vecblade._sources import base


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 32 rows, so that small files have several."""
    monkeypatch.setattr(base, "BLOCK", 32 * 24 * 4)
    monkeypatch.setattr(base, "MAPPED", 2)


@pytest.fixture(params=FORMATS)
def case(request, tmp_path):
    rows = rows_for(request.param)
    return rows, written(tmp_path, request.param, rows)


def same(found, wanted):
    assert type(found) is type(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_rows(case):
    rows, path = case
    source = vb.open(path)
    assert source.shape == rows.shape
    assert (len(source), source.ndim, source.nbytes) == (len(rows), 2, rows.nbytes)
    assert source.dtype == rows.dtype.newbyteorder() or source.dtype == rows.dtype
    np.testing.assert_array_equal(source[:], rows)
    np.testing.assert_array_equal(source[100:150:7], rows[100:150:7])
    np.testing.assert_array_equal(source[-1], rows[-1])
    np.testing.assert_array_equal(source[40:43, 1], rows[40:43, 1])
    np.testing.assert_array_equal(source[5, 2:4], rows[5, 2:4])
    assert source[50:50].shape == source[60:50].shape == (0, 24)
    blocks = list(source.blocks(50))
    assert all(0 < len(block) <= 50 for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), rows)
    np.testing.assert_array_equal(np.concatenate(list(source.blocks())), rows)  # another pass
    np.testing.assert_array_equal(list(source), rows)
    assert path.split(":")[0] in repr(source)
    assert "211 x 24" in repr(source)
    with pytest.raises(IndexError, match="row 211 of"):
        source[211]
    with pytest.raises(TypeError, match="indexed by a row number or by a slice, not by list"):
        source[[1, 2]]
    with pytest.raises(ValueError, match="step of a slice must be at least 1"):
        source[::-1]
    with pytest.raises(ValueError, match="rows must be at least 1"):
        next(source.blocks(0))


def test_searches(case):
    rows, path = case
    queries, source = rows[:9], vb.open(path)
    mask = np.arange(len(rows)) % 3 != 1
    for where in (None, mask, np.flatnonzero(mask)[::2]):
        for metric in ("euclidean", "cosine", "dot"):
            same(
                vb.topk(queries, source, 7, metric, where=where),
                vb.topk(queries, rows, 7, metric, where=where),
            )
    threshold = float(vb.topk(queries, rows, 20).values[:, -1].mean())
    same(vb.within(queries, source, threshold), vb.within(queries, rows, threshold))
    same(vb.topk(source, source, 3, threads=2), vb.topk(rows, rows, 3))
    same(vb.topk(queries[0], source, 500), vb.topk(queries[0], rows, 500))
    same(vb.topk(queries, path.split(":")[0] if "x.npz:" in path else path, 2), vb.topk(queries, rows, 2))


def test_indexes(case):
    rows, path = case
    source = vb.open(path)
    index, wanted = vb.FlatIndex(source, "cosine"), vb.FlatIndex(rows, "cosine")
    same(index.search(rows[:5], 4), wanted.search(rows[:5], 4))
    same(index.search(source, 2), wanted.search(rows, 2))
    same(index.within(source, 0.5), wanted.within(rows, 0.5))
    assert index.copied == (
        0 if index.vectors.base is not None and source.in_place else index.vectors.nbytes
    ) or (rows.dtype == np.int32 or ">" in source.dtype.str or "columns" in path)
    index.add(rows[:3])
    assert len(index) == len(rows) + 3


def test_files_that_are_mapped_are_not_copied(tmp_path):
    for form in ("npy", "npz", "fvecs", "fbin", "safetensors", "hdf5", "faiss", "index"):
        folder = tmp_path / form
        folder.mkdir()
        source = vb.open(written(folder, form, rows_for(form)))
        assert vb.FlatIndex(source).copied == 0, form
        assert vb.FlatIndex(source, copy=True).copied == source.nbytes
        assert np.shares_memory(np.asarray(source), source[3:4])
    assert vb.FlatIndex(rows_for("npy")).copied == source.nbytes


def test_what_is_not_mapped_is_not_read_without_a_word(tmp_path):
    source = vb.open(written(tmp_path, "parquet", rows_for("parquet")))
    with pytest.raises(TypeError, match=r"pass source\[:\] to read all of it"):
        np.asarray(source)
    with pytest.raises(TypeError, match=r"A .*rows that are read in blocks; pass A\[:\] to read all"):
        vb.pairwise(source)


@pytest.mark.parametrize("dtype", ["f8", "f2", "i1", "u1", "i2", "u2", "i4", "i8"])
@pytest.mark.parametrize(
    "form", ["npy", "safetensors", "hdf5 in chunks", "zarr", "parquet", "parquet, lists", "arrow"]
)
def test_types(tmp_path, form, dtype):
    rng = np.random.default_rng(1)
    rows = (rng.standard_normal((70, 5)) * 20).astype(dtype)
    source = vb.open(written(tmp_path, form, rows))
    assert source.dtype == dtype
    same(vb.topk(rows[:4], source, 3), vb.topk(rows[:4], rows, 3))
    if rows.dtype.kind == "f":
        same(vb.topk(rows[:4].astype("f4"), source, 3), vb.topk(rows[:4].astype("f4"), rows, 3))
    if dtype == "u1":
        same(vb.topk(rows[:4], source, 3, "hamming"), vb.topk(rows[:4], rows, 3, "hamming"))
    if dtype == "u2":
        same(vb.topk(rows[:4], source, 3, dtype="bfloat16"), vb.topk(rows[:4], rows, 3, dtype="bfloat16"))
        assert source.dtype == "u2"


def test_bfloat16(tmp_path):
    """Of safetensors, which NumPy has no type for."""
    torch_like = pytest.importorskip("ml_dtypes").bfloat16
    rows = np.random.default_rng(0).standard_normal((30, 6)).astype(torch_like)
    header = b'{"x":{"dtype":"BF16","shape":[30,6],"data_offsets":[0,360]}}'
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + rows.tobytes())
    source = vb.open(tmp_path / "x.safetensors")
    assert source.dtype == torch_like
    np.testing.assert_array_equal(source[:], rows)
    same(vb.topk(source, source, 2), vb.topk(rows, rows, 2))


# ---- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["parquet", "folder of parquet", "arrow", "arrow stream"])
def test_ids_columns_and_filters(tmp_path, form):
    rows = rows_for(form)
    path = written(tmp_path, form, rows)
    source = vb.open(path, ids="id")
    assert source.columns == ("id", "language")
    wanted = np.arange(211) * 3 if form != "folder of parquet" else np.r_[np.arange(105), np.arange(106)] * 3
    np.testing.assert_array_equal(source.ids, wanted)
    np.testing.assert_array_equal(source.column("id", [[200, 3], [3, 0]]), wanted[[[200, 3], [3, 0]]])
    assert source.column("language", [0, 1]).tolist() == ["de", "en"]
    with pytest.raises(ValueError, match="it has no column 'x'; it has 'id', 'language'"):
        source.column("x")
    with pytest.raises(IndexError, match="integers from 0 to 210"):
        source.column("id", [211])
    field = pytest.importorskip("pyarrow.compute").field
    keep = (np.asarray(source.column("language")) == "en") & (wanted > 60)
    for condition in (
        [("language", "==", "en"), ("id", ">", 60)],
        (field("language") == "en") & (field("id") > 60),
    ):
        some = vb.open(path, ids="id", filter=condition)
        assert len(some) == keep.sum()
        np.testing.assert_array_equal(some[:], rows[keep])
        np.testing.assert_array_equal(some[3:9], rows[keep][3:9])
        np.testing.assert_array_equal(some.ids, wanted[keep])
        same(vb.topk(rows[:3], some, 5), vb.topk(rows[:3], rows[keep], 5))
    none = vb.open(path, filter=[("id", "<", 0)])
    assert none.shape == (0, 24)
    assert vb.topk(rows[:3], none, 5).indices.shape == (3, 0)


def test_folders_of_names(tmp_path):
    """Columns that are in the names of folders, by which files are left out."""
    rows = rows_for("parquet")
    for language, some in (("de", rows[:100]), ("en", rows[100:])):
        (tmp_path / f"lang={language}").mkdir()
        parquet(tmp_path / f"lang={language}" / "x.parquet", some)
    source = vb.open(tmp_path)
    np.testing.assert_array_equal(source[:], rows)
    assert source.column("lang", [99, 100]).tolist() == ["de", "en"]
    some = vb.open(tmp_path, ids="id", filter=[("lang", "==", "en"), ("id", ">", 30)])
    np.testing.assert_array_equal(some[:], rows[111:])
    assert some.column("lang", [0]).tolist() == ["en"]


@pytest.mark.parametrize("fixed", [True, False])
def test_tables_in_memory(fixed):
    arrow = pytest.importorskip("pyarrow")
    rows = rows_for("parquet")
    made = table(rows, fixed)
    part = made.slice(50, 100)
    for given, wanted in (
        (made, rows),
        (part, rows[50:150]),
        (arrow.concat_tables([made.slice(3, 20), part]), np.vstack([rows[3:23], rows[50:150]])),
    ):
        np.testing.assert_array_equal(vb.open(given)[:], wanted)
    assert vb.open(part, ids="id").ids[0] == 150
    polars = pytest.importorskip("polars")
    frame = polars.from_arrow(made)
    np.testing.assert_array_equal(vb.open(frame, ids="id")[7:9], rows[7:9])
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"v": list(rows), "t": ["a"] * len(rows)})
    np.testing.assert_array_equal(vb.open(frame)[:], rows)


def test_datasets_of_pyarrow(tmp_path):
    datasets = pytest.importorskip("pyarrow.dataset")
    rows = rows_for("parquet")
    parquet(tmp_path / "x.parquet", rows)
    dataset = datasets.dataset(tmp_path / "x.parquet")
    np.testing.assert_array_equal(vb.open(dataset)[:], rows)
    some = vb.open(dataset, filter=datasets.field("id") < 30)
    np.testing.assert_array_equal(some[:], rows[:10])
    with pytest.raises(
        TypeError, match="a dataset with a filter, which pyarrow keeps to itself; pass the dataset"
    ):
        vb.open(dataset.filter(datasets.field("id") < 30))
    with pytest.raises(TypeError, match="a dataset of InMemoryDataset; expected datasets of Parquet"):
        vb.open(datasets.dataset(table(rows)))


# ---- objects -----------------------------------------------------------------------------------


def test_columns_in_chunks_are_not_joined(monkeypatch):
    arrow, rows = pytest.importorskip("pyarrow"), rows_for("parquet")
    chunks = [table(rows).column("vector").chunk(0).slice(start, 71) for start in (0, 71, 142)]
    column = arrow.chunked_array(chunks)
    monkeypatch.setattr(np, "concatenate", None)
    monkeypatch.setattr(base, "gathered", lambda blocks, rows: blocks)
    wanted = vb.topk(rows[:4], rows, 3)
    same(vb.topk(rows[:4], column, 3), wanted)
    polars = pytest.importorskip("polars")
    series = polars.Series([rows[0]] * 0, dtype=polars.Array(polars.Float32, 24))
    for start in (0, 71, 142):
        series = series.append(
            polars.Series(rows[start : start + 71], dtype=polars.Array(polars.Float32, 24))
        )
    assert series.n_chunks() > 1
    same(vb.topk(rows[:4], series, 3), wanted)


def test_datasets_of_h5py_and_zarr(tmp_path):
    h5py, library = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    rows = rows_for("npy")
    hdf5(tmp_path / "x.h5", rows, chunks=(50, 24))
    zarr(tmp_path / "x.zarr", rows)
    wanted = vb.topk(rows[:4], rows, 3)
    with h5py.File(tmp_path / "x.h5", "r") as file:
        same(vb.topk(file["train"][:4], file["train"], 3), wanted)
        same(vb.topk(file["test"], file["train"], 3), vb.topk(rows[:3], rows, 3))
        assert vb.FlatIndex(file["train"]).copied == rows.nbytes
    same(vb.topk(rows[:4], library.open(tmp_path / "x.zarr", mode="r"), 3), wanted)
    with h5py.File(tmp_path / "x.h5", "a") as file:  # may be written to meanwhile
        file["train"][0] = 7
        np.testing.assert_array_equal(vb.open(file["train"])[0], np.full(24, 7))


def test_iterators():
    rows = rows_for("npy")
    blocks = [rows[:3], rows[3:3], rows[3:150], rows[150:]]
    source = vb.open(iter(blocks))
    assert source.shape == (None, 24)
    with pytest.raises(TypeError, match="number of rows that is known when it has been read"):
        len(source)
    same(vb.topk(rows[:4], source, 3), vb.topk(rows[:4], rows, 3))
    with pytest.raises(ValueError, match="was read before, and can be read only once"):
        vb.topk(rows[:4], source, 3)
    few = vb.topk(rows[:4], vb.open(block for block in blocks[:1]), 5)
    same(few, vb.topk(rows[:4], rows[:3], 5))
    same(vb.topk(vb.open(iter(blocks)), rows, 3), vb.topk(rows, rows, 3))
    same(vb.within(vb.open(iter(blocks)), rows, 5.0), vb.within(rows, rows, 5.0))
    same(vb.FlatIndex(vb.open(iter(blocks))).search(rows, 2), vb.topk(rows, rows, 2))
    assert vb.topk(rows[:4], vb.open(iter(blocks)), 300).indices.shape == (4, 211)
    with pytest.raises(ValueError, match="where needs to know how many rows there are"):
        vb.topk(rows[:4], vb.open(iter(blocks)), 3, where=[0])
    with pytest.raises(ValueError, match="both read once"):
        vb.topk(vb.open(iter(blocks)), vb.open(iter(blocks)), 3)


def test_several_as_one(tmp_path):
    rows = rows_for("npy")
    np.save(tmp_path / "a.npy", rows[:100])
    vecs(tmp_path / "b.fvecs", rows[100:])
    source = vb.open([tmp_path / "a.npy", vb.open(tmp_path / "b.fvecs")])
    np.testing.assert_array_equal(source[:], rows)
    np.testing.assert_array_equal(source[90:130], rows[90:130])
    np.testing.assert_array_equal(source[120:130], rows[120:130])
    same(vb.topk(rows[:4], source, 3), vb.topk(rows[:4], rows, 3))
    np.save(tmp_path / "c.npy", rows[100:])
    np.testing.assert_array_equal(vb.open(f"{tmp_path}/[ac].npy")[:], rows)


# ---- remote files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        *("npy", "npy by columns", "npz", "npz compressed", "fvecs", "fbin", "safetensors", "hdf5"),
        *("hdf5 in chunks", "parquet", "arrow", "arrow stream", "faiss with ids"),
    ],
)
def test_remote_files(tmp_path, form):
    fsspec = pytest.importorskip("fsspec")
    rows, name = rows_for(form), os.path.basename(written(tmp_path, form, rows_for(form)))
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/{form}/{name.partition(':')[0]}", (tmp_path / name.partition(":")[0]).read_bytes())
    source = vb.open(f"memory://{form}/{name}")
    np.testing.assert_array_equal(source[:], rows)
    np.testing.assert_array_equal(source[50:60], rows[50:60])
    same(vb.topk(rows[:4], source, 3), vb.topk(rows[:4], rows, 3))
    if "faiss" in form:
        np.testing.assert_array_equal(source.ids, np.arange(211) * 3)
    if form == "parquet":
        np.testing.assert_array_equal(vb.open(f"memory://{form}", ids="id").ids, np.arange(211) * 3)
        with pytest.raises(FileNotFoundError, match="there is no Parquet file"):
            vb.open(f"memory://{form}/*.npy")
    with pytest.raises(FileNotFoundError, match="no such file"):
        vb.open(f"memory://{form}/nothing.npy")
