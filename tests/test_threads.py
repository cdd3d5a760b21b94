"""Threads: how many, who works, and that nothing hangs: forks, nested pools, interruptions."""

import multiprocessing
import os
import signal
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import interruptible, many_rows, same_bits

import vecblade as vb
from vecblade import _core, _threads

X = np.random.default_rng(0).standard_normal((30_000, 64)).astype(np.float32)
Q = X[:40]


@pytest.fixture(autouse=True)
def default_threads():
    yield
    vb.set_num_threads(None)


def search(threads=2):
    return vb.topk(Q, X, 5, threads=threads)


def test_helpers_really_work(monkeypatch):
    seen = set()

    class Spy:
        def __init__(self, job):
            self.job = job

        def __getattr__(self, name):
            seen.add((name, threading.get_ident()))
            return getattr(self.job, name)

    started = threading.Barrier(2, timeout=20)
    original = _core.topk

    class Together(Spy):
        """The caller waits for the helper, so that both must take part."""

        def run(self, progress=None):
            started.wait()
            self.job.run(progress)
            seen.add(("run", threading.get_ident()))

        def help(self):
            started.wait()
            self.job.help()
            seen.add(("help", threading.get_ident()))

    monkeypatch.setattr(_core, "topk", lambda *arguments: Together(original(*arguments)))
    found = search()
    monkeypatch.undo()
    assert same_bits(found.indices, search(1).indices)
    assert {name for name, _ in seen} >= {"run", "help"}
    assert len({thread for name, thread in seen if name in ("run", "help")}) == 2


def test_small_work_stays_on_the_caller(monkeypatch):
    monkeypatch.setattr(_threads, "submit", lambda *_: pytest.fail("asked for helpers"))
    vb.topk(X[0], X[:100], 5, threads=8)
    vb.dot(X[0], X[:100], threads=8)


def test_set_num_threads():
    vb.set_num_threads(3)
    assert vb.get_num_threads() == 3
    assert vb.cpu_info()["threads"] == 3
    for wrong, error in (
        (0, ValueError),
        (-1, ValueError),
        (1.5, TypeError),
        ("2", TypeError),
        (False, TypeError),
    ):
        with pytest.raises(error, match="threads must be"):
            vb.set_num_threads(wrong)
    assert vb.get_num_threads() == 3
    vb.set_num_threads(None)
    assert vb.get_num_threads() >= 1


def test_environment(monkeypatch):
    for text, threads in (("5", 5), ("1", 1)):
        monkeypatch.setenv("VECBLADE_NUM_THREADS", text)
        vb.set_num_threads(None)
        assert vb.get_num_threads() == threads
    monkeypatch.setenv("VECBLADE_NUM_THREADS", "")
    vb.set_num_threads(None)
    assert vb.get_num_threads() == _threads.usable_cpus()
    for text in ("0", "many", "-1", "1.5"):
        monkeypatch.setenv("VECBLADE_NUM_THREADS", text)
        vb.set_num_threads(None)
        with pytest.raises(
            ValueError, match=f"VECBLADE_NUM_THREADS='{text}' is not an integer of at least 1"
        ):
            search(None)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "nonsense\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_cgroup_limits(tmp_path, files, limit):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert _threads.cgroup_limit(str(tmp_path)) == limit


def test_calls_from_many_threads_and_nested_pools():
    wanted = search(1)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: search(4), range(24)):
            assert same_bits(found.indices, wanted.indices)


def test_calls_by_helpers():
    """A helper that itself asks for helpers, more often than there are threads."""
    helpers, begun = [], threading.Semaphore(0)

    def task():
        begun.release()
        search(2)

    _threads.submit(task, 2, helpers)
    assert all(begun.acquire(timeout=60) for _ in helpers)
    assert [helper.end() for helper in helpers] == [None, None]


def test_a_helper_works_once_or_never():
    done, wrong = [], RuntimeError("wrong")

    def fail():
        done.append(1)
        raise wrong

    helper = _core.Helper(fail)
    helper.work()
    helper.work()
    assert (helper.end(), helper.end(), done) == (wrong, wrong, [1])
    helper = _core.Helper(fail)
    assert helper.end() is helper.end() is None, "called off"
    helper.work()
    assert done == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_fork():
    wanted = search(2)  # there are helpers now
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def child():
        queue.put(search(2).indices.tolist())

    process = context.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert queue.get() == wanted.indices.tolist()


def test_progress_is_told_and_may_stop():
    calls = []
    big = many_rows(1_500_000, 64)
    vb.topk(big[:300], big, 1, progress=lambda done, total: calls.append((done, total)), threads=2)
    assert calls
    assert all(0 < done <= total for done, total in calls)
    assert len({total for _, total in calls}) == 1

    def stop(done, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        vb.topk(big[:300], big, 1, progress=stop, threads=2)
    search(2)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "call",
    ["vb.topk(q, X, 3, threads={})", "vb.dot(q, X, threads={})", "vb.pairwise(X[:20_000], threads={})"],
)
def test_ctrl_c_is_taken_between_tiles(threads, call):
    """Work of many seconds ends soon after the signal."""
    script = f"""
        import numpy as np, vecblade as vb
        X = np.broadcast_to(np.ones(256, np.float32), (2_000_000_000 // 256 * 10, 256))
        q = np.ones(256, np.float32)
        print("ready", flush=True)
        try:
            while True:
                {call.format(threads)}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    with interruptible([sys.executable, "-c", textwrap.dedent(script)]) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.7)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert out == "interrupted\n", error
    assert time.monotonic() - start < 10


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_ctrl_c_while_helpers_end():
    """The caller has nothing left to do, and a helper has: it is stopped, and waited for."""

    class Job:
        tiles, work, stopped, ends = 2, 1e9, threading.Event(), []

        def run(self, progress):
            self.started.wait(20)

        def help(self):
            self.started.set()
            self.stopped.wait(20)
            time.sleep(0.05)
            self.ends.append(self.stopped.is_set())

        started, stop = threading.Event(), stopped.set

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            _threads.run(Job(), 2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert Job.ends == [True]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_a_guard_is_not_left_held():
    """Whenever an interruption comes: with a lock in a `with` statement this fails from CPython 3.14 on."""

    class Stop(Exception):
        pass

    def stop(number, frame):
        raise Stop

    guard, random, stopped = _core.Guard(), np.random.default_rng(0), 0
    before = signal.signal(signal.SIGALRM, stop)
    try:
        for _ in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 4e-4))
                for _ in range(100_000):
                    guard(guard, int, "7")
            except Stop:
                stopped += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert stopped > 100
    found = []
    other = threading.Thread(target=lambda: found.append(guard(int, "8")), daemon=True)
    other.start()
    other.join(20)
    assert found == [8]


def test_memory_runs_out_cleanly():
    """A copy past all memory raises, and the next call works."""
    wide = np.broadcast_to(np.float32(1), (1, 2**59))
    with pytest.raises(MemoryError):
        vb.topk(wide, wide, 1)
    search(2)
