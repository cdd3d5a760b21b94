"""What runs: levels, the forced level, `cpu_info`, the public names and their documentation."""

import doctest
import inspect
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import files
import numpy as np
import pytest
from conftest import LEVELS

import vecblade as vb
import vecblade.numpy
import vecblade.scipy
import vecblade.sklearn
from vecblade import _core
from vecblade.__main__ import parser


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_can_be_forced(level):
    code = "import vecblade as vb; print(vb.cpu_info()['isa'], set(vb.cpu_info()['kernels'].values()))"
    done = run(code, VECBLADE_ISA=level)
    if _core.levels()[level]:
        assert done.stdout.startswith(level), done.stderr
        assert f"vb_dot_f32_{level}" in done.stdout
    else:
        assert f"VECBLADE_ISA='{level}' does not run on this machine; levels that do" in done.stderr


def test_an_unknown_level_is_an_error_that_lists_the_valid_ones():
    done = run("import vecblade", VECBLADE_ISA="sse9")
    assert done.returncode
    runnable = ", ".join(level for level, runs in _core.levels().items() if runs)
    assert f"VECBLADE_ISA='sse9' is not an ISA level; levels that do, best first: {runnable}" in done.stderr
    assert run("import vecblade", VECBLADE_ISA="").returncode == 0


@pytest.mark.parametrize("text", ["\udcff", "avx2\udc80", "скаляр", "scalar ", "\x1b[31m", "x" * 10_000])
def test_any_text_that_is_no_level_is_the_same_error(text):
    """Bytes that are no UTF-8 too, which Python holds as halves of characters."""
    done = run("import vecblade", VECBLADE_ISA=text)
    assert done.stderr.splitlines()[-1].startswith("ValueError: VECBLADE_ISA=")
    assert "is not an ISA level; levels that do, best first: " in done.stderr
    assert "\x1b" not in done.stderr
    done = run("import vecblade as vb; vb.get_num_threads()", VECBLADE_NUM_THREADS=text)
    assert done.stderr.splitlines()[-1].startswith("ValueError: VECBLADE_NUM_THREADS=")
    assert done.stderr.endswith("is not an integer of at least 1\n")
    assert "\x1b" not in done.stderr


def test_the_best_level_is_chosen():
    code = "import vecblade as vb; print(vb.cpu_info()['isa'])"
    best = next(level for level, runs in _core.levels().items() if runs)
    environment = {name: value for name, value in os.environ.items() if name != "VECBLADE_ISA"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == best


def test_cpu_info(isa):
    info = vb.cpu_info()
    assert info["isa"] == isa
    assert list(info["levels"]) == ["avx512", "avx2", "neon", "scalar"]
    assert set(info["kernels"]) == {record["slot"] for record in _core.registry()}
    order = list(info["levels"])
    for slot, name in info["kernels"].items():
        mine = [r for r in _core.registry() if r["slot"] == slot and r["runs"]]
        best = min(
            (r for r in mine if order.index(r["isa"]) >= order.index(isa)),
            key=lambda r: order.index(r["isa"]),
        )
        assert name == best["name"]
    assert info["numpy"] == np.__version__


def test_public_names_are_documented():
    for name in vb.__all__:
        documented = inspect.getdoc(getattr(vb, name))
        assert documented, name
        if inspect.isroutine(getattr(vb, name)) or name == "FlatIndex":
            assert ">>> " in documented or name == "get_num_threads", f"{name} has no example"


def drop_ins():
    """The functions that stand for other libraries', by module and name."""
    for module in (vecblade.numpy, vecblade.numpy.linalg, vecblade.scipy, vecblade.sklearn):
        for name in module.__all__:
            if name != "linalg" and (name != "NearestNeighbors" or find_spec("sklearn")):
                yield f"{module.__name__}.{name}", getattr(module, name)
    if find_spec("sklearn"):
        for name in ("kneighbors", "radius_neighbors"):
            yield f"NearestNeighbors.{name}", getattr(vecblade.sklearn.NearestNeighbors, name)


def test_drop_ins_are_documented():
    for name, function in drop_ins():
        documented = inspect.getdoc(function) or ""
        assert ">>> " in documented, f"{name} has no example"
        for section in ("Parameters", "Returns", "Raises"):
            assert f"{section}\n---" in documented or name.endswith(("chunked", "NearestNeighbors")), name


DOCS = Path(__file__).parent.parent / "docs"
DOCUMENTED = (
    {name: inspect.getdoc(getattr(vb, name)) or "" for name in vb.__all__}
    | {name: inspect.getdoc(function) or "" for name, function in drop_ins()}
    | {
        page.relative_to(DOCS).as_posix(): page.read_text(encoding="utf-8").replace("```", "")
        for page in sorted(DOCS.rglob("*.md"))
    }
)


@pytest.mark.parametrize("name", [name for name, text in DOCUMENTED.items() if ">>> " in text])
def test_examples_in_docstrings_and_pages(name, tmp_path, monkeypatch):
    for needed in ("scipy", "sklearn", "polars", "pyarrow"):
        if needed in name or re.search(rf">>> (from|import) {needed}\b", DOCUMENTED[name]):
            pytest.importorskip(needed)
    if '"bfloat16"' in DOCUMENTED[name]:
        pytest.importorskip("ml_dtypes")
    monkeypatch.chdir(tmp_path)  # some write files
    test = doctest.DocTestParser().get_doctest(DOCUMENTED[name], {}, name, None, 0)
    before = _core.active_level()
    assert doctest.DocTestRunner().run(test).failed == 0
    assert _core.active_level() == before


def test_pages_of_the_api_list_every_name():
    for module in (vb, vecblade.numpy, vecblade.numpy.linalg, vecblade.scipy, vecblade.sklearn):
        name = module.__name__.removesuffix(".linalg").rpartition(".")[2]
        page = (DOCS / "api" / f"{name}.md").read_text(encoding="utf-8")
        part = page[page.index(f".. currentmodule:: {module.__name__}\n") :]
        assert set(module.__all__) - {"linalg"} <= set(
            re.findall(r"^(?:   |\.\. data:: )(\w+)$", part, re.MULTILINE)
        ), name


def test_every_option_is_on_the_page_of_the_command_line():
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    (commands,) = (action for action in parser()._actions if isinstance(action.choices, dict))
    for command, its in commands.choices.items():
        part = page.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
        assert part, command
        for option in (option for action in its._actions for option in action.option_strings):
            assert option in ("-h", "--help") or re.search(rf"(?<![\w-]){option}\b", part), (command, option)


def test_import_needs_numpy_alone():
    code = "import sys, numpy; before = set(sys.modules); import vecblade; print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    loaded = set(run(code).stdout.split())
    assert not loaded & {"scipy", "sklearn", "torch", "pytest", "hypothesis", "wordllama"}


def test_the_gil_stays_off_on_free_threaded_builds():
    if not hasattr(sys, "_is_gil_enabled"):
        pytest.skip("needs Python 3.13 or newer")
    import sysconfig

    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("needs a free-threaded build")
    assert run("import vecblade, sys; print(sys._is_gil_enabled())").stdout.strip() == "False"


def test_the_readme_example_runs(tmp_path, monkeypatch):
    readme = Path(__file__).parent.parent / "README.md"
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).standard_normal((1200, 16)).astype(np.float32)
    np.save("embeddings.npy", rows)
    files.parquet(tmp_path / "embeddings.parquet", rows)
    for block in blocks:
        exec(block, {})
