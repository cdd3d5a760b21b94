"""The commands `search` and `info`: files in, tables and files out."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TextIO, cast

import numpy as np

from . import _info, _search

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

SUFFIXES = {".txt": "table", ".csv": "csv", ".json": "json", ".npz": "npz"}
FORMATS = tuple(SUFFIXES.values())
DEFAULT_K = 10

# A search that takes less (seconds) shows no progress.
PATIENCE = 0.5


class CommandError(Exception):
    """What the user can put right, told in one line and no traceback."""


# ---- files in -----------------------------------------------------------------------------


def load(path: str, option: str) -> np.ndarray:
    """A .npy file, mapped: only what a search touches is read."""
    try:
        with open(path, "rb") as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
                raise CommandError(f"{option} {path} is not a .npy file, as numpy.save writes it")
        return cast("np.ndarray", np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        raise CommandError(f"{option} {path}: {error.strerror or error}") from None
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{option} {path} cannot be read: {error}") from None


class Texts:
    """A file with one line of text for each corpus row. No more lines are kept than are asked for."""

    def __init__(self, path: str, rows: int) -> None:
        self.path = path
        lines = sum(1 for _ in self._lines())
        if lines != rows:
            raise CommandError(f"--texts {path} has {lines} lines; the corpus has {rows} rows")

    def _lines(self) -> Iterator[str]:
        try:
            with open(self.path, encoding="utf-8-sig") as file:
                yield from file
        except UnicodeDecodeError as error:
            raise CommandError(f"--texts {self.path} is not UTF-8: {error}") from None
        except OSError as error:
            raise CommandError(f"--texts {self.path}: {error.strerror or error}") from None

    def of(self, rows: np.ndarray) -> dict[int, str]:
        wanted = set(np.unique(rows).tolist())
        return {row: line.rstrip("\n") for row, line in enumerate(self._lines()) if row in wanted}


# ---- a search -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What a search found, and how long it took."""

    metric: str
    result: _search.TopK | _search.Within
    texts: dict[int, str] | None
    seconds: float

    def by_query(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and values for each query."""
        if isinstance(self.result, _search.TopK):
            yield from zip(*map(np.atleast_2d, self.result), strict=True)
        else:
            offsets, rows, values = self.result
            for start, stop in zip(offsets[:-1], offsets[1:], strict=True):
                yield rows[start:stop], values[start:stop]

    def header(self) -> list[str]:
        rank = ["rank"] if isinstance(self.result, _search.TopK) else []
        return ["query", *rank, "row", "value", *(["text"] if self.texts is not None else [])]

    def lines(self) -> Iterator[list[str]]:
        """
        One list of cells, under the names of `header`, for each row found.

        A value has the fewest digits that give the same value back in its own type.
        """
        ranked = isinstance(self.result, _search.TopK)
        for query, (rows, values) in enumerate(self.by_query()):
            for rank, (row, value) in enumerate(zip(rows.tolist(), values, strict=True), start=1):
                text = [] if self.texts is None else [self.texts[row]]
                yield [str(query), *([str(rank)] if ranked else []), str(row), str(value), *text]


class Progress:
    """A line on the terminal that tells how far a search is and how long it will still take."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.start = time.monotonic()
        self.width = 0

    def __call__(self, done: float, total: float) -> None:
        elapsed = time.monotonic() - self.start
        if elapsed < PATIENCE or done <= 0:
            return
        minutes, seconds = divmod(math.ceil(elapsed * (total - done) / done), 60)
        line = f"{done / total:4.0%}, {minutes}:{seconds:02} left"
        self.stream.write("\r" + line.ljust(self.width))
        self.stream.flush()
        self.width = max(self.width, len(line))

    def clear(self) -> None:
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()


def find(
    *,
    corpus: str,
    queries: str,
    k: int | None = None,
    threshold: float | None = None,
    metric: str = "euclidean",
    where: str | None = None,
    threads: int | None = None,
    texts: str | None = None,
) -> Found:
    """Search the rows in one file for those in another. Parameters are the options of `search`."""
    x, q = load(corpus, "--corpus"), load(queries, "--queries")
    eligible = None if where is None else load(where, "--where")
    lines = None if texts is None else Texts(texts, len(np.atleast_1d(x)))
    progress = Progress(sys.stderr) if sys.stderr.isatty() else None
    options: dict[str, Any] = {"where": eligible, "threads": threads, "progress": progress}
    start = time.perf_counter()
    result: _search.TopK | _search.Within
    try:
        if threshold is None:
            result = _search.topk(q, x, DEFAULT_K if k is None else k, metric, **options)
        else:
            result = _search.within(q, x, threshold, metric, **options)
    except (TypeError, ValueError) as error:
        raise CommandError(f"{error} (--corpus {corpus}, --queries {queries})") from None
    finally:
        if progress:
            progress.clear()
    seconds = time.perf_counter() - start
    return Found(metric, result, None if lines is None else lines.of(result.indices), seconds)


# ---- results out --------------------------------------------------------------------------


@contextmanager
def replacing(path: str | Path, option: str) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` if all goes well; if not, `path` stays as it was."""
    target = os.path.realpath(path)
    special = os.path.exists(target) and not os.path.isfile(target)  # a device or a pipe: never replaced
    name = target if special else f"{target}.{os.getpid()}.part"
    try:
        file = open(name, "wb" if special else "xb")  # noqa: SIM115
        try:
            with file:
                yield file
            if not special:
                os.replace(name, target)
        except BaseException:
            if not special:
                os.unlink(name)
            raise
    except OSError as error:
        raise CommandError(f"{option} {path}: {error.strerror or error}") from None


def printable(text: str) -> str:
    """On one line, and without what would steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))


def write_table(found: Found, out: TextIO) -> None:
    """Columns of even width; on a terminal, texts are cut where its lines end."""
    *names, values, texts = [*found.header(), ""] if found.texts is None else found.header()
    rows, precise = found.result.indices, found.result.values.dtype.itemsize > 4
    widths = [max(len(name), 6) for name in names]
    widths[-1] = max(widths[-1], len(str(rows.max(initial=0))))
    widths.append(24 if precise else 15)
    room = shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths) if out.isatty() else None
    heading = [*names, found.metric if values == "value" else values, texts]
    for cells in ([heading], *([line] for line in found.lines())):
        for *numbers, value, text in ((c if found.texts is not None else [*c, ""]) for c in cells):
            columns = [*(n.rjust(w) for n, w in zip(numbers, widths, strict=False)), value.ljust(widths[-1])]
            out.write("  ".join([*columns, printable(text)[:room]]).rstrip() + "\n")


def write_csv(found: Found, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(found.header())
    writer.writerows(found.lines())


def write_json(found: Found, out: TextIO) -> None:
    """One object; NaN and infinity, which JSON has not, are strings that ``float`` takes."""
    out.write(f'{{"metric": {json.dumps(found.metric)}, "results": [')
    for query, (rows, values) in enumerate(found.by_query()):
        entry: dict[str, Any] = {
            "query": query,
            "rows": rows.tolist(),
            "values": [json_number(v) for v in values],
        }
        if found.texts is not None:
            entry["texts"] = [found.texts[row] for row in entry["rows"]]
        out.write((",\n " if query else "\n ") + json.dumps(entry, ensure_ascii=False, allow_nan=False))
    out.write("\n]}\n")


def json_number(value: np.floating) -> float | str:
    """The fewest digits that give the value back: 0.3 for ``float32(0.3)``, not 0.30000001192092896."""
    number = float(str(value))
    return (
        number if math.isfinite(number) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(number, "NaN")
    )


WRITERS = {"table": write_table, "csv": write_csv, "json": write_json}


def write(found: Found, form: str, file: BinaryIO) -> None:
    if form == "npz":
        np.savez(file, **found.result._asdict())
        return
    with io.TextIOWrapper(cast("IO[bytes]", file), encoding="utf-8", newline="") as text:
        WRITERS[form](found, text)


def format_of(form: str | None, output: str | None, texts: str | None) -> str:
    if form is None and output is None:
        form = "table"
    elif form is None:
        form = SUFFIXES.get(Path(str(output)).suffix.lower())
        if form is None:
            known = ", ".join(SUFFIXES)
            raise CommandError(
                f"--output {output} does not end in {known}; say which --format it should have"
            )
    if form == "npz" and output is None:
        raise CommandError("--format npz needs --output FILE")
    if form == "npz" and texts is not None:
        raise CommandError("--texts has no place in an .npz file; leave it out, or choose another --format")
    return form


def search(args: argparse.Namespace) -> None:
    form = format_of(args.format, args.output, args.texts)
    names = ("corpus", "queries", "k", "threshold", "metric", "where", "threads", "texts")
    options = {name: getattr(args, name) for name in names}
    if args.output is None:
        WRITERS[form](find(**options), sys.stdout)
        return
    with replacing(args.output, "--output") as file:  # before the work: can it be written?
        write(find(**options), form, file)


# ---- this machine -------------------------------------------------------------------------


def info(args: argparse.Namespace) -> None:
    from . import __version__

    known = {"vecblade": __version__, "python": platform.python_version(), **_info.cpu_info()}
    if args.json:
        print(json.dumps(known, indent=2))
        return
    print(f"vecblade {__version__}, Python {known['python']}, NumPy {known['numpy']}, {known['machine']}")
    runs = [level for level, here in known["levels"].items() if here]
    print(f"instruction set  {known['isa']} (this machine runs {', '.join(runs)})")
    print(f"threads          {known['threads']}")
    print("kernels")
    width = max(map(len, known["kernels"]))
    for slot, kernel in sorted(known["kernels"].items()):
        print(f"  {slot:{width}}  {kernel}")
