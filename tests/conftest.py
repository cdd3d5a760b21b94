"""Shared by all tests: the ISA fixture, comparison by bits, and guard pages."""

import ctypes
import mmap
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from vecblade import _core

settings.register_profile(
    "vecblade",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("vecblade")

DTYPES = (np.float32, np.float64)
METRICS = tuple(_core.METRICS)


REGISTRY = _core.registry()
LEVELS = list(dict.fromkeys(record["isa"] for record in REGISTRY))


@pytest.fixture(params=LEVELS)
def isa(request):
    """Run the test at every ISA level of this build; skip those that this CPU lacks."""
    if not _core.levels()[request.param]:
        pytest.skip(f"{request.param} does not run on this machine")
    before = _core.active_level()
    _core.use_level(request.param)
    yield request.param
    _core.use_level(before)


def kernels_of(*forms):
    """A fixture over every kernel of these forms; skips those that this CPU lacks."""
    numbers = [i for i, record in enumerate(REGISTRY) if record["form"] in forms]

    @pytest.fixture(params=numbers, ids=[REGISTRY[i]["name"] for i in numbers])
    def fixture(request):
        record = REGISTRY[request.param]
        if not record["runs"]:
            pytest.skip(f"{record['isa']} does not run on this machine")
        return request.param, record

    return fixture


def same_bits(a, b):
    """Whether two results are equal in type, shape and every bit (any NaN equals any)."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    nan = np.isnan(a)
    return np.array_equal(nan, np.isnan(b)) and a[~nan].tobytes() == b[~nan].tobytes()


class GuardedRow:
    """A row of d elements that ends at (or begins after) a page that may not be touched."""

    def __init__(self, values, at_end):
        page = mmap.PAGESIZE
        pages = -(-max(values.nbytes, 1) // page)
        self.memory = mmap.mmap(-1, (pages + 2) * page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        offset = page * (pages + 1) - values.nbytes if at_end else page
        self.row = np.frombuffer(self.memory, values.dtype, len(values), offset)
        self.row[:] = values
        libc = ctypes.CDLL(None, use_errno=True)
        for guard in (start, start + (pages + 1) * page):
            if libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(page), 0):
                raise OSError(ctypes.get_errno(), "mprotect")


needs_guard_pages = pytest.mark.skipif(sys.platform == "win32", reason="mprotect is POSIX")


@contextmanager
def interruptible(command):
    """A process that takes SIGINT, which a shell lets its background jobs ignore, and that ends here."""
    take = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, preexec_fn=take, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()
