#!/usr/bin/env python
"""
Fuzz one target with atheris: ``python tests/fuzz/run.py --target=boundary FOLDER -max_total_time=60``.

``nox -s fuzz`` builds the core for it; all but the target is libFuzzer's: a folder that keeps new inputs, more
folders with inputs, and options. An input that is a finding is written to a file, which ``replay.py`` runs again
without atheris. Of what was found, ``-merge=1 NEW FOLDER`` puts into NEW what is worth to be kept.
"""

import importlib
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))
# libFuzzer takes no notice of options with two dashes, and hands them on to processes that it starts.
(name,) = (word.removeprefix("--target=") for word in sys.argv if word.startswith("--target="))

with atheris.instrument_imports(include=["vecblade", "boundary", "loader", "choices"]):
    target = importlib.import_module(name)

atheris.Setup(sys.argv, target.run)
atheris.Fuzz()
