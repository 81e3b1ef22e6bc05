"""The folder in the user's cache where everything that is built stays."""

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock

from harness.errors import HarnessError

MORE_ROOM = "free some space, or set XDG_CACHE_HOME (and TMPDIR) to a disk that has some"
"""What mends a full disk."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def cache_folder(*parts: str) -> Path:
    """Return a folder below the harness's cache, made if need be.

    The cache is `debugcall-harness` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`).
    It may be deleted at any time when no command runs. Raises HarnessError if it cannot be written.
    """
    folder = Path(platformdirs.user_cache_path("debugcall-harness", appauthor=False), *parts)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def built_once(*parts: str, build: Callable[[Path], None]) -> Path:
    """Return a folder below the cache that `build` has filled, now or at an earlier time.

    `build` gets an empty folder. It becomes the result in one step when `build` returns, so nobody
    sees a half of it; who asks meanwhile waits. What a killed process left half-built is removed.
    """
    home = cache_folder(*parts)
    built = home / "built"
    with suppress(OSError):  # a copy of a cache may be another user's
        os.utime(home)
    if built.is_dir():
        return built
    with writing(home), FileLock(home / "lock"):
        for abandoned in home.glob("build-*"):
            shutil.rmtree(abandoned)
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


def no_room(path: Path) -> HarnessError:
    """Return the error for a full disk."""
    return HarnessError(
        f"the disk is full: {path}",
        mend=MORE_ROOM,
    )
