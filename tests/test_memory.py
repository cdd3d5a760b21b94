"""
Memory at the public functions: MemoryError where the core gets none, everything usable afterwards, nothing kept.

The processes that this starts run this file, with an allocator before that of the C library (tests/c/failing.c)
which counts what the core asks for and refuses what it is told to refuse.
"""

import ctypes
import gc
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from itertools import count

import numpy as np
import pytest
from conftest import METRICS, same_bits
from standalone import ROOT, has_compiler, output

import vecblade as vb
from vecblade import _core, _threads

ml_dtypes = pytest.importorskip("ml_dtypes")

pytestmark = pytest.mark.skipif(
    not has_compiler or not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc",
    reason="needs glibc, LD_PRELOAD and a C compiler called cc",
)


@pytest.fixture(scope="module")
def allocator(tmp_path_factory):
    library = tmp_path_factory.mktemp("failing") / "failing.so"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, ROOT / "tests/c/failing.c", "-o", library], check=True)
    return library


@pytest.mark.parametrize("part", ["failures", "objects", "leaks"])
def test_memory(allocator, part):
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the address sanitizer has an allocator of its own")
    said = output("env", f"LD_PRELOAD={allocator}", sys.executable, __file__, part, str(allocator))
    operations, times = map(int, re.search(r"(\d+) operations, (\d+) times\n", said).groups())
    assert times >= 2 * operations


# ---- in a process of its own ---------------------------------------------------------------


def hook(library):
    """The allocator, which watches the extension module's code."""
    functions = ctypes.CDLL(library)
    functions.failing_watch.argtypes = [ctypes.c_size_t] * 2
    functions.failing_from.argtypes = [ctypes.c_int64] * 2
    functions.failing_asked.restype = functions.failing_held.restype = ctypes.c_int64
    with open("/proc/self/maps") as maps:
        parts = [line.split()[0] for line in maps if _core.__file__ in line and " r-xp " in line]
    low, high = (int(end, 16) for end in parts[0].split("-"))
    functions.failing_watch(low, high)
    return functions


def arrays():
    random = np.random.default_rng(0)
    X = random.standard_normal((9000, 24)).astype(np.float32)
    return X, random.integers(0, 256, (3000, 16), np.uint8)


class Growing:
    """An index that gets rows, and is as it was when that fails."""

    def __init__(self, X):
        self.X, self.index = X, vb.FlatIndex(X)

    def add(self):
        self.index.add(self.X[:40], threads=2)
        self.index.remove(np.arange(len(self.X), len(self.index)), threads=2)
        return self.find()

    def find(self):
        return self.index.search(self.X[:9], 3, threads=2, where=np.arange(len(self.X)))


def operations(X, bits):
    """Calls for which the core allocates: jobs of every kind, by one thread and by two."""
    index, growing = vb.FlatIndex(X), Growing(X[:2000])
    for threads in (1, 2):
        options = {"threads": threads}
        for metric in METRICS:
            yield f"{metric} {threads}", lambda m=metric, o=options: getattr(vb, m)(X[:2, None], X, **o)
            yield (
                f"pairwise {metric} {threads}",
                lambda m=metric, o=options: vb.pairwise(X[:700], metric=m, **o),
            )
        yield f"topk by rows {threads}", lambda o=options: vb.topk(X[:3], X, 5, **o)
        yield f"topk by sieve {threads}", lambda o=options: vb.topk(X[:40], X, 5, "cosine", **o)
        yield f"topk of bits {threads}", lambda o=options: vb.topk(bits[:30], bits, 5, "jaccard", **o)
        yield f"within {threads}", lambda o=options: vb.within(X[:30], X, 3.0, **o)
        yield f"an index {threads}", lambda o=options: vb.FlatIndex(X, **o).search(X[:2], 3, **o)
        yield f"index.search {threads}", lambda o=options: index.search(X[:20], 5, **o)
        yield f"index.within {threads}", lambda o=options: index.within(X[:20], 3.0, **o)
        yield f"normalize {threads}", lambda o=options: vb.normalize(X, **o)
        yield f"astype {threads}", lambda o=options: vb.astype(X, "bfloat16", **o)
    yield "add and remove", growing.add
    yield "rescore", lambda: vb.topk(X[:9], vb.pack_bits(X), 3, "cosine", rescore=X)


def same(a, b):
    parts = (a, b) if isinstance(a, tuple) else ((a,), (b,))
    return all(same_bits(x, y) for x, y in zip(*parts, strict=True))


def freed(allocator):
    """Whether the core holds nothing, as soon as helpers have dropped the job that they ended."""
    gc.collect()
    deadline = time.monotonic() + 20
    while allocator.failing_held() and time.monotonic() < deadline:
        time.sleep(0.001)
    return allocator.failing_held() == 0


def failures(allocator):
    """Allocation 1, 2, 3 of each call fails, alone or with all after it; then the call is made again."""
    _threads.WORK_PER_THREAD = 1000  # so that helpers come, and fail
    made, times = list(operations(*arrays())), 0
    for name, call in made:
        wanted = call()
        for number, width in ((n, w) for n in count(1) for w in (1, 1 << 40)):
            allocator.failing_from(number, width)
            try:
                found, refused = call(), False
            except MemoryError:
                refused = True
            reached = allocator.failing_asked() >= number
            allocator.failing_from(0, 0)
            assert refused == reached, (name, number, width)
            if not refused:
                assert same(found, wanted), name
                break
            times += 1
            assert freed(allocator), (name, number, width)
            assert same(call(), wanted), (name, number, width)
        assert number > 1, (name, "does not allocate")
    return len(made), times


def jobs(X):
    """Jobs of every kind, made and not run."""
    index = vb.FlatIndex(X)
    codes = index._held.codes
    rows, values = np.empty((3, 2), np.int64), np.empty((3, 2))
    yield lambda: _core.measure(0, X[:2, None], X, np.empty((2, len(X)), np.float32))
    yield lambda: _core.pairwise(0, X[:9], X[:9], "full", 1, np.empty((9, 9), np.float32))
    yield lambda: _core.rewrite("unit", X, np.empty_like(X))
    yield lambda: _core.encode(0, X, 0, *codes)
    yield lambda: _core.topk(0, X[:3], X, codes, None, None, len(X), 2, 1, rows, values)
    yield lambda: _core.within(0, X[:3], X, codes, None, None, len(X), 1.0, np.float64, 1)


def objects(allocator):
    """Python has no memory for one object after the other, of those that a job needs: the core's part is freed."""
    try:
        import _testcapi
    except ImportError:  # some distributions leave it out
        return 1, 2
    made, times = list(jobs(arrays()[0])), 0
    for call in made:
        for number in count(1):
            _testcapi.set_nomemory(number, number + 1)
            try:
                call()
                break
            except MemoryError:
                times += 1
            finally:
                _testcapi.remove_mem_hooks()
            assert freed(allocator), (made.index(call), number)
    return len(made), times


def calls(X, bits, folder):
    """Calls of every public function, of those that are refused too."""
    few, q = X[:200], X[0]
    half, path = few.astype(ml_dtypes.bfloat16), os.path.join(folder, "index")
    index = vb.FlatIndex(few)
    index.save(path)

    def refused(call, *args, **options):
        with pytest.raises((ValueError, TypeError)):
            call(*args, **options)

    def stopped():
        def progress(done, total):
            raise InterruptedError

        with pytest.raises(InterruptedError):
            vb.topk(q, np.broadcast_to(q, (1 << 26, len(q))), 1, threads=2, progress=progress)

    def changed():
        other = vb.FlatIndex(few)
        other.add(few)
        other.remove([0, 5])
        other.save(path)
        for mmap in (True, False):
            vb.FlatIndex.load(path, mmap=mmap, verify=True).search(q, 2)

    for metric in METRICS:
        f = getattr(vb, metric)
        yield f"{metric} of two rows", lambda f=f: f(q, X[1])
        yield f"{metric} of many", lambda f=f: f(q, few)
        yield f"{metric} of two types", lambda f=f: f(few.astype(np.float64)[:, None], half[:5])
        yield f"{metric} refused", lambda f=f: refused(f, q, few[:, :3])
    yield "hamming", lambda: vb.hamming(bits[0], bits)
    yield "jaccard", lambda: vb.jaccard(bits[0], bits[1])
    yield "lists", lambda: vb.dot([1.0, 2.0], [[3, 4]])
    yield "out", lambda: vb.dot(q, few, out=np.empty(len(few), np.float32))
    yield "pairwise", lambda: vb.pairwise(few, half)
    yield "pairwise, condensed", lambda: vb.pairwise(few, condensed=True)
    yield "topk", lambda: vb.topk(few, few, 3, where=[1, 2, 3])
    yield "topk in columns", lambda: vb.topk(few[:3], np.asfortranarray(few), 3, where=few[:, 0] > 0)
    yield "topk refused", lambda: refused(vb.topk, few, few, 0)
    yield "topk stopped", stopped
    yield "within", lambda: vb.within(few, few, 4.0)
    yield "explain", lambda: vb.explain(few, index, 2)
    yield "an index", changed
    yield "index.search", lambda: index.search(few, 3)
    yield "an index refused", lambda: refused(index.add, few[:, :2])
    yield "load refused", lambda: refused(vb.FlatIndex.load, __file__)
    yield "normalize", lambda: vb.normalize(half)
    yield "astype", lambda: vb.astype(few, ml_dtypes.bfloat16)
    yield "quantize", lambda: vb.topk(few[:2], vb.quantize(few), 2, "cosine", rescore=few)
    yield "bits", lambda: vb.unpack_bits(vb.pack_bits(few))
    yield "cpu_info", vb.cpu_info
    yield "set_num_threads", lambda: vb.set_num_threads(2)
    yield from columns(few)


def columns(few):
    """Arrow columns and tensors, whose memory is other libraries'."""
    yield "dlpack", lambda: vb.dot(Tensor(few), few[0])
    try:
        import pyarrow as pa
    except ImportError:
        return
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(few.ravel()), few.shape[1])
    for name, column in (("array", fixed), ("lists", fixed.cast(pa.list_(pa.float32()))), ("chunks", pa.chunked_array([fixed] * 2))):  # fmt: skip
        yield f"Arrow {name}", lambda c=column: vb.topk(c, few, 2)
    missing = pa.array([None, few[0].tolist()], pa.list_(pa.float32()))

    def refused():
        with pytest.raises(TypeError, match="missing"):
            vb.dot(missing, few[0])

    yield "Arrow refused", refused


class Tensor:
    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def leaks(allocator):
    """Each call many times: no more memory of Python's, NumPy's or the core's afterwards, and no more open files."""
    warnings.simplefilter("error", ResourceWarning)
    times = 0
    with tempfile.TemporaryDirectory() as folder:
        made = list(calls(*arrays(), folder))
        for name, call in made:
            tracemalloc.start()
            # Caches and free lists fill up at first; what leaks grows in every round.
            for _ in range(8):
                repeats, grown, files = growth(allocator, call)
                times += repeats
                if grown < 1000 + 16 * repeats and files <= 0:  # no object is smaller than that
                    break
            else:
                raise AssertionError(f"{name}: {repeats} calls leave {grown} bytes, {files} open files")
            tracemalloc.stop()
            assert freed(allocator), (name, "the core holds memory")
    return len(made), times


def growth(allocator, call, most=150, seconds=1.0):
    """How often it was called, and by how much bytes that Python and NumPy hold, and open files, grew."""
    call()
    before, end = settled(allocator), time.monotonic() + seconds
    turns = 0
    while turns < most and time.monotonic() < end:
        call()
        turns += 1
    return turns, *(b - a for a, b in zip(before, settled(allocator), strict=True))


def settled(allocator):
    freed(allocator)
    return tracemalloc.get_traced_memory()[0], len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    part = {"failures": failures, "objects": objects, "leaks": leaks}[sys.argv[1]]
    print("{} operations, {} times".format(*part(hook(sys.argv[2]))))
