"""The peers that are installed, and rows to measure with. Import after `pins.pin`."""

import importlib

import numpy as np

import vecblade as vb

from .pins import THREADS

vb.set_num_threads(THREADS)


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


simsimd, numkong, faiss = optional("simsimd"), optional("numkong"), optional("faiss")
ml_dtypes = optional("ml_dtypes")
distance = optional("scipy.spatial.distance")
pairs = optional("sklearn.metrics.pairwise")
usearch = optional("usearch.index")
if faiss:
    faiss.omp_set_num_threads(THREADS)


def made(generator, rows, d, dtype):
    """Gaussian rows; of whole numbers any bytes; "b1": d bits."""
    if dtype == "b1":
        return generator.integers(0, 256, (rows, d // 8), np.uint8)
    if dtype in ("i1", "u1"):
        return generator.integers(0, 256, (rows, d), np.uint8).view(dtype)
    plain = generator.standard_normal((rows, d), dtype=np.float32)
    return plain.astype(ml_dtypes.bfloat16 if dtype == "bf16" else dtype, copy=False)


class Arrays:
    """Reproducible rows, made once."""

    def __init__(self):
        self.made = {}

    def __call__(self, rows, d, dtype="f4", seed=0):
        key = rows, d, dtype, seed
        if key not in self.made:
            self.made[key] = made(np.random.default_rng(seed), rows, d, dtype)
        return self.made[key]


arrays = Arrays()
