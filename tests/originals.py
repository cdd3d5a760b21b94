"""
SciPy's and scikit-learn's own tests, on ours: ``python tests/originals.py``.

Their test modules, which lie inside the installed packages, run unchanged in a process that has called `vecblade.patch`.
Printed are the counts, and for each suite how many of the calls that came to a replaced function vecblade answered.
A failure that is not in `KNOWN` makes the exit status 1.
"""

import collections
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

SUITES = (
    "scipy.spatial.tests.test_distance",
    "sklearn.metrics.tests.test_pairwise",
    "sklearn.neighbors.tests.test_neighbors",
)
# Tests that fail with ours, and why.
KNOWN: dict[str, str] = {}

REPORT = "VECBLADE_ORIGINALS_REPORT"


def main():
    unknown = 0
    print(f"{'suite':40} {'passed':>7} {'failed':>7} {'skipped':>8} {'calls':>7} {'by vecblade':>12}")
    for suite in SUITES:
        with tempfile.TemporaryDirectory() as folder:
            results, calls, text = run(suite, Path(folder))
        counts = collections.Counter(outcome for _, outcome in results)
        if not results or not calls.get("vecblade"):
            sys.exit(f"{suite} did not run with ours in place:\n{text}")
        print(
            f"{suite:40} {counts['passed']:7} {counts['failed']:7} {counts['skipped']:8} "
            f"{sum(calls.values()):7} {calls['vecblade']:12}"
        )
        for name, result in results:
            if result == "failed":
                print(f"    {name}: {KNOWN.get(name, 'NOT KNOWN')}")
                unknown += name not in KNOWN
        if unknown:
            print(text)
    sys.exit(1 if unknown else 0)


def run(suite, folder):
    """The outcome of each test, the answers of the replaced functions, and what pytest printed."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-p", Path(__file__).stem]
    options += ["-c", str(folder / "pytest.ini"), f"--junit-xml={folder / 'results.xml'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--pyargs", suite],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
            REPORT: str(folder / "calls.json"),
        },
        capture_output=True,
        text=True,
    )
    text = done.stdout[-8000:] + done.stderr[-2000:]
    if not (folder / "results.xml").exists():
        sys.exit(text)
    results = []
    for case in ElementTree.parse(folder / "results.xml").iter("testcase"):
        kinds = {child.tag for child in case}
        result = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        results.append((f"{case.get('classname')}::{case.get('name')}", result))
    return results, json.loads((folder / "calls.json").read_text()), text


# ---- inside pytest, as its plugin -----------------------------------------------------------


class Counts(logging.Handler):
    """Counts the log lines of `patch` by who answered."""

    def __init__(self):
        super().__init__()
        self.calls = collections.Counter()

    def emit(self, record):
        self.calls[record.getMessage().rpartition("): ")[2].rpartition(",")[0]] += 1


def pytest_configure():
    import vecblade

    logger = logging.getLogger("vecblade")
    logger.addHandler(counts)
    logger.propagate = False
    vecblade.patch(log=True)


def pytest_unconfigure():
    Path(os.environ[REPORT]).write_text(json.dumps(counts.calls))


if __name__ == "__main__":
    main()
else:
    counts = Counts()
