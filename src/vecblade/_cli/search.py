"""``vecblade search`` and ``vecblade info``."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import vecblade as vb

from .._sources.npy import mapped
from .._writing import Target, write_bytes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator


# What would move the cursor, colour, ring or reorder what a terminal shows: control characters and line
# separators, those that set the direction of text, and halves of characters.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")
# The format that goes by the suffix of a file.
SUFFIXES = {".csv": "csv", ".json": "json", ".npz": "npz", ".txt": "table"}


def visible(text: str) -> str:
    r"""Text for a terminal, with escapes such as \x1b in the place of what would act on it."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def load(path: str, name: str) -> np.ndarray:
    """A .npy file, memory-mapped."""
    try:
        return mapped(path)
    except ValueError as error:
        raise ValueError(f"--{name}: {error}") from None


def rows_of(path: str, name: str) -> Any:
    """A .npy file, memory-mapped, or what `vecblade.open` reads."""
    if path.lower().endswith(".npy"):
        return load(path, name)
    try:
        return vb.open(path)
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"--{name}: {error}") from None


def take_paths(arguments: argparse.Namespace) -> None:
    """Corpus and queries by their places, or by their names."""
    if len(arguments.paths) > 2:
        raise ValueError(f"search takes a corpus and queries, and got {len(arguments.paths)} paths")
    for name, path in zip(("corpus", "queries"), arguments.paths, strict=False):
        if getattr(arguments, name) is not None:
            raise ValueError(f"--{name}: given twice, also as {path}")
        setattr(arguments, name, path)
    for name in ("corpus", "queries"):
        if getattr(arguments, name) is None:
            raise ValueError(f"--{name}: missing; pass it, or the paths of corpus and queries")


class Progress:
    """A line on the terminal for work of more than a second."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.shown = False

    def __call__(self, done: float, total: float) -> None:
        passed = time.monotonic() - self.start
        if passed > 1 and done:
            left = passed * (total - done) / done
            sys.stderr.write(f"\r{100 * done / total:3.0f}%, {left:.0f} s left ")
            sys.stderr.flush()
            self.shown = True

    def end(self) -> None:
        if self.shown:
            sys.stderr.write("\r" + " " * 30 + "\r")


def hits_of(found: vb.TopK | vb.Within) -> Iterator[tuple[int, int, int, Any]]:
    """(query, rank, row, value) of everything found."""
    if isinstance(found, vb.TopK):
        for query, (rows, values) in enumerate(
            zip(np.atleast_2d(found.indices), np.atleast_2d(found.values), strict=True)
        ):
            for rank, (row, value) in enumerate(zip(rows, values, strict=True)):
                yield query, rank, int(row), value
    else:
        for query, (start, stop) in enumerate(zip(found.offsets[:-1], found.offsets[1:], strict=True)):
            for i in range(start, stop):
                yield query, i - int(start), int(found.indices[i]), found.values[i]


def as_table(found: Any, texts: list[str] | None) -> str:
    lines = [f"{'query':>7} {'rank':>5} {'row':>10}  value"]
    for query, rank, row, value in hits_of(found):
        text = f"  {visible(texts[row])}" if texts else ""
        lines.append(f"{query:7} {rank:5} {row:10}  {value!s:<12}{text}".rstrip())
    return "\n".join(lines) + "\n"


class Lines:
    """Rows of CSV that end with a line feed. (The writer ends them with CR LF, and so quotes both.)"""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line.removesuffix("\r\n") + "\n")


def as_csv(found: Any, texts: list[str] | None) -> str:
    out = Lines()
    writer = csv.writer(out)
    writer.writerow(["query", "rank", "row", "value", *(["text"] if texts else [])])
    for query, rank, row, value in hits_of(found):
        writer.writerow([query, rank, row, str(value), *([texts[row]] if texts else [])])
    return "".join(out.lines)


def as_json(found: Any, texts: list[str] | None) -> str:
    """A list for each query. NaN and infinities, which JSON lacks, are null, and all controls are escaped."""
    queries: list[list[dict[str, Any]]] = [
        []
        for _ in range(
            len(np.atleast_2d(found.indices)) if isinstance(found, vb.TopK) else len(found.offsets) - 1
        )
    ]
    for query, _, row, value in hits_of(found):
        number = json.loads(str(value)) if np.isfinite(value) else None
        queries[query].append({"row": row, "value": number, **({"text": texts[row]} if texts else {})})
    lines = json.dumps(queries, indent=1, ensure_ascii=False).split("\n")
    return "".join(CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line) + "\n" for line in lines)


def as_npz(found: Any, texts: list[str] | None) -> bytes:
    out = io.BytesIO()
    np.savez(out, **found._asdict())
    return out.getvalue()


FORMATS: dict[str, Callable[[Any, list[str] | None], str | bytes]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "npz": as_npz,
}


def read_texts(path: str, rows: int) -> list[str]:
    """Lines end with a line feed, and a carriage return before it; any other is a part of its text."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        raise ValueError(f"--texts: {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--texts: {path}: not a readable UTF-8 file ({error})") from None
    texts = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    if len(texts) != rows:
        raise ValueError(f"--texts: {path}: {len(texts)} lines for a corpus of {rows} rows")
    return texts


class Column:
    """The values of a column of a table, read for the rows that are asked for."""

    def __init__(self, source: Any, name: str) -> None:
        self.source, self.name = source, name
        self.known: dict[int, str] = {}

    def read(self, rows: np.ndarray) -> None:
        distinct = np.unique(rows)
        self.known = dict(
            zip(distinct.tolist(), map(str, self.source.column(self.name, distinct)), strict=True)
        )

    def __getitem__(self, row: int) -> str:
        return self.known[row]


def texts_of(name: str, corpus: Any) -> Any:
    """The lines of a file, or a column of the corpus."""
    if name in getattr(corpus, "columns", ()):
        return Column(corpus, name)
    return read_texts(name, len(corpus) if corpus.ndim else 0)


def destination(arguments: argparse.Namespace) -> tuple[Target | None, str]:
    """Where the result goes (None: standard output), and in which format."""
    form = arguments.format
    if arguments.output in (None, "-"):
        if form == "npz" and arguments.output is None:
            raise ValueError("--format npz needs --output (- for standard output)")
        if form == "npz" and sys.stdout.isatty():
            raise ValueError("--format npz: standard output is a terminal; pass --output FILE")
        return None, form or "table"
    inputs = {f"--{name}": getattr(arguments, name) for name in ("corpus", "queries", "where", "texts")}
    try:
        target = Target(arguments.output, {what: path for what, path in inputs.items() if path is not None})
    except OSError as error:
        folder = os.path.dirname(arguments.output) or "."
        if error.errno == errno.ENOENT and arguments.output and not os.path.isdir(folder):
            raise ValueError(f"--output: {folder}: no such folder, to write {arguments.output}") from None
        raise ValueError(f"--output: {arguments.output}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"--output: {error}") from None
    return target, format_of(target, form)


def format_of(target: Target, form: str | None) -> str:
    """By the suffix of the file, of a link also by that of what it leads to; --format may say the same."""
    for name in (target.name,) if target.streams else (target.name, target.place):
        suffix = os.path.splitext(name)[1]
        known = SUFFIXES.get(suffix.lower())
        if suffix in ("", ".") or (target.streams and not known):
            continue
        if not known:
            raise ValueError(
                f"--output: {name}: unknown suffix {suffix!r}; expected {', '.join(SUFFIXES)}, "
                f"or none, and --format"
            )
        if form not in (None, known):
            raise ValueError(
                f"--output: {name}: the suffix {suffix!r} is that of {known}, and the format {form}; "
                f"pass another name, or --format {known}"
            )
        form = known
    return form or "table"


def deliver(content: str | bytes, target: Target | None) -> None:
    if target:
        write_bytes(target, content if isinstance(content, bytes) else content.encode())
    elif isinstance(content, bytes):
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(content)
        sys.stdout.flush()


def search(arguments: argparse.Namespace) -> int:
    take_paths(arguments)
    target, form = destination(arguments)
    corpus, queries = rows_of(arguments.corpus, "corpus"), rows_of(arguments.queries, "queries")
    texts = texts_of(arguments.texts, corpus) if arguments.texts else None
    where = None if arguments.where is None else np.array(load(arguments.where, "where"))
    progress = Progress()
    options = {
        "metric": arguments.metric,
        "where": where,
        "threads": arguments.threads,
        "dtype": arguments.dtype,
        "progress": progress if sys.stderr.isatty() else None,
    }
    found: vb.TopK | vb.Within
    try:
        if arguments.threshold is None:
            found = vb.topk(queries, corpus, arguments.k, **options)
        else:
            found = vb.within(queries, corpus, arguments.threshold, **options)
    finally:
        progress.end()
    if isinstance(texts, Column):
        texts.read(found.indices)
    deliver(FORMATS[form](found, texts), target)
    return 0


def info(arguments: argparse.Namespace) -> int:
    found = {"vecblade": vb.__version__, "python": sys.version.split()[0], **vb.cpu_info()}
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    for name, value in found.items():
        if name == "levels":
            print(f"{name:9} {', '.join(level if runs else f'({level})' for level, runs in value.items())}")
        elif name != "kernels":
            print(f"{name:9} {value}")
    print("kernels")
    for slot, kernel in found["kernels"].items():
        print(f"  {slot:20} {kernel}")
    return 0
