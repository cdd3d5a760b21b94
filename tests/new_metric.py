"""
Whether a metric can be added by the recipe of CONTRIBUTING.md: ``python tests/new_metric.py``.

The chord, ``sqrt(2 - 2 cos)``, is added to a copy of the sources. With its rows in the tables alone the compiler has to
refuse each file that lacks a case. With the cases, each a line or two, the copy is built, and the metric has to be
right in every function, of every type, at every level and by every plan, against exact arithmetic.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from standalone import FLAGS, NATIVE_FLAGS

ROOT = Path(__file__).parent.parent

# Step 1 of the recipe: the rows.
ROWS = (
    (
        "csrc/vecblade.h",
        "    X(VB_ANGULAR, angular, VB_GEOMETRY_ANGLE) \\\n",
        "    X(VB_CHORD, chord, VB_GEOMETRY_ANGLE) \\\n",
    ),
    (
        "csrc/vecblade.h",
        "    X(VB_METRIC_COSINE, cosine, VB_DOTNORM, VB_ANGULAR, 0, 0, 0) \\\n",
        "    X(VB_METRIC_CHORD, chord, VB_DOTNORM, VB_CHORD, 0, 0, 0) \\\n",
    ),
)
# Step 2: what the compiler asks for. File, the line after which it goes, and what.
CASES = (
    (
        "csrc/epilogues.h",
        "        return angle.distance;\n",
        "    case VB_CHORD:\n        return sqrt(2.0 * angle.distance);\n",
    ),
    (
        "csrc/metrics.c",
        "        return (1.0 - bar) - rounding;\n",
        "    case VB_CHORD:\n        return (1.0 - bar * bar / 2.0) - rounding;\n",
    ),
    (
        "csrc/recheck.c",
        "    switch (epilogue) {\n",
        "    case VB_CHORD:\n"
        "        *least = sqrt(2.0 * low);\n"
        "        *most = sqrt(2.0 * high);\n"
        "        return;\n",
    ),
    (
        "csrc/kernels/score.h",
        "    switch (scoring->epilogue) {\n",
        "    case VB_CHORD:\n"
        "        for (size_t i = 0; i < n; i++)\n"
        "            values[i] = sqrt(2.0 * (1.0 - vb_similarity(sums[i], norm, norms[i], edge)));\n"
        "        break;\n",
    ),
    (
        "csrc/kernels/tile.inc",
        "        VB_FINISH_NAME(VB_ANGULAR, sums, finish, out, out_stride, unsure);\n        return;\n",
        "    case VB_CHORD:\n"
        "        VB_FINISH_NAME(VB_CHORD, sums, finish, out, out_stride, unsure);\n"
        "        return;\n",
    ),
    (
        "csrc/kernels/tile.inc",
        "                    value = VB_V_(sub)(VB_V_(set1)((VB_ELEMENT)1.0), value);\n",
        "                if (epilogue == VB_CHORD) {\n"
        "                    value = VB_V_(sub)(VB_V_(set1)((VB_ELEMENT)1.0), value);\n"
        "                    value = VB_V_(root)(VB_V_(add)(value, value));\n"
        "                }\n",
    ),
)
# Likewise where a file has one case for all epilogues of the geometry, or for all that do not come there.
GROUPED = ("csrc/metrics.c", "csrc/scorer.c", "csrc/kernels/tile.inc")
GROUP = re.compile(r"( +case VB_SIMILARITY:\n)(?= +case VB_ANGULAR:)")
# Step 3: the function.
FUNCTION = """


def chord(a, b, *, out=None, threads=None, dtype=None):
    return measure_any(VB_METRIC_CHORD, a, b, out, threads, dtype)
"""

CHECK = r"""
import itertools
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np

import vecblade as vb
from vecblade import _core

getcontext().prec = 60
random = np.random.default_rng(0)


def numbers(X, options):
    if options.get("dtype") == "bfloat16":
        return (X.astype(np.uint32) << 16).view(np.float32).astype(float)
    return (np.unpackbits(X, axis=1) if options else X).astype(float)


def exact(a, x):
    a, x = ([Fraction(v) for v in row.tolist()] for row in (a, x))
    dot, aa, xx = (sum(map(lambda p: p[0] * p[1], zip(*pair))) for pair in ((a, x), (a, a), (x, x)))
    decimal = lambda f: Decimal(f.numerator) / Decimal(f.denominator)
    return float((2 * max(Decimal(0), 1 - decimal(dot) / (decimal(aa) * decimal(xx)).sqrt())).sqrt())


def some(kind, n, d):
    X = random.standard_normal((n, d))
    X[7] = X[5] * (1 + 1e-9) + 1e-7 * X[6]  # nearly the same way
    X[11] = X[5]
    if kind in ("i8", "u8", "bits"):
        X = random.integers(0, 256, (n, d), np.uint8)
        X[11] = X[5]
        return (X.view(np.int8), {}) if kind == "i8" else (X, {"dtype": "bits"} if kind == "bits" else {})
    if kind == "bf16":
        return vb.astype(X, "bfloat16").view(np.uint16), {"dtype": "bfloat16"}
    return X.astype(kind), {}


for level, kind, d in itertools.product(
    [name for name, runs in _core.levels().items() if runs], ("f4", "f8", "f2", "bf16", "i8", "u8", "bits"), (5, 40, 100)
):
    _core.use_level(level)
    X, options = some(kind, 1200, d)
    Q = X[3:12].copy()
    what = (level, kind, d)
    single = kind in ("f4", "f2", "bf16")
    q, x = numbers(Q, options), numbers(X, options)
    wide = _core.chord(q[:, None], x)
    for i, j in [(2, 5), (2, 7), (2, 11), *random.integers(0, 9, (6, 2)).tolist()]:
        assert np.isclose(wide[i, j], exact(q[i], x[j]), rtol=1e-11, atol=1e-13), (what, i, j)
    if kind in ("i8", "u8", "bits"):  # exact sums: float64 values of the same numbers differ in the last place
        assert np.allclose(_core.chord(Q[:, None], X, **options), wide, rtol=1e-12, atol=1e-13), what
        wide = np.array([[_core.chord(a, b, **options) for b in X] for a in Q])
    values = wide.astype(np.float32) if single else wide
    assert (_core.chord(Q[:, None], X, **options) == values).all(), what
    assert (_core.chord(Q[0], X, **options) == values[0]).all(), what
    assert _core.chord(Q[1], X[4], **options) == wide[1, 4], what
    assert (_core.chord(Q[:, ::-1].copy()[:, None, ::-1], X, **options) == values).all(), what
    assert np.isnan(_core.chord(np.zeros(d), np.ones(d))), what
    made = vb.pairwise(Q, X, "chord", **options)
    assert np.allclose(made, wide, rtol=1e-5 if single else 1e-12, atol=1e-13), what
    assert (vb.pairwise(X[:70], metric="chord", **options) == vb.pairwise(X[:70], X[:70], "chord", **options)).all(), what
    order = np.argsort(wide, axis=1, kind="stable")
    mask = random.random(len(X)) < 0.6
    for plan in ("rows", "sieve", "codes"):
        _core.use_plan(plan)
        index = vb.FlatIndex(X, "chord", **options)
        for found in (vb.topk(Q, X, 10, "chord", **options), index.search(Q, 10)):
            assert (found.indices == order[:, :10]).all(), (what, plan)
            assert (found.values == np.take_along_axis(values, order[:, :10], 1)).all(), (what, plan)
        eligible = [row[mask[row]][:10] for row in order]
        assert (vb.topk(Q, X, 10, "chord", where=mask, **options).indices == eligible).all(), (what, plan)
        threshold = values[0, order[0, 30]]
        found = vb.within(Q, X, threshold, "chord", **options)
        for i in range(len(Q)):
            part = slice(found.offsets[i], found.offsets[i + 1])
            assert (found.indices[part] == np.flatnonzero(values[i] <= threshold)).all(), (what, plan)
            assert (found.values[part] == values[i][values[i] <= threshold]).all(), (what, plan)
    _core.use_plan("codes")
print("right everywhere")
"""


def insert(copy, name, after, text):
    source = copy / name
    before = source.read_text(encoding="utf-8")
    if before.count(after) != 1:
        sys.exit(f"{name} has {before.count(after)} times {after!r}: bring the recipe up to date")
    source.write_text(before.replace(after, after + text), encoding="utf-8")


def refused(copy):
    """The files in which the compiler misses a case."""
    missing = set()
    for unit in sorted((copy / "csrc").rglob("*.c")):
        flags = [*FLAGS, *NATIVE_FLAGS.get(unit.stem, []), "-fsyntax-only", f"-I{copy / 'csrc'}"]
        told = subprocess.run(["cc", *flags, str(unit)], capture_output=True, text=True).stderr
        missing |= set(re.findall(r"([\w.]+):\d+:\d+: error: enumeration value", told))
    return missing


def main():
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "source")
        skip = shutil.ignore_patterns(
            ".git", ".venv", "build", "*.so", "_core.c", "__pycache__", ".nox", "*.egg-info"
        )
        shutil.copytree(ROOT, copy, ignore=skip)
        for row in ROWS:
            insert(copy, *row)
        missing, wanted = (
            refused(copy),
            {Path(name).name for name in (*GROUPED, *(name for name, *_ in CASES))},
        )
        print("the compiler misses a case in", *sorted(missing), flush=True)
        if missing != wanted:
            sys.exit(f"the recipe has cases for {sorted(wanted)}")
        for name in GROUPED:
            text = (copy / name).read_text(encoding="utf-8")
            (copy / name).write_text(GROUP.sub(r"\1    case VB_CHORD:\n", text), encoding="utf-8")
        for case in CASES:
            insert(copy, *case)
        if refused(copy):
            sys.exit(f"the compiler still misses a case in {sorted(refused(copy))}")
        bindings = copy / "src/vecblade"
        insert(
            copy,
            "src/vecblade/_core.pxd",
            "VB_METRIC_COSINE_SIMILARITY, VB_METRIC_COSINE",
            ", VB_METRIC_CHORD",
        )
        with open(bindings / "_core.pyx", "a", encoding="utf-8") as source:
            source.write(FUNCTION)
        build = [sys.executable, "setup.py", "-q", "build_clib", "build_ext", "--inplace"]
        done = subprocess.run(build, cwd=copy, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.exit(subprocess.run([sys.executable, "-c", CHECK], env=environment, cwd=copy).returncode)


if __name__ == "__main__":
    main()
