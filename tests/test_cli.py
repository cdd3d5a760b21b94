"""
The command line: results in every format, errors with their exit status, interruption.

Over 500 lines: every command, and its errors, with the files that they need.
"""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import interruptible, same_bits

import vecblade as vb
from vecblade.__main__ import main
from vecblade._cli import demo as _demo
from vecblade._cli import search as _cli


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X, Q = rng.standard_normal((50, 8)).astype(np.float32), rng.standard_normal((3, 8)).astype(np.float32)
    np.save("X.npy", X)
    np.save("Q.npy", Q)
    (tmp_path / "texts.txt").write_text("".join(f"text, {i}\n" for i in range(50)))
    return X, Q


SEARCH = ["search", "--corpus", "X.npy", "--queries", "Q.npy", "--metric", "cosine"]


def test_csv(files, capsys):
    X, Q = files
    assert main([*SEARCH, "-k", "4", "--metric", "euclidean", "--format", "csv", "--texts", "texts.txt"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = vb.topk(Q, X, 4, "euclidean")
    assert [int(r["row"]) for r in rows] == found.indices.ravel().tolist()
    assert same_bits(np.array([r["value"] for r in rows], np.float32), found.values.ravel())
    assert [int(r["rank"]) for r in rows] == [0, 1, 2, 3] * 3
    assert all(r["text"] == f"text, {r['row']}" for r in rows)


def test_json(files, capsys):
    X, Q = files
    X[3] = 0
    np.save("X.npy", X)
    assert main([*SEARCH, "-k", "50", "--format", "json"]) == 0
    queries = json.loads(capsys.readouterr().out)
    found = vb.topk(Q, X, 50, "cosine")
    assert [[hit["row"] for hit in query] for query in queries] == found.indices.tolist()
    assert queries[0][-1] == {"row": 3, "value": None}  # a zero row has no direction
    values = [hit["value"] for hit in queries[1][:-1]]
    assert same_bits(np.array(values, np.float32), found.values[1, :-1])


def test_lines_end_where_they_end(files, capsys, tmp_path):
    """Form feeds and separators are parts of a text."""
    (tmp_path / "texts.txt").write_text(
        "".join(f"a\x0cb\u2028c\x85 {i}\n" for i in range(50)), encoding="utf-8"
    )
    assert main([*SEARCH, "-k", "1", "--format", "json", "--texts", "texts.txt"]) == 0
    assert json.loads(capsys.readouterr().out)[0][0]["text"].startswith("a\x0cb\u2028c\x85")
    (tmp_path / "texts.txt").write_bytes(b"\xff\n" * 50)
    assert main([*SEARCH, "--texts", "texts.txt"]) == 2
    assert "--texts: texts.txt: not a readable UTF-8 file" in capsys.readouterr().err


def test_types_that_a_file_cannot_say(files, capsys):
    X, Q = files
    np.save("X.npy", vb.astype(X, "bfloat16"))
    np.save("Q.npy", Q.astype(np.float16))
    assert main([*SEARCH, "-k", "3", "--format", "json", "--dtype", "bfloat16"]) == 0
    halves = vb.topk(Q.astype(np.float16), vb.astype(X, "bfloat16"), 3, "cosine", dtype="bfloat16")
    found = json.loads(capsys.readouterr().out)
    assert [[hit["row"] for hit in query] for query in found] == halves.indices.tolist()
    np.save("X.npy", vb.astype(X, "bfloat16").view("V2"))  # as NumPy writes arrays of ml_dtypes
    assert main([*SEARCH, "-k", "3", "--format", "json", "--dtype", "bfloat16"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    np.save("X.npy", vb.pack_bits(X))
    np.save("Q.npy", vb.pack_bits(Q))
    assert main([*SEARCH, "-k", "3", "--format", "json", "--metric", "hamming"]) == 0
    bits = vb.topk(vb.pack_bits(Q), vb.pack_bits(X), 3, "hamming")
    rows = [[(hit["row"], hit["value"]) for hit in query] for query in json.loads(capsys.readouterr().out)]
    assert rows == [list(zip(*pair, strict=True)) for pair in zip(*(a.tolist() for a in bits), strict=True)]
    assert isinstance(rows[0][0][1], int)
    assert main([*SEARCH, "-k", "3", "--dtype", "bits"]) == 0
    np.save("Q.npy", Q)
    assert main([*SEARCH, "--metric", "hamming"]) == 2
    assert "queries has dtype float32; expected packed bits" in capsys.readouterr().err


def test_table(files, capsys):
    assert main([*SEARCH, "-k", "2", "--texts", "texts.txt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["query", "rank", "row", "value"]
    assert len(lines) == 7
    found = vb.topk(files[1], files[0], 2, "cosine")
    assert lines[1].split()[2:] == [
        str(found.indices[0, 0]),
        str(found.values[0, 0]),
        "text,",
        str(found.indices[0, 0]),
    ]


def test_npz_and_output_by_suffix(files):
    X, Q = files
    assert main([*SEARCH, "-k", "5", "--output", "out.npz"]) == 0
    found, loaded = vb.topk(Q, X, 5, "cosine"), np.load("out.npz")
    assert same_bits(loaded["indices"], found.indices)
    assert same_bits(loaded["values"], found.values)
    assert main([*SEARCH, "--threshold", "0.9", "--output", "out.json"]) == 0
    assert [len(query) for query in json.loads(Path("out.json").read_text())] == np.diff(
        vb.within(Q, X, 0.9, "cosine").offsets
    ).tolist()
    assert sorted(os.listdir()) == ["Q.npy", "X.npy", "out.json", "out.npz", "texts.txt"]


def test_output_by_its_suffix(files, capsys):
    """Whatever has none that is known is refused before any work; `--format` may say what the suffix says."""
    for name in ("gt.npy", "x.parquet", "x.json.gz", "x.tsv", "x.csv~", "a.b/x.pkl", "x.JSONL"):
        for form in ([], ["--format", "csv"]):
            os.makedirs("a.b", exist_ok=True)
            assert main(["search", "--corpus", "no.npy", "--queries", "no.npy", "--output", name, *form]) == 2
            suffix = os.path.splitext(name)[1]
            assert f"--output: {name}: unknown suffix '{suffix}'; expected .csv, .json, .npz, .txt" in (
                capsys.readouterr().err
            )
            assert not os.path.exists(name)
    os.rmdir("a.b")
    for name, form in (("x.json", "csv"), ("x.csv", "npz"), ("x.npz", "table"), ("x.txt", "json")):
        assert (
            main(["search", "--corpus", "no.npy", "--queries", "no.npy", "--output", name, "--format", form])
            == 2
        )
        assert f"--output: {name}: the suffix '{name[1:]}' is that of" in capsys.readouterr().err
    if sys.platform != "win32":
        os.symlink("y.json", "link.csv")
        os.symlink("y.parquet", "link")
        for name in ("link.csv", "link"):  # and what it leads to
            assert main([*SEARCH, "--output", name]) == 2
            assert f"--output: {os.path.realpath(name)}: " in capsys.readouterr().err
        os.unlink("link.csv")
        os.unlink("link")
    beginnings = {"table": b"  query", "csv": b"query,rank", "json": b"[", "npz": b"PK"}
    for name, given, form in (
        *(
            ("x.csv", None, "csv"),
            ("x.JSON", None, "json"),
            ("x.npz", "npz", "npz"),
            ("x.txt", None, "table"),
        ),
        *(
            ("plain", None, "table"),
            ("plain", "json", "json"),
            (".csv", None, "table"),
            ("v1.0/x", "npz", "npz"),
        ),
    ):
        os.makedirs("v1.0", exist_ok=True)
        assert main([*SEARCH, "--output", name, *(["--format", given] if given else [])]) == 0
        assert Path(name).read_bytes().startswith(beginnings[form])
        Path(name).unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_pipe_has_the_suffix_of_its_name_or_none(files):
    for name, begin in (("p.csv", b"query,"), ("p.fifo", b"  query")):
        os.mkfifo(name)
        with subprocess.Popen(["cat", name], stdout=subprocess.PIPE) as cat:
            assert main([*SEARCH, "--output", name]) == 0
            assert cat.stdout.read().startswith(begin)


def test_standard_output(files, capsysbinary):
    assert main([*SEARCH, "--format", "csv"]) == 0
    wanted = capsysbinary.readouterr().out
    assert main([*SEARCH, "--format", "csv", "--output", "-"]) == 0
    assert capsysbinary.readouterr().out == wanted
    assert main([*SEARCH, "--format", "npz", "--output", "-"]) == 0
    found = np.load(io.BytesIO(capsysbinary.readouterr().out))
    assert same_bits(found["indices"], vb.topk(files[1], files[0], 10, "cosine").indices)
    assert sorted(os.listdir()) == ["Q.npy", "X.npy", "texts.txt"]


def test_no_arrays_for_a_terminal(files, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert (
        main(["search", "--corpus", "no.npy", "--queries", "no.npy", "--format", "npz", "--output", "-"]) == 2
    )
    assert "standard output is a terminal" in capsys.readouterr().err


def test_inputs_are_not_written_over(files, capsys):
    np.save("where.npy", np.arange(5))
    inputs = {"--corpus": "X.npy", "--queries": "Q.npy", "--where": "where.npy", "--texts": "texts.txt"}
    given = [word for pair in inputs.items() for word in pair]
    for name in inputs.values():
        os.link(name, f"hard link to {name[:5]}")
        if sys.platform != "win32":
            os.symlink(name, f"link to {name[:5]}.csv")
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    for what, name in inputs.items():
        for path in (name, os.path.abspath(name), f"hard link to {name[:5]}", f"link to {name[:5]}.csv"):
            if os.path.exists(path):
                assert main(["search", *given, "--output", path]) == 2
                error = capsys.readouterr().err
                assert f"this is the file of {what}; pass another one to write to" in error
                assert path in error
    assert {name: Path(name).read_bytes() for name in os.listdir()} == before
    assert main(["search", *given, "--output", "out.csv"]) == 0


CONTROLS = "".join(map(chr, [*range(1, 10), *range(11, 32), *range(127, 160), 0x61C, 0x200E, 0x200F,
                             *range(0x2028, 0x202F), *range(0x2066, 0x206A)]))  # fmt: skip


def test_controls_of_texts_are_seen(files, capsys, tmp_path):
    """In tables; in JSON they are escaped as JSON has it, and CSV has texts as they are."""
    fair = "é 漢字 \N{ZERO WIDTH JOINER} \\ שלום \xa0."
    texts = [f"{i} {fair} \x1b[2J\r{CONTROLS}." for i in range(50)]
    for end in ("\n", "\r\n"):
        (tmp_path / "texts.txt").write_bytes("".join(text + end for text in texts).encode())
        for options in ([], ["--output", "out.txt"]):
            assert main([*SEARCH, "-k", "50", "--texts", "texts.txt", *options]) == 0
            out = capsys.readouterr().out or Path("out.txt").read_text("utf-8")
            assert not set(out) & (set(CONTROLS) - {"\n"})
            assert len(out.split("\n")) == 152
            assert f" {fair} \\x1b[2J\\r\\x01\\x02" in out
            assert "\\x9b" in out
            assert "\\u202e" in out
        assert main([*SEARCH, "-k", "50", "--texts", "texts.txt", "--format", "json"]) == 0
        out = capsys.readouterr().out
        assert not set(out) & (set(CONTROLS) - {"\n"})
        assert {hit["text"] for query in json.loads(out) for hit in query} == set(texts)
        assert main([*SEARCH, "-k", "50", "--texts", "texts.txt", "--output", "out.csv"]) == 0
        with open("out.csv", encoding="utf-8", newline="") as file:
            assert {row["text"] for row in csv.DictReader(file)} == set(texts)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX names")
def test_controls_of_names_are_seen(files, capsys, tmp_path):
    name = "\x1b[31m\r\x9b\u202ex\n"
    for arguments in (
        ["search", "--corpus", name, "--queries", "Q.npy"],
        ["search", "--corpus", "X.npy", "--queries", name],
        [*SEARCH, "--where", name],
        [*SEARCH, "--texts", name],
        [*SEARCH, "--output", name + ".x"],
        [*SEARCH, "--output", name + "/out.csv"],
        [*SEARCH, "--format", name],
        [*SEARCH, name],
        [name],
        ["run", name],
    ):
        for there in (False, True):
            if there and arguments[0] != "run":
                (tmp_path / name).write_text("no")
            try:
                status = main(arguments)
            except SystemExit as stop:  # as argparse has it
                status = stop.code
            assert status == 2
            out, error = capsys.readouterr()
            assert not set(out + error) & (set(CONTROLS) - {"\n"})
            (tmp_path / name).unlink(missing_ok=True)


def test_what_is_no_npy(files, capsys):
    """Said in words of our own: NumPy recommends pickles."""
    with open("pickle.npy", "wb") as file:
        np.array([None, "a"], object).dump(file)
    np.save("objects.npy", np.array([{}, None], object), allow_pickle=True)
    np.savez("archive.npy.npz", a=np.ones(2))
    os.rename("archive.npy.npz", "archive.npy")
    whole = Path("X.npy").read_bytes()
    for name, data in {
        "empty": b"",
        "text": b"1.0, 2.0\n",
        "magic": whole[:6],
        "version": whole[:6] + b"\x07\x00" + whole[8:],
        "header": whole[:40],
        "damaged": whole[:10] + b"}" * 118 + whole[128:],
        "negative": whole.replace(b"(50, 8)", b"(-5, 8)"),
        "code": whole.replace(b"(50, 8)", b"exit() "),
        "cut": whole[:-1],
        "numbers": whole[:128],
        "longer": whole.replace(b"(50, 8)", b"(51, 8)"),
        "index": b"vecblade" + bytes(5000),
        "parquet": b"PAR1" + bytes(100),
        "gzip": b"\x1f\x8b" + bytes(100),
    }.items():
        Path(f"{name}.npy").write_bytes(data)
    for name, reason in {
        "pickle": "it is a pickle",
        "objects": "it holds Python objects, not numbers",
        "archive": "an archive of several arrays; expected a single .npy file",
        "empty": "it is empty",
        "text": "it does not begin with the magic bytes of one",
        **dict.fromkeys(
            ("magic", "version", "header", "damaged", "negative", "code"), "its header is damaged, cut off"
        ),
        "cut": "it is truncated: 1599 bytes of numbers, where its header says 1600",
        "numbers": "it is truncated: 0 bytes of numbers, where its header says 1600",
        "longer": "it is truncated: 1600 bytes of numbers, where its header says 1632",
        "index": "a saved FlatIndex; expected a .npy file",
        "parquet": "it is a Parquet file",
        "gzip": "it is compressed by gzip",
    }.items():
        for option in ("--corpus", "--queries", "--where"):
            arguments = {"--corpus": "X.npy", "--queries": "Q.npy", option: f"{name}.npy"}
            assert main(["search", *(word for pair in arguments.items() for word in pair)]) == 2
            error = capsys.readouterr().err
            assert error.startswith(f"vecblade: error: {option}: {name}.npy: ")
            assert reason in error
            assert "allow" not in error
            assert error.count("\n") == 1


def test_every_npy_of_numbers(files, capsys):
    """As NumPy reads it: other versions of the format, orders, and shapes; and bytes behind."""
    X, Q = files
    wanted = vb.topk(Q, X, 3, "cosine").indices.tolist()
    for write in (
        lambda file: np.lib.format.write_array(file, X, (2, 0)),
        lambda file: np.lib.format.write_array(file, np.asfortranarray(X)),
        lambda file: np.lib.format.write_array(file, X.astype(">f8")),
        lambda file: (np.save(file, X), file.write(b"more")),
    ):
        with open("other.npy", "wb") as file:
            write(file)
        assert main(["search", "--corpus", "other.npy", *SEARCH[3:], "-k", "3", "--format", "json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert [[hit["row"] for hit in query] for query in found] == wanted
    np.save("none.npy", X[:0])
    assert main(["search", "--corpus", "none.npy", *SEARCH[3:], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [[], [], []]


def test_within_and_where(files, capsys):
    X, Q = files
    np.save("where.npy", np.arange(50) % 2 == 0)
    assert (
        main([*SEARCH, "--threshold", "1.0", "--where", "where.npy", "--format", "csv", "--threads", "2"])
        == 0
    )
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = vb.within(Q, X, 1.0, "cosine", where=np.arange(0, 50, 2))
    assert [int(r["row"]) for r in rows] == found.indices.tolist()


def test_a_failed_write_leaves_the_old_file(files, monkeypatch, capsys):
    Path("out.csv").write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_cli.os, "replace", full)
    assert main([*SEARCH, "--output", "out.csv"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert Path("out.csv").read_text() == "old"
    assert sorted(os.listdir()) == ["Q.npy", "X.npy", "out.csv", "texts.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "--corpus", "no.npy", "--queries", "Q.npy"], "--corpus: no.npy: no such file"),
        (
            ["search", "--corpus", "texts.txt", "--queries", "Q.npy"],
            "--corpus: texts.txt: it is of no type that is known",
        ),
        (
            ["search", "--corpus", "empty", "--queries", "Q.npy"],
            "--corpus: empty: it is of no type that is known",
        ),
        (
            ["search", "--corpus", "cut.npy", "--queries", "Q.npy"],
            "--corpus: cut.npy: not a readable .npy file",
        ),
        (
            ["search", "--corpus", "two.npz", "--queries", "Q.npy"],
            "--corpus: two.npz: it has several of array: 'a', 'b'; say which",
        ),
        (["search", "--corpus", ".", "--queries", "Q.npy"], "--corpus: .: there is no Parquet file"),
        (
            ["search", "--corpus", "X.npy", "--queries", "wide.npy"],
            "queries have 9 columns, the corpus 8",
        ),
        ([*SEARCH, "-k", "0"], "k must be at least 1, not 0"),
        ([*SEARCH, "--threshold", "-1"], "threshold must not be negative"),
        ([*SEARCH, "--threads", "0"], "threads must be at least 1"),
        ([*SEARCH, "--format", "npz"], "--format npz needs --output"),
        ([*SEARCH, "--output", "no/out.csv"], "--output: no: no such folder"),
        ([*SEARCH, "--texts", "empty"], "--texts: empty: 0 lines for a corpus of 50 rows"),
        ([*SEARCH, "--texts", "no.txt"], "--texts: no.txt: no such file"),
        ([*SEARCH, "--where", "wide.npy"], "where has dtype float32"),
        (["compare", "--rows", "1"], "--rows must be at least 2, not 1"),
    ],
)
def test_wrong_input(files, capsys, arguments, message):
    Path("empty").touch()
    Path("cut.npy").write_bytes(Path("X.npy").read_bytes()[:-100])
    np.savez("two.npz", a=np.ones(2), b=np.ones(2))
    np.save("wide.npy", np.ones((2, 9), np.float32))
    assert main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("vecblade: error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["truth"], [*SEARCH, "--metric", "l3"], [*SEARCH, "-k", "x"], ["nonsense"]]
)
def test_usage_errors(files, arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: vecblade" in capsys.readouterr().err


def test_info(capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["isa"] == vb.cpu_info()["isa"]
    assert main(["info"]) == 0
    assert f"vb_dot_f32_{found['isa']}" in capsys.readouterr().out


def test_compare():
    done = subprocess.run(
        [sys.executable, "-m", "vecblade", "compare", "--rows", "60", "--dims", "9", "--queries", "4", "-k", "3",
         "--seconds", "0"], capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[3:]
    assert len(lines) >= 7
    assert all(float(line.split()[-1]) < 1e-5 for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c(tmp_path):
    """A search of minutes ends soon, with one line and status 130."""
    corpus = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (1_000_000, 64))
    np.save(tmp_path / "Q.npy", np.ones((20_000, 64), np.float32))
    del corpus
    files = ["--corpus", tmp_path / "X.npy", "--queries", tmp_path / "Q.npy"]
    with interruptible([sys.executable, "-m", "vecblade", "search", *files]) as process:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error == "vecblade: interrupted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_reader_that_leaves_early(files):
    command = f"{sys.executable} -m vecblade {' '.join(SEARCH)} -k 50 | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split() == ["query", "rank", "row", "value"]


def test_progress_line(capsys, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(_cli.time, "monotonic", lambda: clock[0])
    progress = _cli.Progress()
    clock[0] += 0.5
    progress(1, 10)
    assert capsys.readouterr().err == ""
    clock[0] += 1.5
    progress(2, 10)
    assert " 20%, 8 s left" in capsys.readouterr().err
    progress.end()
    assert capsys.readouterr().err.endswith("\r")


def test_passages_are_prose():
    topics = {
        "b": "Heading\n*******\n\nA sentence of prose that is long enough to be kept, and says something.\n\n"
        "   x ::= y\n\n   with code:\n       run()\n\nToo short.",
        "a": "* An item of a list, long enough to be kept too, which begins with an asterisk.\n\n+----+\n| no |\n+----+\n",
    }
    assert _demo.passages(topics) == [
        ("a", "An item of a list, long enough to be kept too, which begins with an asterisk."),
        ("b", "A sentence of prose that is long enough to be kept, and says something."),
    ]
    pydoc = pytest.importorskip("pydoc_data.topics")
    assert len(_demo.passages(pydoc.topics)) > 500


def test_demo_without_the_model(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wordllama", None)
    assert main(["demo"]) == 2
    assert "pip install 'vecblade[demo]'" in capsys.readouterr().err


class Model:
    """Vectors of letter counts: enough to see what the demo does with a model's vectors."""

    def embed(self, texts):
        return np.array(
            [[text.lower().count(chr(97 + i)) + 1 for i in range(26)] for text in texts], np.float32
        )


def test_demo(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(_demo, "load_model", Model)
    assert main(["demo", "--folder", str(tmp_path), "-k", "2", "a question", "another"]) == 0
    out = capsys.readouterr().out
    assert "? a question" in out
    command = out.splitlines()[-1].split("vecblade ")[1].split()
    assert main([*command, "--format", "json"]) == 0
    queries = json.loads(capsys.readouterr().out)
    assert len(queries) == 2
    assert all(f"{hit['value']:.3f}" in out for query in queries for hit in query)


def test_demo_with_the_model(tmp_path, capsys):
    pytest.importorskip("wordllama")
    assert main(["demo", "--folder", str(tmp_path), "stop a loop early"]) == 0
    assert "[break]" in capsys.readouterr().out
