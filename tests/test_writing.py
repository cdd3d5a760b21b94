"""
Files are written whole or not at all, wherever they go: what `FlatIndex.save` and the command line do to a path.

Over 500 lines: every way in which a write can fail, for each writer.
"""

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import traceback
from pathlib import Path

import numpy as np
import pytest
from conftest import interruptible, outcome

import vecblade as vb
from vecblade.__main__ import main

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
ROWS = np.random.default_rng(0).standard_normal((1300, 20)).astype(np.float32)
INDEX = vb.FlatIndex(ROWS, "cosine")
WANTED = vb.topk(ROWS[:4], ROWS, 3, "cosine").indices


def save(path):
    INDEX.save(path)


def search(path):
    """The command line, in the folder of X.npy; its errors as exceptions."""
    done = main(
        [
            "search",
            "--corpus",
            "X.npy",
            "--queries",
            "Q.npy",
            "-k",
            "3",
            "--format",
            "csv",
            "--output",
            os.fspath(path),
        ]
    )
    assert done in (0, 2)
    if done:
        raise OSError("refused")


def refusal(writer, path, capsys):
    kind, said = outcome(writer, path)
    assert issubclass(kind, OSError)
    return said + capsys.readouterr().err


def is_whole(path, writer):
    if writer is save:
        index = vb.FlatIndex.load(path, verify=True)
        return np.array_equal(index.search(ROWS[:4], 3).indices, WANTED)
    rows = [line.split(",")[2] for line in Path(path).read_text().splitlines()[1:]]
    return rows == [str(row) for row in vb.topk(ROWS[:4], ROWS, 3).indices.ravel()]


@pytest.fixture(params=[save, search])
def writer(request, tmp_path, monkeypatch):
    """Both that write, in a folder of their own with the files of a search."""
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", ROWS)
    np.save("Q.npy", ROWS[:4])
    return request.param


def others():
    """What is in this folder beside the files of a search."""
    return sorted(set(os.listdir()) - {"X.npy", "Q.npy"})


def reader(path, found):
    def read():
        found.append(Path(path).read_bytes())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


# ---- where it goes ----------------------------------------------------------------------------


@posix
def test_a_link_stays_and_leads_to_the_file(writer):
    os.mkdir("far")
    os.symlink(os.path.join("far", "file"), "link")
    os.symlink("link", "link to a link")
    for _ in range(2):  # what it leads to is not there yet, and is
        writer("link to a link")
        assert [os.path.islink(name) for name in ("link", "link to a link", "far/file")] == [
            True,
            True,
            False,
        ]
        assert is_whole("far/file", writer)
    assert others() == ["far", "link", "link to a link"]
    assert os.listdir("far") == ["file"]


@posix
def test_a_pipe_is_written_into(writer):
    os.mkfifo("pipe")
    found = []
    thread = reader("pipe", found)
    writer("pipe")
    thread.join(30)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert others() == ["pipe"]
    writer("regular")
    assert found == [Path("regular").read_bytes()]
    assert is_whole("regular", writer)


@posix
def test_devices_stay_devices(writer, capsys):
    before = os.stat("/dev/null")
    writer("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert os.stat("/dev/null").st_ino == before.st_ino
    if os.path.exists("/dev/full"):
        os.symlink("/dev/full", "link")
        for path in ("/dev/full", "link"):
            said = refusal(writer, path, capsys)
            assert "No space left on device" in said
            assert path in said
    assert not [name for name in os.listdir("/dev") if name.startswith(".vecblade")]


@posix
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("to", ["file", "pipe"])
def test_standard_output_by_name(path, to, tmp_path):
    """It goes on where standard output is, also in the middle of a file."""
    if not os.path.exists("/proc/self/fd") and path.startswith("/proc"):
        pytest.skip("no /proc")
    os.symlink("/dev/stdout", tmp_path / "link")
    code = f"""
        import os, numpy as np, vecblade as vb
        os.write(1, b"before")
        vb.FlatIndex(np.ones((40, 20), np.float32)).save({path!r})
        os.write(1, b"after")
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    if to == "pipe":
        written = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=tmp_path).stdout
    else:
        with open(tmp_path / "out", "wb") as file:
            subprocess.run(command, stdout=file, check=True, cwd=tmp_path)
        written = (tmp_path / "out").read_bytes()
    vb.FlatIndex(np.ones((40, 20), np.float32)).save(tmp_path / "regular")
    assert written == b"before" + (tmp_path / "regular").read_bytes() + b"after"
    assert sorted(set(os.listdir(tmp_path)) - {"out"}) == ["link", "regular"]


@posix
def test_other_names_of_a_file_keep_what_was_there(writer):
    Path("one").write_text("old")
    os.link("one", "two")
    writer("one")
    assert is_whole("one", writer)
    assert Path("two").read_text() == "old"


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755, 0o200, 0o4711])
def test_permissions_are_kept(writer, mode):
    Path("file").write_text("old")
    os.chmod("file", mode)
    writer("file")
    assert stat.S_IMODE(os.stat("file").st_mode) == mode
    os.chmod("file", 0o600)
    assert is_whole("file", writer)


@posix
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root")
def test_the_owner_is_kept(writer):
    Path("file").write_text("old")
    os.chown("file", 65534, 65533)
    writer("file")
    assert (os.stat("file").st_uid, os.stat("file").st_gid) == (65534, 65533)


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_new_files_go_by_the_umask(writer, umask):
    before = os.umask(umask)
    try:
        writer("file")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat("file").st_mode) == 0o666 & ~umask


# ---- what is refused ---------------------------------------------------------------------------


def refused(path, kind, message):
    with pytest.raises(kind) as caught:
        INDEX.save(path)
    said = str(caught.value)
    assert message in said
    assert ".vecblade-" not in said
    if isinstance(caught.value, OSError):
        assert caught.value.filename == os.fsdecode(path)
    return caught.value


@posix
def test_where_nothing_can_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", ROWS)
    os.mkdir("folder")
    Path("file").write_text("old")
    os.symlink("loop", "loop")
    os.symlink("nowhere/file", "dangling")
    os.symlink("folder", "to a folder")
    for path, kind, message in (
        ("folder", IsADirectoryError, "this is a folder"),
        ("to a folder", IsADirectoryError, "this is a folder"),
        (".", IsADirectoryError, "this is a folder"),
        ("new/", IsADirectoryError, "this names a folder"),
        ("nowhere/file", FileNotFoundError, "the folder to write to does not exist"),
        ("dangling", FileNotFoundError, "the folder to write to does not exist"),
        ("file/file", NotADirectoryError, "Not a directory"),
        ("loop", OSError, os.strerror(errno.ELOOP)),
        ("n" * 300, OSError, os.strerror(errno.ENAMETOOLONG)),
        ("/dev/fd/987", OSError, os.strerror(errno.EBADF)),
        ("", FileNotFoundError, "the name of the file is empty"),
    ):
        refused(path, kind, message)
        refused(os.fsencode(path), kind, message)
        assert main(["search", "--corpus", "X.npy", "--queries", "X.npy", "--output", path]) == 2
        said = capsys.readouterr().err
        assert said.startswith("vecblade: error: --output: ")
        assert path in said
        assert said.count("\n") == 1
    for path in (3, None, sys.stdout, ["a"]):
        refused(path, TypeError, f"path must be a str, bytes or os.PathLike, not {type(path).__name__}")
    refused("a\0b", ValueError, "path 'a\\x00b' has a null character")
    assert sorted(os.listdir()) == ["X.npy", "dangling", "file", "folder", "loop", "to a folder"]
    assert Path("file").read_text() == "old"
    assert os.listdir("folder") == []


@posix
def test_a_read_only_file_stays(writer, capsys):
    Path("file").write_text("old")
    os.symlink("file", "link")
    os.chmod("file", 0o444)
    for path in ("file", "link"):
        said = refusal(writer, path, capsys)
        assert "the file is read-only" in said
        assert path in said
    assert Path("file").read_text() == "old"
    assert stat.S_IMODE(os.stat("file").st_mode) == 0o444
    assert others() == ["file", "link"]


def as_nobody(function):
    """Run it without the rights of root, in a child."""
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@posix
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_folder_that_cannot_be_written():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        Path(path).write_text("old")
        os.chmod(path, 0o666)
        os.mkfifo(os.path.join(folder, "pipe"), 0o400)
        os.chmod(folder, 0o555)
        as_nobody(lambda: refused(path, PermissionError, "the folder to write to is read-only"))
        as_nobody(lambda: refused(path + "2", PermissionError, "the folder to write to is read-only"))
        as_nobody(lambda: refused(os.path.join(folder, "pipe"), PermissionError, "Permission denied"))
        os.chmod(folder, 0o777 | stat.S_ISVTX)  # where only its owner may replace a file
        if os.getuid() == 0:
            as_nobody(lambda: refused(path, PermissionError, "not permitted"))
        assert sorted(os.listdir(folder)) == ["file", "pipe"]
        assert Path(path).read_text() == "old"
        os.chmod(path, 0o644)
        if os.getuid() == 0:
            as_nobody(lambda: refused(path, PermissionError, "Permission denied"))


def test_the_file_that_rows_are_mapped_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", ROWS)
    before = Path("X.npy").read_bytes()
    os.link("X.npy", "Y.npy")
    mapped = np.load("X.npy", mmap_mode="r")
    for index in (vb.FlatIndex(mapped), vb.FlatIndex(mapped[10:, 2:12])):
        for path in ("X.npy", os.path.abspath("X.npy"), "Y.npy"):
            with pytest.raises(
                ValueError, match="this is the file of the rows of the index; pass another one"
            ):
                index.save(path)
        index.save("index")
        again = vb.FlatIndex.load("index")
        if sys.platform != "win32":
            again.save("index")  # its own, and as before
    assert Path("X.npy").read_bytes() == before
    vb.FlatIndex(np.load("X.npy")).save("X.npy")  # which is asked for
    assert len(vb.FlatIndex.load("X.npy", verify=True)) == len(ROWS)


@posix
def test_what_is_no_file_is_not_waited_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", ROWS)
    os.mkfifo("pipe")
    os.symlink("pipe", "link")
    for path in ("pipe", "link", "/dev/null", "/dev/zero"):
        for mmap in (True, False):
            with pytest.raises(ValueError, match="it is a pipe or a device; expected a regular file"):
                vb.FlatIndex.load(path, mmap=mmap)
        for files in (["X.npy", path], [path, "X.npy"]):
            assert main(["search", "--corpus", files[0], "--queries", files[1]]) == 2
            assert f"{path}: it is a pipe or a device" in capsys.readouterr().err
    with pytest.raises(IsADirectoryError):
        vb.FlatIndex.load(".")
    for path in (3, None):
        with pytest.raises(TypeError, match=r"path must be a str, bytes or os\.PathLike"):
            vb.FlatIndex.load(path)


# ---- when it fails, or is stopped --------------------------------------------------------------

# A process that saves, and stops before its file is complete until it gets a line.
SLOW = """
    import os, sys, numpy as np, vecblade as vb
    def wait(file):
        print("half", flush=True)
        sys.stdin.readline()
    os.fsync = wait
    vb.FlatIndex(np.full((1300, 20), float(sys.argv[1]), np.float32)).save(sys.argv[2])
"""


def slow(path, number=1):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW), str(number), path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "half\n"
    return process


@posix
def test_what_a_killed_process_leaves_goes_with_the_next_writer(writer):
    Path("file").write_text("old")
    os.symlink("file", "link")
    with slow("file") as one, slow("link") as other:
        one.kill()
        other.kill()
    assert len(others()) == 4
    assert Path("file").read_text() == "old"
    writer("another")
    assert len(others()) == 5, "those beside another file are none of its business"
    writer("link")
    assert others() == ["another", "file", "link"]
    assert is_whole("file", writer)


@posix
def test_what_a_live_process_writes_stays(writer):
    with slow("file", 1) as first, slow("file", 2) as second:
        assert len(others()) == 2
        for _ in range(3):
            writer("file")
            assert len(others()) == 3
            assert is_whole("file", writer)
        for number, process in ((2, second), (1, first)):
            process.communicate("go on\n", timeout=30)
            assert process.returncode == 0
            assert (vb.FlatIndex.load("file", verify=True).vectors == number).all()
    assert others() == ["file"]


@posix
def test_many_writers_at_once(tmp_path):
    code = """
        import sys, numpy as np, vecblade as vb
        index = vb.FlatIndex(np.full((1300, 20), float(sys.argv[1]), np.float32))
        for _ in range(40):
            index.save(sys.argv[2])
            assert len(set(vb.FlatIndex.load(sys.argv[2], verify=True).vectors.ravel().tolist())) == 1
    """
    path = str(tmp_path / "file")
    processes = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(i), path]) for i in range(4)
    ]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert os.listdir(tmp_path) == ["file"]


@posix
def test_ctrl_c_while_writing(tmp_path):
    (tmp_path / "file").write_text("old")
    code = textwrap.dedent(SLOW).replace("sys.stdin.readline()", "import time; time.sleep(60)")
    with interruptible([sys.executable, "-c", code, "1", str(tmp_path / "file")]) as process:
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


@posix
def test_a_full_disk(tmp_path):
    """A limit on the size of files is met in the middle of one."""
    (tmp_path / "file").write_text("old")
    code = """
        import resource, sys, numpy as np, vecblade as vb
        index = vb.FlatIndex(np.ones((100_000, 20), np.float32))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        for path in ("file", "new"):
            try:
                index.save(path)
            except OSError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True
    )
    said = f"[Errno {errno.EFBIG}] {os.strerror(errno.EFBIG)}: "
    assert done.stdout.splitlines() == [f"{said}'file'", f"{said}'new'"], done.stderr
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


@posix
@pytest.mark.parametrize("step", ["open", "write", "lseek", "chmod", "fsync", "replace"])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EIO, None])
def test_any_step_may_fail(step, reason, tmp_path, monkeypatch):
    """With an error, which names the path that was given, or with Ctrl-C."""
    path = tmp_path / "file"
    path.write_text("old")
    real, calls = getattr(os, step), []

    def fail(*arguments):
        ours = step in ("write", "lseek", "fsync") or ".vecblade-" in str(arguments[0])
        if not ours or (step == "write" and len(calls) < 2):
            calls.append(ours or None)
            return real(*arguments)
        raise OSError(reason, os.strerror(reason)) if reason else KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(OSError if reason else KeyboardInterrupt) as caught:
            INDEX.save(path)
    if reason:
        assert caught.value.errno == reason
        assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_text() == "old"
    INDEX.save(path)
    assert is_whole(path, save)


@posix
def test_a_file_system_without_locks(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    left = tmp_path / "left"
    INDEX.save(left)
    INDEX.save(left)
    assert os.listdir(tmp_path) == ["left"]
    assert is_whole(left, save)


@posix
def test_a_reader_that_leaves(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    file = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    thread = threading.Timer(0.3, os.close, (file,))
    thread.start()
    with pytest.raises(BrokenPipeError) as caught:
        vb.FlatIndex(np.ones((100_000, 20), np.float32)).save(tmp_path / "pipe")
    assert caught.value.filename == str(tmp_path / "pipe")
    thread.join()


def test_searches_go_on_while_nobody_reads(tmp_path):
    """A save that waits for the reader of a pipe holds nothing up."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs pipes with names")
    os.mkfifo(tmp_path / "pipe")
    index, found = vb.FlatIndex(ROWS), []
    saving = threading.Thread(target=index.save, args=(tmp_path / "pipe",), daemon=True)
    saving.start()
    saving.join(0.2)
    assert saving.is_alive()
    index.add(ROWS[:2])
    assert index.search(ROWS[3], 1).indices.tolist() == [3]
    reader(tmp_path / "pipe", found).join(30)
    saving.join(30)
    (tmp_path / "file").write_bytes(found[0])
    assert len(vb.FlatIndex.load(tmp_path / "file", verify=True)) == len(ROWS) + 2
