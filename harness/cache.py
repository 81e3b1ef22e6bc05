"""The folder in the user's cache where everything that is built stays."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import msgspec
import platformdirs
from filelock import FileLock

from harness.errors import HarnessError, InputError

MORE_ROOM = "free some space, or set XDG_CACHE_HOME (and TMPDIR) to a disk that has some"
"""What mends a full disk."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_LEAST_FREE = 1 << 20  # bytes: a disk with less is full


def cache_folder(*parts: str) -> Path:
    """Return a folder below the harness's cache, made if need be.

    The cache is `debugcall-harness` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`).
    Once asked for, nothing in it is pruned until this process ends. Raises HarnessError if it
    cannot be written.
    """
    root = platformdirs.user_cache_path("debugcall-harness", appauthor=False)
    folder = root.joinpath(*parts)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _in_use(root)
    with suppress(OSError):  # a cache that somebody else made
        os.utime(folder)  # `kept` tells when it was used
    return folder


@cache
def _in_use(root: Path) -> int:
    """Hold the lock of those who use what is kept here (flock(2), shared); return its file."""
    lock = os.open(root / "in-use", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


_held: set[int] = set()


def held_locks() -> Sequence[int]:
    """Return the locks that processes which are started meanwhile have to hold, too (`pass_fds`).

    They go on writing for a while when this process is killed.
    """
    return tuple(_held)


@contextmanager
def lock_free(file: Path) -> Iterator[bool]:
    """Lock a file unless others hold it (flock(2)); tell whether that was possible."""
    with writing(file):
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _held.add(lock)
        yield True
    except BlockingIOError:
        yield False
    finally:
        _held.discard(lock)
        os.close(lock)  # it stays locked until all who have it did this


class Kept(msgspec.Struct, frozen=True):
    """Something kept in the cache: a folder, its size in bytes, and when it was last used."""

    kind: str
    path: str
    size: int
    used: float


def kept() -> Sequence[Kept]:
    """Return what the cache holds, the largest first."""
    root = cache_folder()
    places = [p for kind in root.iterdir() if kind.is_dir() for p in kind.iterdir() if p.is_dir()]
    found = []
    for place in places:
        with suppress(FileNotFoundError):  # a command at work has removed it
            used = place.stat().st_mtime
            found.append(Kept(place.parent.name, str(place), _size(place), used))
    return sorted(found, key=lambda one: one.size, reverse=True)


def prune(chosen: Iterable[Kept]) -> None:
    """Remove what is kept. Raises InputError if a command is at work that may need it."""
    lock = _in_use(cache_folder())
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            "another command is at work with what is kept", mend="try again when it has ended"
        ) from None
    for one in chosen:
        with writing(Path(one.path)):
            shutil.rmtree(one.path, onerror=_let_write)


def _let_write(remove: Callable[[str], object], path: str, _: object) -> None:
    """Remove from folders, too, that may not be written to: Go's module cache has such."""
    parent = Path(path).parent
    parent.chmod(0o700)
    remove(path)


def _size(folder: Path) -> int:
    blocks = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                blocks += os.lstat(os.path.join(place, name)).st_blocks  # noqa: PTH118 - fast
    return blocks * 512


def built_once(*parts: str, build: Callable[[Path], None]) -> Path:
    """Return a folder below the cache that `build` has filled, now or at an earlier time.

    `build` gets an empty folder. It becomes the result in one step when `build` returns, so nobody
    sees a half of it; who asks meanwhile waits. What a killed process left half-built is removed.
    """
    home = cache_folder(*parts)
    built = home / "built"
    if built.is_dir():
        return built
    with writing(home), FileLock(home / "lock"):
        for abandoned in home.glob("build-*"):
            shutil.rmtree(abandoned, ignore_errors=True)  # what it started may still write
        if not built.is_dir():
            with tempfile.TemporaryDirectory(prefix="build-", dir=home) as scratch:
                new = Path(scratch, "new")
                new.mkdir()
                build(new)
                new.rename(built)
    return built


def remove_unused(*parts: str, days: float = 7) -> None:
    """Remove what is built below a folder of the cache and was not asked for in so many days."""
    for home in cache_folder(*parts).iterdir():
        with suppress(OSError):
            if home.stat().st_mtime < time.time() - days * 86400:
                with FileLock(home / "lock"):
                    (home / "built").rename(home / "build-old")  # nobody is to see a half of it
                    shutil.rmtree(home)


def digest(*parts: str) -> str:
    """Return the name under which what is made of these parts is kept."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure of the file system below `path` into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise no_room(path) from error
        raise HarnessError(
            f"cannot write to the cache {path}: {error.strerror or error}",
            mend="make it writable, or set XDG_CACHE_HOME to a folder that is",
        ) from error


def is_full(error: OSError) -> bool:
    """Tell whether a write failed because the disk, or the user's share of it, is full."""
    return error.errno in _NO_ROOM


def is_told_full(output: str, folder: Path) -> bool:
    """Tell whether a command that failed below a folder, and said this, lacked room.

    A Go command that cannot write to its caches does not always say so.
    """
    if shutil.disk_usage(folder).free < _LEAST_FREE:
        return True
    said = output.lower()
    return any(os.strerror(number).lower() in said for number in _NO_ROOM)


def no_room(path: Path) -> HarnessError:
    """Return the error for a full disk."""
    return HarnessError(
        f"the disk is full: {path}",
        mend=MORE_ROOM,
    )
