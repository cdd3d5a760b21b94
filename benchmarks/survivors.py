"""
How many rows a search measures after its codes have ruled out the rest: ``python benchmarks/survivors.py``.

Data: gaussian rows; clusters (1,000 of them, a tenth as wide as they are apart); the 32,000 word vectors of a text
model, and every sentence in the documentation strings and comments of Python's own library, embedded
by that model (the last two need ``pip install wordllama``).
"""

import ast
import re
import sys
import tokenize
from pathlib import Path

from vecblade.bench.peers import np, optional, vb

K = (10, 100)
QUERIES = 1000


def gaussian(rows, d):
    return np.random.default_rng(0).standard_normal((rows + QUERIES, d), dtype=np.float32)


def clustered(rows, d):
    random = np.random.default_rng(0)
    centers = random.standard_normal((1000, d), dtype=np.float32)
    noise = random.standard_normal((rows + QUERIES, d), dtype=np.float32)
    return centers[random.integers(0, 1000, rows + QUERIES)] + np.float32(0.1) * noise


def sentences():
    """In comments and documentation strings of the modules beside `os`, each once, in a shuffled order."""
    found = {}
    for path in sorted(Path(ast.__file__).parent.rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        try:
            with tokenize.open(path) as file:
                tokens = list(tokenize.generate_tokens(file.readline))
        except (OSError, SyntaxError, UnicodeDecodeError, tokenize.TokenError):
            continue
        comments = [t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT]
        strings = [t.string.strip("\"'rRbBuU") for t in tokens if t.type == tokenize.STRING]
        for text in re.split(r"(?<=[.:?!])\s+|\n\s*\n", " ".join(comments) + "\n\n" + "\n\n".join(strings)):
            words = " ".join(text.split())
            if 30 <= len(words) <= 400 and words.count(" ") >= 4:
                found[words] = None
    return [list(found)[i] for i in np.random.default_rng(0).permutation(len(found))]


def data():
    yield "gaussian", gaussian(200_000, 128)
    yield "gaussian", gaussian(200_000, 768)
    yield "clusters", clustered(200_000, 128)
    wordllama = optional("wordllama")
    if wordllama is None:
        print("(without text: wordllama is not installed)", file=sys.stderr)
        return
    folder = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    words = np.asarray(model.embedding, np.float32)
    yield "words", words[np.random.default_rng(0).permutation(len(words))]
    yield "sentences", np.asarray(model.embed(sentences()), np.float32)


def main():
    print(f"{QUERIES} queries, which are rows of the same kind. Rows measured for each query:\n")
    print(f"{'data':10} {'rows':>15}  {'metric':10}" + "".join(f"{f'k={k}':>9} {'of rows':>8}" for k in K))
    for name, rows in data():
        X, Q = rows[QUERIES:], rows[:QUERIES]
        for metric in ("dot", "euclidean", "cosine"):
            line = f"{name:10} {f'{len(X)} x {X.shape[1]}':>15}  {metric:10}"
            for k in K:
                told = vb.explain(Q, X, k, metric, threads=1)
                line += f"{told.rescored / len(Q):9.0f} {told.rescored / told.pairs:8.2%}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
