"""Sessions for development: ``nox -s tests``, ``isa``, ``sanitize``, ``lint``, ``bench``."""

import os
import subprocess

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def tests(session):
    """The suite, from a fresh install."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
@nox.parametrize("level", ["scalar", "avx2"])
def isa(session, level):
    """The suite with a lower level forced for the whole process."""
    session.install(".[test]")
    session.run("pytest", *session.posargs, env={"VECBLADE_ISA": level})


@nox.session
def sanitize(session):
    """The suite over a core with the address and undefined-behaviour sanitizers (gcc)."""
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1"
    build = {"CFLAGS": flags, "LDFLAGS": "-fsanitize=address,undefined"}
    session.install("setuptools", "cython", "numpy", "pytest", "hypothesis", "ml_dtypes")
    session.run("pip", "install", "--no-build-isolation", "--no-deps", "--force-reinstall", ".", env=build)
    libraries = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    session.run(
        "pytest",
        "-p",
        "no:cacheprovider",
        *session.posargs,
        env={
            "LD_PRELOAD": ":".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "PYTHONMALLOC": "malloc",
        },
    )


@nox.session
def lint(session):
    """What pre-commit checks, and types."""
    session.install("ruff", "clang-format", "mypy", "numpy>=2")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    sources = [
        os.path.join(folder, name)
        for folder, _, names in os.walk("csrc")
        for name in names
        if name.endswith((".c", ".h", ".inc"))
    ]
    session.run("clang-format", "--dry-run", "-Werror", *sources)
    session.run("mypy")


@nox.session
def bench(session):
    """Ratios against the fastest peer."""
    session.install(".", "-r", "benchmarks/requirements.txt")
    session.run("python", "benchmarks/ratios.py", *session.posargs)
