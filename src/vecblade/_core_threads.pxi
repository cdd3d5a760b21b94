# What threads do with each other, in C, where no signal handler runs. Part of _core.pyx.

_guards = WeakSet()


cdef class Guard:
    """
    Lets one thread at a time call functions; from inside of one it may call others.

    A ``with`` of a lock is not enough: a signal handler may raise (Ctrl-C) after the lock is taken and before the block
    begins, from CPython 3.14 on, and then it is held for good. Here no handler runs but inside of the function.
    """
    cdef object lock
    cdef object __weakref__

    def __cinit__(self):
        self.open()
        _guards.add(self)

    def open(self):
        """Nobody is inside."""
        self.lock = threading.RLock()

    def __call__(self, function, *arguments):
        lock = self.lock
        while not lock.acquire(False) and not lock.acquire(True, 0.1):  # the first is faster
            PyErr_CheckSignals()
            lock = self.lock  # another one, if a signal handler forked
        try:
            return function(*arguments)
        finally:
            lock.release()


def _open_guards():
    """In a forked child: the threads that may be inside are the parent's."""
    for guard in list(_guards):
        guard.open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_guards)


cdef class Visit:
    """
    A ``with`` block that has to be let in, and is over when it ends, whenever Ctrl-C comes.

    ``enter(visit)`` lets it in. An exception there, or in the block, ends the visit in C, where no signal handler
    runs; one that comes between the two, as from CPython 3.14 on it may, leaves nothing that refers to the visit, so
    those who count visits do it by weak references.
    """
    cdef object enter
    cdef readonly object thread
    cdef readonly bint over
    cdef object __weakref__

    def __init__(self, enter, thread):
        self.enter, self.thread = enter, thread

    def __enter__(self):
        try:
            self.enter(self)
        except BaseException:
            self.over = True
            raise

    def __exit__(self, *error):
        self.over = True


cdef class Helper:
    """
    A task that another thread may do, if it comes to it before the task is called off.

    Of two locks the first is taken by who begins or calls off, the second is free when there is nothing to wait for.
    All in C, as `Guard` is, and for the same reason.
    """
    cdef object task, error, turn, busy, process

    def __init__(self, task):
        self.task, self.turn, self.busy = task, _thread.allocate_lock(), _thread.allocate_lock()
        self.busy.acquire()

    def work(self):
        process = os.getpid()
        if self.turn.acquire(False):
            self.process = process
            try:
                self.task()
            except BaseException as error:
                self.error = error
            finally:
                self.task = None
                self.busy.release()

    def end(self):
        """Call it off, or wait until it is done; returns what it has raised, or None."""
        if self.turn.acquire(False):
            self.task = None
            self.busy.release()
        while not self.lost():  # as it may be after a signal handler that forks
            if self.busy.acquire(True, 0.1):
                self.busy.release()
                return self.error
            PyErr_CheckSignals()
        return RuntimeError(LOST)

    def lost(self):
        """Whether it was at work when this process was forked: its thread, and what it had begun, are not here."""
        return self.process is not None and self.busy.locked() and self.process != os.getpid()


LOST = ("this process was forked during the call, whose helpers go on in the parent only: here the call cannot be "
        "completed; fork outside of calls, or call with threads=1")


cdef class Watch:
    """A progress function, or None, for work with helpers: it stops the work where a fork has taken them away."""
    cdef object progress, helpers

    def __init__(self, progress, helpers):
        self.progress, self.helpers = progress, helpers

    def __call__(self, done, total):
        if self.progress is not None:
            self.progress(done, total)
        self.look()

    def look(self):
        for helper in self.helpers:
            if helper.lost():
                raise RuntimeError(LOST)
