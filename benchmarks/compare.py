"""
Another revision beside the working tree, or beside a third: ``python benchmarks/compare.py REVISION [REVISION]``.

Each revision is built from its own sources into a folder of its own and serves calls from a process of its own; the same
cases run in both in turn, many rounds over, so that what slows the machine slows both. All that is done with several
pairs of processes, for where memory happens to lie in one may cost a short call a tenth. A case counts as slower (or
faster) if the median ratio of the times is away from 1 by more than `--noise` with every pair. With valgrind,
instructions of each function are counted as well; those depend on neither. The exit status is 1 if anything is slower.

Words choose cases by name: ``--cases "cosine f4"``. ``--markdown FILE`` writes the tables for a comment.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
THIS = "this checkout"
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def parser():
    made = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    made.add_argument("base", help="what is compared with: a git revision")
    made.add_argument("head", nargs="?", help="another revision (default: the working tree)")
    made.add_argument("--cases", default="", help="only those whose names have all these words")
    made.add_argument("--rounds", type=int, default=9, help="for each pair of processes")
    made.add_argument("--pairs", type=int, default=4, help="of processes")
    made.add_argument("--noise", type=float, default=0.04, help="ratios nearer to 1 than this are equal")
    made.add_argument("--markdown", type=Path, help="write the tables here as well")
    made.add_argument("--no-instructions", action="store_true", help="no valgrind")
    return made


# ---- two builds -------------------------------------------------------------------------------


def built(revision, folder):
    """Install a revision (None: the working tree) into the folder."""
    source = folder / "source"
    if revision is None:
        skip = shutil.ignore_patterns(
            ".git", ".venv", "build", "*.so", "_core.c", "__pycache__", ".nox", "*.egg-info"
        )
        shutil.copytree(ROOT, source, ignore=skip)
    else:
        source.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "archive", revision], cwd=ROOT, check=True, capture_output=True
        ).stdout
        subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    target = folder / "installed"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", target, source], check=True)
    return target


class Side:
    """One revision, in a process that times cases when it is told to."""

    def __init__(self, name, target):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **dict.fromkeys(POOLS, "1"), "VECBLADE_NUM_THREADS": "1"},
        )

    def ask(self, *question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.name}: the process that runs it has stopped")
        return json.loads(answer)


# ---- in the process of one revision ------------------------------------------------------------


def calls(function, *args):
    return lambda: function(*args)


def cases(vb, np):
    """Short calls of every kind, by name; what a revision lacks is left out."""
    random = np.random.default_rng(0)

    def rows(n, d, kind):
        if kind in ("i1", "u1"):
            return random.integers(0, 256, (n, d), np.uint8).view(kind)
        return random.standard_normal((n, d)).astype(kind)

    metrics = ("dot", "sqeuclidean", "cosine")
    for kind in ("f4", "f8", "f2", "i1"):
        for d in (4, 128, 768):
            a, b = rows(2, d, kind)
            for metric in metrics:
                yield f"{metric} {kind} d={d}", calls(getattr(vb, metric), a, b)
        X, q = rows(4000, 256, kind), rows(1, 256, kind)[0]
        for metric in metrics:
            yield f"{metric} {kind} 4000x256", calls(getattr(vb, metric), q, X)
        A, B = rows(400, 256, kind), rows(400, 256, kind)
        for metric in metrics:
            yield f"pairwise {metric} {kind} 400x400x256", calls(vb.pairwise, A, B, metric)
        X, Q = rows(30_000, 64, kind), rows(50, 64, kind)
        for metric in metrics:
            yield f"topk {metric} {kind} 1 in 30000x64", calls(vb.topk, Q[0], X, 10, metric)
            yield f"topk {metric} {kind} 50 in 30000x64", calls(vb.topk, Q, X, 10, metric)
        yield f"topk euclidean {kind} 1 in 100x64", calls(vb.topk, Q[0], X[:100], 10)
    bits = random.integers(0, 256, (20_000, 96), np.uint8)
    yield "topk hamming bits 20 in 20000x768", calls(vb.topk, bits[:20], bits, 10, "hamming")
    yield "hamming bits 20000x768", calls(vb.hamming, bits[0], bits)
    X = rows(30_000, 64, "f4")
    index = vb.FlatIndex(X)
    yield "index f4 1 in 30000x64", calls(index.search, X[7], 10)
    yield "index f4 made of 30000x64", calls(vb.FlatIndex, X)
    yield "within euclidean f4 50 in 30000x64", calls(vb.within, X[:50], X, 6.0)
    yield "normalize f4 30000x64", calls(vb.normalize, X)


def serve(target):
    """Answer questions on standard input: the names of the cases, and the seconds that a case takes now."""
    import time

    sys.path.insert(0, target)
    import numpy as np

    import vecblade as vb

    assert Path(vb.__file__).is_relative_to(target), vb.__file__
    known = dict(cases(vb, np))
    for line in sys.stdin:
        what, *rest = json.loads(line)
        if what == "names":
            answer = list(known)
        else:
            name, repeat = rest
            call = known[name]
            start = time.perf_counter()
            for _ in range(repeat):
                call()
            answer = (time.perf_counter() - start) / repeat
        print(json.dumps(answer), flush=True)


# ---- times ----------------------------------------------------------------------------------


def compared(names, targets, words, pairs, rounds):
    """{case: [(seconds of the base, median ratio of the head to it) with each pair of processes]}."""
    found = {}
    for _ in range(pairs):
        base, head = (Side(name, target) for name, target in zip(names, targets, strict=True))
        shared = set(head.ask("names"))
        for name in base.ask("names"):
            if name in shared and all(word in name for word in words):
                found.setdefault(name, []).append(timed(base, head, name, rounds))
        for side in (base, head):
            side.process.stdin.close()
            side.process.wait()
    return found


def timed(base, head, name, rounds):
    once = max(min(side.ask("time", name, 1) for _ in range(3)) for side in (base, head))
    repeat, times = max(1, int(2e-3 / once)), []
    for i in range(rounds):
        order = (base, head) if i % 2 else (head, base)  # each goes first in every other round
        took = {side: side.ask("time", name, repeat) for side in order}
        times.append((took[base], took[head] / took[base]))
    return median(t for t, _ in times), median(ratio for _, ratio in times)


def verdict(ratios, noise):
    if min(ratios) > 1 + noise:
        return "slower"
    return "faster" if max(ratios) < 1 - noise else ""


# ---- instructions -----------------------------------------------------------------------------

COUNTED = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import vecblade as vb
random = np.random.default_rng(0)
for kind in ("f4", "f8", "f2", "i1"):
    X = (random.standard_normal((3000, 96)) * 20).astype(kind)
    for metric in ("dot", "sqeuclidean", "cosine"):
        getattr(vb, metric)(X[0], X)
        vb.pairwise(X[:200], X[:200].copy(), metric)
        vb.topk(X[:8], X, 5, metric, threads=1)
bits = random.integers(0, 256, (3000, 96), np.uint8)
vb.topk(bits[:8], bits, 5, "hamming", threads=1)
vb.hamming(bits[0], bits)
"""


def instructions(target, folder):
    """Instructions in each function of the core, by callgrind; valgrind shows the CPU without AVX-512."""
    out = folder / "callgrind.out"
    watched = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--"]
    subprocess.run(
        [*watched, sys.executable, "-c", COUNTED, str(target)],
        check=True,
        capture_output=True,
        env={**os.environ, **dict.fromkeys(POOLS, "1"), "VECBLADE_NUM_THREADS": "1"},
    )
    shown = subprocess.run(
        ["callgrind_annotate", "--threshold=100", str(out)], check=True, capture_output=True, text=True
    ).stdout
    counts = {}
    for line in shown.splitlines():
        words = line.split()
        if "_core." in line and len(words) > 2 and words[0].replace(",", "").isdigit():
            function = next((word.rpartition(":")[2] for word in words if ":vb_" in word), None)
            if function:
                counts[function] = counts.get(function, 0) + int(words[0].replace(",", ""))
    return counts


# ---- what is said -----------------------------------------------------------------------------


def readable(seconds):
    unit, scale = next((u for u in (("s", 1), ("ms", 1e-3), ("us", 1e-6)) if seconds >= u[1]), ("ns", 1e-9))
    return f"{seconds / scale:.3g} {unit}"


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main():
    options = parser().parse_args()
    names = options.base, options.head or THIS
    slower = []
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder, "base"), Path(folder, "head")]
        targets = [
            built(revision, at) for revision, at in zip((options.base, options.head), folders, strict=True)
        ]
        rows = []
        words = options.cases.split()
        for name, measured in compared(names, targets, words, options.pairs, options.rounds).items():
            ratios = [ratio for _, ratio in measured]
            found = verdict(ratios, options.noise)
            slower += [name] if found == "slower" else []
            before, spread = median(t for t, _ in measured), f"{min(ratios):.2f} to {max(ratios):.2f}"
            rows.append([name, readable(before), f"{median(ratios):.2f}", spread, found])
        text = f"Times of {names[1]} over those of {names[0]}:\n\n"
        text += table(["case", names[0], "ratio", f"with {options.pairs} pairs of processes", ""], rows)
        if not options.no_instructions and shutil.which("valgrind"):
            before, after = (instructions(target, at) for target, at in zip(targets, folders, strict=True))
            rows = []
            for function in sorted(set(before) | set(after), key=lambda f: -before.get(f, 0)):
                old, new = before.get(function, 0), after.get(function, 0)
                ratio = new / old if old else float("inf")
                if old + new > 20_000 and abs(ratio - 1) > 0.002:
                    found = "slower" if old and ratio > 1.02 else ""
                    slower += [function] if found else []
                    rows.append([f"`{function}`", f"{old:,}", f"{new:,}", f"{ratio:.3f}", found])
            text += f"\nInstructions of the core in a fixed run: {sum(before.values()):,} and {sum(after.values()):,}.\n\n"
            text += (
                table(["function", names[0], names[1], "ratio", ""], rows)
                if rows
                else "No function differs.\n"
            )
    text += f"\n{len(slower)} slower: {', '.join(slower)}\n" if slower else "\nNothing is slower.\n"
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    sys.exit(1 if slower else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main()
