"""Files that reports are written to: none that is somebody else's is overwritten."""

import errno
import re
from contextlib import suppress
from pathlib import Path
from shlex import quote

from harness.errors import InputError

MARK = "debugcall"
"""Stands in the first lines of each report: as in HTML's generator, a trace and JUnit's XML."""
_REPORT = re.compile(
    rb"""<!DOCTYPE[ ]html>\s.{,150}<meta[ ]name="generator"[ ]content="debugcall[ ]
       | \{"otherData":\{"written[ ]by":"debugcall"\}
       | <\?xml[^>]*>\s*<testsuites[ ]name="debugcall"
    """,
    re.DOTALL | re.VERBOSE,
)
_BEGINNING = 300
"""Bytes of a report that tell it."""


def claim(path: Path) -> None:
    """Make sure that a report can be written to a file, which is made empty if it is not there.

    Raises `InputError` if it cannot, or if something is there that is no report of ours.
    """
    with suppress(OSError):  # then it cannot be written either, or is not there
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if not _REPORT.match(file.read(_BEGINNING)):
                    raise InputError(
                        f"{path} exists and is no report of debugcall", mend="give another name"
                    )
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def write(path: Path, text: str) -> None:
    """Write a report to a file. Raises `InputError`, as `claim` does: much can come in between."""
    claim(path)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> InputError:
    folder = quote(str(path.parent))
    mends = {
        errno.ENOENT: f"mkdir -p {folder}",
        errno.EISDIR: "give the name of a file in it",
        errno.ENOSPC: f"df -h {folder}; or give another name",
    }
    return InputError(
        f"cannot write {path}: {error.strerror}",
        mend=mends.get(error.errno or 0, "give another name"),
    )
