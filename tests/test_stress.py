"""Everything at once: forks, interruptions, nested pools and changes, while results stay those of one thread."""

import _thread
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import many_rows, same_bits

import vecblade as vb
from vecblade import _threads

X = np.random.default_rng(0).standard_normal((12_000, 48)).astype(np.float32)
BITS = vb.pack_bits(X)
SECONDS = 3.0  # that each of these tests takes


@pytest.fixture(autouse=True)
def helpers_for_little_work(monkeypatch):
    """So that calls of a few milliseconds are shared by threads, many in a second."""
    monkeypatch.setattr(_threads, "WORK_PER_THREAD", 50_000)
    yield
    vb.set_num_threads(None)


def calls(index):
    """Calls of every kind, each of which returns an array or several."""
    return {
        "dot": lambda **o: vb.dot(X[:40, None], X[:3000], **o),
        "pairwise": lambda **o: vb.pairwise(X[:400], metric="cosine", **o),
        "topk by rows": lambda **o: vb.topk(X[:3], X, 7, **o),
        "topk by sieve": lambda **o: vb.topk(X[:40], X, 7, "cosine", **o),
        "topk of bits": lambda **o: vb.topk(BITS[:40], BITS, 7, "hamming", **o),
        "within": lambda **o: vb.within(X[:40], X, 7.5, **o),
        "search": lambda **o: index.search(X[:40], 7, **o),
        "within, index": lambda **o: index.within(X[:40], 7.5, where=np.arange(0, 12_000, 3), **o),
        "normalize": lambda **o: vb.normalize(X, **o),
        "build": lambda **o: vb.FlatIndex(X, **o).search(X[:2], 3, threads=1),
    }


def right(found, wanted):
    parts = (found, wanted) if isinstance(wanted, tuple) else ((found,), (wanted,))
    return all(same_bits(a, b) for a, b in zip(*parts, strict=True))


@pytest.fixture(scope="module")
def expected():
    """The calls, and what one thread finds; some pairs are within the threshold, and not all."""
    index = vb.FlatIndex(X)
    made = calls(index)
    found = {name: call(threads=1) for name, call in made.items()}
    assert 40 < len(found["within"].indices) < 40 * len(X)
    return index, made, found


class Crowd:
    """Threads that repeat what they are given until the end of the block; what went wrong is raised there."""

    def __init__(self, *tasks):
        self.stop, self.problems, self.done = threading.Event(), [], [0] * len(tasks)
        self.threads = [threading.Thread(target=self.work, args=pair) for pair in enumerate(tasks)]

    def work(self, number, task):
        try:
            while not self.stop.is_set():
                task()
                self.done[number] += 1
        except BaseException as error:
            self.problems.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self.threads), "hangs"
        if self.problems:
            raise self.problems[0]
        assert all(self.done), "everyone had a turn"


def checked(name, call, wanted, **options):
    def task():
        assert right(call(**options), wanted), name

    return task


def test_all_calls_at_once_while_the_number_of_threads_changes(expected):
    """An index that is shared, arrays, and other settings for how many threads there are, all the time."""
    _, made, found = expected
    settings = np.random.default_rng(1)

    def change():
        vb.set_num_threads([None, 1, 2, 3, 7][settings.integers(5)])
        time.sleep(0.001)

    tasks = [checked(name, call, found[name]) for name, call in made.items()]
    with Crowd(change, *tasks):
        time.sleep(SECONDS)


def test_pools_in_pools(expected):
    """Tasks of a pool of ours that open pools, whose tasks make calls with more helpers than there are processors."""
    _, made, found = expected

    def inner(name):
        return right(made[name](threads=4), found[name])

    def outer(turn):
        with ThreadPoolExecutor(3) as pool:
            return all(pool.map(inner, sorted(made)[turn % 3 :: 3]))

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(outer, turn) for turn in range(12)]
        assert all(task.result(60) for task in tasks)


def test_helpers_that_are_gone(expected, monkeypatch):
    """An interpreter that gives no more threads, now and then: the caller does the work."""
    _, made, found = expected
    start, turns = _thread.start_new_thread, iter(range(1 << 40))

    def unwilling(*args):
        if next(turns) % 3:
            raise RuntimeError("can't start new thread")
        return start(*args)

    monkeypatch.setattr(_thread, "start_new_thread", unwilling)
    for name, call in made.items():
        monkeypatch.setattr(_threads, "_started", 0)
        assert right(call(threads=4), found[name]), name
    assert next(turns) > 5


def test_an_index_changes_while_arrays_are_searched(expected):
    """Searches of an index see some state of it that there was; those of arrays see nothing of it."""
    _, made, found = expected
    index = vb.FlatIndex(X[:6000], "cosine")
    states = [vb.topk(X[:5], X[:n], 4, "cosine") for n in (6000, 6500, 7000)]

    def change():
        index.add(X[6000:6500])
        index.add(X[6500:7000])
        index.remove(np.arange(6500, 7000))
        index.remove(np.arange(6000, 6500))

    def look():
        seen = index.search(X[:5], 4, threads=2)
        assert any(right(seen, state) for state in states)

    arrays = [
        checked(name, made[name], found[name], threads=2) for name in ("topk by rows", "within", "pairwise")
    ]
    with Crowd(change, look, look, *arrays):
        time.sleep(SECONDS)
    assert right(index.search(X[:5], 4), states[0])


# Free-threaded Python has a lock in every dict, which the child of a fork finds as another thread has left it.
@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="needs the GIL")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_while_threads_search(expected):
    """Children of a process whose threads, helpers and locks are busy find what it finds, and end."""
    _, made, found = expected
    names = ("topk by sieve", "within", "dot", "search")
    tasks = [checked(name, made[name], found[name], threads=3) for name in names]
    with Crowd(*tasks):
        end, children = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            child = os.fork()
            if child == 0:
                fine = all(right(made[name](threads=2), found[name]) for name in names)
                os._exit(0 if fine else 1)
            assert ended(child) == 0
            children += 1
    assert children >= 3


def ended(child, seconds=60):
    """The exit code of a child; one that hangs is an error."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("a child hangs")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_interruptions_while_other_threads_search(expected):
    """Ctrl-C, again and again, in the main thread's calls: others are right meanwhile, and so are those that end."""
    _, made, found = expected
    work, interrupted, completed = sorted(made), 0, 0
    others = [checked(name, made[name], found[name], threads=2) for name in ("search", "pairwise")]
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    random, end = np.random.default_rng(2), time.monotonic() + SECONDS
    big = many_rows(1 << 23, 48)
    try:
        with Crowd(*others):
            while time.monotonic() < end:
                name = work[completed % len(work)]
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 0.05))
                    if interrupted % 4 == 3:  # of seconds: stopped in the middle of a tile
                        vb.topk(X[:8], big, 1, threads=2)
                    result = made[name](threads=2)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except KeyboardInterrupt:
                    interrupted += 1
                    continue
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                assert right(result, found[name]), name
                completed += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 3
    for name in work:
        assert right(made[name](threads=2), found[name]), name


def test_the_end_of_a_process_while_threads_work():
    """Nothing hangs or crashes if the main thread ends first, or if a thread's call is the last there is."""
    code = """
        import threading, numpy as np, vecblade as vb
        from vecblade import _threads
        _threads.WORK_PER_THREAD = 50_000
        X = np.random.default_rng(0).standard_normal((20_000, 48)).astype(np.float32)
        def work(times):
            for _ in range(times):
                vb.topk(X[:20], X, 3, threads=3)
        for daemon in (False, True):
            for times in (3, 5):
                threading.Thread(target=work, args=(times if not daemon else 10_000,), daemon=daemon).start()
        work(2)
        print("ends", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "ends\n"), done.stderr
