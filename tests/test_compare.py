"""The comparison of two revisions: what it takes for slower, and that it times what it says."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import vecblade as vb

PATH = Path(__file__).parent.parent / "benchmarks" / "compare.py"


@pytest.fixture(scope="module")
def compare():
    if not PATH.exists():
        pytest.skip("an installed package has no benchmarks")
    spec = importlib.util.spec_from_file_location("compare", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_slower(compare):
    assert compare.verdict([1.05, 1.2, 1.06], 0.04) == "slower"
    assert compare.verdict([1.03, 1.2, 1.06], 0.04) == "", "one pair of processes does not show it"
    assert compare.verdict([0.9, 0.95, 0.8], 0.04) == "faster"
    assert compare.verdict([0.9, 1.1], 0.04) == ""


def test_a_table(compare):
    assert compare.table(["a", "b"], [["1", ""]]) == "| a | b |\n| --- | --- |\n| 1 |  |\n"


def test_a_side_times_its_cases(compare):
    """Of the package that is here, in a process that answers as the comparison asks."""
    where = str(Path(vb.__file__).parent.parent)
    questions = [["names"], ["time", "dot f4 d=4", 100], ["time", "topk cosine i1 50 in 30000x64", 1]]
    done = subprocess.run(
        [sys.executable, str(PATH), "--serve", where],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names, short, longer = map(json.loads, done.stdout.splitlines())
    assert len(names) == len(set(names)) > 80
    assert 1e-9 < short < longer


def test_a_slower_side_is_found(compare):
    """Two sides of which one takes half as long again."""

    class Side:
        def __init__(self, seconds):
            self.seconds = seconds

        def ask(self, what, name, repeat):
            assert (what, name) == ("time", "case")
            return self.seconds

    base, ratio = compare.timed(Side(2e-3), Side(3e-3), "case", 5)
    assert (base, ratio) == (2e-3, 1.5)
    assert compare.verdict([ratio] * 3, 0.04) == "slower"
