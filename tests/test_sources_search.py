"""Searches over what is read in blocks: one search that keeps its k best, a reader that ends, little memory."""

import _thread
import math
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from files import parquet, rows_for, table

import vecblade as vb
from vecblade import _core
from vecblade._search import engine
from vecblade._sources import ahead as reading
from vecblade._sources import base


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "vecblade-read-ahead"]


@pytest.fixture(autouse=True)
def no_reader_is_left():
    yield
    assert readers() == []


def blocks_of(rows, size):
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def gaussian(seed, *shape, dtype="f4"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


# ---- one search over all blocks ------------------------------------------------------------------


@pytest.mark.parametrize("plan", ["codes", "sieve", "rows"])
@pytest.mark.parametrize("threads", [1, 3])
def test_parts_are_one_search(isa, plan, threads):
    """Of any size, in any order of what is found: ties rank by row, NaN is last."""
    rng = np.random.default_rng(0)
    rows = rng.integers(-2, 3, (9000, 8)).astype("f4")  # with many ties
    rows[rng.integers(0, 9000, 400)] = np.nan
    rows[5000:5200] = rows[:200]
    queries = rows[~np.isnan(rows[:, 0])][:40]
    _core.use_plan(plan)
    try:
        for metric in ("euclidean", "cosine", "dot"):
            for k in (1, 30, 9000):
                wanted = vb.topk(queries, rows, k, metric, threads=threads)
                for size in (1, 700, 4500) if k == 30 and plan == "codes" else (2300,):
                    some = rows[:900] if size == 1 else rows
                    reference = wanted if some is rows else vb.topk(queries, some, k, metric)
                    parts = vb.open(iter(blocks_of(some, size)))
                    same(vb.topk(queries, parts, k, metric, threads=threads), reference)
    finally:
        _core.use_plan("codes")


def test_near_duplicates_in_parts():
    """Rows of clusters that differ in the last digits, and whose similarities round to few float32."""
    rng = np.random.default_rng(1)
    centers = rng.standard_normal((50, 32))
    for spread in (1e-2, 1e-4):
        rows = (centers[rng.integers(0, 50, 20_000)] + spread * rng.standard_normal((20_000, 32))).astype(
            "f4"
        )
        for metric in ("cosine_similarity", "cosine", "euclidean"):
            wanted = vb.topk(rows[:100], rows, 20, metric)
            same(vb.topk(rows[:100], vb.open(iter(blocks_of(rows, 1000))), 20, metric), wanted)


def test_the_bar_stays():
    """Pairs that are measured by their elements, in 30 parts: hardly more than in one."""
    rows, queries = gaussian(2, 60_000, 32), gaussian(3, 100, 32)
    alone = vb.explain(queries, rows, 10)
    parts = vb.explain(queries, vb.open(iter(blocks_of(rows, 2000))), 10)
    assert parts.plan == alone.plan == "sieve"
    assert parts.pairs == alone.pairs == 6_000_000
    assert parts.rescored < 1.5 * alone.rescored
    apart = sum(vb.explain(queries, some, 10).rescored for some in blocks_of(rows, 2000))
    assert apart > 3 * parts.rescored


def test_corpora_that_are_converted_are_one_search():
    rows, queries = gaussian(4, 40_000, 40), gaussian(5, 64, 40)
    for other in (np.asfortranarray(rows), rows.astype(">f4"), np.rint(rows * 50).astype("i2")):
        told, alone = (
            vb.explain(queries, other, 10),
            vb.explain(queries, np.array(other, "f8" if other.dtype.kind == "i" else "f4"), 10),
        )
        assert told.rescored < 1.5 * alone.rescored
        same(vb.topk(queries, other, 10), vb.topk(queries, np.ascontiguousarray(other), 10))


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i1", "u1"])
def test_types_and_metrics(isa, dtype):
    rng = np.random.default_rng(6)
    rows = (rng.standard_normal((900, 40)) * 30).astype(dtype)
    metrics = ("dot", "sqeuclidean", "cosine_similarity") + (("hamming", "jaccard") if dtype == "u1" else ())
    for metric in metrics:
        parts = [vb.open(iter(blocks_of(rows, 250))) for _ in range(3)]
        wanted = vb.topk(rows[:33], rows, 5, metric)
        same(vb.topk(rows[:33], parts[0], 5, metric), wanted)
        threshold = float(wanted.values[:, 3].mean())
        same(vb.within(rows[:33], parts[1], threshold, metric), vb.within(rows[:33], rows, threshold, metric))
        same(vb.topk(parts[2], rows, 5, metric), vb.topk(rows, rows, 5, metric))


def test_eligible_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "BLOCK", 500 * 16 * 4)
    rows = gaussian(7, 5000, 16)
    np.save(tmp_path / "x.npy", rows)
    source = vb.open(tmp_path / "x.npy")
    rng = np.random.default_rng(8)
    for where in (
        rng.random(5000) < 0.3,
        rng.random(5000) < 0.001,
        np.array([4999, 3, 77]),
        np.zeros(5000, bool),
    ):
        same(vb.topk(rows[:20], source, 9, where=where), vb.topk(rows[:20], rows, 9, where=where))
        same(vb.within(rows[:20], source, 4.0, where=where), vb.within(rows[:20], rows, 4.0, where=where))
    with pytest.raises(ValueError, match=r"where is a mask of shape \(3,\); expected \(5000,\)"):
        vb.topk(rows[:20], source, 9, where=[True, False, True])


# ---- passes --------------------------------------------------------------------------------------


def test_many_queries_go_in_passes(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "PASS", 0)  # then 256 queries share one
    rows, queries = gaussian(9, 2000, 16), gaussian(10, 700, 16)
    np.save(tmp_path / "x.npy", rows)
    np.save(tmp_path / "q.npy", queries)
    wanted = vb.topk(queries, rows, 5)
    for q in (queries, tmp_path / "q.npy", vb.open(iter(blocks_of(queries, 333)))):
        same(vb.topk(q, tmp_path / "x.npy", 5), wanted)
    same(vb.within(tmp_path / "q.npy", tmp_path / "x.npy", 4.0), vb.within(queries, rows, 4.0))
    assert vb.explain(queries, tmp_path / "x.npy", 5).passes == 3
    assert vb.explain(queries, tmp_path / "x.npy", threshold=4.0).passes == 3
    assert vb.explain(queries, rows, 5).passes == vb.explain(queries, vb.FlatIndex(rows), 5).passes == 1
    taken = []
    once = vb.open(taken.append(0) or block for block in blocks_of(rows, 500))
    with pytest.raises(
        ValueError, match=r"read only once, and 700 queries need 3 passes over it; search for at most 256"
    ):
        vb.topk(queries, once, 5)
    assert len(taken) == 1  # to know what rows there are


def test_progress(tmp_path, monkeypatch):
    """After each block, if it was not called for some time."""
    monkeypatch.setattr(base, "BLOCK", 400 * 64 * 4)
    rows, seen, total = gaussian(11, 6000, 64), [], 64.0 * 6000 * 64
    np.save(tmp_path / "x.npy", rows)

    def search(corpus, progress):
        vb.topk(rows[:64], corpus, 5, progress=progress, threads=1)

    search(tmp_path / "x.npy", lambda *told: seen.append(told))
    assert len(seen) < 3
    monkeypatch.setattr(base, "MAPPED", 1)
    seen.clear()
    monkeypatch.setattr(engine, "PAUSE", 0.0)
    for corpus, all_ in ((tmp_path / "x.npy", total), (vb.open(iter(blocks_of(rows, 400))), math.inf)):
        search(corpus, lambda *told: seen.append(told))
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert seen[-1] == (total, all_)
        assert len(seen) > 5
        seen.clear()
    with pytest.raises(ZeroDivisionError):
        search(tmp_path / "x.npy", lambda done, total: 1 / 0)


# ---- the thread that reads ahead -------------------------------------------------------------------


def test_items_are_made_ahead_but_not_many():
    made = []

    def make():
        for i in range(10):
            made.append(i)
            yield i

    items = reading.ahead(make)
    assert next(items) == 0
    deadline = time.monotonic() + 5
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert made == [0, 1, 2]
    assert list(items) == list(range(1, 10))


def test_errors_come_where_the_item_would_have():
    def make():
        yield 1
        yield 2
        raise OSError("no more")

    items = reading.ahead(make)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="no more"):
        next(items)
    assert readers() == []


def test_what_was_not_wanted_is_closed():
    closed = []

    def make():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread().name)

    items = reading.ahead(make)
    next(items)
    items.close()
    assert closed == ["vecblade-read-ahead"]
    assert readers() == []
    del items


def test_without_threads(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert list(reading.ahead(lambda: iter(range(5)))) == list(range(5))


def test_an_interruption_ends_the_reader():
    rows = gaussian(12, 1000, 8)

    def blocks():
        yield rows
        _thread.interrupt_main()
        while True:
            yield rows

    with pytest.raises(KeyboardInterrupt):
        vb.topk(rows[:2], vb.open(blocks()), 3)
    assert readers() == []


def test_an_interruption_while_the_search_waits_for_the_reader():
    rows = gaussian(12, 1000, 8)

    def blocks():
        yield rows
        time.sleep(0.05)
        _thread.interrupt_main()
        time.sleep(0.05)
        yield rows

    with pytest.raises(KeyboardInterrupt):
        vb.topk(rows[:2], vb.open(blocks()), 3)


def test_several_searches_at_once(tmp_path):
    """Of one source: each has a reader of its own."""
    rows = gaussian(13, 4000, 16)
    parquet(tmp_path / "x.parquet", rows)
    source, found = vb.open(tmp_path / "x.parquet"), []
    wanted = vb.topk(rows[:50], rows, 4)
    threads = [threading.Thread(target=lambda: found.append(vb.topk(rows[:50], source, 4))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for one in found:
        same(one, wanted)


# ---- memory ----------------------------------------------------------------------------------------

PEAK = """
import sys, threading
import numpy as np
import vecblade as vb
from vecblade._sources import base

base.BLOCK = 4 << 20

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon"))

def watch():
    global most
    while not ended.wait(0.001):
        most = max(most, anonymous())

for path in sys.argv[1:]:
    queries = np.ones((30, 256), "f4")
    vb.topk(queries, vb.open(path)[:64], 10)  # what is imported
    before, most, ended = anonymous(), 0, threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    vb.topk(queries, vb.open(path), 10)
    ended.set()
    watcher.join()
    print(max(0, most - before) >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_little_memory(tmp_path):
    """Of files of 80 MB with blocks of 4 MiB: a few blocks, whatever the size of a row group."""
    arrow, h5py = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("h5py")
    rows = np.tile(gaussian(14, 1000, 256), (80, 1))
    how = {"compression": "none", "use_dictionary": False}
    arrow.write_table(table(rows), tmp_path / "x.parquet", row_group_size=1 << 20, **how)
    np.save(tmp_path / "x.npy", rows)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("train", data=rows, chunks=(1000, 256))
    names = [str(tmp_path / name) for name in ("x.npy", "x.h5", "x.parquet")]
    done = subprocess.run([sys.executable, "-c", PEAK, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    mapped, chunks, batches = map(int, done.stdout.split())
    assert mapped < 20
    assert chunks < 40
    assert batches < 64


def test_rows_of_a_source_are_not_converted_at_once(tmp_path):
    rows = rows_for("npy")
    np.save(tmp_path / "x.npy", rows)
    with pytest.raises(TypeError, match=r"^queries .*but a path"):
        vb.topk(str(tmp_path / "x.npy"), rows, 1)
    with pytest.raises(ValueError, match=r"queries have 3 columns, the corpus 24"):
        vb.topk([1.0, 2.0, 3.0], tmp_path / "x.npy", 1)
