"""Build the C core, one static library a set of compiler flags, and the Cython module on top.

Everything declarative is in pyproject.toml. Each ISA unit of csrc/kernels is compiled with the
flags that license its instructions; all other code with none, for it runs on any CPU.
"""

import sys
import sysconfig
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

MSVC = sys.platform == "win32"
PLATFORM = sysconfig.get_platform()
X86 = any(name in PLATFORM for name in ("x86_64", "amd64", "i686", "universal2"))

# Canonical sums need every product and every rounding where the source has it: no contraction,
# no fast math.
COMMON = (
    ["/O2", "/std:c11", "/fp:precise"]
    if MSVC
    else ["-O3", "-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"]
)
HEADERS = [str(path) for pattern in ("*.h", "*.inc") for path in sorted(Path("csrc").rglob(pattern))]
CORE = [*HEADERS, *map(str, sorted(Path("csrc").rglob("*.c")))]


def isa_flags(msvc, *flags):
    """Flags for one ISA unit; on macOS for the x86 half only of a universal build."""
    if not X86:
        return []
    if MSVC:
        return [msvc]
    if sys.platform == "darwin":
        return [word for flag in flags for word in ("-Xarch_x86_64", flag)]
    return list(flags)


def library(name, sources, flags=()):
    return (
        name,
        {
            "sources": [f"csrc/{source}" for source in sources],
            "obj_deps": {"": HEADERS},
            "cflags": [*COMMON, *flags],
        },
    )


setup(
    libraries=[
        library(
            "vb_core",
            [
                *(
                    "best.c",
                    "codes.c",
                    "cpu.c",
                    "extremes.c",
                    "job.c",
                    "measure.c",
                    "metrics.c",
                    "pairwise.c",
                ),
                *("registry.c", "scan.c", "search.c", "kernels/scalar.c", "kernels/neon.c"),
            ],
        ),
        library("vb_avx2", ["kernels/avx2.c"], isa_flags("/arch:AVX2", "-mavx2", "-mfma")),
        library(
            "vb_avx512vnni",
            ["kernels/avx512vnni.c"],
            isa_flags(
                "/arch:AVX512",
                *("-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mavx512vnni", "-mavx2", "-mfma"),
            ),
        ),
        library(
            "vb_avx512",
            ["kernels/avx512.c"],
            isa_flags(
                "/arch:AVX512", *("-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw"), "-mavx2", "-mfma"
            ),
        ),
    ],
    ext_modules=cythonize(
        [
            Extension(
                "vecblade._core",
                ["src/vecblade/_core.pyx"],
                include_dirs=["csrc", numpy.get_include()],
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
                # Each unit refers to the registry and back: the core comes last as well.
                libraries=["vb_core", "vb_avx2", "vb_avx512", "vb_avx512vnni", *([] if MSVC else ["m"])],
                depends=CORE,
            )
        ],
        compiler_directives={
            "language_level": 3,
            "freethreading_compatible": True,
        },
    ),
)
