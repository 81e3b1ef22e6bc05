"""The folder in the user's cache where everything that is built stays."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from harness.errors import HarnessError

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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure of the file system below `path` into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise no_room(path) from error
        raise HarnessError(
            f"cannot write to the cache {path}: {error.strerror or error}",
            mend="make it writable, or set XDG_CACHE_HOME to a folder that is",
        ) from error


def no_room(path: Path) -> HarnessError:
    """Return the error for a full disk."""
    return HarnessError(
        f"the disk is full: {path}",
        mend="free some space, or set XDG_CACHE_HOME (and TMPDIR) to a disk that has some",
    )
