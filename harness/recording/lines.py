"""Recordings as JSON lines: written while they happen, read back anywhere."""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from harness.errors import RecordingError
from harness.recording.events import FORMAT, AnyEvent, Exited, Header, Inject
from harness.recording.recording import Recording

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AnyEvent).decode
LONGEST_LINE = 1 << 24
"""Bytes. What has longer lines, such as /dev/zero, is no recording; a command line fits in."""
_SHOWN = 200
"""Characters of what is wrong with a line."""
_MARK = b'{"event":"header",'
"""What each recording begins with."""
_UNDECODABLE = (ValueError, RecursionError)
"""What msgspec raises for a line: its own errors and UnicodeDecodeError are ValueErrors."""


class Recorder:
    """Collects the events of a session and, given a path, writes them there as they come.

    A file is written in one piece an injection: should the harness be killed, the events of at
    most the injection under way are lost.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.events: list[AnyEvent] = []
        self._path = path
        self._pending: list[bytes] = []
        self._fd: int | None = None
        if path is not None:
            self._fd = _open(path, os.O_TRUNC)

    def add(self, event: AnyEvent) -> None:
        """Append one event."""
        self.events.append(event)
        if self._fd is not None:
            self._pending.append(_encode(event))

    def add_all(self, events: Sequence[AnyEvent]) -> None:
        """Append events, all or, if this fails, none."""
        if self._fd is not None:
            self._pending += [_encode(event) for event in events]
        self.events += events

    def flush(self) -> None:
        """Hand what has come since the last time to the file."""
        if self._fd is None or not self._pending:
            return
        data = b"\n".join(self._pending) + b"\n"
        self._pending.clear()
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            assert self._path is not None
            raise _unwritable(self._path, error) from None

    def recording(self) -> Recording:
        """Return what has been seen so far."""
        return Recording(tuple(self.events), complete=_has_end(self.events))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            if not kind or not issubclass(kind, RecordingError):
                self.flush()
        finally:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None


def claim(path: Path) -> None:
    """Make sure that a recording can be written to a file; one that is there stays for now.

    Raises `RecordingError` if it cannot, or if something is there that is no recording.
    """
    os.close(_open(path))


def load(path: Path) -> Recording:
    """Read a recording. One that breaks off is taken as far as it goes.

    It does where its last line is not whole, or does not tell how the session ended.
    """
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise RecordingError(
            f"cannot read {path}: {error.strerror}", mend=f"ls -ld {quote(str(path))}"
        ) from None


def _has_end(events: Sequence[AnyEvent]) -> bool:
    return any(isinstance(event, Exited) for event in reversed(events))


def _read(path: Path, file: BinaryIO) -> Recording:
    events: list[AnyEvent] = []
    begun: set[int] = set()
    whole = True
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
        whole = line.endswith(b"\n")
        if whole:
            events.append(_event(path, number, line, begun))
        elif len(line) == LONGEST_LINE:
            raise _no_recording(path, f"line {number} has more than {LONGEST_LINE} bytes")
        else:
            break  # the last line was cut off
    if not events:
        raise _no_recording(path, "it has no header")
    return Recording(tuple(events), complete=whole and _has_end(events))


def _event(path: Path, number: int, line: bytes, begun: set[int]) -> AnyEvent:
    if number == 1:
        _check_format(path, line)
    try:
        event: AnyEvent = _decode(line)
    except _UNDECODABLE as error:
        # It quotes what stands there, which may be anything.
        said = str(error).encode("unicode_escape").decode()[:_SHOWN]
        raise _damaged(path, number, f"no event of a recording: {said}") from None
    if isinstance(event, Header) is not (number == 1):
        raise _damaged(path, number, "a recording has one header, in front")
    if reason := _out_of_place(event, begun):
        raise _damaged(path, number, reason)
    return event


def _no_recording(path: Path, why: str) -> RecordingError:
    return RecordingError(f"{path} is no recording: {why}", mend="give a file that --record wrote")


def _damaged(path: Path, number: int, what: str) -> RecordingError:
    return RecordingError(
        f"{path}, line {number}: {what}", mend="record it again, or copy it again"
    )


def _out_of_place(event: AnyEvent, begun: set[int]) -> str:
    """Say why an event belongs to no injection; note in `begun` those that begin."""
    call: int | None = getattr(event, "call", None)
    if call is None:
        return ""
    if not isinstance(event, Inject):
        return "" if call in begun else f"an event of injection {call}, which has not begun"
    if call in begun:
        return f"injection {call} begins a second time"
    begun.add(call)
    return ""


def _check_format(path: Path, line: bytes) -> None:
    try:
        version = msgspec.json.decode(line)["format"]
    except (*_UNDECODABLE, KeyError, TypeError):
        raise _no_recording(path, "it has no header") from None
    if not isinstance(version, int):
        raise _no_recording(path, "its format is no number")
    if version > FORMAT:
        raise RecordingError(
            f"{path} has recording format {version}, this harness reads up to {FORMAT}",
            mend="install a newer debugcall-harness",
        )


def _open(path: Path, flags: int = 0) -> int:
    _refuse_to_overwrite(path)
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o666)
    except OSError as error:
        raise _unwritable(path, error) from None


def _refuse_to_overwrite(path: Path) -> None:
    """Raise RecordingError if a file is there that is no recording; devices may be written to."""
    with suppress(OSError):  # then it cannot be written either, or is not there
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if file.read(len(_MARK)) != _MARK:
                    raise RecordingError(
                        f"{path} exists and is no recording",
                        mend="choose another place with --record",
                    )


def _unwritable(path: Path, error: OSError) -> RecordingError:
    folder = quote(str(path.parent))
    mends = {
        errno.ENOENT: f"mkdir -p {folder}",
        errno.EISDIR: f"give the name of a file in it: --record {quote(str(path / 'recording'))}",
        errno.ENOSPC: f"df -h {folder}; or choose another place with --record",
        errno.EDQUOT: "look with: quota; or choose another place with --record",
    }
    return RecordingError(
        f"cannot write the recording {path}: {error.strerror}",
        mend=mends.get(error.errno or 0, "choose another place with --record"),
    )
