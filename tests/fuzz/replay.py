"""Run inputs of a target again: ``python tests/fuzz/replay.py boundary FILE...``."""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

target = importlib.import_module(sys.argv[1])
for name in sys.argv[2:]:
    target.run(Path(name).read_bytes())
