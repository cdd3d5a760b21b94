"""What runs here."""

import platform
from typing import Any

import numpy as np

from . import _core, _threads


def cpu_info() -> dict[str, Any]:
    """
    Which ISA level is in use, and which kernels it resolved to.

    Returns
    -------
    dict
        ``isa``, the level in use; ``levels``, every level (best first) and whether this CPU and
        build run it; ``kernels``, the kernel in use for each form and type (and accumulator, of
        forms that have one), whose name ends in that of the unit that it is from; ``threads``,
        how many threads a call may use; ``machine`` and ``numpy``.

    Notes
    -----
    ``VECBLADE_ISA`` in the environment, read at import, forces a lower level.

    Examples
    --------
    >>> import vecblade as vb
    >>> vb.cpu_info()["isa"] in ("avx512", "avx2", "neon", "scalar")
    True
    """
    active = [record for record in _core.registry() if record["active"]]
    return {
        "isa": _core.active_level(),
        "levels": _core.levels(),
        "kernels": {record["slot"]: record["name"] for record in active},
        "threads": _threads.get_num_threads(),
        "machine": platform.machine(),
        "numpy": np.__version__,
    }
