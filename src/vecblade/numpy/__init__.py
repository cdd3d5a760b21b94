"""
NumPy with faster, more exact products of vectors: ``import vecblade.numpy as np``.

`dot`, `inner`, `vdot`, `vecdot`, `matmul` and ``linalg.norm``, ``linalg.vector_norm``, ``linalg.vecdot`` and
``linalg.matmul`` have NumPy's signatures and shapes. Every other name is NumPy's own, and so are calls
that are not accelerated. What is which, and every known difference (sums of int8 do not wrap, those of
float16 keep their digits): ``docs/dropin.md``. The operator ``@`` is NumPy's.
"""

from typing import Any

import numpy

from . import linalg
from ._products import dot, inner, matmul, vdot, vecdot

__all__ = ["dot", "inner", "linalg", "matmul", "vdot", "vecdot"]


def __getattr__(name: str) -> Any:
    """NumPy's own object, for all other names."""
    return getattr(numpy, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(numpy)})
