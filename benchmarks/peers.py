"""The peers that are installed, each as functions of arrays; nothing here is imported twice.

Import this before NumPy: it pins every BLAS and OpenMP pool to ``BENCH_THREADS`` (default 1), so that
cores are compared with cores.
"""

import os

THREADS = int(os.environ.get("BENCH_THREADS", "1"))
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(THREADS)

import importlib  # noqa: E402

import numpy as np  # noqa: E402

import vecblade as vb  # noqa: E402

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
