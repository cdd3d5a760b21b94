"""Build the C core, one static library a set of compiler flags, and the Cython module on top.

Everything declarative is in pyproject.toml. Each ISA unit of csrc/kernels is compiled with the
flags that license its instructions; all other code with none, for it runs on any CPU.
"""

import os
import sys
import sysconfig
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

MSVC = sys.platform == "win32"
PLATFORM = sysconfig.get_platform()
X86 = any(name in PLATFORM for name in ("x86_64", "amd64", "i686", "universal2"))

# Sanitizers and coverage want less: noxfile.py.
OPTIMIZE = os.environ.get("VECBLADE_OPTIMIZE", "-O3")
# Canonical sums need every product and every rounding where the source has it: no contraction,
# no fast math.
COMMON = (
    ["/O2", "/std:c11", "/fp:precise"]
    if MSVC
    else [OPTIMIZE, "-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"]
)
HEADERS = [str(path) for pattern in ("*.h", "*.inc") for path in sorted(Path("csrc").rglob(pattern))]
CORE = [*HEADERS, *map(str, sorted(Path("csrc").rglob("*.c")))]


def isa_flags(msvc, *flags):
    """Flags for one x86 unit; on macOS for the x86 half only of a universal build."""
    if not X86:
        return []
    if MSVC:
        return [msvc]
    if sys.platform == "darwin":
        return [word for flag in flags for word in ("-Xarch_x86_64", flag)]
    return list(flags)


def arm_flags(*flags):
    """Flags for one Arm unit. Compilers for Macs and Windows have its instructions without."""
    return list(flags) if "aarch64" in PLATFORM else []


AVX2 = ("-mavx2", "-mfma", "-mf16c")
AVX512 = ("-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", *AVX2)
# The units that need flags; all other sources of csrc/ need none.
ISA_UNITS = {
    "avx2": isa_flags("/arch:AVX2", *AVX2),
    "avx512": isa_flags("/arch:AVX512", *AVX512),
    "avx512vnni": isa_flags("/arch:AVX512", *AVX512, "-mavx512vnni"),
    "avx512bf16": isa_flags("/arch:AVX512", *AVX512, "-mavx512bf16"),
    "avx512popcnt": isa_flags("/arch:AVX512", *AVX512, "-mavx512vpopcntdq"),
    "neondot": arm_flags("-march=armv8.2-a+dotprod"),
}
SOURCES = {path.stem: path.as_posix() for path in sorted(Path("csrc").rglob("*.c"))}


def library(name, sources, flags=()):
    return (
        name,
        {
            "sources": sources,
            "obj_deps": {"": HEADERS},
            "cflags": [*COMMON, *flags],
        },
    )


setup(
    libraries=[
        library("vb_core", [path for stem, path in SOURCES.items() if stem not in ISA_UNITS]),
        *(library(f"vb_{unit}", [SOURCES[unit]], flags) for unit, flags in ISA_UNITS.items()),
    ],
    ext_modules=cythonize(
        [
            Extension(
                "vecblade._core",
                ["src/vecblade/_core.pyx"],
                include_dirs=["csrc", numpy.get_include()],
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
                # Each unit refers to the registry and back: the core comes last as well.
                libraries=["vb_core", *(f"vb_{unit}" for unit in ISA_UNITS), *([] if MSVC else ["m"])],
                depends=[*CORE, *map(str, sorted(Path("src").rglob("*.px[di]")))],
            )
        ],
        compiler_directives={
            "language_level": 3,
            "freethreading_compatible": True,
        },
    ),
)
