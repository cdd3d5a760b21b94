"""`threads` and `progress`, wherever they are taken: checked before any work, by short and long calls alike."""

import inspect
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import vecblade as vb
from vecblade import _core, _threads

SHORT = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
BITS = vb.pack_bits(SHORT)
# So long that no test would see the end of it.
LONG = np.broadcast_to(SHORT[0], (1 << 34, 8))
LONG_BITS = np.broadcast_to(BITS[0], (1 << 34, 1))
QUERY = SHORT[0]


def bits_of(x):
    return BITS if x is SHORT else LONG_BITS


def index_of(x):
    index = vb.FlatIndex(x[:40])
    if x is LONG:  # as if it were one of all, whose codes would take too long to make
        index._held = replace(index._held, rows=x, count=len(x), panels=index._held.panels[:0])
    return index


OF_ROWS = (vb.dot, vb.sqeuclidean, vb.euclidean, vb.cosine, vb.cosine_similarity)
INDEXES = {id(x): index_of(x) for x in (SHORT, LONG)}
OF_BITS = vb.FlatIndex(BITS, "hamming")
# Calls of everything public that takes one of the two, over short or long rows.
CALLS = {
    **{f.__name__: lambda x, f=f, **more: f(QUERY, x, **more) for f in OF_ROWS},
    **{f"{f.__name__}, a pair": lambda x, f=f, **more: f(QUERY, x[0], **more) for f in OF_ROWS},
    "hamming": lambda x, **more: vb.hamming(BITS[0], bits_of(x), **more),
    "jaccard": lambda x, **more: vb.jaccard(BITS[0], bits_of(x), **more),
    "topk": lambda x, **more: vb.topk(QUERY, x, 3, **more),
    "topk, rescore": lambda x, **more: vb.topk(QUERY, bits_of(x), 3, "cosine", rescore=x, **more),
    "topk, rescore by an index": lambda x, **more: vb.topk(
        QUERY, OF_BITS, 3, "cosine", rescore=SHORT, **more
    ),
    "within": lambda x, **more: vb.within(QUERY, x, 0.5, **more),
    "explain": lambda x, **more: vb.explain(QUERY, x, 3, **more),
    "explain, an index": lambda x, **more: vb.explain(QUERY, INDEXES[id(x)], 3, **more),
    "pairwise": lambda x, **more: vb.pairwise(x[:10_000], **more),
    "normalize": lambda x, **more: vb.normalize(x[:10_000], **more),
    "astype": lambda x, **more: vb.astype(x[:10_000], "float16", **more),
    "FlatIndex": lambda x, **more: vb.FlatIndex(x, **more),
    "FlatIndex.search": lambda x, **more: INDEXES[id(x)].search(QUERY, 3, **more),
    "FlatIndex.within": lambda x, **more: INDEXES[id(x)].within(QUERY, 0.5, **more),
    "FlatIndex.add": lambda x, **more: INDEXES[id(SHORT)].add(x[:10_000], **more),
    "FlatIndex.remove": lambda x, **more: INDEXES[id(SHORT)].remove([0], **more),
}


def takers(name):
    """The public functions and methods with an argument of this name."""
    functions = {f: getattr(vb, f) for f in vb.__all__ if callable(getattr(vb, f))}
    functions |= {f"FlatIndex.{f}": m for f, m in vars(vb.FlatIndex).items() if inspect.isfunction(m)}
    return {
        what for what, function in functions.items()
        if "._" not in what and name in inspect.signature(function).parameters
    } - {"set_num_threads"}  # fmt: skip


def tried(name):
    return [what for what in CALLS if what.partition(",")[0] in takers(name)]


@pytest.fixture
def no_work(monkeypatch):
    def fail(*_, **__):
        pytest.fail("work began")

    monkeypatch.setattr(_threads, "run", fail)
    for name in ("topk_plain", "topk", "within", "encode", "measure", "pairwise", "rewrite"):
        monkeypatch.setattr(_core, name, fail)


def test_every_function_is_tried():
    for name in ("threads", "progress"):
        assert {what.partition(",")[0] for what in tried(name)} == takers(name)


@pytest.mark.parametrize("rows", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("what", tried("progress"))
def test_progress(what, rows, no_work):
    for wrong in (True, False, 1, "bar", object(), lambda: None, lambda done: None, [].append):
        with pytest.raises(
            TypeError, match=r"^progress must be a callable that takes \(done, total\), or None, not "
        ):
            CALLS[what](rows, progress=wrong)


@pytest.mark.parametrize("rows", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("what", tried("threads"))
def test_threads(what, rows, no_work):
    for wrong in (0, -1, np.int64(0)):
        with pytest.raises(ValueError, match=r"^threads must be at least 1, not "):
            CALLS[what](rows, threads=wrong)
    for wrong in (True, 1.5, "2", np.array([2]), np.ones(3, int), int, object()):
        with pytest.raises(TypeError, match=r"^threads must be an integer of at least 1, not "):
            CALLS[what](rows, threads=wrong)


@pytest.mark.parametrize("what", tried("progress"))
def test_what_may_be_called(what):
    class Bar:
        def __call__(self, done, total, unit="rows"):
            pass

    for right in (
        None,
        print,
        Bar(),
        Bar().__call__,
        lambda *both: None,
        partial(max, 0.0),
        lambda done, total=1: 0,
    ):
        CALLS[what](SHORT, progress=right)
