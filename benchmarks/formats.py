"""
Searches of files in every format, beside reading alone and the same search in memory: ``python benchmarks/formats.py``.

For each format: seconds to read all rows by its own library, to search them in memory, and to search the file; the
ratio of the last to the larger of the others (with two threads; with one, to their sum); and the peak of anonymous
memory beside what was there before. Rows are equal in all: so are results, which is checked.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import vecblade as vb

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import files

D = 256


def readers(folder):
    """What reads all rows of each format, by its own library and without keeping them."""

    def npy():
        with open(folder / "x.npy", "rb", buffering=0) as file:
            block = bytearray(32 << 20)
            while file.readinto(block):
                pass

    def parquet():
        import pyarrow.parquet as library

        with library.ParquetFile(folder / "x.parquet", buffer_size=1 << 20, pre_buffer=False) as file:
            for _ in file.iter_batches(8192, columns=["vector"], use_threads=False):
                pass

    def hdf5():
        import h5py

        with h5py.File(folder / "x.h5") as file:
            for start in range(0, len(file["train"]), 32768):
                file["train"][start : start + 32768]

    def zarr():
        import zarr as library

        data = library.open(folder / "x.zarr", mode="r")
        for start in range(0, data.shape[0], 32768):
            data[start : start + 32768]

    return {"npy": npy, "parquet": parquet, "hdf5": hdf5, "zarr": zarr}


def write(folder, rows):
    import h5py
    import pyarrow.parquet
    import zarr

    np.save(folder / "x.npy", rows)
    made = files.table(rows)
    how = {"row_group_size": 1 << 20, "compression": "none", "use_dictionary": False}
    pyarrow.parquet.write_table(made, folder / "x.parquet", **how)
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("train", data=rows, chunks=(4096, D))
    zarr.create_array(folder / "x.zarr", data=rows, chunks=(8192, D), compressors=None)


def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon"))


def measured(call):
    """(result, seconds, most anonymous bytes beside those before)."""
    before, most, ended = anonymous(), [0], threading.Event()

    def watch():
        while not ended.wait(0.005):
            most[0] = max(most[0], anonymous() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    ended.set()
    watcher.join()
    return result, seconds, most[0]


def forget(path):
    """Have the system drop the pages of a file, or of a folder of files."""
    for file in [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]:
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--megabytes", type=int, default=256, help="of rows (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 1000])
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = rng.standard_normal(((arguments.megabytes << 20) // (4 * D), D), dtype=np.float32)
    queries = rng.standard_normal((max(arguments.queries), D), dtype=np.float32)
    print(f"{len(rows)} x {D} float32, {arguments.threads} threads")
    print(
        f"{'format':8} {'queries':>7} {'cache':5} {'read':>7} {'memory':>7} {'file':>7} {'ratio':>6} {'MiB':>5}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, rows)
        for n in arguments.queries:
            how = {"k": 10, "threads": arguments.threads}
            wanted, in_memory, _ = measured(lambda q=queries[:n], how=how: vb.topk(q, rows, **how))
            for form, read in readers(folder).items():
                path = next(folder.glob(f"x.{form[0] if form == 'hdf5' else form}*"))
                for cache in ("cold", "warm"):
                    if cache == "cold":
                        forget(path)
                    _, reading, _ = measured(read)
                    if cache == "cold":
                        forget(path)
                    found, seconds, most = measured(
                        lambda q=queries[:n], p=path, how=how: vb.topk(q, vb.open(p), **how)
                    )
                    assert all((a == b).all() for a, b in zip(found, wanted, strict=True)), form
                    least = max(reading, in_memory) if arguments.threads > 1 else reading + in_memory
                    print(
                        f"{form:8} {n:7} {cache:5} {reading:7.3f} {in_memory:7.3f} {seconds:7.3f} "
                        f"{seconds / least:6.2f} {most >> 20:5}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
