# What threads do with each other, in C, where no signal handler runs. Part of _core.pyx.


cdef class Guard:
    """
    Lets one thread at a time call functions; from inside of one it may call others.

    A ``with`` of a lock is not enough: a signal handler may raise (Ctrl-C) after the lock is taken and before the block
    begins, from CPython 3.14 on, and then it is held for good. Here no handler runs but inside of the function.
    """
    cdef object lock

    def __cinit__(self):
        self.lock = threading.RLock()

    def __call__(self, function, *arguments):
        with self.lock:
            return function(*arguments)


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
    cdef object task, error, turn, busy

    def __init__(self, task):
        self.task, self.turn, self.busy = task, _thread.allocate_lock(), _thread.allocate_lock()
        self.busy.acquire()

    def work(self):
        if self.turn.acquire(False):
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
        with self.busy:
            return self.error
