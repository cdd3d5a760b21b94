"""`patch` and `unpatch`: what is replaced, for how long, by whom, and the script that runs with it."""

import inspect
import logging
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import outcome

import vecblade as vb
from vecblade._dropin import patch as _patch

distance = pytest.importorskip("scipy.spatial.distance")
pairwise = pytest.importorskip("sklearn.metrics.pairwise")
neighbors = pytest.importorskip("sklearn.neighbors")
metrics = pytest.importorskip("sklearn.metrics")

X = np.random.default_rng(0).random((8, 20))


def in_place():
    """Everything that `patch` may replace, as it is now."""
    found = {}
    for module, (_, names) in _patch.TARGETS.items():
        for name in names:
            owner = sys.modules[module]
            for part in name.split("."):
                owner = getattr(owner, part)
            found[module, name] = owner
    for table in _patch.TABLES:
        found.update({(table, key): value for key, value in getattr(pairwise, table).items()})
    found["metrics"] = metrics.pairwise_distances, metrics.euclidean_distances
    return found


ORIGINALS = in_place()


@pytest.fixture(autouse=True)
def unpatched():
    yield
    vb.unpatch()
    assert in_place() == ORIGINALS
    assert _patch._finder not in sys.meta_path


def is_patched():
    return distance.cdist.__module__ == "vecblade.scipy"


def test_everything_is_replaced_and_put_back():
    with vb.patch():
        now = in_place()
        for key, before in ORIGINALS.items():
            module = key[0] if isinstance(key, tuple) else None
            if module in _patch.TARGETS:
                assert now[key] is not before, key
                assert now[key].__module__ == _patch.TARGETS[module][0]
        assert metrics.pairwise_distances is pairwise.pairwise_distances
        assert metrics.pairwise_distances.__module__ == "vecblade.sklearn"
        assert pairwise.PAIRWISE_DISTANCE_FUNCTIONS["l2"] is pairwise.euclidean_distances
        assert pairwise.PAIRWISE_KERNEL_FUNCTIONS["cosine"] is pairwise.cosine_similarity
        for name in ("KNeighborsClassifier", "KNeighborsRegressor", "NearestNeighbors", "LocalOutlierFactor"):
            assert getattr(neighbors, name).kneighbors.__module__ == "vecblade._dropin.neighbors"
    assert in_place() == ORIGINALS


def test_results_are_the_originals():
    labels = X[:, 0]
    before = [
        distance.cdist(X, X),
        pairwise.cosine_similarity(X),
        neighbors.KNeighborsRegressor(3, algorithm="brute").fit(X, labels).predict(X),
        metrics.pairwise_distances(X, metric="manhattan"),
        metrics.silhouette_score(X, [0, 1] * 4),
    ]
    with vb.patch():
        after = [
            distance.cdist(X, X),
            pairwise.cosine_similarity(X),
            neighbors.KNeighborsRegressor(3, algorithm="brute").fit(X, labels).predict(X),
            metrics.pairwise_distances(X, metric="manhattan"),
            metrics.silhouette_score(X, [0, 1] * 4),
        ]
    for a, b in zip(before, after, strict=True):
        assert np.allclose(a, b, atol=1e-7)


def test_nested_calls_and_unpatch():
    with vb.patch():
        with vb.patch():
            assert is_patched()
        assert is_patched()
    assert not is_patched()
    vb.patch()
    vb.patch()
    vb.unpatch()
    assert not is_patched()
    vb.unpatch()
    with vb.patch() as made:
        vb.unpatch()
        assert not is_patched()
    assert made not in _patch._stack
    with pytest.raises(ZeroDivisionError), vb.patch():
        1 / 0  # noqa: B018
    assert not is_patched()
    with pytest.raises(TypeError, match="log must be a bool, not 'yes'"):
        vb.patch(log="yes")


def test_blocks_that_end_in_another_order():
    first, second = vb.patch(), vb.patch()
    first.__exit__(None, None, None)
    assert is_patched()
    second.__exit__(None, None, None)
    assert not is_patched()
    second.__exit__(None, None, None)


def test_names_imported_before_stay():
    from scipy.spatial.distance import cdist

    with vb.patch():
        assert cdist is ORIGINALS["scipy.spatial.distance", "cdist"]


def test_many_threads(monkeypatch):
    monkeypatch.setattr(sys, "setswitchinterval", sys.setswitchinterval)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    expected, wrong = distance.cdist(X, X, "cityblock"), []

    def work(seed):
        for i in range(25):
            with vb.patch(log=(i + seed) % 2 == 0):
                if not is_patched():
                    wrong.append("not patched inside a block")
                if not np.array_equal(distance.cdist(X, X, "cityblock"), expected):
                    wrong.append("another result")
                pairwise.pairwise_distances(X, metric="cosine")

    logger = logging.getLogger("vecblade")
    logger.disabled = True
    try:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        logger.disabled = False
        sys.setswitchinterval(interval)
    assert not wrong
    assert not is_patched()


def test_the_log(caplog):
    with caplog.at_level(logging.INFO, "vecblade"), vb.patch(log=True):
        distance.cdist(X, X[:3], metric="cosine")
        pairwise.pairwise_distances(X, metric="correlation")
        neighbors.NearestNeighbors(algorithm="brute").fit(X).kneighbors(X, 2)
        outcome(pairwise.cosine_similarity, X[0])
        distance.cosine([1.0, 0.0], (0, 1))
    text = [record.getMessage() for record in caplog.records]
    wanted = [
        "scipy.spatial.distance.cdist(float64[8, 20], float64[3, 20], metric='cosine'): vecblade, ",
        "scipy.spatial.distance.pdist(float64[8, 20], metric='correlation'): left to scipy, ",
        "sklearn.metrics.pairwise.pairwise_distances(float64[8, 20], metric='correlation'): left to scikit-learn",
        "sklearn.neighbors.NearestNeighbors.kneighbors(NearestNeighbors, float64[8, 20], 2): vecblade, ",
        "sklearn.metrics.pairwise.cosine_similarity(float64[20]): failed, ",
        "scipy.spatial.distance.cosine(list, tuple): ",
    ]
    assert len(text) == len(wanted)
    for line, start in zip(text, wanted, strict=True):
        assert line.startswith(start), line
        assert line.endswith(" ms")
    with vb.patch():
        caplog.clear()
        distance.cdist(X, X)
        assert not caplog.records


def test_logged_functions_are_pickled_as_ours():
    with vb.patch(log=True):
        for function in (distance.cdist, pairwise.cosine_similarity):
            again = pickle.loads(pickle.dumps(function))
            assert (again.__module__, again.__name__) == (function.__module__, function.__name__)
        theirs = inspect.signature(ORIGINALS["scipy.spatial.distance", "cdist"])
        assert list(inspect.signature(distance.cdist).parameters) == list(theirs.parameters)
        with vb.patch():
            assert isinstance(distance.cdist, _patch.Logged), "the outer call still wants its log"


def test_a_library_that_is_being_imported_is_patched_when_it_is():
    """By another thread, which began before there was a patch."""
    done = run("""
import importlib.abc, sys, threading
import vecblade as vb
class Midway(importlib.abc.MetaPathFinder):
    thread = None
    def find_spec(self, name, path, target=None):
        if name == "scipy.spatial._distance_pybind" and not self.thread:
            self.thread = threading.Thread(target=vb.patch)
            self.thread.start()
            self.thread.join(0.5)  # it waits for this import
midway = Midway()
sys.meta_path.insert(0, midway)
from scipy.spatial import distance
midway.thread.join(20)
assert not midway.thread.is_alive()
assert distance.cdist.__module__ == "vecblade.scipy", distance.cdist.__module__
""")
    assert done.returncode == 0, done.stderr


def run(code, *arguments, folder=None):
    return subprocess.run(
        [sys.executable, *arguments] if code is None else [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
    )


def test_libraries_imported_later_are_patched():
    done = run("""
import sys
import vecblade as vb
vb.patch()
assert not any(name.startswith(("scipy", "sklearn")) for name in sys.modules)
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KNeighborsClassifier
assert cdist.__module__ == "vecblade.scipy"
assert cosine_similarity.__module__ == pairwise_distances.__module__ == "vecblade.sklearn"
assert KNeighborsClassifier.kneighbors.__module__ == "vecblade._dropin.neighbors"
import scipy.spatial.distance, sklearn.metrics
assert scipy.spatial.distance.__spec__.loader.__class__.__module__ == "_frozen_importlib_external"
vb.unpatch()
assert sklearn.metrics.pairwise_distances.__module__ == "sklearn.metrics.pairwise"
assert scipy.spatial.distance.cdist.__module__ == "scipy.spatial.distance"
assert KNeighborsClassifier.kneighbors.__module__ == "sklearn.neighbors._base"
""")
    assert done.returncode == 0, done.stderr


def test_the_log_is_seen_without_a_configuration():
    done = run("""
import vecblade as vb
from scipy.spatial import distance
with vb.patch(log=True):
    distance.cdist([[0.0]], [[1.0]])
with vb.patch(log=True):
    distance.pdist([[0.0], [1.0]])
""")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert [line.split("(")[0] for line in lines] == [
        "vecblade: scipy.spatial.distance.cdist",
        "vecblade: scipy.spatial.distance.pdist",
    ]


# ---- python -m vecblade run ---------------------------------------------------------------

SCRIPT = """
import atexit, os, pickle, sys, helper
class Kept:
    pass
atexit.register(lambda: print(type(pickle.loads(pickle.dumps(Kept()))).__module__, os.path.isabs(__file__)))
from scipy.spatial.distance import cdist
print(sys.argv[1:], __name__, helper.word, cdist.__module__)
if "fail" in sys.argv:
    1 / 0
sys.exit(3)
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "helper.py").write_text("word = 'here'")
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def test_a_script(script):
    done = run(None, "-m", "vecblade", "run", str(script), "--log", "-k", "3")
    assert done.returncode == 3, done.stderr
    assert done.stdout == "['--log', '-k', '3'] __main__ here vecblade.scipy\n__main__ True\n"
    assert done.stderr == ""


def test_a_script_that_fails_shows_its_own_traceback(script):
    done = run(None, "-m", "vecblade", "run", str(script), "fail")
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert 'script.py", line 9' in done.stderr


def test_a_module(script):
    done = run(None, "-m", "vecblade", "run", "-m", "script", "a", folder=script.parent)
    assert done.returncode == 3, done.stderr
    assert done.stdout == "['a'] __main__ here vecblade.scipy\n__main__ True\n"
    done = run(None, "-m", "vecblade", "run", "-m", "no_such_module", folder=script.parent)
    assert done.returncode == 1
    assert "No module named no_such_module" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder(tmp_path):
    (tmp_path / "__main__.py").write_text("from scipy.spatial.distance import cdist; print(cdist.__module__)")
    done = run(None, "-m", "vecblade", "run", str(tmp_path))
    assert done.stdout == "vecblade.scipy\n", done.stderr


def test_a_script_with_a_log(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("from scipy.spatial.distance import cdist; cdist([[0.0]], [[1.0]])")
    done = run(None, "-m", "vecblade", "run", "--log", str(path))
    assert done.returncode == 0
    assert done.stderr.startswith("vecblade: scipy.spatial.distance.cdist(list, list): vecblade, ")


def test_no_script():
    done = run(None, "-m", "vecblade", "run", "nowhere.py")
    assert done.returncode == 2
    assert done.stderr == "vecblade: error: there is no file 'nowhere.py' to run\n"
