"""Reading ahead: a thread makes the next items of an iterator while its consumer works on one."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

T = TypeVar("T")

# Items that are ready or in the making while the consumer has one.
DEPTH = 2
END = object()


def ahead(make: Callable[[], Iterator[T]], depth: int = DEPTH) -> Generator[T]:
    """
    The items of ``make()``, made by a thread that is at most `depth` items ahead.

    The thread ends, and is joined, when the items do, when one fails (the consumer gets the error where the
    item would have been), when the consumer closes the generator, and when it is interrupted.
    """
    # Both queues are C, so that Ctrl-C cannot leave a lock of theirs held. A permit allows one more item.
    permits: SimpleQueue[bool] = SimpleQueue()
    items: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def work() -> None:
        source: Any = None
        try:
            source = make()
            while permits.get():
                item = next(source, END)
                items.put((item, None))
                if item is END:
                    break
                del item  # or it would be kept until the next one is there
        except BaseException as error:
            items.put((END, error))
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                with suppress(Exception):
                    close()

    for _ in range(depth):
        permits.put(True)
    thread = threading.Thread(target=work, name="vecblade-read-ahead", daemon=True)
    try:
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter shuts down
            yield from make()
            return
        while True:
            item, error = items.get()
            if error is not None:
                raise error
            if item is END:
                return
            permits.put(True)
            yield item
            del item
    finally:
        end(thread, permits)


def end(thread: threading.Thread, permits: SimpleQueue[bool]) -> None:
    """Wait until the thread has ended, though Ctrl-C comes meanwhile, which is raised afterwards."""
    interruption = None
    while True:
        try:
            with suppress(Empty):
                while True:
                    permits.get_nowait()
            permits.put(False)
            if thread.is_alive():
                thread.join()
            break
        except KeyboardInterrupt as error:
            interruption = error
    if interruption is not None:
        raise interruption
