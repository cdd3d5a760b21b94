"""How the core is laid out: includes go down, switches are complete, and CONTRIBUTING.md knows every file."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "csrc"
FILES = {path.relative_to(CORE).as_posix(): path for path in sorted(CORE.rglob("*.*"))}
# What kernels may know of the core above them.
BELOW = {"vecblade.h", "util.h", "numbers.h", "epilogues.h"}


def included_by(name):
    """The files of the core that one includes."""
    for target in re.findall(
        r'^ *# *include "([^"]+)"', FILES[name].read_text(encoding="utf-8"), re.MULTILINE
    ):
        found = (FILES[name].parent / target).resolve()
        yield found.relative_to(CORE.resolve()).as_posix()


INCLUDES = {name: set(included_by(name)) for name in FILES}


def test_includes_are_found():
    assert {"../unit.inc", "simd_avx2.h"} == set(
        re.findall(r'include "([^"]+)"', FILES["kernels/x86/avx2.c"].read_text(encoding="utf-8"))
    )
    assert INCLUDES["kernels/x86/avx2.c"] == {"kernels/unit.inc", "kernels/x86/simd_avx2.h"}
    assert all(target in FILES for targets in INCLUDES.values() for target in targets)


def test_includes_have_no_circles():
    assert list(TopologicalSorter(INCLUDES).static_order())  # raises a CycleError, which names them


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("kernels/")])
def test_kernels_know_no_drivers(name):
    others = {target for target in INCLUDES[name] if not target.startswith("kernels/")}
    assert others <= BELOW, f"{name} includes {sorted(others - BELOW)}"


def test_switches_have_no_default():
    """With one the compiler could not name the cases that a new row of a table needs."""
    for name, path in FILES.items():
        assert not re.search(r"^ *default *:", path.read_text(encoding="utf-8"), re.MULTILINE), name


def test_no_metric_is_asked_for_by_name():
    """Code goes by geometries and epilogues; only the table names metrics, and a call that has no metric names any."""
    for name, path in FILES.items():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"([=!]= *|case )VB_METRIC_", text), name


def test_contributing_maps_every_file():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = page.partition("## Where things are\n")[2].partition("\n## ")[0]
    for name in FILES:
        stem = name.rpartition("/")[2].partition(".")[0]
        if not name.startswith(("kernels/x86/", "kernels/arm/", "kernels/portable/")):
            assert re.search(rf"\b{stem}\b", listed), f"CONTRIBUTING.md does not tell what {name} is"
