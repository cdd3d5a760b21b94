"""
Every file that the package writes is written by this, whole or not at all.

A regular file is written beside its place, and renamed into it when it is complete (`Replacement`). What is
no regular file, such as a pipe or a device, is written to where it is (`Stream`).

The file beside the place is locked while its writer lives. A later writer to the same place removes those
that it can lock: their writers were killed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import zlib
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

try:
    import fcntl
except ImportError:  # Windows, where nobody can delete a file that another has open: that is lock enough
    fcntl = None  # type: ignore[assignment]

PIECE = 16 << 20
# Names beside a place: no longer than that, whatever the length of the name of the place.
BESIDE = ".vecblade-{:08x}-"
BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
# Of what somebody else may have put there, links are not followed and pipes not waited for.
CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
ACCESS_LIST = "system.posix_acl_access"
FORKED = "this process was forked while it wrote {!r}, which its parent goes on with: here it is not written"


def write(target: Target, fill: Callable[[Output], object]) -> None:
    """What `fill` writes to its argument. The place is as it was if that raises."""
    out = Stream(target) if target.streams else Replacement(target)
    _under_way.add(out)
    try:
        out.begin()
        fill(out)
        out.finish()
    finally:
        out.end()


def write_bytes(target: Target, data: bytes) -> None:
    write(target, lambda out: out.write(data))


def name_of(path: Any) -> str:
    """A path as text."""
    try:
        name = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path must be a str, bytes or os.PathLike, not {type(path).__name__}") from None
    if "\0" in name:
        raise ValueError(f"path {name!r} has a null character, which no file name has")
    return name


class Target:
    """
    A place to write to, checked before there is anything to write.

    Links are followed, by whichever name it was given. An OSError that names the path as it was given says
    why nothing can be written there; a ValueError, which of the `inputs` (paths by what they are) it is.
    """

    def __init__(self, path: Any, inputs: Mapping[str, str] | None = None) -> None:
        self.name = name_of(path)
        self.descriptor = _descriptor(self.name)
        self.place = os.path.realpath(self.name)
        self.status = self._look()
        if not self.streams:
            self._check_folder()
        if self.status is not None and self.descriptor is None:
            # Root could, but who takes all rights to write from a file wants it to stay as it is.
            if stat.S_ISREG(self.status.st_mode) and not self.status.st_mode & 0o222:
                raise OSError(errno.EACCES, "the file is read-only", self.name)
            if not os.access(self.name, os.W_OK):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES), self.name)
        self._keep_apart(inputs or {})

    @property
    def streams(self) -> bool:
        """Whether it is written to where it is."""
        return self.descriptor is not None or bool(self.status and not stat.S_ISREG(self.status.st_mode))

    def _look(self) -> os.stat_result | None:
        """The status of the place; None if nothing is there."""
        try:
            status = os.stat(self.name) if self.descriptor is None else os.fstat(self.descriptor)
        except FileNotFoundError:
            if not self.name:
                raise OSError(errno.ENOENT, "the name of the file is empty", self.name) from None
            if not os.path.basename(self.name):
                raise OSError(errno.EISDIR, "this names a folder", self.name) from None
            return None
        except OSError as error:
            raise _of(error, self.name) from None
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, "this is a folder", self.name)
        return status

    def _check_folder(self) -> None:
        folder = os.path.dirname(self.place)
        if not os.path.isdir(folder):
            raise OSError(errno.ENOENT, "the folder to write to does not exist", self.name)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, "the folder to write to is read-only", self.name)

    def _keep_apart(self, inputs: Mapping[str, str]) -> None:
        if self.status is None or stat.S_ISCHR(self.status.st_mode):
            return
        for what, path in inputs.items():
            with suppress(OSError):
                if os.path.samestat(self.status, os.stat(path)):
                    raise ValueError(f"{self.name}: this is the file of {what}; pass another one to write to")


def _descriptor(name: str) -> int | None:
    """The number of the open file that a path such as /dev/stdout stands for."""
    for _ in range(40):  # links to links
        name = os.path.abspath(name)
        found = re.fullmatch(rf"/dev/fd/(\d+)|/proc/(?:self|thread-self|{os.getpid()})/fd/(\d+)", name)
        if found:
            return int(found[1] or found[2])
        try:
            name = os.path.join(os.path.dirname(name), os.readlink(name))
        except OSError:
            break
    return None


def _of(error: OSError, name: str) -> OSError:
    """The same error, of the path that was given."""
    return OSError(error.errno, error.strerror or str(error), name)


# ---- writing ---------------------------------------------------------------------------------


class Output(ABC):
    """Something that is being written to a target."""

    seekable = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self.file = -1
        self.forked = False

    @abstractmethod
    def begin(self) -> None:
        """Open the file or pipe."""

    @abstractmethod
    def finish(self) -> None:
        """Complete what was written; a file then appears under its name."""

    def end(self) -> None:
        """Release everything, whatever happened."""
        file, self.file = self.file, -1
        if file >= 0:
            with suppress(OSError):
                os.close(file)

    def write(self, data: Any) -> None:
        """Write all of it: bytes, or a contiguous array."""
        left = memoryview(data)
        left = left.cast("B") if left.nbytes else memoryview(b"")
        while left:
            left = left[self._call(os.write, self.file, left[:PIECE]) :]
            self.check()

    def forget(self) -> None:
        """In a forked child, where the parent's file must not be written to, nor be held."""
        self.forked = True
        if self.file >= 0:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(
                nothing, self.file, inheritable=False
            )  # it may be in the middle of a call with that number
            os.close(nothing)

    def seek(self, place: int) -> None:
        self._call(os.lseek, self.file, place, os.SEEK_SET)

    def check(self) -> None:
        if self.forked:
            raise RuntimeError(FORKED.format(self.target.name))

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except OSError as error:
            self.check()
            raise _of(error, self.target.name) from None


class Stream(Output):
    """A pipe or device, or a file that this process has open already."""

    def begin(self) -> None:
        if self.target.descriptor is not None:
            self.file = self._call(os.dup, self.target.descriptor)
        else:  # of a pipe: when somebody reads it
            self.file = self._call(
                os.open, self.target.name, os.O_WRONLY | BINARY | getattr(os, "O_NOCTTY", 0)
            )
        self.check()

    def finish(self) -> None:
        file, self.file = self.file, -1
        self._call(os.close, file)


class Replacement(Output):
    """A file beside the target, which takes its place when it is complete."""

    seekable = True

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.folder, name = os.path.split(target.place)
        self.prefix = BESIDE.format(zlib.crc32(os.fsencode(name)))
        self.path = ""

    def begin(self) -> None:
        self._remove_orphans()
        # What replaces a file is for nobody else to read until it has the rights of that.
        mode = 0o666 if self.target.status is None else 0o600
        while True:
            self.path = os.path.join(self.folder, f"{self.prefix}{os.urandom(8).hex()}.tmp")
            self.file = self._call(os.open, self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, mode)
            self.check()
            if _locked(self.file) is not False and os.fstat(self.file).st_nlink:
                return
            self.end()  # another writer took it for one that was left

    def finish(self) -> None:
        self.check()
        self._keep_rights()
        self._call(os.fsync, self.file)
        if fcntl is None:
            super().end()
        self.check()
        try:
            os.replace(self.path, self.target.place)  # "" to the place, after a fork
        except OSError as error:
            self.check()
            raise _of(error, self.target.name) from None
        self.path = ""

    def end(self) -> None:
        path, self.path = self.path, ""
        if fcntl is None:
            super().end()
        if path:
            with suppress(OSError):
                os.unlink(path)
        super().end()

    def forget(self) -> None:
        self.path = ""
        super().forget()

    def _keep_rights(self) -> None:
        """Owner and access of the file that it replaces, as far as this process may give them."""
        try:
            status = os.stat(self.target.place)
        except FileNotFoundError:
            return
        if hasattr(os, "fchown"):
            with suppress(OSError):
                os.fchown(self.file, status.st_uid, status.st_gid)
        if hasattr(os, "setxattr"):
            with suppress(OSError):  # there is none, neither there nor by the folder's default
                try:
                    os.setxattr(self.path, ACCESS_LIST, os.getxattr(self.target.place, ACCESS_LIST))
                except OSError:
                    os.removexattr(self.path, ACCESS_LIST)
        self._call(os.chmod, self.path, stat.S_IMODE(status.st_mode))

    def _remove_orphans(self) -> None:
        """Files that killed writers to this target have left."""
        with suppress(OSError):
            for name in os.listdir(self.folder):
                if name.startswith(self.prefix) and name.endswith(".tmp"):
                    _remove_orphan(os.path.join(self.folder, name))


def _locked(file: int) -> bool | None:
    """Lock a file as long as it is open; False if somebody else has, None if files cannot be locked."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # not on this file system
        return None
    return True


def _remove_orphan(path: str) -> None:
    with suppress(OSError):
        if fcntl is None:
            os.unlink(path)
            return
        file = os.open(path, os.O_WRONLY | CAREFUL | BINARY)
        try:
            if stat.S_ISREG(os.fstat(file).st_mode) and _locked(file):
                os.unlink(path)
        finally:
            os.close(file)


_under_way: WeakSet[Output] = WeakSet()


def _forget_files() -> None:
    """In a forked child: the parent writes on."""
    for out in list(_under_way):
        out.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_files)
