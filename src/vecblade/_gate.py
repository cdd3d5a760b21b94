"""`Gate`: many threads may read what one thread at a time may change."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        self.lock = threading.Lock()
        self._changed = threading.Condition(self.lock)
        self.readers: WeakSet[Visit] = WeakSet()
        self.waiting: WeakSet[Visit] = WeakSet()  # to write
        self.writers: WeakSet[Visit] = WeakSet()
        self._process = os.getpid()

    def _visit(self) -> Visit:
        if self._process != os.getpid():  # forked: the parent's threads are not here
            self._open()
        return Visit(threading.get_ident())

    def _wait(self, *others: WeakSet[Visit]) -> None:
        """Until there are no others. A visit that ended without a word is noticed in a moment."""
        while any(map(len, others)):
            self._changed.wait(0.05)

    def _leave(self, visit: Visit, *places: WeakSet[Visit]) -> None:
        with self.lock:
            for visits in places:
                visits.discard(visit)
            self._changed.notify_all()

    @contextmanager
    def reading(self) -> Iterator[None]:
        visit = self._visit()
        try:
            with self.lock:
                if self.writers or self.waiting:
                    if visit.thread in {writer.thread for writer in self.writers}:
                        raise RuntimeError("an index cannot be searched by what is called while it changes")
                    if visit.thread not in {reader.thread for reader in self.readers}:
                        # Else a writer that waits, waits for this thread.
                        self._wait(self.writers, self.waiting)
                self.readers.add(visit)
            yield
        finally:
            self._leave(visit, self.readers)

    @contextmanager
    def writing(self) -> Iterator[None]:
        visit = self._visit()
        try:
            with self.lock:
                if visit.thread in {other.thread for other in (*self.readers, *self.writers)}:
                    raise RuntimeError("an index cannot be changed by what is called during its own search")
                self.waiting.add(visit)
                self._wait(self.readers, self.writers)
                self.writers.add(visit)
                self.waiting.discard(visit)
            yield
        finally:
            self._leave(visit, self.waiting, self.writers)
