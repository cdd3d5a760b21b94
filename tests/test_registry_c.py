"""The C core compiled alone and run: natively, and for Arm under qemu where the tools are installed."""

import re
import shutil

import pytest
from standalone import ARM_FLAGS, NATIVE_FLAGS, ROOT, has_compiler, linked, objects, output

CORE = [ROOT / "csrc" / name for name in ("metrics.c", "apart.c", "mode.c", "numbers.c")]


def build(compiler, folder, unit_flags, *more):
    core = objects(compiler, folder, CORE, unit_flags, "-O3", *more)
    return linked(compiler, folder, core, "check_registry", "-O3", *more)


def result(*command):
    return re.search(r"level (\w+), (\d+) kernels, hash (\w+), right", output(*command)).groups()


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    if not has_compiler:
        pytest.skip("needs a C compiler called cc")
    return result(build(["cc"], tmp_path_factory.mktemp("native"), NATIVE_FLAGS))


def test_native(native):
    assert int(native[1]) >= 19


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    if not (shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64")):
        pytest.skip("needs aarch64-linux-gnu-gcc and qemu-aarch64")
    return build(["aarch64-linux-gnu-gcc"], tmp_path_factory.mktemp("arm"), ARM_FLAGS, "-static")


@pytest.mark.parametrize("cpu", ["max", "neoverse-n1", "cortex-a72"])  # the last lacks dot products
def test_arm(native, arm, cpu):
    """NEON against the plain loop, and the same hash as this machine's."""
    level, kernels, hashed = result("qemu-aarch64", "-cpu", cpu, arm)
    assert level == "neon"
    assert int(kernels) >= 2 * 54
    assert hashed == native[2]
