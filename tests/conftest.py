"""Shared by all tests: the ISA fixture, comparison by bits, and guard pages."""

import ctypes
import mmap
import signal
import subprocess
import sys
import warnings
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import vecblade as vb
from vecblade import _core
from vecblade import reference as ref
from vecblade._dropin import common

settings.register_profile(
    "vecblade",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("vecblade")

DTYPES = (np.float32, np.float64)


class ElementType:
    """A type of rows: its name in the core, how arrays inside the package say it, and how users give it."""

    def __init__(self, name, dtype, given=None, reading=None):
        self.name, self.dtype, self.reading = name, np.dtype(dtype), reading
        self.given = np.dtype(given or dtype)
        self.bits, self.whole = name == "b1", name in ("i8", "u8", "b1")
        self.options = {} if reading is None else {"dtype": reading}

    def __repr__(self):
        return self.name

    def some(self, seed, *shape):
        """Random rows: gaussian, or whole numbers over all their range; of bits so many bytes."""
        random = np.random.default_rng(seed)
        if self.whole:
            return random.integers(0, 256, shape, np.uint8).view(self.dtype)
        return self.of(random.standard_normal(shape))

    def of(self, values):
        """float64 numbers, rounded to the type."""
        if self.name == "bf16":
            return vb.astype(np.atleast_2d(values), "bfloat16").reshape(np.shape(values)).view(self.dtype)
        with np.errstate(all="ignore"):
            return np.asarray(values).astype(self.dtype)

    def patterns(self, seed, *shape):
        """Any bits at all: every special value will be among them."""
        raw = np.random.default_rng(seed).integers(0, 256, (*shape, self.dtype.itemsize), np.uint8)
        return raw.view(self.dtype)[..., 0]

    def numbers(self, array):
        """The numbers of an array of any number of axes in float64; of bits eight times as many."""
        if self.bits:
            return np.unpackbits(np.ascontiguousarray(array).view(np.uint8), axis=-1).astype(np.float64)
        if self.name == "bf16":
            array = (np.ascontiguousarray(array).view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        with np.errstate(all="ignore"):  # NaN that signal
            return np.asarray(array).astype(np.float64)

    def listed(self, row):
        """A row for the reference: floats, or ints."""
        values = self.numbers(row)
        return values.astype(int).tolist() if self.whole else values.tolist()

    def metrics(self):
        return tuple(_core.METRICS) if self.bits else METRICS


TYPES = {
    t.name: t
    for t in (
        ElementType("f32", np.float32),
        ElementType("f64", np.float64),
        ElementType("f16", np.float16),
        ElementType("bf16", _core.BFLOAT16, np.uint16, "bfloat16"),
        ElementType("i8", np.int8),
        ElementType("u8", np.uint8),
        ElementType("b1", _core.BITS, np.uint8, "bits"),
    )
}
# Those of numbers; of bits, all.
METRICS = tuple(metric for metric in _core.METRICS if metric not in _core.BIT_METRICS)


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


def kernels_of(*forms, types=tuple(TYPES)):
    """A fixture over every kernel of these forms and types; skips those that this CPU lacks."""
    numbers = [i for i, r in enumerate(REGISTRY) if r["form"] in forms and r["type"] in types]

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


def many_rows(n, d):
    """So many different rows in little memory, and read-only: each begins one element after the one before."""
    line = np.random.default_rng(0).standard_normal(n + d - 1, dtype=np.float32)
    return np.lib.stride_tricks.sliding_window_view(line, d)


def closest_first(metric, q, X):
    """
    The order in which a search finds rows, by the float64 values of the row functions; one query.

    NaN comes last and ties rank by row. Cosine similarities that round to 1, and its neighbours, rank by the distance.
    """
    q, X = np.asarray(q, np.float64), np.asarray(X, np.float64)
    values = getattr(vb, metric)(q, X)
    if metric != "cosine_similarity":
        return np.argsort(-values if metric in _core.SIMILARITIES else values, kind="stable")
    near = values >= ref.near_edge(X.shape[-1])
    return np.lexsort((np.where(near, vb.cosine(q, X), 0.0), np.where(near, -2.0, -values)))


def are_within(metric, values, threshold, dtype):
    """Which float64 values are as close as the threshold, where results are of this type."""
    dtype = np.float64 if np.dtype(dtype).kind == "i" else dtype  # which holds these exactly
    with np.errstate(over="ignore"):
        values, threshold = np.asarray(values).astype(dtype), np.float64(threshold).astype(dtype)
    return values >= threshold if metric in _core.SIMILARITIES else values <= threshold


def outcome(function, *args, **kwargs):
    """What a call comes to: its result, or its exception as (type, message)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args, **kwargs)
        except Exception as error:
            return type(error), str(error)


@pytest.fixture
def passed_on():
    """Says whether the last call of a drop-in was left to the original."""

    def last():
        answer, common.calls.passed_on = getattr(common.calls, "passed_on", False), False
        return answer

    last()
    return last


def as_original(ours, theirs, rtol, atol=0.0):
    """Whether a drop-in's outcome is the original's: type, dtype, shape, and values as near as this."""
    if isinstance(theirs, tuple) and theirs and isinstance(theirs[0], type):
        return isinstance(ours, tuple) and ours == theirs
    if isinstance(theirs, (tuple, list)):
        return len(ours) == len(theirs) and all(
            as_original(x, y, rtol, atol) for x, y in zip(ours, theirs, strict=True)
        )
    a, b = np.asarray(ours), np.asarray(theirs)
    if b.dtype == object:
        return a.dtype == object and as_original(list(ours), list(theirs), rtol, atol)
    return (
        type(ours) is type(theirs)
        and a.dtype == b.dtype
        and a.shape == b.shape
        and bool(np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True).all())
    )


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
