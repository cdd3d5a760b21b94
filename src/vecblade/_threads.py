"""Who does the work: the calling thread, and helpers when there is enough of it.

The core owns no threads. A job is a counter of tiles; the caller and any helpers claim tiles
until none is left. The caller never waits for a helper that has not started (it does that work
itself), so calls from inside other pools, or from many threads at once, cannot deadlock.

The threads are Python's, but of no `ThreadPoolExecutor`: its `submit` and its futures take locks in
Python, and there, from CPython 3.14 on, Ctrl-C may leave them held; then every pool of the process hangs.
What the main thread does here with others is done in C (`SimpleQueue`, `Helper`, `Guard`).
"""

import _thread
import os
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from queue import SimpleQueue
from typing import Any

from . import _core

# Elements that a thread should have to itself before another is woken: about 0.3 ms of work, and waking takes
# 0.05 ms.
WORK_PER_THREAD = _core.WORK_PER_THREAD

_guard = _core.Guard()
_tasks: SimpleQueue[_core.Helper] = SimpleQueue()
_started = 0
_default: int | None = None


def text(*path: str) -> str:
    with open(os.path.join(*path)) as file:  # pathlib would be a third of the import time
        return file.read()


def cgroup_limit(root: str = "/sys/fs/cgroup") -> int | None:
    """How many CPUs the container may use, rounded up; None if it is not limited."""
    try:
        quota, period = text(root, "cpu.max").split()
    except (OSError, ValueError):
        try:
            quota, period = text(root, "cpu/cpu.cfs_quota_us"), text(root, "cpu/cpu.cfs_period_us")
        except OSError:
            return None
    try:
        return max(1, ceil(int(quota) / int(period))) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return None


def usable_cpus() -> int:
    """CPUs that this process may use, by affinity and cgroup."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cpus = os.cpu_count() or 1
    return min(cpus, cgroup_limit() or cpus)


def check(threads: Any, name: str = "threads") -> int:
    if isinstance(threads, bool) or not hasattr(threads, "__index__"):
        raise TypeError(f"{name} must be an integer of at least 1, not {threads!r}")
    try:
        count = int(threads.__index__())
    except TypeError:  # an array of one number
        raise TypeError(f"{name} must be an integer of at least 1, not {threads!r}") from None
    if count < 1:
        raise ValueError(f"{name} must be at least 1, not {count}")
    return min(count, 1024)


def from_environment() -> int:
    """VECBLADE_NUM_THREADS if it is set, else every usable CPU."""
    text = os.environ.get("VECBLADE_NUM_THREADS")
    if not text:
        return usable_cpus()
    try:
        return check(int(text), "VECBLADE_NUM_THREADS")
    except ValueError:
        raise ValueError(f"VECBLADE_NUM_THREADS={text!r} is not an integer of at least 1") from None


def set_num_threads(threads: int | None) -> None:
    """
    Set how many threads a call may use by default.

    Parameters
    ----------
    threads : int or None
        At least 1. None restores the default: ``VECBLADE_NUM_THREADS`` if that is set, else every
        CPU that the process may use by its affinity and cgroup.

    Examples
    --------
    >>> import vecblade as vb
    >>> vb.set_num_threads(1)
    >>> vb.get_num_threads()
    1
    >>> vb.set_num_threads(None)
    """
    global _default
    _default = None if threads is None else check(threads)


def get_num_threads() -> int:
    """
    How many threads a call may use by default.

    Returns
    -------
    int
    """
    global _default
    if _default is None:
        _default = from_environment()
    return _default


def resolve(threads: Any) -> int:
    return get_num_threads() if threads is None else check(threads)


def check_progress(progress: Any) -> None:
    """Refuse, before any work, what cannot be called with the work done and the total."""
    if progress is None:
        return
    accepted = "progress must be a callable that takes (done, total), or None"
    if not callable(progress):
        raise TypeError(f"{accepted}, not {progress!r}")
    import inspect  # on demand: it takes longer to import than all the rest

    with suppress(ValueError):  # some callables do not say what they take
        signature = inspect.signature(progress)
        try:
            signature.bind(0.0, 0.0)
        except TypeError:
            raise TypeError(f"{accepted}, not one that takes {signature}") from None


def run(job: Any, threads: int, progress: Callable[[float, float], object] | None = None) -> None:
    """
    Complete the job. An interruption stops all threads, and returns when they have stopped.

    In a child that is forked meanwhile the helpers are missing: if one had begun, a RuntimeError says so.
    """
    helpers: list[_core.Helper] = []
    wanted = min(threads, job.tiles, int(job.work // WORK_PER_THREAD) + 1) - 1
    try:
        if wanted > 0:
            submit(job.help, wanted, helpers)
        job.run(_core.Watch(progress, helpers) if helpers else progress)
        errors = ended(helpers)
    except BaseException:  # Ctrl-C may also come while helpers end
        job.stop()
        ended(helpers)
        raise
    for error in errors:
        if error is not None:
            raise error
    job.finish()


def run_for(job: Any, threads: Any) -> None:
    """Complete the job, with `threads` as a caller gives them."""
    run(job, resolve(threads))


def ended(helpers: list[_core.Helper]) -> list[BaseException | None]:
    """Wait for helpers that have started, call off the others, and return their errors."""
    return [helper.end() for helper in helpers]


def submit(task: Callable[[], object], count: int, helpers: list[_core.Helper]) -> None:
    """Ask for helpers, and note them; none come if the interpreter gives no more threads."""
    with suppress(
        RuntimeError
    ):  # shutting down, or no more threads: those that are there, or the caller, work
        _guard(_start, count)
    for _ in range(count):
        helpers.append(_core.Helper(task))
        _tasks.put(helpers[-1])


def _start(count: int) -> None:
    """Start threads until there are at least `count`."""
    global _started
    while _started < count:
        _started += 1  # first: if a signal handler forks after the call, there are none in the child
        try:
            _thread.start_new_thread(_work, (_tasks,))
        except RuntimeError:
            _started -= 1
            raise


def _work(tasks: SimpleQueue[_core.Helper]) -> None:
    while True:
        tasks.get().work()


def _forget_threads() -> None:
    """In a forked child: the parent's threads are not here."""
    global _tasks, _started
    _tasks, _started = SimpleQueue(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
