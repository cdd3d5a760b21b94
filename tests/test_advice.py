"""What is no array of numbers: named for what it is, with an advice that works when it is followed."""

import collections
import decimal
import re
import sys
from typing import ClassVar

import numpy as np
import pytest

import vecblade as vb

X = np.random.default_rng(0).standard_normal((5, 3))


def from_module(name):
    return pytest.importorskip(name)


def files(folder):
    np.save(folder / "x.npy", X)
    np.savez(folder / "x.npz", ids=np.arange(5), X=X)
    np.savetxt(folder / "x.csv", X, delimiter=",")
    for i, row in enumerate(X):
        np.save(folder / f"{i}.npy", row)


def table(library, **columns):
    module = from_module(library)
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


ROWS = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
VECTORS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
RECORDS = np.zeros(2, [("id", "i4"), ("v", "f4", (3,))])


class Archives:
    """Those that are open, for somebody has to close them."""

    found: ClassVar[list] = []

    @classmethod
    def opened(cls, path):
        cls.found.append(np.load(path))
        return cls.found[-1]


# What comes, and what the message says to pass for it; {0} is the argument.
ADVICE = {
    "path": (lambda: "x.npy", "np.load({0}, mmap_mode='r')"),
    "text file": (lambda: "x.csv", "np.loadtxt({0}, delimiter=',')"),
    "path of an archive": (lambda: "x.npz", "np.load({0})['X']"),
    "paths": (
        lambda: [f"{i}.npy" for i in range(5)],
        "np.concatenate([np.atleast_2d(np.load(path)) for path in {0}])",
    ),
    "archive": (lambda: Archives.opened("x.npz"), "{0}['X']"),
    "dict of rows": (lambda: dict(enumerate(X)), "np.stack(list({0}.values()))"),
    "dict of arrays": (lambda: {"ids": [1, 2], "X": X}, "{0}['X']"),
    "dicts": (
        lambda: [{"embedding": row.tolist()} for row in X],
        "np.array([item['embedding'] for item in {0}])",
    ),
    "set": (lambda: {(1.0, 2.0, 3.0), (2.0, 3.0, 4.0)}, "list({0})"),
    "generator": (lambda: (row for row in X), "np.array(list({0}))"),
    "map": (lambda: map(list, X), "np.array(list({0}))"),
    "values": (lambda: dict(enumerate(X)).values(), "np.array(list({0}))"),
    "batches": (lambda: [X, X[:2]], "np.concatenate(list({0}))"),
    "equal batches": (lambda: [X, X], "np.concatenate({0})"),
    "objects": (lambda: np.array([*X, None], object)[:-1], "np.stack({0})"),
    "numbers as objects": (lambda: X.astype(object), "np.asarray({0}, np.float64)"),
    "decimals": (lambda: [[decimal.Decimal(1)] * 3] * 2, "np.asarray({0}, np.float64)"),
    "huge integers": (lambda: [[2**70, 1, 1]], "np.asarray({0}, np.float64)"),
    "wide integers": (lambda: [[2**60, 1, 1]], "np.asarray({0}).astype(np.float64)"),
    "numbers as text": (lambda: [["1.5", "2", "3"]], "np.asarray({0}, np.float64)"),
    "strings": (lambda: np.array([["1.5", "2", "3"]]), "{0}.astype(np.float64)"),
    "bools": (lambda: (X > 0).tolist(), "np.asarray({0}).astype(np.float32)"),
    "records": (lambda: RECORDS, "{0}['v']"),
    "fields": (
        lambda: np.zeros(2, [("a", "f4"), ("b", "f4"), ("c", "i2")]),
        "np.stack([{0}[field] for field in {0}.dtype.names], axis=-1)",
    ),
    "codes": (lambda: vb.quantize(X), "{0}.codes"),
    "sparse matrix": (lambda: from_module("scipy.sparse").csr_matrix(X), "{0}.toarray()"),
    "sparse array": (lambda: from_module("scipy.sparse").coo_array(X), "{0}.toarray()"),
    "lazy frame": (lambda: from_module("polars").LazyFrame(ROWS | {"c": [0.0, 0.0]}), "{0}.collect()"),
    "lazy vectors": (lambda: from_module("polars").LazyFrame({"v": X}), "{0}.collect()['v']"),
    "polars vectors": (lambda: table("polars", t=["x"] * 5, v=X), "{0}['v']"),
    "polars table": (lambda: table("polars", **ROWS, c=[0.0, 1.0], t=["x", "y"]), "{0}.drop(['t'])"),
    "pandas vectors": (lambda: table("pandas", t=["x"] * 5, v=list(X)), "np.stack({0}['v'])"),
    "pandas column": (lambda: table("pandas", v=list(X))["v"], "np.stack({0})"),
    "pandas table": (lambda: table("pandas", **ROWS, c=[0.0, 1.0], t=["x", "y"]), "{0}.drop(columns=['t'])"),
    "pyarrow vectors": (lambda: table("pyarrow", t=["x", "y"], v=VECTORS), "{0}['v']"),
    "pyarrow table": (
        lambda: table("pyarrow", **ROWS, c=[0.0, 1.0], t=["x", "y"]),
        "{0}.drop_columns(['t'])",
    ),
    "polars bools": (lambda: table("polars", **ROWS, c=[0.0, 1.0], t=[True, False]), "{0}.drop(['t'])"),
    "pyarrow bools": (
        lambda: table("pyarrow", **ROWS, c=[0.0, 1.0], t=[True, False]),
        "{0}.drop_columns(['t'])",
    ),
    "dataset": (
        lambda: from_module("pyarrow.dataset").dataset(table("pyarrow", **ROWS, c=[0.0, 1.0])),
        "{0}.to_table()",
    ),
    "pyarrow batch": (
        lambda: from_module("pyarrow").RecordBatch.from_pydict({"t": ["x", "y"], "v": VECTORS}),
        "{0}['v']",
    ),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    files(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    while Archives.found:
        Archives.found.pop().close()


CALLS = {
    "corpus": lambda x: vb.topk(X[0], x, 1),
    "queries": lambda x: vb.within(x, X, 1.0),
    "A": vb.pairwise,
    "b": lambda x: vb.dot(X[0], x),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ADVICE)
def test_an_advice_works_when_it_is_followed(folder, kind, name):
    make, advice = ADVICE[kind]
    advice = advice.format(name)
    if (kind, name) == ("equal batches", "b"):
        CALLS[name](make())  # of the row functions rows may have any number of axes
        return
    if name == "corpus" and kind in ("path", "path of an archive"):  # is opened
        assert CALLS[name](make()).indices == CALLS[name](X).indices
        return
    with pytest.raises((TypeError, ValueError), match=re.escape(f"pass {advice}")) as caught:
        CALLS[name](make())
    assert str(caught.value).startswith(name)
    CALLS[name](eval(advice, {name: make(), "np": np}))


def test_indexes_and_their_files(folder):
    index = vb.FlatIndex(X)
    index.save("index")
    for call, advice in (
        (lambda x: vb.pairwise(x), "A.vectors"),
        (lambda x: vb.topk(x, X, 1), "queries.vectors"),
        (lambda x: vb.FlatIndex(x), "corpus.vectors"),
    ):
        with pytest.raises(TypeError, match=f"but an index; pass {advice}"):
            call(index)
    with pytest.raises(TypeError, match=re.escape("the path of an index; pass vb.FlatIndex.load(queries)")):
        vb.topk("index", X, 1)
    assert vb.topk(X[0], "index", 1).indices == 0  # its rows
    with pytest.raises(TypeError, match="but what a search returned"):
        vb.topk(vb.topk(X[0], X, 2), X, 1)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (None, r"\(NoneType\) is not an array of numbers$"),
        ("what is love", "a string; make a vector of the text first"),
        (["what", "is love"], "holds texts; make a vector of each first"),
        (np.array(["what", "is love"]), "has dtype <U7; expected .*make a vector of each text first"),
        (["a.png", "b.png"], "holds paths; read the numbers in them first"),
        (b"\x00\x01", r"bytes; pass np.frombuffer\(corpus, np.float32\)"),
        ([[1.0, 2.0], [3.0]], "nor rows of one length: row 0 has 2 numbers, and row 1 1$"),
        ([np.ones(3), np.ones(3), np.ones(2)], "row 0 has 3 numbers, and row 2 2$"),
        (np.array([[1.0], [1.0, 2.0]], object), "row 0 has 1 numbers, and row 1 2$"),
        ([[1.0], 2.0], "nor rows of one length$"),
        ([[[1.0], [2.0, 3.0]]], r"nor rows of numbers of one length; see what is at 0 \(list\)"),
        ({"a": 1, "b": "c"}, "pass an array, none of which it has under 'a', 'b'"),
        ([[1.0], {"a": 1}], r"nor rows of numbers of one length; see what is at 1 \(dict\)"),
        (object(), r"\(object\) is not an array of numbers$"),
        (np.ones(3), r": expected shape \(m, d\), got \(3,\); pass np.atleast_2d\(corpus\)"),
    ],
)
def test_what_it_is(x, message):
    with pytest.raises((TypeError, ValueError), match=f"corpus.*{message}"):
        vb.topk([1.0, 2.0], x, 1)


def test_paths_of_no_file(folder):
    with pytest.raises(FileNotFoundError, match=r"^nowhere.npy: no such file or folder$"):
        vb.topk(X[0], "nowhere.npy", 1)
    with pytest.raises(TypeError, match=r"^queries.* a path, of no file; pass np.load"):
        vb.topk("nowhere.npy", X, 1)


def test_files_that_are_open(folder):
    with open("x.npy", "rb") as file:
        with pytest.raises(TypeError, match=r"an open file; pass np.load\(corpus\)"):
            vb.topk(X[0], file, 1)
        assert vb.topk(X[0], np.load(file), 1).indices == [0]


def test_frames_with_columns_of_any_name_are_no_results_of_ours():
    frame = table("pandas", codes=[1.0, 2.0], scales=[1.0, 0.0])
    assert vb.pairwise(frame)[0, 1] == 2**0.5


def test_containers_of_hdf5_and_zarr(folder):
    h5py = from_module("h5py")
    with h5py.File("x.h5", "w") as file:
        file["n"], file["X"] = 3, X
        with pytest.raises(TypeError, match=r"has arrays under names; pass corpus\['X'\]"):
            vb.topk(X[0], file, 1)
        assert vb.topk(X[0], file["X"], 1).indices == [0]


class Device:
    type = "cuda"

    def __str__(self):
        return "cuda:0"


class OnAGpu:
    """What torch's tensors show of themselves."""

    device, layout, requires_grad = Device(), "torch.strided", False

    def __dlpack__(self, **_):
        raise BufferError("not on the CPU")

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def cpu(self):
        return X


def test_tensors_on_another_device():
    with pytest.raises(TypeError, match=r"a tensor on the device 'cuda:0'; pass corpus.cpu\(\)"):
        vb.topk(X[0], OnAGpu(), 1)
    assert vb.topk(X[0], OnAGpu().cpu(), 1).indices == [0]


def test_tensors_of_torch():
    torch = from_module("torch")
    tensor = torch.from_numpy(X)
    for made, advice in (
        (tensor.to_sparse(), "to_dense()"),
        (tensor.to_sparse_csr(), "to_dense()"),
        (tensor.clone().requires_grad_(), "detach()"),
        (torch.nn.Parameter(tensor.bfloat16()), "detach()"),
        (tensor.to(torch.float8_e4m3fn), "float()"),
    ):
        with pytest.raises(TypeError, match=re.escape(f"pass corpus.{advice}")):
            vb.topk(X[0], made, 1)
        assert vb.topk(X[0], eval(f"corpus.{advice}", {"corpus": made}), 1).indices == [0]


def test_sequences_that_are_arrays_go_on_being_read():
    assert vb.topk(X[0], collections.deque(X.tolist()), 1).indices == [0]
    assert vb.dot(range(3), memoryview(np.ones(3))) == 3.0


# ---- searches of an index ---------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["cosine", "dot", "sqeuclidean"])
def test_searches_take_an_index(metric):
    rng = np.random.default_rng(1)
    Y, Q = rng.standard_normal((400, 16), np.float32), rng.standard_normal((7, 16), np.float32)
    index, mask = vb.FlatIndex(Y, metric), rng.random(400) < 0.3
    for where in (None, mask, [3, 9]):
        for given in ({}, {"metric": metric}):
            found = vb.topk(Q, index, 5, **given, where=where, threads=1)
            wanted = vb.topk(Q, Y, 5, metric, where=where)
            assert np.array_equal(found.indices, wanted.indices)
            assert np.array_equal(found.values, wanted.values)
            threshold = float(wanted.values[0, -1])
            near = vb.within(Q, index, threshold, **given, where=where)
            for a, b in zip(near, vb.within(Q, Y, threshold, metric, where=where), strict=True):
                assert np.array_equal(a, b)
    assert vb.topk(Q[0], index, 2).indices.shape == (2,)
    for call in (
        lambda **o: vb.topk(Q, index, 1, **o),
        lambda **o: vb.within(Q, index, 1.0, **o),
        lambda **o: vb.explain(Q, index, 1, **o),
    ):
        with pytest.raises(ValueError, match=f"metric='euclidean', but the index has metric '{metric}'"):
            call(metric="euclidean")
        with pytest.raises(ValueError, match="dtype='bits', but the index takes float32"):
            call(dtype="bits")
    with pytest.raises(ValueError, match="unknown metric 'no'"):
        vb.topk(Q, index, 1, "no")
    with pytest.raises(ValueError, match="oversample is for a search with rescore"):
        vb.topk(Q, index, 1, oversample=3)


def test_an_index_gets_what_the_call_says(monkeypatch):
    passed = []
    for name in ("search", "within"):
        monkeypatch.setattr(vb.FlatIndex, name, lambda self, *args, **options: passed.append((args, options)))
    index = vb.FlatIndex(X)
    options = {"where": [1], "threads": 2, "progress": print}
    vb.topk(X, index, 3, **options)
    vb.within(X, index, 0.5, **options)
    assert [(args[1], found) for args, found in passed] == [(3, options), (0.5, options)]


def test_without_an_index_the_metric_is_euclidean():
    assert np.array_equal(vb.topk(X, X, 2, None).values, vb.topk(X, X, 2, "euclidean").values)
    assert np.array_equal(vb.within(X, X, 1.0).indices, vb.within(X, X, 1.0, "euclidean").indices)


def test_nothing_else_is_imported_for_a_message():
    before = set(sys.modules)
    with pytest.raises(TypeError):
        vb.topk([1.0], {"a": 1}, 1)
    assert not {"pandas", "polars", "torch"} & (set(sys.modules) - before)
