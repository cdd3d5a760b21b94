"""How the package is laid out: layers as docs/architecture.md draws them, no circles, files of a readable size."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "vecblade"
FACE = "vecblade"
# By these names older pickles know classes; nothing else may use them.
ALIASES = {"vecblade._index", "vecblade._convert"}


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {*FILES, "vecblade._core"}


def imported_by(name, source, is_package):
    """The modules of the package that a source imports anywhere: also in functions, and for types only."""
    own = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        if isinstance(node, ast.ImportFrom):
            base = own[: len(own) + 1 - node.level] if node.level else []
            home = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                found = f"{home}.{alias.name}" if f"{home}.{alias.name}" in MODULES else home
                if found in MODULES:
                    yield found


IMPORTS = {
    name: set(imported_by(name, path.read_text(encoding="utf-8"), path.name == "__init__.py"))
    for name, path in FILES.items()
    if name not in ALIASES
}


def drawn_layers():
    """The lines of the drawing, from the bottom up, as names."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = page.partition("## Rooms of the package\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    (\S+(?:  \S+)*)   ", drawing, re.MULTILINE)
    return [[name.rstrip("/") for name in line.split()] for line in reversed(lines)]


LAYERS = {name: height for height, line in enumerate(drawn_layers()) for name in line}


def room_of(module):
    return "__init__" if module == FACE else module.split(".")[1]


def test_the_drawing_has_every_room():
    assert set(LAYERS) == {room_of(name) for name in MODULES - ALIASES}


@pytest.mark.parametrize("module", IMPORTS)
def test_imports_go_down(module):
    for other in IMPORTS[module]:
        assert other not in ALIASES
        assert LAYERS[room_of(other)] <= LAYERS[room_of(module)], (
            f"{module} imports {other}, which is above it"
        )
        if other == FACE:
            assert LAYERS[room_of(module)] > LAYERS["__init__"], f"{module} imports the face"


def test_no_circles():
    assert list(TopologicalSorter(IMPORTS).static_order())  # raises a CycleError, which names them
    rooms = {}
    for module, others in IMPORTS.items():
        rooms.setdefault(room_of(module), set()).update(map(room_of, others))
    assert list(TopologicalSorter({room: others - {room} for room, others in rooms.items()}).static_order())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from . import missing", {"vecblade._rows.missing"}),
        ("def f():\n    from .. import _core", {"vecblade._core"}),
        ("if TYPE_CHECKING:\n    from .missing import x", {"vecblade._rows.missing"}),
        ("from .. import topk", {"vecblade"}),
        ("import vecblade as vb", {"vecblade"}),
        ("import numpy; from os import path", set()),
    ],
)
def test_imports_are_found(source, expected):
    assert set(imported_by("vecblade._rows.arrays", source, False)) == expected


def test_kept_names():
    """Modules that are there for older pickles have one import, and no more."""
    for name in ALIASES:
        _, *others = ast.parse(FILES[name].read_text(encoding="utf-8")).body  # after the docstring
        assert [type(node) for node in others] == [ast.ImportFrom], name


SOURCES = [
    path
    for pattern in ("src/vecblade/**/*.p*", "csrc/**/*.*", "tests/**/*.py", "tests/c/*.*", "benchmarks/*.py")
    for path in sorted(ROOT.glob(pattern))
    if path.suffix in (".py", ".pyx", ".pxi", ".pxd", ".pyi", ".c", ".cpp", ".h", ".inc")
]


def test_files_are_short_or_say_why_not():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        said = re.search(r"Over 500 lines: \w.{9,}", "\n".join(text.splitlines()[:20]))
        assert text.count("\n") <= 500 or said, f"{path.relative_to(ROOT)} has over 500 lines and no reason"


def test_sources_are_found():
    assert {
        "api.py",
        "_core.pyx",
        "_core_search.pxi",
        "scan.c",
        "contract.h",
        "sieve.inc",
        "test_layout.py",
    } <= {path.name for path in SOURCES}
