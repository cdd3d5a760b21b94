"""
Whether the suite notices a wrong bound: ``python tests/mutate.py [words]``.

Each mutation weakens a bound by which a search rules rows out, or a matrix is settled, in a copy of the sources, which
is built and tested. A mutation with which the tests pass is an error. With words, such as ``scan_tiles.c rows-lose``, only
those are tried whose file or meaning has one of them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = (
    *("tests/test_certified.py", "tests/test_values.py", "tests/test_recheck.py"),
    *("-k", "bound or any or ruled_out or many_elements"),
)

# File, text, what it becomes, and what that means. Of the bound of the sieve (csrc/bound.c) every term, in the order in
# which its proof lists them; then those of the screen, of the canonical sums and of what surrounds them.
MUTATIONS = (
    ("csrc/bound.c", "? found->square / 2.0", "? found->square / 1.98", "rows are 1% longer"),
    (
        "csrc/bound.c",
        "return sqrt((double)found->norm);",
        "return 1.01 * sqrt((double)found->norm);",
        "norms are 1% larger",
    ),
    (
        "csrc/bound.c",
        "norm = sqrt(square) / scale",
        "norm = 1.01 * sqrt(square) / scale",
        "norms of float64 rows are 1% larger",
    ),
    (
        "csrc/bound.c",
        "safe(square))\n        return INFINITY;",
        "safe(square))\n        return 0.0;",
        "rows without a cosine are ruled in",
    ),
    (
        "csrc/bound.c",
        "vb_at_least((residual +",
        "0.97f * vb_at_least((residual +",
        "rows lose 3% less than they do",
    ),
    ("csrc/bound.c", "far = vb_at_least(code", "far = 0.97f * vb_at_least(code", "codes are 3% shorter"),
    ("csrc/bound.c", "panel->unit[r] = NAN;", "panel->unit[r] = 1.0f;", "rows without codes have some"),
    ("csrc/bound.c", "most <= largest &&", "most <= largest + 1 &&", "a query's 128 is a code"),
    (
        "csrc/bound.c",
        "s->norm = sqrt(s->square) / s->scale",
        "s->norm = 0.97 * sqrt(s->square) / s->scale",
        "queries are 3% shorter",
    ),
    (
        "csrc/bound.c",
        "s->residual = sqrt(residual)",
        "s->residual = 0.97 * sqrt(residual)",
        "queries lose 3% less than they do",
    ),
    (
        "csrc/bound.c",
        "least = ((-bar -",
        "least = 0.01 * fabs(bar) + ((-bar -",
        "dot products are 1% smaller",
    ),
    ("csrc/bound.c", "slope = 2.0 * share;", "slope = 2.01 * share;", "Jaccard distances are 1% larger"),
    (
        "csrc/bound.c",
        "bar, underflow, e->scale) * (1.0 +",
        "bar, underflow, e->scale) * (0.98 +",
        "squared distances are 2% larger",
    ),
    ("csrc/bound.c", "e->d, bar) - 4.0 * g)", "e->d, bar) + 0.02)", "cosines are 0.02 smaller"),
    (
        "csrc/bound.c",
        "- s->center_slack;\n        break;",
        "+ 0.02 * s->query_norm;\n        break;",
        "cosines have a margin on the wrong side",
    ),
    (
        "csrc/bound.c",
        "norms[q] * largest_residual",
        "0.97f * norms[q] * largest_residual",
        "of two terms the first is 3% smaller",
    ),
    (
        "csrc/bound.c",
        "residuals[q] * code_norm",
        "0.97f * residuals[q] * code_norm",
        "of two terms the second is 3% smaller",
    ),
    ("csrc/codes.c", "square += y * y;", "square += y * y + 1;", "rows of integers are longer"),
    (
        "csrc/scorer.c",
        "(1.0 + 1.3 * e) * vb_most_square",
        "(0.98 + 1.3 * e) * vb_most_square",
        "the screen finds rows 2% farther",
    ),
    (
        "csrc/scorer.c",
        "vb_at_most(-bar -",
        "vb_at_most(-bar + 0.02 * fabs(bar) -",
        "the screen finds dot products 2% smaller",
    ),
    ("csrc/scorer.c", "s->d, bar) - 1.3 * e;", "s->d, bar) + 0.02;", "the screen finds cosines 0.02 smaller"),
    (
        "csrc/scan_tiles.c",
        "/ 64.0 + 96.0) * 0x1p-24",
        "/ 64.0 + 96.0) * 0x1p-30",
        "tiles are a sixtieth as far off",
    ),
    (
        "csrc/scan_tiles.c",
        "slack = 2.0 * query->doubt +",
        "slack = -4.0 * query->doubt +",
        "the best of tiles are better",
    ),
    (
        "csrc/recheck.c",
        "/ 8.0 + 128.0) * 0x1p-53 * t",
        "* 0.0 + 0.0) * 0x1p-53 * t",
        "squared distances by products are exact",
    ),
    ("csrc/recheck.c", "2.0 * fabs(m) * k * both", "0.0 * fabs(m) * k * both", "norms are exact"),
    ("csrc/epilogues.h", "+ 512.0) * 0x1p-56", "+ 512.0) * 0x1p-70", "a cosine's sums have no error"),
    ("csrc/live.c", "if (*run > most)", "if (*run >= most)", "of equal rows one less is looked at"),
    ("csrc/live.c", "? *run : 0) +", "? *run : 1) +", "a row that repeats nothing repeats one"),
    (
        "csrc/search.c",
        "== narrow ? middle :",
        "== narrow ? narrow :",
        "thresholds of float32 are not rounded up",
    ),
)
# A change that may only cost time: it shows that the check can tell.
HARMLESS = "rows without a cosine are ruled in"


def chosen(words):
    """All mutations, or those with one of the words, in which - stands for a space."""
    words = [word.replace("-", " ") for word in words]
    found = [m for m in MUTATIONS if not words or any(word in m[0] or word in m[3] for word in words)]
    return found or sys.exit(f"no mutation has one of the words {words}")


def main():
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "source")
        skip = shutil.ignore_patterns(
            ".git", ".venv", "build", "*.so", "_core.c", "__pycache__", ".nox", "*.egg-info"
        )
        shutil.copytree(ROOT, copy, ignore=skip)
        for name, text, _, _ in MUTATIONS:
            if (count := Path(copy, name).read_text(encoding="utf-8").count(text)) != 1:
                sys.exit(f"{name} has {count} times {text!r}: bring the mutations up to date")
        for name, text, change, meaning in chosen(sys.argv[1:]):
            source = Path(copy, name)
            before = source.read_text(encoding="utf-8")
            source.write_text(before.replace(text, change), encoding="utf-8")
            found = tested(copy)
            source.write_text(before, encoding="utf-8")
            expected = meaning == HARMLESS
            verdict = "passes" if found else "fails"
            print(
                f"{'as it should' if found == expected else 'WRONG'}: {meaning}: the suite {verdict}",
                flush=True,
            )
            if found != expected:
                failed.append(meaning)
    sys.exit(1 if failed else 0)


def tested(folder):
    """Build the copy and run its tests; whether they pass."""
    build = [sys.executable, "setup.py", "-q", "build_clib", "build_ext", "--inplace"]  # what has changed
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import vecblade; print(vecblade.__file__)"
    where = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if str(folder) not in where.stdout:
        sys.exit(f"the tests would run {where.stdout.strip()}, not the copy")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(done.stdout + done.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    main()
