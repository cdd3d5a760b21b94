"""Forks at any time: in a callback, in a signal handler, while other threads work. Nothing hangs, and nothing is wrong."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="needs fork, and the GIL",
)

# What scripts below begin with. A child ends by `leave`, with status 0 if all is right in it; `wait` passes that on.
BEGIN = """
import os, signal, sys, threading, time
import numpy as np
import vecblade as vb
from vecblade import _core, _threads
from vecblade._dropin import patch as _patch

rows = np.random.default_rng(0).standard_normal((30_000, 64)).astype(np.float32)
wanted = np.argsort(((rows[:40, None].astype(float) - rows[None, :2000]) ** 2).sum(axis=2), axis=1, kind="stable")[:, :5]
big = np.broadcast_to(rows[0], (1_500_000, 64))
# So many rows that differ, in little memory.
many = np.lib.stride_tricks.sliding_window_view(rows.ravel()[: 1_000_063], 64)
queries = many[:400]

def found_themselves(found):
    return found.indices[:, 0].tolist() == list(range(400))
children = []

def works(threads=2):
    found = vb.topk(rows[:40], rows[:2000], 5, threads=threads)
    large = vb.topk(rows[:40], rows, 1, threads=threads)  # enough for helpers
    index = vb.FlatIndex(rows[:2000])
    index.add(rows[:1])
    return (np.array_equal(found.indices, wanted) and np.array_equal(large.indices[:, 0], np.arange(40))
            and index.search(rows[:3], 1).indices.ravel().tolist() == [0, 1, 2])

def leave(right):
    os._exit(0 if right else 7)

def fork(*_):
    "Once: the child goes on from here as its parent does."
    if not children:
        children.append(os.fork())

def in_child():
    return children and children[0] == 0

def wait():
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0, "the child is wrong"
    print("right")
"""


def run(script, **options):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEGIN + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )
    assert (done.returncode, done.stdout) == (0, "right\n"), done.stdout + done.stderr


CALLS = {
    "topk": "found_themselves(vb.topk(queries, many, 1, threads={}, progress=progress))",
    "within": "vb.within(queries, many, 0.0, threads={}, progress=progress).indices.tolist() == list(range(400))",
    "index": "len(vb.FlatIndex(big, threads={}, progress=progress)) == len(big)",
    "search": "found_themselves(index.search(queries, 1, threads={}, progress=progress))",
}


@pytest.mark.parametrize("call", CALLS)
def test_in_a_callback(call):
    """With helpers the call cannot be completed in the child, which says so; without it is completed in both."""
    run(f"""
        index = vb.FlatIndex(many) if {call!r} == "search" else None

        def progress(done, total):
            fork()
            if in_child() and not works():
                leave(False)

        right = True
        try:
            while not children:
                right = {CALLS[call].format(2)} and right
        except RuntimeError as error:
            leave(in_child() and "forked during the call" in str(error) and works())
        if in_child():
            leave(right and works())
        assert right and works()
        wait()
    """)
    run(f"""
        index, progress = vb.FlatIndex(many) if {call!r} == "search" else None, fork
        right = True
        while not children:
            right = {CALLS[call].format(1)} and right
        if in_child():
            leave(right and works())
        assert right and works()
        wait()
    """)


def test_the_child_does_not_wait_for_helpers_of_its_parent():
    """They are at work for certain: the call ends in the child with an error, and is completed in the parent."""
    run("""
        begun, release = threading.Event(), threading.Event()

        class Job:
            tiles, work = 2, 1e9
            def run(self, progress):
                assert begun.wait(30)
                self.take(progress)
                release.set()
            def help(self):
                begun.set()
                release.wait(30)
            def stop(self): pass
            def finish(self): self.finished = True

        def in_the_callback(progress):
            fork()
            progress(0.0, 1.0)

        def after_it(progress):
            fork()

        for take in (in_the_callback, after_it):
            begun.clear(), release.clear(), children.clear()
            job = Job()
            job.take = take
            try:
                _threads.run(job, 2)
            except RuntimeError as error:
                leave(in_child() and "forked during the call" in str(error) and works())
            if in_child():
                leave(False)
            assert job.finished
            assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
        print("right")
    """)


@pytest.mark.parametrize(
    "call",
    [
        "vb.topk(queries, many, 1, threads={})",
        "vb.pairwise(rows[:6000], threads={})",
        "vb.dot(rows[0], np.broadcast_to(rows[0], (6_000_000, 64)), threads={})",
        "index.add(rows)",
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_in_a_signal_handler(call, threads):
    run(f"""
        index = vb.FlatIndex(big)
        signal.signal(signal.SIGALRM, fork)
        signal.setitimer(signal.ITIMER_REAL, 0.03)
        try:
            while not children:
                {call.format(threads)}
        except RuntimeError as error:
            leave(in_child() and "forked during the call" in str(error) and works())
        if in_child():
            leave(works() and index.search(rows[0], 1).indices.tolist() == [0])
        assert works()
        wait()
    """)


def test_while_waiting_for_helpers_to_end():
    """In a handler during that wait: the thread that would end it is in the parent."""
    run("""
        release = threading.Event()
        begun = threading.Event()
        helper = _core.Helper(lambda: (begun.set(), release.wait(30)))
        threading.Thread(target=helper.work).start()
        assert begun.wait(30)
        signal.signal(signal.SIGALRM, lambda *_: (fork(), in_child() or release.set()))
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        ended = helper.end()
        if in_child():
            leave(isinstance(ended, RuntimeError) and works())
        assert ended is None
        wait()
    """)


def test_while_other_threads_search_and_change():
    """The child has the indexes as they are at that moment, and none of the threads that it would wait for."""
    run("""
        index, stop = vb.FlatIndex(rows[:3000]), threading.Event()

        def work(change):
            while not stop.is_set():
                change()

        changes = (lambda: index.search(rows[:50], 3, threads=2), lambda: (index.add(rows[:40]), index.remove(range(3000, 3040))),
                   lambda: _patch._guard(time.sleep, 0.001))
        threads = [threading.Thread(target=work, args=(change,)) for change in changes for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            time.sleep(0.005)
            child = os.fork()
            if child == 0:
                found = index.search(rows[:3], 1).indices.ravel().tolist()
                index.add(rows[:1])
                _patch._guard(int, "7")
                leave(found == [0, 1, 2] and works())
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        stop.set()
        for thread in threads:
            thread.join()
        print("right")
    """)


def test_while_waiting_to_change_an_index():
    """In a handler, during the wait for a search of another thread, which is not in the child."""
    run("""
        index, inside, release = vb.FlatIndex(rows[:2000]), threading.Event(), threading.Event()

        def searching():
            with index._gate.reading():
                inside.set()
                release.wait(30)

        threading.Thread(target=searching).start()
        assert inside.wait(30)
        signal.signal(signal.SIGALRM, lambda *_: (fork(), in_child() or release.set()))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        added = index.add(rows[2000:2002])
        right = added == range(2000, 2002) and index.search(rows[2001], 1).indices.tolist() == [2001]
        if in_child():
            leave(right and works())
        assert right
        wait()
    """)


def test_while_waiting_for_a_guard():
    run("""
        guard, inside, release = _core.Guard(), threading.Event(), threading.Event()
        threading.Thread(target=guard, args=(lambda: (inside.set(), release.wait(30)),)).start()
        assert inside.wait(30)
        signal.signal(signal.SIGALRM, lambda *_: (fork(), in_child() or release.set()))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert guard(int, "7") == 7
        if in_child():
            leave(works())
        wait()
    """)


def test_the_childs_own_search_still_keeps_changes_out():
    run("""
        index, refused = vb.FlatIndex(many), []

        def progress(done, total):
            fork()
            try:
                index.add(rows[:1])
            except RuntimeError as error:
                refused.append(str(error))

        while not children:
            index.search(queries, 1, threads=1, progress=progress)
        right = refused and all("during its own search" in reason for reason in refused)
        index.add(rows[:1])
        if in_child():
            leave(right)
        assert right
        wait()
    """)


def test_a_child_of_multiprocessing_in_a_callback():
    run("""
        import multiprocessing

        processes = []

        def progress(done, total):
            if not processes:
                processes.append(multiprocessing.get_context("fork").Process(target=lambda: leave(works())))
                processes[0].start()
                processes[0].join(60)

        while not processes:
            found = vb.topk(queries, many, 1, threads=2, progress=progress)
        assert found_themselves(found) and processes[0].exitcode == 0
        print("right")
    """)


@pytest.mark.parametrize("moment", ["write", "fsync"])
def test_while_a_file_is_written(moment, tmp_path):
    """The file is the parent's: the child neither writes to it nor removes nor renames it, and is told so."""
    run(
        f"""
        from vecblade import _writing
        real, calls = os.{moment}, []

        def forking(*arguments):
            calls.append(1)
            if len(calls) == {2 if moment == "write" else 1}:
                fork()
                if not in_child():
                    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
            return real(*arguments)

        index = vb.FlatIndex(rows)
        os.{moment} = forking
        try:
            index.save("index")
        except RuntimeError as error:
            os.{moment} = real
            there = len(os.listdir("."))
            index.save("another")
            leave("forked while it wrote 'index'" in str(error) and there == 1
                  and len(vb.FlatIndex.load("another", verify=True)) == len(rows))
        if in_child():
            leave(False)
        os.{moment} = real
        assert sorted(os.listdir(".")) == ["another", "index"]
        assert open("index", "rb").read() == open("another", "rb").read()
        print("right")
        """,
        cwd=tmp_path,
    )
