"""How many threads every library may use: ``BENCH_THREADS``, or one, for cores are compared with cores.

BLAS and OpenMP read it when they are loaded: `pin` starts a program again with that said.
"""

import os
import subprocess
import sys

_text = os.environ.get("BENCH_THREADS", "1")
if not _text.isdecimal() or _text == "0":
    sys.exit(f"BENCH_THREADS={_text!r} is not a number of threads")
THREADS = int(_text)
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
WANTED = dict.fromkeys(("BENCH_THREADS", *POOLS), str(THREADS))


def pin(*command):
    """Unless this process began with these threads, run this command of Python's with them instead."""
    if any(os.environ.get(name) != value for name, value in WANTED.items()):
        sys.exit(subprocess.run([sys.executable, *command], env={**os.environ, **WANTED}).returncode)
