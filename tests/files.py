"""Rows written in every format that `vecblade.open` reads, by the libraries of these formats."""

import struct

import numpy as np
import pytest


def npy(path, rows, **_):
    np.save(path, rows)


def fortran(path, rows, **_):
    np.save(path, np.asfortranarray(rows))


def swapped(path, rows, **_):
    np.save(path, rows.astype(rows.dtype.newbyteorder()))


def npz(path, rows, **_):
    np.savez(path, other=np.zeros(3), rows=rows)


def compressed(path, rows, **_):
    np.savez_compressed(path, rows=rows)


def vecs(path, rows, **_):
    size = np.full((len(rows), 1), rows.shape[1], "<i4").view("u1")
    np.hstack([size, np.ascontiguousarray(rows).view("u1").reshape(len(rows), -1)]).tofile(path)


def bin_(path, rows, **_):
    path.write_bytes(struct.pack("<II", *rows.shape) + rows.tobytes())


def safetensors(path, rows, **_):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({"rows": rows, "bias": np.zeros(3)}, path)


def hdf5(path, rows, **how):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("train", data=rows, **how)
        file["test"] = rows[:3]


def chunks(path, rows, **_):
    hdf5(path, rows, chunks=(max(1, len(rows) // 7), max(1, rows.shape[1] // 2)), compression="gzip")


def virtual(path, rows, **_):
    h5py = pytest.importorskip("h5py")
    hdf5(path.with_suffix(".inner.h5"), rows)
    layout = h5py.VirtualLayout(rows.shape, rows.dtype)
    layout[:] = h5py.VirtualSource(path.with_suffix(".inner.h5"), "train", rows.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("train", layout)


def zarr(path, rows, version=3):
    library = pytest.importorskip("zarr")
    chunk = (max(1, len(rows) // 7), max(1, rows.shape[1] // 2))
    library.create_array(path, data=rows, chunks=chunk, zarr_format=version)


def zarr2(path, rows, **_):
    zarr(path, rows, 2)


def table(rows, fixed=True):
    """With ids that are three times the row's number, and a language."""
    arrow = pytest.importorskip("pyarrow")
    flat = arrow.array(np.ascontiguousarray(rows).ravel())
    if fixed:
        vectors = arrow.FixedSizeListArray.from_arrays(flat, rows.shape[1])
    else:
        vectors = arrow.ListArray.from_arrays(np.arange(len(rows) + 1, dtype="i4") * rows.shape[1], flat)
    languages = arrow.array([("de", "en", "fr")[i % 3] for i in range(len(rows))]).dictionary_encode()
    ids = arrow.array(np.arange(len(rows)) * 3)
    return arrow.table({"id": ids, "vector": vectors, "language": languages})


def parquet(path, rows, fixed=True):
    made = table(rows, fixed)
    pytest.importorskip("pyarrow.parquet").write_table(made, path, row_group_size=max(1, len(rows) // 5))


def lists(path, rows, **_):
    parquet(path, rows, fixed=False)


def folder(path, rows, **_):
    path.mkdir()
    half = len(rows) // 2
    parquet(path / "a.parquet", rows[:half])
    parquet(path / "b.parquet", rows[half:])
    (path / "README.txt").write_text("not a table")
    (path / "_temporary").mkdir()
    (path / "_temporary" / "c.parquet").write_text("not complete")


def ipc(path, rows, new="new_file"):
    arrow = pytest.importorskip("pyarrow")
    made = table(rows)
    with arrow.OSFile(str(path), "wb") as file, getattr(arrow.ipc, new)(file, made.schema) as writer:
        writer.write_table(made, max_chunksize=max(1, len(rows) // 5))


def stream(path, rows, **_):
    ipc(path, rows, "new_stream")


def index(path, rows, **_):
    import vecblade as vb

    vb.FlatIndex(rows).save(path)


def faiss(path, rows, **_):
    library = pytest.importorskip("faiss")
    made = library.IndexFlatL2(rows.shape[1])
    made.add(rows)
    library.write_index(made, str(path))


def faiss_ids(path, rows, **_):
    library = pytest.importorskip("faiss")
    made = library.IndexIDMap2(library.IndexFlat(rows.shape[1], library.METRIC_L1))
    made.add_with_ids(rows, np.arange(len(rows)) * 3)
    library.write_index(made, str(path))


# Name of the file, what writes it, the type that rows have to have (None: any that is written here).
FORMATS = {
    "npy": ("x.npy", npy, None),
    "npy by columns": ("x.npy", fortran, None),
    "npy in another byte order": ("x.npy", swapped, None),
    "npz": ("x.npz:rows", npz, None),
    "npz, the only matrix": ("x.npz", npz, None),
    "npz compressed": ("x.npz", compressed, None),
    "fvecs": ("x.fvecs", vecs, "f4"),
    "bvecs": ("x.bvecs", vecs, "u1"),
    "ivecs": ("x.ivecs", vecs, "i4"),
    "fbin": ("x.fbin", bin_, "f4"),
    "u8bin": ("x.u8bin", bin_, "u1"),
    "i8bin": ("x.i8bin", bin_, "i1"),
    "safetensors": ("x.safetensors", safetensors, None),
    "safetensors by name": ("x.safetensors:rows", safetensors, None),
    "hdf5": ("x.h5", hdf5, None),
    "hdf5 by name": ("x.hdf5:/train", hdf5, None),
    "hdf5 in chunks": ("x.h5", chunks, None),
    "hdf5 virtual": ("x.h5", virtual, None),
    "zarr": ("x.zarr", zarr, None),
    "zarr 2": ("x.zarr", zarr2, None),
    "parquet": ("x.parquet", parquet, None),
    "parquet, lists": ("x.parquet", lists, None),
    "parquet, by name": ("x.parquet:vector", parquet, None),
    "folder of parquet": ("x", folder, None),
    "pattern": ("x/*.parquet", folder, None),
    "arrow": ("x.arrow", ipc, None),
    "arrow stream": ("x.arrow", stream, None),
    "index": ("x.vecblade", index, None),
    "faiss": ("x.index", faiss, "f4"),
    "faiss with ids": ("x.faiss", faiss_ids, "f4"),
}


def written(folder, form, rows):
    """Write the rows, of a type that the format has, and return the path to open."""
    name, write, _ = FORMATS[form]
    place = name.partition(":")[0]
    write(folder / (place.partition("/")[0]), rows)
    return str(folder / name)


def rows_for(form, seed=0, shape=(211, 24)):
    """Rows of a type that the format has."""
    rng, dtype = np.random.default_rng(seed), np.dtype(FORMATS[form][2] or "f4")
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0 if dtype.kind == "u" else -100, 100, shape).astype(dtype)
