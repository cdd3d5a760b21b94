"""
``vecblade demo``: search by meaning over real text.

The text is the Python language reference, which comes with every CPython; the model that turns its
passages into vectors is WordLlama, whose weights come in its wheel (the extra ``vecblade[demo]``).
"""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import vecblade as vb

from .._writing import Target, write, write_bytes
from .search import visible

if TYPE_CHECKING:
    import argparse

QUESTIONS = [
    "release a lock even if something goes wrong",
    "stop a loop early",
    "call a function with a variable number of arguments",
    "what does a generator do when it is closed early",
]


def passages(topics: dict[str, str]) -> list[tuple[str, str]]:
    """The prose of the reference as (topic, paragraph), each once: no grammar, tables, headings or code."""
    found: dict[str, str] = {}
    for topic, text in sorted(topics.items()):
        for block in re.split(r"\n\s*\n", text):
            lines = block.strip("\n")
            words = " ".join(lines.split())
            is_prose = (
                re.match(r"[\"'`A-Z(]|\* \S", words) and re.search(r"[.:]$", words) and "::=" not in words
            )
            indent = len(lines) - len(lines.lstrip(" "))
            if is_prose and indent <= 5 and 60 <= len(words) <= 700:
                found.setdefault(words.removeprefix("* "), topic)
    return [(topic, text) for text, topic in found.items()]


def load_model() -> Any:
    try:
        import wordllama  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise ValueError("the demo needs the package wordllama: pip install 'vecblade[demo]'") from None
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)


def save(path: Path, array: np.ndarray) -> None:
    write(Target(path), lambda out: np.lib.format.write_array(out, array, allow_pickle=False))


def demo(arguments: argparse.Namespace) -> int:
    from pydoc_data.topics import topics

    model = load_model()
    found = passages(topics)
    questions = arguments.question or QUESTIONS
    start = time.perf_counter()
    corpus = np.asarray(model.embed([text for _, text in found]), np.float32)
    seconds = time.perf_counter() - start
    print(
        f"{len(found)} passages of the Python language reference, embedded in {seconds:.1f} s:", corpus.shape
    )

    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / name for name in ("corpus.npy", "queries.npy", "passages.txt")}
    save(files["corpus.npy"], corpus)
    save(files["queries.npy"], np.asarray(model.embed(questions), np.float32))
    lines = "".join(f"{topic}: {text}\n" for topic, text in found)
    write_bytes(Target(files["passages.txt"]), lines.encode())

    corpus, queries = (np.load(files[name], mmap_mode="r") for name in ("corpus.npy", "queries.npy"))
    start = time.perf_counter()
    best = vb.topk(queries, corpus, arguments.k, metric="cosine")
    print(f"searched for {len(questions)} questions in {1e3 * (time.perf_counter() - start):.2f} ms\n")
    for question, rows, values in zip(questions, best.indices, best.values, strict=True):
        print(f"? {visible(question)}")
        for row, value in zip(rows, values, strict=True):
            topic, text = found[row]
            print(f"  {value:.3f}  [{topic}] {text if len(text) < 160 else text[:157] + '...'}")
        print()
    command = ["python", "-m", "vecblade", "search", "--corpus", str(files["corpus.npy"]),
               "--queries", str(files["queries.npy"]), "--texts", str(files["passages.txt"]),
               "-k", str(arguments.k), "--metric", "cosine"]  # fmt: skip
    print("The same from the files:", visible(shlex.join(command)))
    return 0
