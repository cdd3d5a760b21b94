"""The C core compiled alone and run: natively, and for Arm under qemu where the tools are installed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = [ROOT / "csrc" / name for name in ("registry.c", "cpu.c", "metrics.c", "extremes.c", "numbers.c")]
FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra", "-Werror"]
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


def build(compiler, folder, unit_flags, *more):
    """Compile each unit with its own flags, as setup.py does, and link the check."""
    units = [*CORE, *sorted((ROOT / "csrc/kernels").glob("*.c")), ROOT / "tests/c/check_registry.c"]
    objects = []
    for unit in units:
        objects.append(folder / (unit.stem + ".o"))
        flags = unit_flags.get(unit.stem, [])
        include = f"-I{ROOT / 'csrc'}"
        subprocess.run([*compiler, *FLAGS, *flags, *more, include, "-c", unit, "-o", objects[-1]], check=True)
    subprocess.run([*compiler, *more, *objects, "-lm", "-o", folder / "check"], check=True)
    return folder / "check"


def result(*command):
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return re.search(r"level (\w+), (\d+) kernels, hash (\w+), right", run.stdout).groups()


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    if sys.platform == "win32" or not shutil.which("cc"):
        pytest.skip("needs a C compiler called cc")
    import platform

    folder = tmp_path_factory.mktemp("native")
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return result(build(["cc"], folder, X86_FLAGS if x86 else ARM_FLAGS))


def test_native(native):
    assert int(native[1]) >= 19


@pytest.mark.parametrize("cpu", ["max", "neoverse-n1", "cortex-a72"])  # the last lacks dot products
def test_arm(native, cpu, tmp_path):
    """NEON against the plain loop, and the same hash as this machine's."""
    if not (shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64")):
        pytest.skip("needs aarch64-linux-gnu-gcc and qemu-aarch64")
    check = build(["aarch64-linux-gnu-gcc"], tmp_path, ARM_FLAGS, "-static")
    level, kernels, hashed = result("qemu-aarch64", "-cpu", cpu, check)
    assert level == "neon"
    assert int(kernels) >= 2 * 54
    assert hashed == native[2]
