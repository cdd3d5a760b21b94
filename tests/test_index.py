"""
`FlatIndex` as a container: what it holds, how it changes, and how it is kept. What it finds: test_certified.py.

Over 500 lines: one class, whose tests share their rows.
"""

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from conftest import DTYPES, METRICS, many_rows, same_bits

import vecblade as vb
from vecblade._sources import file as _file


def gaussian(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def same_results(index, X, queries=None, k=10):
    """The index holds X: it finds what `topk` finds in that, whatever has been done to it."""
    queries = X[:9] if queries is None else queries
    assert len(index) == len(X)
    assert same_bits(index.vectors, X)
    for q in (queries, queries[0]) if len(queries) else (queries,):
        found, wanted = index.search(q, k), vb.topk(q, X, k, index.metric)
        assert same_bits(found.indices, wanted.indices)
        assert same_bits(found.values, wanted.values)
    threshold = 0.5
    found = index.within(queries, threshold)
    for part, wanted in zip(found, vb.within(queries, X, threshold, index.metric), strict=True):
        assert same_bits(part, wanted)
    return True


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_an_index_of_its_rows(metric, dtype):
    X = gaussian(0, 1500, 20, dtype=dtype)
    index = vb.FlatIndex(X, metric)
    assert index.metric == metric
    assert index.vectors.shape == X.shape
    assert index.vectors.ctypes.data % 64 == 0, "where vectors of the CPU are loaded from whole lines"
    assert not index.vectors.flags.writeable
    assert repr(index) == f"FlatIndex(1500 x 20 {np.dtype(dtype)}, metric='{metric}')"
    assert same_results(index, X)


def test_memory():
    """Codes are a quarter of the bytes of float32 rows, and a tenth of that for scales and lengths."""
    X = gaussian(0, 32_000, 128)
    assert 1.25 * X.nbytes <= vb.FlatIndex(X).nbytes <= 1.28 * X.nbytes
    assert vb.FlatIndex(X[:, :4]).nbytes == X[:, :4].nbytes, "rows that are too short for codes"


@pytest.mark.parametrize(
    "corpus",
    [
        gaussian(0, 1500, 20)[::2],
        gaussian(0, 1500, 40)[:, 5:33],
        np.asfortranarray(gaussian(0, 1500, 20)),
        gaussian(0, 1500, 20).astype(np.float16),
        np.random.default_rng(0).integers(-100, 100, (1500, 20)).astype(np.int8),
        gaussian(0, 1500, 20, dtype=np.float64).astype(">f8"),
        gaussian(0, 1500, 3),
        gaussian(0, 10, 20),
        gaussian(0, 0, 20),
        gaussian(0, 5, 0),
        [[1.0, 2.0], [3.0, 4.0]],
    ],
    ids=[
        "rows",
        "columns",
        "fortran",
        "float16",
        "int8",
        "swapped",
        "short",
        "few",
        "none",
        "no numbers",
        "list",
    ],
)
def test_any_corpus(corpus):
    index = vb.FlatIndex(corpus, "cosine")
    array = np.asarray(corpus)
    working = array.astype(array.dtype.newbyteorder("="))
    assert same_results(index, working)
    more = index.add(working[:3])
    assert same_results(index, np.concatenate([working, working[:3]]))
    assert list(more) == list(range(len(working), len(index)))


# ---- changing ---------------------------------------------------------------------------------


def test_adding_and_removing_at_random():
    random = np.random.default_rng(0)
    X = gaussian(0, 1200, 17)
    index = vb.FlatIndex(X, "sqeuclidean")
    before = X.copy()
    for step in range(60):
        if random.random() < 0.6:
            more = gaussian(step, int(random.choice([0, 1, 5, 31, 32, 33, 300])), 17) + step % 7
            assert index.add(more) == range(len(X), len(X) + len(more))
            X = np.concatenate([X, more])
        elif step % 2:
            gone = random.integers(0, len(X), int(random.choice([0, 1, 10, 200])))
            assert index.remove(gone) == len(np.unique(gone))
            X = np.delete(X, gone, axis=0)
        else:
            mask = random.random(len(X)) < 0.1
            assert index.remove(mask) == mask.sum()
            X = X[~mask]
        assert same_results(index, X, queries=gaussian(step, 9, 17) + step % 7)
    assert same_bits(vb.topk(before, before, 1).indices[:, 0], np.arange(1200)), (
        "the caller's array is as it was"
    )


def test_the_callers_array_is_not_written_to():
    X = gaussian(0, 1300, 12)
    kept = X.copy()
    for change in (
        lambda i: i.add(X[:50]),
        lambda i: i.remove([0, 1, 2]),
        lambda i: i.remove(np.arange(1300)),
    ):
        index = vb.FlatIndex(X)
        change(index)
        assert same_bits(X, kept)
        assert not np.shares_memory(index.vectors, X)
    assert len(index) == 0
    assert index.add(X) == range(1300)
    assert same_results(index, X)


def test_adding_its_own_rows():
    X = gaussian(0, 1100, 9)
    index = vb.FlatIndex(X)
    for _ in range(3):
        index.add(index.vectors)
    assert same_results(index, np.tile(X, (8, 1)))


def test_one_row_at_a_time():
    index = vb.FlatIndex(np.empty((0, 8), np.float32))
    X = gaussian(0, 1300, 8)
    for row in X:
        index.add(row)
    assert same_results(index, X)


def test_where_leaves_out_whole_panels(isa):
    """Rows come in panels of 32 with their codes: those of which no row may be found are passed over."""
    X = gaussian(0, 4000, 16)
    index = vb.FlatIndex(X)
    mask = np.arange(4000) // 100 % 2 == 0
    for where in (mask, np.flatnonzero(mask)):
        assert vb.explain(X[:3], index, 5, where=where).plan == "codes"
        found, wanted = index.search(X[:12], 5, where=where), vb.topk(X[:12], X[mask], 5)
        assert same_bits(found.indices, np.flatnonzero(mask)[wanted.indices])
        assert same_bits(found.values, wanted.values)


def test_stats():
    X = gaussian(0, 5000, 16)
    index = vb.FlatIndex(X)
    assert index.stats == ("rows", 0, 0, 0)
    index.search(X[:3], 5)
    once = index.stats
    assert once[:3] == ("codes", 15_000, 15_000)
    index.within(X[:1], 0.1)
    assert index.stats[:3] == ("codes", 20_000, 20_000)
    index.search(X[:2], 5, where=[1, 2, 3])
    assert index.stats[:3] == ("rows", 20_006, 20_000)
    assert index.stats.rescored >= once.rescored + 6


def test_progress():
    X = many_rows(4_000_000, 64)
    building, searching = [], []
    index = vb.FlatIndex(
        X, "dot", threads=1, progress=lambda done, total: building.append(done / total), copy=False
    )
    index.search(X[:400], 5, threads=1, progress=lambda done, total: searching.append(done / total))
    for told in (building, searching):
        assert told
        assert all(0 < share <= 1 for share in told)
        assert told == sorted(told)


def test_building_can_be_stopped():
    X = np.broadcast_to(np.ones(256, np.float32), (1 << 22, 256))

    def stop(done, total):
        raise InterruptedError(f"{done / total:.0%}")

    for threads in (1, 2):
        with pytest.raises(InterruptedError, match=r"^\d+%$") as caught:
            vb.FlatIndex(X, threads=threads, progress=stop, copy=False)
        assert int(str(caught.value)[:-1]) < 100


# ---- bad input --------------------------------------------------------------------------------


def test_refusals():
    X = gaussian(0, 20, 6)
    index = vb.FlatIndex(X, "euclidean")
    for call, error, message in (
        (
            lambda: vb.FlatIndex(X, "manhattan"),
            ValueError,
            "unknown metric 'manhattan'; there is no L1 distance. Known: ",
        ),
        (lambda: vb.FlatIndex(X[0]), ValueError, r"corpus: expected shape \(m, d\), got \(6,\)"),
        (lambda: vb.FlatIndex("no"), TypeError, "corpus"),
        (lambda: vb.FlatIndex(X, threads=0), ValueError, "threads must be at least 1"),
        (lambda: index.search(X, 0), ValueError, "k must be at least 1"),
        (
            lambda: index.search(X[:, :3], 2),
            ValueError,
            "queries have 3 columns, the index 6",
        ),
        (lambda: index.search(X, 2, where=[20]), ValueError, "where has row ids from 20 to 20"),
        (lambda: index.within(X, -1.0), ValueError, "threshold must not be negative"),
        (lambda: index.add(X[:, :3]), ValueError, "rows have 3 columns, the index 6"),
        (
            lambda: index.add(X[None]),
            ValueError,
            r"rows: expected shape \(d,\) or \(n, d\), got \(1, 20, 6\)",
        ),
        (
            lambda: index.add(X + np.float64(0.1)),
            TypeError,
            r"rows has dtype float64 and numbers that float32, .* would change; .*astype\(np\.float32\)",
        ),
        (lambda: index.add("no"), TypeError, "rows"),
        (
            lambda: index.remove([20]),
            ValueError,
            r"where has row ids from 20 to 20; the corpus has rows 0 to 19",
        ),
        (lambda: index.remove(np.ones(3, bool)), ValueError, r"where is a mask of shape \(3,\)"),
        (lambda: index.remove([0.5]), TypeError, "where has dtype float64"),
        (lambda: index.remove(None), TypeError, "where is None; expected a boolean mask or row ids"),
        (lambda: index.search(X, 2, where=[[1], [2, 3]]), TypeError, "where is neither a boolean mask"),
        (
            lambda: vb.FlatIndex(X[:0]).search(X, 2, where=[0]),
            ValueError,
            "from 0 to 0; the corpus has no rows",
        ),
        (lambda: index.within(X, "0.5"), TypeError, "threshold must be a number, not '0.5'"),
        (lambda: index.within(X, True), TypeError, "threshold must be a number, not True"),
        (lambda: index.within(X, 10**400), ValueError, "threshold must be finite"),
    ):
        with pytest.raises(error, match=message):
            call()
    assert same_results(index, X)


# ---- keeping ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1500, 20), (0, 20), (5, 3), (1, 1), (40, 0), (2000, 129)])
def test_save_and_load(tmp_path, dtype, shape):
    X = gaussian(0, *shape, dtype=dtype)
    path = tmp_path / "an index.vb"
    vb.FlatIndex(X, "cosine").save(path)
    assert os.listdir(tmp_path) == ["an index.vb"], "nothing else is left"
    for options in ({}, {"mmap": False}, {"verify": True}, {"mmap": False, "verify": True}):
        index = vb.FlatIndex.load(path, **options)
        assert index.metric == "cosine"
        assert same_results(index, X)
        assert index.nbytes == vb.FlatIndex(X, "cosine").nbytes
    index.add(X)
    assert same_results(index, np.concatenate([X, X]))


def test_a_loaded_index_can_change_and_replace_its_own_file(tmp_path):
    X, path = gaussian(0, 1400, 20), str(tmp_path / "index")
    vb.FlatIndex(X).save(path)
    index, other = vb.FlatIndex.load(path), vb.FlatIndex.load(path)
    index.remove(np.arange(100))
    index.add(X[:50])
    if sys.platform != "win32":  # where a mapped file cannot be replaced
        index.save(path)
        assert same_results(vb.FlatIndex.load(path, verify=True), np.concatenate([X[100:], X[:50]]))
    assert same_results(other, X)


def test_an_index_changed_is_saved_whole(tmp_path):
    X = gaussian(0, 3000, 20)
    index = vb.FlatIndex(X[:1100], "dot")
    index.add(X[1100:2000])
    index.remove(np.arange(5))
    index.save(tmp_path / "index")
    assert same_results(vb.FlatIndex.load(tmp_path / "index", verify=True), X[5:2000])


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "index"
    X = gaussian(0, 1200, 20)
    vb.FlatIndex(X).save(path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        vb.FlatIndex(X[:5]).save(path)
    assert os.listdir(tmp_path) == ["index"]
    assert same_results(vb.FlatIndex.load(path), X)
    with pytest.raises(FileNotFoundError):
        vb.FlatIndex(X).save(tmp_path / "no such folder" / "index")


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "index"
    vb.FlatIndex(gaussian(0, 1100, 20)).save(path)
    whole = path.read_bytes()

    def refused(data, reason, **options):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=reason) as caught:
            vb.FlatIndex.load(path, **options)
        assert str(path) in str(caught.value)

    for data in (b"", b"no", bytes(5000), b"\x93NUMPY" + whole, whole[1:]):
        refused(data, "does not begin with the magic bytes of one")
    refused(whole[:100], "truncated, at 100 bytes")
    for cut in (4096, 5000, len(whole) - 1):
        refused(whole[:cut], f"truncated: {cut} bytes, where the header says {len(whole)}")
    refused(whole + b"x", "longer than it should be")
    refused(whole[:8] + b"\x02" + whole[9:], "version 2, and this vecblade reads up to 1: update it")
    for place in (12, 24, 32, 40, 72, 88, 1000, 4093):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        refused(bytes(damaged), "header does not match its checksum")
    for place in (4096, 50_000, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        refused(bytes(damaged), "contents do not match their checksum", verify=True)
    with pytest.raises(FileNotFoundError):
        vb.FlatIndex.load(tmp_path / "nothing")


def test_headers_that_lie_are_refused(tmp_path):
    """With a right checksum too: what they say would have the core read outside of the file."""
    import struct
    import zlib

    path = tmp_path / "index"
    vb.FlatIndex(gaussian(0, 1100, 20)).save(path)
    whole = bytearray(path.read_bytes())
    for place, form, values in (
        (8, "<I", (0,)),
        (12, "<4s", (b"f64", b"f16", b"")),
        (24, "<Q", (0, 1099, 1101, 2**59, 2**63, 2**64 - 1)),
        (32, "<Q", (0, 19, 21, 2**40, 2**64 - 1)),
        (40, "<Q", (0, 4095, 4160, 2**63)),
        (48, "<Q", (0, 64, 2**63)),
        (56, "<Q", (0, 64, 2**63)),
        (72, "<Q", (0, 4096, 2**63)),
        (88, "<32s", (b"", b"manhattan", b"\xff" * 32)),
    ):
        for value in values:
            damaged = bytearray(whole)
            struct.pack_into(form, damaged, place, value)
            struct.pack_into("<I", damaged, 4092, zlib.crc32(damaged[:4092]))
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match="is inconsistent"):
                vb.FlatIndex.load(path)


def test_pickling_and_copying():
    X = gaussian(0, 1300, 20)
    index = vb.FlatIndex(X, "cosine")
    index.add(X[:10])
    for other in (pickle.loads(pickle.dumps(index)), copy.copy(index), copy.deepcopy(index)):
        assert same_results(other, np.concatenate([X, X[:10]]))
        other.add(X[:200])
        other.remove([0])
        assert same_results(other, np.concatenate([X, X[:10], X[:200]])[1:])
    assert same_results(index, np.concatenate([X, X[:10]]))


class Named(vb.FlatIndex):
    def __init__(self, X, names):
        super().__init__(X)
        self.names = names


def test_a_pickle_is_of_the_moment_and_of_all():
    X = gaussian(0, 3000, 16)
    index, buffers = Named(X.copy(), ["a"]), []
    data = pickle.dumps(index, 5, buffer_callback=buffers.append)
    index.remove(np.arange(1500))
    other = pickle.loads(data, buffers=[bytes(part) for part in buffers])
    assert same_results(other, X)
    assert other.names == ["a"]
    for rows in (X[:0], X[:3]):  # its rows are in memory that cannot be written
        other.add(rows)
    assert same_results(other, np.concatenate([X, X[:3]]))


def test_adding_numbers_of_a_wider_type():
    index = vb.FlatIndex(gaussian(0, 5, 2))
    index.add([[1.0, 2.0], [np.nan, np.inf]])
    index.add([3, 4])
    assert same_bits(index.vectors[5:], np.array([[1, 2], [np.nan, np.inf], [3, 4]], np.float32))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_saving_over_a_file(tmp_path):
    X = gaussian(0, 40, 8)
    path, link = tmp_path / ("n" * 250), tmp_path / "link"
    path.write_bytes(b"")
    path.chmod(0o600)
    link.symlink_to(path)
    vb.FlatIndex(X).save(os.fsencode(link))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert same_results(vb.FlatIndex.load(os.fsencode(path)), X)
    assert sorted(os.listdir(tmp_path)) == ["link", path.name]


def test_a_file_has_no_other_bytes_of_the_process(tmp_path):
    for rows in (0, 3):
        junk = np.full(1 << 20, 255, np.uint8)
        del junk
        vb.FlatIndex(np.zeros((rows, 1024), np.float32)).save(tmp_path / "index")
        data = np.frombuffer((tmp_path / "index").read_bytes(), np.uint8)[4096:]
        assert set(np.unique(data)) <= {0, 128, 63, 6}, (
            "zeros, their codes, units of 1.0, and which rows repeat others"
        )


# ---- sharing ----------------------------------------------------------------------------------


def _search(index, queries):
    return index.search(queries, 5)


def test_other_processes(tmp_path):
    X = gaussian(0, 1300, 20)
    index = vb.FlatIndex(X)
    wanted = vb.topk(X[:9], X, 5)
    index.save(tmp_path / "index")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for source in (index, vb.FlatIndex.load(tmp_path / "index")):
            found = pool.submit(_search, source, X[:9]).result()
            assert same_bits(found.indices, wanted.indices)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_fork():
    code = """
import os, threading, numpy as np, vecblade as vb
X = np.random.default_rng(0).standard_normal((1300, 20))
index = vb.FlatIndex(X)
inside, leave = threading.Event(), threading.Event()
def searching():
    with index._gate.reading():
        inside.set()
        leave.wait()
thread = threading.Thread(target=searching)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    index.add(X[:1])  # the search that it would wait for is not here
    os._exit(0 if index.search(X[0], 2).indices.tolist() == [0, 1300] else 1)
leave.set()
thread.join()
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60)
    assert done.returncode == 0


def test_many_threads_search_while_one_changes():
    """Each search sees the index as it is before or after a change."""
    X = gaussian(0, 4000, 16)
    index = vb.FlatIndex(X[:2000])
    queries = X[:4]
    allowed = {vb.topk(queries, X[:n], 7).indices.tobytes() for n in range(2000, 4001, 100)}
    problems, stop = [], threading.Event()

    def searching():
        while not stop.is_set():
            found = index.search(queries, 7, threads=1)
            if found.indices.tobytes() not in allowed:
                problems.append(found)

    threads = [threading.Thread(target=searching) for _ in range(4)]
    for thread in threads:
        thread.start()
    for start in range(2000, 4000, 100):
        index.add(X[start : start + 100], threads=2)
    for start in range(4000, 3000, -100):
        index.remove(np.arange(start - 100, start))
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert same_results(index, X[:3000])


def test_a_change_during_its_own_search_is_refused():
    X = many_rows(1_500_000, 64)
    index = vb.FlatIndex(X, copy=False)
    with pytest.raises(RuntimeError, match="cannot change a FlatIndex from inside its own search"):
        index.search(X[:400], 5, progress=lambda done, total: index.add(X[:1]), threads=1)
    # Another search is nothing to refuse, even while a change waits for both.
    found, adding = [], threading.Thread(target=index.add, args=(X[:1],))

    def search_too(done, total):
        if not found:
            adding.start()
            while not index._gate.waiting:
                pass
            found.append(index.search(X[0], 1).indices.tolist())

    index.search(X[:400], 5, progress=search_too, threads=1)
    adding.join()
    assert found == [[0]]
    assert len(index) == len(X) + 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_a_search_while_its_thread_waits_to_change():
    """In a signal handler: it must not wait for the change, which waits for it."""
    index, found, begun, release = vb.FlatIndex(gaussian(0, 50, 8)), [], threading.Event(), threading.Event()

    def read():
        with index._gate.reading():
            begun.set()
            release.wait(20)

    def search(number, frame):
        found.append(index.search(gaussian(0, 50, 8)[7], 1).indices.tolist())
        release.set()

    reader, before = threading.Thread(target=read), signal.signal(signal.SIGALRM, search)
    reader.start()
    try:
        assert begun.wait(20)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert index.add(gaussian(1, 2, 8)) == range(50, 52)
    finally:
        signal.signal(signal.SIGALRM, before)
        reader.join()
    assert found == [[7]]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a destructor, by chance
def test_interruptions_anywhere_leave_the_gate_open():
    class Stop(Exception):
        pass

    def stop(number, frame):
        raise Stop

    index = vb.FlatIndex(gaussian(0, 50, 8))
    # Kept, as a prompt keeps the last one: with it the frames, and all that they refer to.
    random, before, stopped = np.random.default_rng(0), signal.signal(signal.SIGALRM, stop), []
    try:
        for _ in range(1000):
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 4e-4))
                for _ in range(3000):
                    index.search(index.vectors[0], 1)
                    index.remove([])
            except Stop as error:
                stopped.append(error)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(stopped) > 300
    assert index.remove([0]) == 1
    assert same_results(index, gaussian(0, 50, 8)[1:])


def test_an_interrupted_change_leaves_the_index_as_it_was(monkeypatch):
    from vecblade import _threads

    X = gaussian(0, 1500, 16)
    index = vb.FlatIndex(X[:1300])
    index.add(X[1300:1301])
    run = _threads.run

    def interrupted(job, threads, progress=None):
        raise KeyboardInterrupt

    for change in (
        lambda: index.add(X[1301:1303]),  # into room that there is
        lambda: index.add(X[1301:]),
        lambda: index.add(np.tile(X, (2, 1))),  # elsewhere
        lambda: index.remove([3]),
        lambda: index.remove(np.arange(1290, 1301)),
        lambda: vb.FlatIndex(X),
    ):
        monkeypatch.setattr(_threads, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            change()
        monkeypatch.setattr(_threads, "run", run)
        assert vb.explain(X[:1], index, 3).plan == "codes"
        assert same_results(index, X[:1301])
    assert same_results(pickle.loads(pickle.dumps(index)), X[:1301])
    index.add(X[1301:])
    assert same_results(index, X)
