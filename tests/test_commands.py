"""Commands on files: neighbours for benchmarks, rows from one format to another, indexes in files, completion."""

import csv
import io
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from files import parquet, vecs, written

import vecblade as vb
from vecblade.__main__ import main, parser
from vecblade._cli import parsers


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X, Q = rng.standard_normal((300, 8)).astype("f4"), rng.standard_normal((7, 8)).astype("f4")
    np.save("X.npy", X)
    np.save("Q.npy", Q)
    vecs(tmp_path / "X.fvecs", X)
    parquet(tmp_path / "X.parquet", X)
    return X, Q


def said(capsys, *arguments, status=0):
    assert main([*map(str, arguments)]) == status
    out, error = capsys.readouterr()
    return error if status else out


# ---- search ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["fvecs", "parquet", "hdf5", "zarr", "arrow", "npz", "safetensors"])
def test_search_in_every_format(files, capsys, tmp_path, form):
    X, Q = files
    folder = tmp_path / "folder"
    folder.mkdir()
    path = written(folder, form, X)
    rows = list(
        csv.DictReader(io.StringIO(said(capsys, "search", path, "Q.npy", "-k", 4, "--format", "csv")))
    )
    assert [int(row["row"]) for row in rows] == vb.topk(Q, X, 4).indices.ravel().tolist()


def test_texts_from_a_column(files, capsys):
    out = said(capsys, "search", "X.parquet", "Q.npy", "-k", 2, "--texts", "language", "--format", "csv")
    for row in csv.DictReader(io.StringIO(out)):
        assert row["text"] == ("de", "en", "fr")[int(row["row"]) % 3]


def test_paths_that_are_wrong(files, capsys):
    for arguments, message in (
        (("X.npy",), "--queries: missing; pass it, or the paths of corpus and queries"),
        (("X.npy", "Q.npy", "Q.npy"), "search takes a corpus and queries, and got 3 paths"),
        (("X.npy", "Q.npy", "--corpus", "X.npy"), "--corpus: given twice, also as X.npy"),
        (("no.parquet", "Q.npy"), "--corpus: no.parquet: no such file or folder"),
        (("X.parquet:nothing", "Q.npy"), "--corpus: X.parquet: it has no column 'nothing' of vectors"),
    ):
        assert message in said(capsys, "search", *arguments, status=2)


# ---- truth and recall ----------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["t.ivecs", "t.ibin", "t.hdf5", "t.npz"])
def test_truth_and_recall(files, capsys, output):
    X, Q = files
    wanted = vb.topk(Q, X, 5, "cosine")
    assert said(capsys, "truth", "X.fvecs", "Q.npy", "-k", 5, "--metric", "cosine", "-o", output) == ""
    if output == "t.ibin":
        data = np.fromfile("t.ibin", "<i4")
        assert data[:2].tolist() == [7, 5]
        np.testing.assert_array_equal(data[2:37].reshape(7, 5), wanted.indices)
        np.testing.assert_array_equal(data[37:].view("f4").reshape(7, 5), wanted.values)
    elif output == "t.ivecs":
        np.testing.assert_array_equal(vb.open("t.ivecs")[:], wanted.indices)
        np.testing.assert_array_equal(vb.open("t.fvecs")[:], wanted.values)
    elif output == "t.hdf5":
        with pytest.importorskip("h5py").File("t.hdf5") as file:
            np.testing.assert_array_equal(file["neighbors"], wanted.indices)
            np.testing.assert_array_equal(file["distances"], wanted.values)
            np.testing.assert_array_equal(file["test"], Q)
            assert file.attrs["distance"] == "angular"
    assert float(said(capsys, "recall", output, output)) == 1.0
    np.save("found.npy", np.where(np.arange(5) < 3, wanted.indices, -1))
    assert float(said(capsys, "recall", "found.npy", output)) == 3 / 5


def test_truth_of_one_file_of_both(files, capsys, tmp_path):
    """As ann-benchmarks has them."""
    X, Q = files
    with pytest.importorskip("h5py").File("both.hdf5", "w") as file:
        file["train"], file["test"] = X, Q
    said(capsys, "truth", "both.hdf5", "both.hdf5", "--test", "test", "-k", 3, "-o", "t.npz")
    np.testing.assert_array_equal(np.load("t.npz")["indices"], vb.topk(Q, X, 3).indices)


def test_truth_of_some_rows(files, capsys):
    X, Q = files
    said(
        *(capsys, "truth", "X.parquet", "Q.npy", "-k", 3, "-o", "t.npz"),
        *("--filter", "language == en", "--filter", "id > 30"),
    )
    keep = (np.arange(300) % 3 == 1) & (np.arange(300) * 3 > 30)
    np.testing.assert_array_equal(np.load("t.npz")["indices"], vb.topk(Q, X[keep], 3).indices)


def test_wrong_truth(files, capsys):
    with open("cut.ibin", "wb") as file:
        file.write(b"\x02\0\0\0\x03\0\0\0" + bytes(20))
    for arguments, message in (
        (
            ("truth", "X.npy", "Q.npy", "-o", "t.csv"),
            "--output: t.csv: unknown suffix '.csv'; expected .ivecs",
        ),
        (("truth", "X.npy", "Q.npy", "-o", "no/t.npz"), "no/t.npz"),
        (("truth", "no.npy", "Q.npy", "-o", "t.npz"), "no.npy: no such file or folder"),
        (("recall", "cut.ibin", "cut.ibin"), "cut.ibin: 20 bytes after a header that says 2 x 3"),
        (("recall", "X.csv", "X.csv"), "unknown suffix '.csv'"),
    ):
        assert message in said(capsys, *arguments, status=2)
    assert not os.path.exists("t.npz")
    with pytest.raises(SystemExit):
        main(["truth", "X.parquet", "Q.npy", "-o", "t.npz", "--filter", "nonsense"])


# ---- convert -------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["y.npy", "y.fvecs", "y.fbin"])
@pytest.mark.parametrize("source", ["X.npy", "X.fvecs", "X.parquet"])
def test_convert(files, capsys, source, output):
    said(capsys, "convert", source, output)
    np.testing.assert_array_equal(vb.open(output)[:], files[0])
    if output == "y.npy":
        np.testing.assert_array_equal(np.load(output), files[0])


def test_convert_bytes_and_wide_numbers(files, capsys):
    rows = np.random.default_rng(1).integers(0, 256, (50, 6), np.uint8)
    np.save("b.npy", rows)
    for output in ("b.bvecs", "b.u8bin", "b.fbin", "b.ivecs"):
        said(capsys, "convert", "b.npy", output)
        np.testing.assert_array_equal(vb.open(output)[:], rows)
    np.save("wide.npy", files[0].astype("f8"))
    message = said(capsys, "convert", "wide.npy", "y.fvecs", status=2)
    assert "y.fvecs: .fvecs holds float32, and the rows are float64, which it cannot hold" in message
    assert "unknown suffix" in said(capsys, "convert", "X.npy", "y.csv", status=2)
    before = Path("X.npy").read_bytes()
    said(capsys, "convert", "X.npy", "X.npy", status=2)
    assert Path("X.npy").read_bytes() == before


# ---- indexes -------------------------------------------------------------------------------------


def test_indexes(files, capsys):
    X, Q = files
    said(capsys, "index", "build", "X.parquet", "x.vecblade", "--metric", "cosine")
    index = vb.FlatIndex.load("x.vecblade")
    np.testing.assert_array_equal(index.search(Q, 3).indices, vb.topk(Q, X, 3, "cosine").indices)
    out = said(capsys, "index", "info", "x.vecblade")
    assert out.split() == [
        "rows",
        "300",
        "d",
        "8",
        "type",
        "float32",
        "metric",
        "cosine",
        "bytes",
        out.split()[-1],
    ]
    assert said(capsys, "index", "verify", "x.vecblade") == "x.vecblade: whole\n"
    said(capsys, "index", "add", "x.vecblade", "Q.npy")
    np.testing.assert_array_equal(vb.FlatIndex.load("x.vecblade").vectors, np.vstack([X, Q]))
    said(capsys, "index", "remove", "x.vecblade", "0,2")
    np.save("gone.npy", np.array([0]))
    said(capsys, "index", "remove", "x.vecblade", "gone.npy")
    np.testing.assert_array_equal(vb.FlatIndex.load("x.vecblade").vectors, np.vstack([X[3:], Q]))
    out = said(capsys, "search", "x.vecblade", "Q.npy", "-k", 1, "--metric", "cosine", "--format", "csv")
    assert [line.split(",")[2] for line in out.splitlines()[1:]] == [str(row) for row in range(297, 304)]
    data = bytearray(Path("x.vecblade").read_bytes())
    data[5000] ^= 1
    Path("x.vecblade").write_bytes(data)
    assert "do not match their checksum" in said(capsys, "index", "verify", "x.vecblade", status=2)
    assert "unknown suffix '.x'" in said(capsys, "index", "build", "X.npy", "i.x", status=2)
    assert "expected row numbers with commas" in said(
        capsys, "index", "remove", "x.vecblade", "a,b", status=2
    )


# ---- completion ----------------------------------------------------------------------------------


def test_completion_lists_all(capsys):
    known = parsers.words(parser())
    assert {"search", "truth", "recall", "convert", "index", "completion", "info"} <= set(known[""])
    assert {"build", "verify", "--metric"} <= set(known["index"])
    for shell in ("bash", "zsh", "fish"):
        script = said(capsys, "completion", shell)
        assert all(name in script for name in known)
        assert "{" not in script.replace("() {", "").replace("${", "")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes(files, capsys):
    script = said(capsys, "completion", "bash")
    for words, wanted in (
        ("vecblade tr", ["truth"]),
        ("vecblade index ver", ["verify"]),
        ("vecblade truth --met", ["--metric"]),
        ("vecblade truth X.f", ["X.fvecs"]),
    ):
        parts = words.split()
        call = f"COMP_WORDS=({words}); COMP_CWORD={len(parts) - 1}; _vecblade; echo ${{COMPREPLY[@]}}"
        done = subprocess.run(["bash", "-c", script + call], capture_output=True, text=True, check=True)
        assert done.stdout.split() == wanted
