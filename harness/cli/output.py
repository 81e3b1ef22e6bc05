"""Writing results to stdout and complaints to stderr.

A reader that has gone away, as in `debugcall check | head -1`, changes no exit code.
"""

import os
import sys
from contextlib import suppress
from typing import TextIO

from harness.errors import InputError


def write(text: str) -> None:
    """Write text and a newline to stdout, at once."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(_encodable(text, sys.stdout.encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise InputError(
            f"cannot write the result to stdout: {error.strerror}", mend="df -h; or redirect it"
        ) from None


def _encodable(text: str, encoding: str) -> str:
    """Return the text, in signs that the encoding has."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        from harness.report.lanes import ASCII

        return text.translate(ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def write_json(document: object) -> None:
    """Write one JSON document to stdout."""
    import json

    import msgspec

    # A name that is no UTF-8 is what msgspec's own encoder refuses.
    write(json.dumps(msgspec.to_builtins(document), indent=2))


def complain(message: str, mend: str = "") -> None:
    """Say on stderr what happened and what mends it."""
    from harness.report.story import printable_lines

    text = "\n".join([f"error: {message}", *([f"mend: {mend}"] if mend else [])])
    log(printable_lines(text))


def log(text: str) -> None:
    """Write text and a newline to stderr, if that can be written to."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def discard(stream: TextIO | None) -> None:
    """Send what is still written to a stream nowhere, what Python flushes at its end included."""
    if stream is None:
        return
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
