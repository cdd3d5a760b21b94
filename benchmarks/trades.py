"""
What each smaller type costs on real embeddings: ``python benchmarks/trades.py``.

For each way to keep the rows: the bytes a row takes, how much of the exact float32 cosine top-10 a search
finds (recall), and median times. Then how much int8 codes find for each metric, by their scale. Data: the
paragraphs of the Python language reference and of the documentation strings of Python's own library, embedded
by a small text model, and the word vectors of that model (``pip install '.[demo]'``); queries are rows held
out. One thread; ``BENCH_THREADS=2`` takes two.
"""

import ast
import re
import sys
import warnings
from pathlib import Path
from pydoc_data.topics import topics

from vecblade.bench.pins import THREADS, pin

pin(__file__)

from vecblade._cli.demo import load_model, passages  # noqa: E402
from vecblade.bench.peers import np, optional, vb  # noqa: E402
from vecblade.bench.run import measure  # noqa: E402

K = 10
QUERIES = 500
SECONDS = 6.0  # for each data set and number of queries, all ways together
METRICS = ("cosine", "dot", "euclidean")


# ---- data ----------------------------------------------------------------------------------


def paragraphs():
    """Of the language reference, and of the documentation strings of the modules beside `os`, each once."""
    found = {text: None for _, text in passages(topics)}
    library = Path(ast.__file__).parent
    for path in sorted(library.rglob("*.py")):
        if {"site-packages", "test", "tests"}.intersection(path.relative_to(library).parts):
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                nodes = ast.walk(ast.parse(path.read_bytes()))
        except (OSError, SyntaxError, ValueError):
            continue
        for node in nodes:
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for block in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                words = " ".join(block.split())
                if 40 <= len(words) <= 700 and words.count(" ") >= 5 and ">>>" not in words:
                    found[words] = None
    return list(found)


def distinct(rows):
    """Without zero rows and duplicates, in a shuffled order."""
    rows = np.asarray(rows, np.float32)
    once = np.unique(rows[rows.any(axis=1)], axis=0)
    return once[np.random.default_rng(0).permutation(len(once))]


def data():
    """The name of each data set, queries and rows."""
    model = load_model()
    for name, found in (("paragraphs", model.embed(paragraphs())), ("words", model.embedding)):
        rows = distinct(found)
        yield name, rows[:QUERIES], rows[QUERIES:]


# ---- ways to keep rows ---------------------------------------------------------------------


def ways(Q, X):
    """The name of each way, the bytes that a row takes, and the search with the first n queries."""
    d, own = X.shape[1], X.shape[1] * X.itemsize
    f2, bf2 = ([vb.astype(rows, to) for rows in (Q, X)] for to in ("float16", "bfloat16"))
    i1, b1 = [vb.quantize(rows).codes for rows in (Q, X)], [vb.pack_bits(rows) for rows in (Q, X)]
    yield "float32", own, lambda n: vb.topk(Q[:n], X, K, "cosine")
    yield "float16", 2 * d, lambda n: vb.topk(f2[0][:n], f2[1], K, "cosine")
    yield "bfloat16", 2 * d, lambda n: vb.topk(bf2[0][:n], bf2[1], K, "cosine", dtype="bfloat16")
    yield "int8", d, lambda n: vb.topk(i1[0][:n], i1[1], K, "cosine")
    yield "bits", len(b1[1][0]), lambda n: vb.topk(b1[0][:n], b1[1], K, "hamming")
    for name, codes, oversamples in (("int8", i1[1], (2, 4, 10)), ("bits", b1[1], (4, 10, 30, 100))):
        for times in oversamples:
            search = rescored(Q, X, codes, times)
            yield f"{name}, rescored, oversample={times}", f"{len(codes[0])} + {own}", search
    for part in (d // 2, d // 4):
        yield f"float32, the first {part}", part * X.itemsize, prefix(Q, X, part)


def rescored(Q, X, codes, times):
    return lambda n: vb.topk(Q[:n], codes, K, "cosine", rescore=X, oversample=times)


def prefix(Q, X, part):
    return lambda n: vb.topk(Q[:n, :part], X[:, :part], K, "cosine")


def by_scale(Q, X):
    """The scale and the median loss of int8 codes, and how much they find for each metric."""
    for scale in ("row", "global"):
        made = vb.quantize(X, scale)
        found = []
        for metric in METRICS:  # only distances need the queries in the unit of the rows
            of_queries = made.scales[0] if (scale, metric) == ("global", "euclidean") else "row"
            codes = vb.quantize(Q, of_queries).codes
            found.append(recall(vb.topk(codes, made.codes, K, metric), vb.topk(Q, X, K, metric)))
        yield scale, float(np.median(made.loss)), found


def recall(found, exact):
    pairs = zip(found.indices, exact.indices, strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs]))


# ---- tables --------------------------------------------------------------------------------


def timed(searches, n):
    return measure({name: lambda search=search: search(n) for name, search in searches.items()}, SECONDS)


def show(head, lines):
    """A table in Markdown."""
    cells = [list(head), *([str(cell) for cell in line] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    for first, *others in cells:
        print("|", " | ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]), "|")
    print(flush=True)


def main():
    if optional("wordllama") is None:
        sys.exit("trades.py needs the package wordllama: pip install '.[demo]'")
    sets = list(data())
    shapes = ", ".join(f"{len(X):,} {name} x {X.shape[1]}" for name, _, X in sets)
    print(f"{shapes}; {THREADS} thread(s), {vb.cpu_info()['isa']}. Times are those of the {sets[-1][0]}.\n")

    sizes, found = {}, {}
    for _, Q, X in sets:
        exact = vb.topk(Q, X, K, "cosine")
        searches = {name: search for name, _, search in ways(Q, X)}
        sizes.update((name, size) for name, size, _ in ways(Q, X))
        for name, search in searches.items():
            found.setdefault(name, []).append(f"{recall(search(QUERIES), exact):.4f}")
    one, many = timed(searches, 1), timed(searches, QUERIES)
    show(
        ["rows", "bytes a row", *(f"recall, {name}" for name, *_ in sets), "1 query", f"{QUERIES} queries"],
        [[n, sizes[n], *found[n], f"{1e3 * one[n]:.2f} ms", f"{1e3 * many[n]:.0f} ms"] for n in sizes],
    )
    show(
        ["int8 codes of", "scale", "median loss", *(f"recall, {metric}" for metric in METRICS)],
        [
            [name, scale, f"{loss:.4f}", *(f"{share:.4f}" for share in found)]
            for name, Q, X in sets
            for scale, loss, found in by_scale(Q, X)
        ],
    )


if __name__ == "__main__":
    main()
