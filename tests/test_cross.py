"""The C core compiled for the other systems that wheels are made for, by a cross compiler: zig's clang."""

import subprocess
import sys

import pytest
from standalone import FLAGS, ROOT, X86_FLAGS

pytest.importorskip("ziglang")

TARGETS = (
    *("x86_64-windows-gnu", "aarch64-windows-gnu", "x86_64-macos", "aarch64-macos"),
    *("x86_64-linux-musl", "aarch64-linux-musl", "aarch64-linux-gnu.2.17"),
)
# As zig says armv8.2-a+dotprod.
ARM_FLAGS = {"neondot": ["-mcpu=generic+v8_2a+dotprod"]}
SOURCES = sorted((ROOT / "csrc").rglob("*.c"))


@pytest.mark.parametrize("target", TARGETS)
def test_every_source_compiles_without_a_warning(target, tmp_path):
    flags = X86_FLAGS if target.startswith("x86_64") else ARM_FLAGS
    for source in SOURCES:
        command = [
            "cc",
            "-target",
            target,
            *FLAGS,
            *flags.get(source.stem, []),
            "-c",
            source,
            "-o",
            tmp_path / "out.o",
        ]
        done = subprocess.run([sys.executable, "-m", "ziglang", *command], capture_output=True, text=True)
        assert done.returncode == 0, f"{source.name}: {done.stderr[-2000:]}"
        assert (tmp_path / "out.o").stat().st_size > 0
        (tmp_path / "out.o").unlink()
