"""`Gate`: many threads may read what one thread at a time may change."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakSet

from ._core import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Seconds until who waits looks again. (A condition would wake it, but has moments at which Ctrl-C leaves its
# lock held.)
PAUSE = 0.001


class Visit:
    """Of one thread to an index, while it reads, waits to write, or writes."""

    def __init__(self, thread: int):
        self.thread = thread


class Gate:
    """
    Lets any number of threads read, or one write, which goes before those that come to read.

    Who would wait for itself gets a RuntimeError. Visits are known by weak references: one that an
    exception ends where no `finally` is in force yet (Ctrl-C comes anywhere) is over all the same.
    """

    def __init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self.guard = Guard()
        self.readers: WeakSet[Visit] = WeakSet()
        self.waiting: WeakSet[Visit] = WeakSet()  # to write
        self.writers: WeakSet[Visit] = WeakSet()
        self._process = os.getpid()

    def _visit(self) -> Visit:
        if self._process != os.getpid():  # forked: the parent's threads are not here
            self._open()
        return Visit(threading.get_ident())

    def _when(self, enter: Callable[[Visit], bool], visit: Visit) -> None:
        """Enter as soon as that can be."""
        while not self.guard(enter, visit):
            time.sleep(PAUSE)

    def _read(self, visit: Visit) -> bool:
        if self.writers or self.waiting:
            if visit.thread in {writer.thread for writer in self.writers}:
                raise RuntimeError("an index cannot be searched by what is called while it changes")
            # A writer that waits, may wait for this thread.
            if visit.thread not in {reader.thread for reader in self.readers}:
                return False
        self.readers.add(visit)
        return True

    def _write(self, visit: Visit) -> bool:
        if visit.thread in {other.thread for other in (*self.readers, *self.writers)}:
            raise RuntimeError("an index cannot be changed by what is called during its own search")
        if self.readers or self.writers:
            self.waiting.add(visit)
            return False
        self.waiting.discard(visit)
        self.writers.add(visit)
        return True

    def _leave(self, visit: Visit) -> None:
        for visits in (self.readers, self.waiting, self.writers):
            if visits:
                visits.discard(visit)

    @contextmanager
    def reading(self) -> Iterator[None]:
        visit = self._visit()
        try:
            self._when(self._read, visit)
            yield
        finally:
            self.guard(self._leave, visit)

    @contextmanager
    def writing(self) -> Iterator[None]:
        visit = self._visit()
        try:
            self._when(self._write, visit)
            yield
        finally:
            self.guard(self._leave, visit)
