"""The files between host and guest: they have no name, and are gone with the last process."""

import tempfile
from pathlib import Path
from typing import IO

from harness.cache import is_full, no_room
from harness.errors import GuestError, HarnessError

DISK_SIZE = 256 << 20
"""Bytes, sparse: as much may go in at a time, or come back."""


def nameless() -> IO[bytes]:
    """Return an open file without a name."""
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise unwritable(error) from error


def unwritable(error: OSError, folder: Path | None = None) -> HarnessError:
    """Return the error for files that cannot be written there; None: to the temporary ones."""
    where = folder or Path(tempfile.gettempdir())
    if is_full(error):
        return no_room(where)
    return GuestError(
        f"cannot write what the guest needs to {where}: {error.strerror or error}",
        mend="make it writable, or set TMPDIR to a folder that is",
    )
