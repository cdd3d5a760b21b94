"""
The C core compiled without Python, with a program of tests/c/ on top.

``python tests/standalone.py`` compiles nothing: it has the compiler look for warnings, in every file, with the
preconditions of `VB_DEBUG` and without.
"""

import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra", "-Wswitch-enum", "-Werror"]
AVX2 = ["-mavx2", "-mfma", "-mf16c"]
AVX512 = ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", *AVX2]
X86_FLAGS = {
    "avx2": AVX2,
    "avx512": AVX512,
    "avx512vnni": [*AVX512, "-mavx512vnni"],
    "avx512bf16": [*AVX512, "-mavx512bf16"],
    "avx512popcnt": [*AVX512, "-mavx512vpopcntdq"],
}
ARM_FLAGS = {"neondot": ["-march=armv8.2-a+dotprod"]}
# What this machine's units need.
NATIVE_FLAGS = X86_FLAGS if platform.machine().lower() in ("x86_64", "amd64") else ARM_FLAGS

has_compiler = sys.platform != "win32" and shutil.which("cc") is not None


def objects(compiler, folder, sources, unit_flags, *more):
    """Compile each unit of the core with its own flags, as setup.py does: as many at once as there are CPUs."""

    def made(unit):
        return compiled(compiler, folder, unit, *unit_flags.get(unit.stem, []), *more)

    units = [*sorted((ROOT / "csrc/kernels").rglob("*.c")), *sources]  # what takes longest first
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(made, units))


def compiled(compiler, folder, unit, *flags):
    target = folder / (unit.stem + ".o")
    include = f"-I{ROOT / 'csrc'}"
    subprocess.run([*compiler, *FLAGS, *flags, include, "-c", unit, "-o", target], check=True)
    return target


def linked(compiler, folder, core, name, *flags):
    """The program tests/c/<name>.c over these objects."""
    # -lpthread: before glibc 2.34 threads were a library of their own.
    main = compiled(
        compiler, folder, ROOT / f"tests/c/{name}.c", *(f for f in flags if not f.startswith("-Wl,"))
    )
    program = folder / name
    subprocess.run([*compiler, *flags, *core, main, "-lm", "-lpthread", "-o", program], check=True)
    return program


def output(*command):
    """What a program prints, which has to end well."""
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def main():
    """Whether a switch misses a row of a table, and whatever else the compiler warns of."""
    for unit in sorted((ROOT / "csrc").rglob("*.c")):
        for debug in ([], ["-DVB_DEBUG"]):
            flags = [*FLAGS, *NATIVE_FLAGS.get(unit.stem, []), *debug, "-fsyntax-only"]
            if subprocess.run(["cc", *flags, f"-I{ROOT / 'csrc'}", str(unit)]).returncode:
                sys.exit(f"{unit.relative_to(ROOT)} has warnings")


if __name__ == "__main__":
    main()
