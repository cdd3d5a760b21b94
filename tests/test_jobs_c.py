"""Jobs of the C core on their own: by many threads, and while allocations fail. ``nox -s tsan`` watches the threads."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from standalone import NATIVE_FLAGS, ROOT, has_compiler, linked, objects, output

# What the programs are compiled with, beside the flags of the package.
FLAGS = shlex.split(os.environ.get("VECBLADE_TEST_CFLAGS", "-O1"))
# The names that the linker then gives the core for those of the C library.
WRAPPED = [f"-Wl,--wrap={name}" for name in ("malloc", "calloc", "realloc", "free")]


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    if not has_compiler:
        pytest.skip("needs a C compiler called cc")
    folder = tmp_path_factory.mktemp("core")
    return folder, objects(["cc"], folder, sorted((ROOT / "csrc").glob("*.c")), NATIVE_FLAGS, *FLAGS)


def test_threads(core):
    """Many threads on each kind of job, two jobs at once: one thread's bits, and an end when it is asked for."""
    said = output(linked(["cc"], *core, "check_threads", *FLAGS))
    assert re.fullmatch(r"\d+ operations, \d+ threads, right\n", said)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a linker that can wrap functions")
@pytest.mark.skipif("thread" in str(FLAGS), reason="the sanitizer allocates in its own ways")
def test_failing_allocations(core):
    """Each allocation of each kind of job fails in turn: it is told, nothing is left, and the next run is right."""
    said = output(linked(["cc"], *core, "check_memory", *FLAGS, *WRAPPED))
    operations, failures = re.fullmatch(r"(\d+) operations, (\d+) failures, right\n", said).groups()
    assert int(failures) >= 4 * int(operations), "a job and its scratch memory, by one thread and by several"


def test_the_first_call_from_cpp(core):
    """C++ links with the core, whose kernels are there for whoever comes first."""
    if not shutil.which("c++"):
        pytest.skip("needs a C++ compiler called c++")
    folder, made = core
    program = folder / "first_call"
    source = ROOT / "tests" / "c" / "first_call.cpp"
    command = ["c++", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'csrc'}", str(source), *map(str, made)]
    subprocess.run([*command, *FLAGS, "-o", str(program), "-lm"], check=True)
    assert output(program).startswith("25, level ")
