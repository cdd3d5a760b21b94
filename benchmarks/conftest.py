"""One benchmark for each case of a file's group and each contender; see vecblade.bench.cases."""

import os

# Before NumPy is loaded: its BLAS reads this once (vecblade.bench.pins does the same for programs).
for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[pool] = os.environ.get("BENCH_THREADS", "1")

from vecblade.bench.cases import GROUPS, QUICK  # noqa: E402


def pytest_generate_tests(metafunc):
    group = getattr(metafunc.module, "GROUP", None)
    if group:
        # All cases of a group are there at once: of many, those that are small.
        cases = QUICK.get(group, GROUPS[group])()
        runs = [(case.name, who, call) for case in cases for who, call in case.contenders.items()]
        metafunc.parametrize(
            ("name", "call"), [(n, c) for n, _, c in runs], ids=[f"{n}-{w}" for n, w, _ in runs]
        )
