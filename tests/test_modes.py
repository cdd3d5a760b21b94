"""Whatever floating-point mode the process has set: the same bits, and the mode is there afterwards."""

import platform
import threading

import numpy as np
import pytest
from conftest import many_rows, same_bits

import vecblade as vb
from vecblade import _core, _threads

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the modes below are those of x86"
)

STANDARD = 0x1F80
MODES = {
    "flush-to-zero": 0x9F80,
    "denormals-are-zero": 0x1FC0,
    "both": 0x9FC0,
    "down": 0x3F80,
    "up": 0x5F80,
    "toward zero": 0x7F80,
}


@pytest.fixture(params=MODES)
def mode(request):
    """The test runs in this mode, as if a library built with -ffast-math had been loaded."""
    before = _core.floating_point_mode(MODES[request.param])
    yield MODES[request.param]
    _core.floating_point_mode(before)


def in_standard_mode(function):
    """What a function without arguments returns in the standard mode."""
    before = _core.floating_point_mode(STANDARD)
    try:
        return function()
    finally:
        _core.floating_point_mode(before)


def data():
    """Rows of ordinary size, some whose products are denormal in float32, denormal ones, and huge ones."""
    random = np.random.default_rng(0)
    X = random.standard_normal((1500, 24)) * 10.0 ** random.choice([-42, -39, -20, 0, 18], (1500, 1))
    return X.astype(np.float32)


X = data()
WIDE = X.astype(np.float64) * 1e-140
METRICS = ("dot", "cosine", "cosine_similarity", "euclidean", "sqeuclidean")


def calls():
    """Name and function of calls of every kind."""
    tiny = X[np.abs(X).max(axis=1) < 1e-18]
    index = vb.FlatIndex(X, "cosine")
    for metric in METRICS:
        f = getattr(vb, metric)
        yield f"{metric} of two rows", lambda f=f: [f(a, b) for a in tiny[:6] for b in tiny[6:9]]
        yield f"{metric} of two float64 rows", lambda f=f: [f(a, b) for a in WIDE[:6] for b in WIDE[6:9]]
        yield f"{metric} of rows", lambda f=f: f(X[0], X)
        yield f"pairwise {metric}", lambda metric=metric: vb.pairwise(X[:60], X[:90], metric)
        yield f"topk {metric}", lambda metric=metric: vb.topk(X[:40], X, 7, metric, threads=2)
        yield f"topk {metric}, tiny", lambda metric=metric: vb.topk(tiny[:3], tiny, 10, metric)
        yield f"topk {metric}, few", lambda metric=metric: vb.topk(X[0], X[:20], 7, metric)
        yield (
            f"topk {metric}, in pieces",
            lambda metric=metric: vb.topk(X[:3], np.asfortranarray(X), 7, metric),
        )
        yield f"within {metric}", lambda metric=metric: vb.within(X[:9], X, 1e-39, metric)
    yield "index", lambda: index.search(X[:40], 7, threads=2)
    yield "a new index", lambda: vb.FlatIndex(X, "dot").search(X[:40], 7)
    yield "normalize", lambda: vb.normalize(X)
    yield "astype", lambda: vb.astype(X, "float16")
    yield "quantize", lambda: vb.quantize(X)
    yield "pack_bits", lambda: vb.pack_bits(X)
    yield "float16 with float64", lambda: vb.dot(np.float16(6e-8) * np.ones(5, np.float16), WIDE[:9, :5])


def flat(result):
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.parametrize("name", [name for name, _ in calls()])
def test_the_mode_changes_nothing(mode, name):
    call = dict(calls())[name]
    wanted, found = in_standard_mode(call), call()
    assert all(same_bits(a, b) for a, b in zip(flat(found), flat(wanted), strict=True))
    assert _core.floating_point_mode() & ~0x3F == mode, "the mode is the caller's again"
    assert any(np.count_nonzero(part) for part in flat(wanted)), "there is something to lose"


def test_rows_of_tiny_products(mode):
    """Of rows near 1e-20 the ten best: in float32 all products are denormal."""
    rows = np.random.default_rng(1).standard_normal((5000, 32)).astype(np.float32) * np.float32(1e-20)
    q = rows[7]
    exact = in_standard_mode(lambda: rows.astype(np.float64) @ q.astype(np.float64))
    wanted = in_standard_mode(lambda: np.argsort(-exact)[:10].tolist())
    for found in (vb.topk(q, rows, 10, "dot"), vb.FlatIndex(rows, "dot").search(q, 10)):
        assert found.indices.tolist() == wanted
        assert in_standard_mode(lambda found=found: (found.values > 0).all())


def test_helpers_that_start_in_this_mode(mode):
    """Threads take the mode of the one that starts them."""
    results = []

    def work():
        _core.floating_point_mode(mode)
        _threads._reset() if hasattr(_threads, "_reset") else None
        results.append(vb.topk(X, X, 5, "cosine", threads=3))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    wanted = in_standard_mode(lambda: vb.topk(X, X, 5, "cosine", threads=1))
    assert same_bits(results[0].indices, wanted.indices)
    assert same_bits(results[0].values, wanted.values)


def test_a_callback_runs_in_the_callers_mode(mode):
    seen = []
    rows = many_rows(300_000, 64)
    vb.topk(
        rows[:3000],
        rows,
        5,
        threads=1,
        progress=lambda done, total: seen.append(_core.floating_point_mode() & ~0x3F),
    )
    assert set(seen) == {mode}


def test_unmasked_exceptions_do_not_reach_kernels():
    """Divide-by-zero, invalid, overflow and underflow raise signals when they are unmasked; none is sent."""
    before = _core.floating_point_mode(STANDARD & ~0x1E80)
    try:
        zero = vb.cosine(np.zeros(3), np.ones(3))
        tiny = vb.pairwise(X[:5], X[:5], "cosine")
    finally:
        _core.floating_point_mode(before)
    assert np.isnan(zero)
    assert same_bits(tiny, vb.pairwise(X[:5], X[:5], "cosine"))


def test_sticky_flags_stay():
    before = _core.floating_point_mode(0x9FC0 | 0x20)  # inexact, from before
    try:
        vb.dot(np.ones(3), np.ones(3))
        assert _core.floating_point_mode() & 0x20
    finally:
        _core.floating_point_mode(before)


def test_the_callers_errstate_is_not_touched():
    with np.errstate(all="raise"):
        state = np.geterr()
        assert np.isnan(vb.cosine(np.zeros(3), np.ones(3)))
        vb.topk(X[:3], X, 3, "cosine")
        vb.within(X[:3], X, 1e39, "sqeuclidean")
        vb.quantize(X)
        assert np.geterr() == state


def test_drop_ins_keep_small_results(mode):
    """float32 and float16 results under their least normal numbers."""
    distance = pytest.importorskip("vecblade.scipy")
    import vecblade.numpy as vn

    pytest.importorskip("scipy")
    small, tiny = (in_standard_mode(lambda x=x: np.full(4, x, np.float32)) for x in (1e-21, 1e-42))
    half = np.full(3, 1, np.uint16).view(np.float16)
    calls = {
        "sqeuclidean": lambda: distance.sqeuclidean(small, -small),
        "euclidean of halves": lambda: distance.euclidean(half, -half),
        "dot": lambda: vn.dot(small, small),
        "norm": lambda: vn.linalg.norm(tiny),
        "cdist": lambda: distance.cdist(small[None], -small[None], "sqeuclidean"),
    }
    for name, call in calls.items():
        wanted = in_standard_mode(call)
        assert same_bits(call(), wanted), name
        assert in_standard_mode(lambda wanted=wanted: bool(np.all(wanted > 0))), name
