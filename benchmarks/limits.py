"""What this machine can do at most, as contenders: a plain read of the same bytes, the same multiply-adds in registers."""

import ctypes
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path

from peers import np


def reader(X):
    """A read of all bytes: the largest of them as 64-bit words."""
    return X.reshape(-1).view(np.uint8)[: X.nbytes // 8 * 8].view(np.uint64).max


@cache
def compiled():
    """limits.c, if there is a compiler here that makes something of it."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "limits.so")
        source = Path(__file__).with_name("limits.c")
        try:
            command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", source, "-o", library]
            subprocess.run(command, check=True, capture_output=True)
            return ctypes.CDLL(str(library))
        except (OSError, subprocess.CalledProcessError):
            return None


def peak(dtype, wanted):
    """So many multiply-adds (of bits: pairs) in the instruction for this type; {} if that cannot be told."""
    library = compiled()
    name = "peak_" + {"u1": "i1"}.get(dtype, dtype)
    if library is None or not getattr(library, name)(ctypes.c_double(1)):
        return {}
    return {"vecblade: the peak": partial(getattr(library, name), ctypes.c_double(wanted))}
