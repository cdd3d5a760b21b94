"""The inputs that fuzzing has kept (tests/fuzz/): each takes another way through the package, or was a finding."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "fuzz"


@pytest.mark.parametrize("name", ["boundary", "loader"])
def test_kept_inputs(name, monkeypatch):
    pytest.importorskip("ml_dtypes")
    monkeypatch.syspath_prepend(str(FOLDER))
    target = importlib.import_module(name)
    inputs = sorted((FOLDER / "corpus" / name).iterdir())
    assert len(inputs) >= 100
    for path in inputs:
        try:
            target.run(path.read_bytes())
        except BaseException as error:
            error.add_note(f"{sys.executable} {FOLDER / 'replay.py'} {name} {path}")
            raise
