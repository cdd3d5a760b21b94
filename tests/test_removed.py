"""`FlatIndex.remove`: what is gone stays in its place for a while, and nothing but the time it takes can show it."""

import pickle
import signal
import threading

import numpy as np
import pytest
from conftest import TYPES, many_rows, same_bits

import vecblade as vb
from vecblade import _core, _threads
from vecblade._search import store as _store


@pytest.fixture(autouse=True)
def left_in_place(monkeypatch):
    """Also of a few rows, however many are gone."""
    monkeypatch.setattr(_store, "LITTLE", 0)
    monkeypatch.setattr(_store, "SHARE", 1)


def gaussian(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def same(found, wanted):
    return all(same_bits(a, b) for a, b in zip(found, wanted, strict=True))


def finds_the_same(index, X, queries, threshold, metric, **options):
    """As the bare functions find in X, which knows nothing of an index; restricted too."""
    n = len(X)
    masks = (np.arange(n) % 3 == 1, np.arange(n) > n - 40, np.zeros(n, bool))
    for where in (None, *masks, *map(np.flatnonzero, masks), np.arange(n)[::-1]):
        for q in (queries, queries[0]):
            for k in (1, 7, n + 1):
                wanted = vb.topk(q, X, k, metric, where=where, **options)
                assert same(index.search(q, k, where=where), wanted)
            wanted = vb.within(q, X, threshold, metric, where=where, **options)
            assert same(index.within(q, threshold, where=where), wanted)
    assert len(index) == n
    return True


@pytest.mark.parametrize("kind", TYPES.values(), ids=str)
def test_every_type(kind, isa):
    X = kind.some(0, 1300, 12)
    X[100::100] = X[50]  # ties, which rank by row
    queries = X[[50, 7]].view(kind.given)
    X, metric = X.view(kind.given), "hamming" if kind.bits else "sqeuclidean"
    index = vb.FlatIndex(X, metric, **kind.options)
    threshold = float(vb.topk(queries[1], X, 30, metric, **kind.options).values[-1])
    for gone in ([0], [99, 1298], [50], np.arange(200, 300), [1, 1, 5], [len(X) - 304]):
        before = index._held
        index.remove(gone)
        X = np.delete(X, gone, axis=0)
        assert index._held.rows is before.rows, "nothing was moved"
        assert finds_the_same(index, X, queries, threshold, metric, **kind.options)
    index.add(queries)
    X = np.concatenate([X, queries])
    assert finds_the_same(index, X, queries, threshold, metric, **kind.options)
    assert same_bits(index.vectors.view(X.dtype), X)


@pytest.mark.parametrize("metric", [m for m in _core.METRICS if m not in _core.BIT_METRICS])
def test_every_metric(metric):
    X = gaussian(0, 1500, 20)
    index = vb.FlatIndex(X, metric)
    index.remove(np.arange(0, 1400, 3))
    X = np.delete(X, np.arange(0, 1400, 3), axis=0)
    assert finds_the_same(index, X, X[:9], 0.8, metric)


@pytest.mark.parametrize(("little", "share"), [(0, 1), (0, 8), (1 << 20, 8)])
@pytest.mark.parametrize("d", [17, 3])  # short rows have no codes
def test_changes_at_random(monkeypatch, little, share, d):
    monkeypatch.setattr(_store, "LITTLE", little)
    monkeypatch.setattr(_store, "SHARE", share)
    random = np.random.default_rng(d)
    X = gaussian(0, 1200, d)
    index, given = vb.FlatIndex(X, copy=False), X.copy()
    for step in range(80):
        if random.random() < 0.5:
            more = gaussian(step, int(random.choice([0, 1, 5, 31, 32, 33, 300])), d) + step % 7
            assert index.add(more) == range(len(X), len(X) + len(more))
            X = np.concatenate([X, more])
        else:
            gone = random.integers(0, max(len(X), 1), int(random.choice([0, 1, 10, 200])) if len(X) else 0)
            if step % 20 == 13:
                gone = np.arange(len(X))
            elif step % 2:
                gone = np.arange(max(len(X) - len(gone), 0), len(X))  # the last
            assert index.remove(gone) == len(np.unique(gone))
            X = np.delete(X, gone, axis=0)
        queries = gaussian(step, 9, d) + step % 7
        assert same(index.search(queries, 10), vb.topk(queries, X, 10))
        assert same(index.search(queries[0], 10), vb.topk(queries[0], X, 10))
        assert same(index.within(queries, 4.0), vb.within(queries, X, 4.0))
        assert len(index) == len(X)
        if step % 10 == 9:
            assert same_bits(index.vectors, X)
            assert not index._held.gone.size
    assert same_bits(vb.topk(given, given, 1).indices[:, 0], np.arange(1200)), (
        "the caller's rows are as they were"
    )


def test_kept(tmp_path):
    """A file, a pickle and what was shown before have nothing of what is gone, or all."""
    X = gaussian(0, 3000, 16)
    index = vb.FlatIndex(X)
    shown = index.vectors
    index.remove([5, 2000])
    index.add(X[:2])
    Y = np.concatenate([np.delete(X, [5, 2000], axis=0), X[:2]])
    assert index.nbytes == vb.FlatIndex(Y).nbytes
    assert repr(index) == "FlatIndex(3000 x 16 float32, metric='euclidean')"
    copy = pickle.loads(pickle.dumps(index))
    index.remove([0])
    index.save(tmp_path / "index")
    loaded = vb.FlatIndex.load(tmp_path / "index", verify=True)
    for other, rows in ((copy, Y), (index, Y[1:]), (loaded, Y[1:])):
        assert same_bits(other.vectors, rows)
        assert same(other.search(X[:9], 5), vb.topk(X[:9], rows, 5))
        assert vb.explain(X[:1], other, 5).plan == "codes"
    loaded.remove([1])
    loaded.add(X[:1])
    assert same_bits(loaded.vectors, np.concatenate([np.delete(Y, [0, 2], axis=0), X[:1]]))
    assert same_bits(shown, X)
    assert np.shares_memory(index.vectors, index.vectors)


def test_a_file_is_not_read_to_remove_rows_of_it(tmp_path):
    X = gaussian(0, 3000, 16)
    vb.FlatIndex(X).save(tmp_path / "index")
    index = vb.FlatIndex.load(tmp_path / "index")
    before = index._held
    index.remove([0, 17])
    assert np.shares_memory(index._held.rows, before.rows)
    assert same(index.search(X[:9], 5), vb.topk(X[:9], np.delete(X, [0, 17], axis=0), 5))


class Counted:
    """How many rows get codes, and how many bytes NumPy is asked for at once."""

    def __init__(self, monkeypatch):
        self.encoded, encode = 0, _core.encode

        def counting(metric, rows, first, panels, center):
            self.encoded += len(rows) - first
            return encode(metric, rows, first, panels, center)

        monkeypatch.setattr(_core, "encode", counting)


def test_removing_moves_nothing_and_what_is_added_then_is_all_that_gets_codes(monkeypatch):
    """As it is by itself, not as the other tests want it."""
    monkeypatch.undo()
    X = gaussian(0, 20_000, 32)
    for index in (vb.FlatIndex(X), vb.FlatIndex(X, copy=False)):
        counted = Counted(monkeypatch)
        assert index.remove([7]) == 1
        assert counted.encoded == 0
        own = index._held.rows if index._held.rows is not X else None
        index.add(X[:3])
        assert counted.encoded <= 3 + _store.PANEL
        assert own is None or index._held.rows is own, "room was there"
        index.remove([0, 1])
        index.add(X[:3])
        assert counted.encoded <= 2 * (3 + _store.PANEL)
        Y = np.concatenate([np.delete(X, 7, axis=0), X[:3]])[2:]
        assert same_bits(index.vectors, np.concatenate([Y, X[:3]]))
        monkeypatch.undo()


def test_rows_one_at_a_time_get_codes_a_few_times_each(monkeypatch):
    counted = Counted(monkeypatch)
    index = vb.FlatIndex(np.empty((0, 8), np.float32))
    X = gaussian(0, 3000, 8)
    for row in X:
        index.add(row)
    assert counted.encoded < 3000 * 2 * _store.PANEL  # of a panel about half is encoded again for every row
    assert same(index.search(X[:9], 5), vb.topk(X[:9], X, 5))


def test_what_is_gone_is_moved_away_in_time(monkeypatch):
    monkeypatch.undo()
    X = gaussian(0, 20_000, 32)
    index = vb.FlatIndex(X)
    for i in range(100):
        index.remove(np.arange(0, len(index), 10))
        index.add(X[: 20_000 - len(index)])
        held = index._held
        assert len(held.gone) <= held.count / _store.SHARE
        assert len(held.rows) <= 2 * len(index) + _store.PANEL, i


def test_codes_go_by_the_center_of_what_there_is():
    """Rows far from the first ones are ruled out too, once they are most of all."""
    X = gaussian(0, 30_000, 32)
    index = vb.FlatIndex(X[:5_000])
    for start in range(5_000, 30_000, 500):
        index.add(X[start : start + 500] + 50)
    index.remove(np.arange(5_000))
    Y = X[5_000:] + 50
    assert same_bits(index.vectors, Y)
    told, best = vb.explain(Y[:20], index, 10), vb.explain(Y[:20], vb.FlatIndex(Y), 10)
    assert (told.plan, best.plan) == ("codes", "codes")
    assert told.rescored < 2 * best.rescored


def test_interrupted_changes(monkeypatch):
    X = gaussian(0, 3000, 16)
    index = vb.FlatIndex(X)
    index.remove([5])
    Y = np.delete(X, 5, axis=0)

    def interrupted(job, threads, progress=None):
        raise KeyboardInterrupt

    for change in (
        lambda: index.add(X[:2]),
        lambda: index.add(X),
        lambda: index.vectors,
        lambda: pickle.dumps(index),
        lambda: index.save("nowhere"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(_threads, "run", interrupted)
            with pytest.raises(KeyboardInterrupt):
                change()
        assert same(index.search(X[:9], 5), vb.topk(X[:9], Y, 5))
        assert vb.explain(X[:1], index, 5).plan == "codes"
    assert same_bits(index.vectors, Y)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a destructor, by chance
def test_changes_interrupted_anywhere_are_whole_or_not_made():
    class Stop(Exception):
        pass

    def stop(number, frame):
        raise Stop

    random, before, stopped = np.random.default_rng(0), signal.signal(signal.SIGALRM, stop), 0
    X = gaussian(0, 1200, 16)
    index = vb.FlatIndex(X)
    more = gaussian(1, 40, 16)
    try:
        for step in range(600):
            gone = random.integers(0, len(X), 30)
            changed = np.concatenate([X, more]) if step % 2 else np.delete(X, gone, axis=0)
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-4))
                    index.add(more) if step % 2 else index.remove(gone)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Stop:
                stopped += 1
            if len(index) == len(changed):
                X = changed
            assert same(index.search(more[:3], 7), vb.topk(more[:3], X, 7))
            if step % 50 == 49:
                assert same_bits(index.vectors, X)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert stopped > 100
    assert same_bits(index.vectors, X)


def test_rows_are_shown_while_others_search_and_change():
    """Rows side by side take the place of those with gaps while searches are under way."""
    X = gaussian(0, 4000, 16)
    index = vb.FlatIndex(X)
    states = [X]
    for i in range(30):
        states.append(np.delete(states[-1], i * 7, axis=0))
    allowed = {vb.topk(X[:4], rows, 7).indices.tobytes() for rows in states}
    shown = {rows.tobytes() for rows in states}
    problems, stop = [], threading.Event()

    def search():
        while not stop.is_set():
            if index.search(X[:4], 7, threads=1).indices.tobytes() not in allowed:
                problems.append("search")

    def show():
        while not stop.is_set():
            if index.vectors.tobytes() not in shown:
                problems.append("vectors")

    threads = [threading.Thread(target=task) for task in (search, search, show, show)]
    for thread in threads:
        thread.start()
    for i in range(30):
        index.remove([i * 7])
        index.search(X[:4], 7)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert same_bits(index.vectors, states[-1])


def test_rows_can_be_shown_during_a_search():
    X = many_rows(1_500_000, 64)
    index, shown = vb.FlatIndex(X, copy=False), []
    index.remove([1])
    found = index.search(
        X[:400], 2, threads=1, progress=lambda done, total: shown.append(index.vectors.shape)
    )
    assert found.indices[2:, 0].tolist() == list(range(1, 399))
    assert set(shown) == {(1_499_999, 64)}


def test_rescoring_by_an_index_with_gaps():
    X = gaussian(0, 2000, 64)
    index = vb.FlatIndex(vb.pack_bits(X), "hamming")
    index.remove([0, 5])
    Y = np.delete(X, [0, 5], axis=0)
    found = vb.topk(Y[:5], index, 3, "cosine", rescore=Y, oversample=2000)
    assert same(found, vb.topk(Y[:5], Y, 3, "cosine"))


def test_stats_count_rows_that_are_there():
    X = gaussian(0, 5000, 16)
    index = vb.FlatIndex(X)
    index.remove([0, 1])
    index.search(X[:3], 5)
    assert index.stats[:3] == ("codes", 3 * 4998, 3 * 4998)
    assert vb.explain(X[:3], index, 5, where=[0]).pairs == 3
