"""Every line of docs/migration.md: ours is run, and theirs beside it where that library is installed."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

import vecblade as vb

PAGE = Path(__file__).parent.parent / "docs" / "migration.md"

# What the left side of each section's table needs, by name: a module, or something in it.
NEEDS = {
    "faiss": {"faiss": "faiss"},
    "usearch": {"usearch": "usearch.index"},
    "sentence_transformers.util": {"torch": "torch", "util": "sentence_transformers.util"},
    "torch": {"torch": "torch"},
    "NumPy": {"np": "numpy"},
    "SciPy": {"distance": "scipy.spatial.distance", "KDTree": "scipy.spatial:KDTree"},
    "scikit-learn": {
        "cosine_similarity": "sklearn.metrics.pairwise:cosine_similarity",
        "euclidean_distances": "sklearn.metrics.pairwise:euclidean_distances",
        "paired_cosine_distances": "sklearn.metrics.pairwise:paired_cosine_distances",
        "pairwise_distances_argmin": "sklearn.metrics.pairwise:pairwise_distances_argmin",
        "NearestNeighbors": "sklearn.neighbors:NearestNeighbors",
        "normalize": "sklearn.preprocessing:normalize",
    },
}


def lines():
    section = None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif cells := re.fullmatch(r"\| `(.+)` \| `(.+)` \|", line):
            yield section, cells[1], cells[2]


LINES = list(lines())


def test_every_table_is_read():
    assert {section for section, *_ in LINES} == set(NEEDS)
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) == len(LINES) >= 50


def found(where):
    module, _, name = where.partition(":")
    loaded = importlib.import_module(module)
    return getattr(loaded, name) if name else loaded


def names(folder):
    """What both sides work on; each has arrays of its own, for some are changed."""
    random = np.random.default_rng(5)
    X, Q = random.standard_normal((300, 24), np.float32), random.standard_normal((6, 24), np.float32)
    space = {"np": np, "vb": vb, "X": X, "Q": Q, "q": Q[2].copy(), "n": 6, "m": 300, "d": 24, "k": 5}
    space |= {"P": np.packbits(X > 0, axis=1), "B": np.packbits(Q > 0, axis=1), "ids": np.arange(10, 200, 7)}
    return space | {"r": 5.2, "s": 9.0, "path": str(folder / "index"), "tX": X, "tQ": Q, "tq": space["q"]}


@pytest.mark.filterwarnings("ignore")  # of theirs
@pytest.mark.parametrize(("section", "theirs", "ours"), LINES, ids=[f"{s}-{o}" for s, _, o in LINES])
def test_a_line(section, theirs, ours, tmp_path):
    threads = vb.get_num_threads()
    right = names(tmp_path)
    try:
        library = {name: found(where) for name, where in NEEDS[section].items()}
    except ImportError:
        library = None
    if library is not None and "torch" in library:
        for name in ("tX", "tQ", "tq"):
            right[name] = library["torch"].from_numpy(right[name])
    try:
        exec(ours, right)
    finally:
        vb.set_num_threads(None)
    assert vb.get_num_threads() == threads
    results = [name for name in ("limits", "I", "D", "n") if re.search(rf"\b{name}\b.* = ", ours)]
    assert results
    if library is None:
        pytest.skip(f"{section} is not installed: its side was not run")
    left = names(tmp_path) | library
    if "torch" in library:
        left |= {name: right[name] for name in ("tX", "tQ", "tq")}
    exec(theirs, left)
    for name in results:
        a, b = np.asarray(left[name]), np.asarray(right[name])
        assert a.shape == b.shape, name
        if name == "D" and "limits" in results:  # in an order of its own, by rows
            order = np.lexsort((left["I"], np.repeat(np.arange(6), np.diff(left["limits"].astype(int)))))
            left["I"], a = np.asarray(left["I"])[order], a[order]
            assert np.array_equal(left["I"], right["I"])
        if name == "I" and "limits" in results:
            continue
        exact = name in ("I", "limits", "n")
        assert np.array_equal(a, b) if exact else np.allclose(a, b, rtol=1e-4, atol=1e-5), name
        assert name != "limits" or b[-1] > 20, "nothing is found: that shows nothing"
