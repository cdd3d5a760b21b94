"""`Gate`: many threads may read what one thread at a time may change."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakSet

from .._core import Guard, Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Seconds until who waits looks again. (A condition would wake it, but has moments at which Ctrl-C leaves its
# lock held.)
PAUSE = 0.001


_gates: WeakSet[Gate] = WeakSet()


def lasting(visits: Iterable[Visit]) -> list[Visit]:
    return [visit for visit in visits if not visit.over]


class Gate:
    """
    Lets any number of threads read, or one write, which goes before those that come to read.

    A thread that would wait for itself gets a RuntimeError.
    """

    def __init__(self) -> None:
        self.guard = Guard()
        self.readers: WeakSet[Visit] = WeakSet()
        self.waiting: WeakSet[Visit] = WeakSet()  # to write
        self.writers: WeakSet[Visit] = WeakSet()
        _gates.add(self)

    def reading(self) -> Visit:
        """A context in which the index may be read."""
        return Visit(self._wait_to_read, threading.get_ident())

    def writing(self) -> Visit:
        """A context in which the index may be changed."""
        return Visit(self._wait_to_write, threading.get_ident())

    def _wait_to_read(self, visit: Visit) -> None:
        self._wait(self._read, visit)

    def _wait_to_write(self, visit: Visit) -> None:
        self._wait(self._write, visit)

    def _wait(self, enter: Callable[[Visit], bool], visit: Visit) -> None:
        while not self.guard(enter, visit):
            time.sleep(PAUSE)

    def _read(self, visit: Visit) -> bool:
        if self.writers or self.waiting:
            writers = lasting(self.writers)
            if visit.thread in {writer.thread for writer in writers}:
                raise RuntimeError(
                    "cannot search a FlatIndex from inside its own add() or remove(), "
                    "as a callback or a signal handler does"
                )
            # A writer that waits, may wait for this thread, or be this thread, in a signal handler.
            first = writers or [other for other in lasting(self.waiting) if other.thread != visit.thread]
            if first and visit.thread not in {reader.thread for reader in lasting(self.readers)}:
                return False
        self.readers.add(visit)
        return True

    def _write(self, visit: Visit) -> bool:
        others = lasting(self.readers) + lasting(self.writers)
        if visit.thread in {other.thread for other in others}:
            raise RuntimeError(
                "cannot change a FlatIndex from inside its own search, as a callback or a signal handler does"
            )
        if others:
            self.waiting.add(visit)
            return False
        self.waiting.discard(visit)
        self.writers.add(visit)
        return True

    def forget_others(self) -> None:
        """Drop the visits of all other threads."""
        thread = threading.get_ident()
        for visits in ("readers", "waiting", "writers"):
            own = [visit for visit in lasting(getattr(self, visits)) if visit.thread == thread]
            setattr(self, visits, WeakSet(own))


def _forget_threads() -> None:
    """In a forked child: the parent's other threads are not here."""
    for gate in list(_gates):
        gate.forget_others()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
