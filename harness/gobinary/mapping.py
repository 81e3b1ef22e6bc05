"""A file mapped for reading, or a sentence that says why not."""

import mmap
import os
import stat
from pathlib import Path

from harness.errors import BinaryError

MEND = "pass the path of a Go program for linux, such as `go build` writes"


def map_file(path: Path) -> mmap.mmap:
    """The content of a regular file that is not empty. Raises BinaryError.

    The file must not shrink while it is mapped: reading what is gone is a SIGBUS.
    """
    try:
        # O_NONBLOCK: a FIFO would keep us waiting for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise BinaryError(f"there is no file {path}", mend=MEND) from None
    except PermissionError:
        raise BinaryError(
            f"{path} cannot be read: permission denied",
            mend=f"chmod +r {path}, or run as its owner",
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", error)
        raise BinaryError(f"{path} cannot be opened: {why}", mend=MEND) from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise BinaryError(f"{path} is a directory", mend=MEND)
        if not stat.S_ISREG(status.st_mode):
            raise BinaryError(f"{path} is not a regular file", mend=MEND)
        if status.st_size == 0:
            raise BinaryError(f"{path} is empty", mend=MEND)
        return mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    except OSError as error:
        raise BinaryError(f"{path} cannot be mapped: {error.strerror}", mend=MEND) from None
    finally:
        os.close(descriptor)
