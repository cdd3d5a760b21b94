"""``vecblade search`` and ``vecblade info``."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import vecblade as vb

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator


def load(path: str, name: str) -> np.ndarray:
    """A .npy file, memory-mapped."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"--{name}: {path}: no such file") from None
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"--{name}: {path}: not a readable .npy file ({error})") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"--{name}: {path}: an archive of several arrays; a single .npy is accepted")
    return array


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
        text = f"  {texts[row]}" if texts else ""
        lines.append(f"{query:7} {rank:5} {row:10}  {value!s:<12}{text}".rstrip())
    return "\n".join(lines) + "\n"


def as_csv(found: Any, texts: list[str] | None) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["query", "rank", "row", "value", *(["text"] if texts else [])])
    for query, rank, row, value in hits_of(found):
        writer.writerow([query, rank, row, str(value), *([texts[row]] if texts else [])])
    return out.getvalue()


def as_json(found: Any, texts: list[str] | None) -> str:
    """A list for each query. NaN and infinities, which JSON lacks, are null."""
    queries: list[list[dict[str, Any]]] = [
        []
        for _ in range(
            len(np.atleast_2d(found.indices)) if isinstance(found, vb.TopK) else len(found.offsets) - 1
        )
    ]
    for query, _, row, value in hits_of(found):
        number = json.loads(str(value)) if np.isfinite(value) else None
        queries[query].append({"row": row, "value": number, **({"text": texts[row]} if texts else {})})
    return json.dumps(queries, indent=1, ensure_ascii=False) + "\n"


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


def write_atomically(path: Path, content: str | bytes) -> None:
    """The whole file or nothing: written beside it, then renamed over it."""
    data = content if isinstance(content, bytes) else content.encode()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_texts(path: str, rows: int) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8")
        texts = text.removesuffix("\n").split("\n") if text else []
    except FileNotFoundError:
        raise ValueError(f"--texts: {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--texts: {path}: not a readable UTF-8 file ({error})") from None
    if len(texts) != rows:
        raise ValueError(f"--texts: {path}: {len(texts)} lines for a corpus of {rows} rows")
    return texts


def search(arguments: argparse.Namespace) -> int:
    output = Path(arguments.output) if arguments.output else None
    suffix = output.suffix[1:] if output else ""
    form = arguments.format or (suffix if suffix in FORMATS else "table")
    if form == "npz" and not output:
        raise ValueError("--format npz needs --output")
    if output and not output.parent.is_dir():
        raise ValueError(f"--output: {output.parent}: no such folder")
    corpus, queries = load(arguments.corpus, "corpus"), load(arguments.queries, "queries")
    texts = read_texts(arguments.texts, len(corpus) if corpus.ndim else 0) if arguments.texts else None
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
    content = FORMATS[form](found, texts)
    if output:
        write_atomically(output, content)
    else:
        sys.stdout.write(str(content))
        sys.stdout.flush()
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
