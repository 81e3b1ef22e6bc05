"""Jobs done by another process: it gets them as JSON and tells what it sees while it happens.

Its lines are those of a recording, and a last one that says that this is all, or what went wrong.
"""

import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness import errors
from harness.errors import GuestError, HarnessError
from harness.experiment.job import Job, run_here
from harness.recording import AnyEvent, Event, Inject, Recorder


class Done(Event, frozen=True):
    """The job is done; that many events were told."""

    events: int


class Failed(Event, frozen=True):
    """The job ended in a `HarnessError`: of this class of `harness.errors`, or of one below it."""

    kind: str
    message: str
    mend: str


READY = "ready for a job"
"""What the far end says before it reads the next one."""
_SHOWN_LINES = 10
_AGAIN = "try again; should it come to the same, report it with these lines"
_decode = msgspec.json.Decoder(AnyEvent | Done | Failed).decode


class Listener:
    """The near end: takes a job's lines, one at a time, and hands the events on.

    `end` is the last one, once it has come.
    """

    def __init__(self, recorder: Recorder, progress: Callable[[Sequence[AnyEvent]], None]) -> None:
        self._recorder = recorder
        self._progress = progress
        self._told = 0
        self.end: Done | Failed | None = None
        self._others: deque[str] = deque(maxlen=_SHOWN_LINES)

    def hear(self, line: str) -> bool:
        """Take one line, and tell whether it was the job's: a guest's kernel speaks, too."""
        if not line.startswith('{"event":'):
            self._others.append(line)
            return False
        try:
            event = _decode(line)
        except msgspec.DecodeError as error:
            raise GuestError(
                f"a line of the job came through damaged: {error}", mend=_AGAIN
            ) from None
        if isinstance(event, Done | Failed):
            self.end = event
            self._hand_on()
            return True
        if isinstance(event, Inject):
            self._hand_on()
        self._recorder.add(event)
        return True

    def finish(self) -> None:
        """Raise what the far end met; `GuestError` if it did not come to its end."""
        match self.end:
            case Failed():
                error: type[HarnessError] = getattr(errors, self.end.kind)
                raise error(self.end.message, mend=self.end.mend)
            case Done() if self.end.events == len(self._recorder.events):
                return
        raise GuestError(
            "the job ended before it had told all of what it saw:\n" + "\n".join(self._others),
            mend=_AGAIN,
        )

    def _hand_on(self) -> None:
        """Hand the events on that have come since the last time: whole injections."""
        self._recorder.flush()
        self._progress(self._recorder.events[self._told :])
        self._told = len(self._recorder.events)


def parcel(job: Job, binary: bytes) -> bytes:
    """Return a job, and the target that is to be its binary, as the far end takes them."""
    return msgspec.json.encode(job) + b"\n" + binary


def main(device: str, target: str) -> None:
    """Be the far end: do one job after another and write to stdout.

    A line on stdin says how many bytes of the device are the next one's parcel; `target` is the
    place for its binary.
    """
    sys.stdout.write(f"{READY}\n")
    for line in sys.stdin:
        with Path(device).open("rb") as file:
            text, _, binary = file.read(int(line)).partition(b"\n")
        path = Path(target)
        path.unlink(missing_ok=True)
        path.write_bytes(binary)
        path.chmod(0o755)
        job = msgspec.json.decode(text, type=Job)
        end = _do(msgspec.structs.replace(job, binary=target))
        sys.stdout.write(f"{msgspec.json.encode(end).decode()}\n{READY}\n")


def _do(job: Job) -> Done | Failed:
    with Recorder(Path("/proc/self/fd/1")) as recorder:
        try:
            run_here(job, recorder)
        except HarnessError as error:
            return Failed(kind=_kind(type(error)), message=error.message, mend=error.mend)
        return Done(events=len(recorder.events))


def _kind(error: type[HarnessError]) -> str:
    names = (kind.__name__ for kind in error.__mro__)
    return next(name for name in names if hasattr(errors, name))


if __name__ == "__main__":
    main(*sys.argv[1:])
