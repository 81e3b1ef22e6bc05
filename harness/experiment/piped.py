"""A job done by another process: it gets the job as JSON and tells what it sees while it happens.

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
    """The job ended in a `HarnessError` of this class."""

    kind: str
    message: str
    mend: str


_SHOWN_LINES = 10
_decode = msgspec.json.Decoder(AnyEvent | Done | Failed).decode


class Listener:
    """The near end: takes the lines, one at a time, and hands the events on."""

    def __init__(self, recorder: Recorder, progress: Callable[[Sequence[AnyEvent]], None]) -> None:
        self._recorder = recorder
        self._progress = progress
        self._told = 0
        self._end: Done | Failed | None = None
        self._others: deque[str] = deque(maxlen=_SHOWN_LINES)

    def hear(self, line: str) -> None:
        """Take one line. Others than the job's are passed over: a guest's kernel speaks, too."""
        if not line.startswith('{"event":'):
            self._others.append(line)
            return
        try:
            event = _decode(line)
        except msgspec.DecodeError as error:
            raise GuestError(f"a line of the job came through damaged: {error}") from None
        if isinstance(event, Done | Failed):
            self._end = event
            self._hand_on()
            return
        if isinstance(event, Inject):
            self._hand_on()
        self._recorder.add(event)

    def finish(self) -> None:
        """Raise what the far end met; `GuestError` if it did not come to its end."""
        match self._end:
            case Failed():
                error: type[HarnessError] = getattr(errors, self._end.kind)
                raise error(self._end.message, mend=self._end.mend)
            case Done() if self._end.events == len(self._recorder.events):
                return
        raise GuestError(
            "the job ended before it had told all of what it saw:\n" + "\n".join(self._others)
        )

    def _hand_on(self) -> None:
        """Hand the events on that have come since the last time: whole injections."""
        self._recorder.flush()
        self._progress(self._recorder.events[self._told :])
        self._told = len(self._recorder.events)


def main(path: str) -> None:
    """Be the far end: do the job in a file and write to stdout."""
    job = msgspec.json.decode(Path(path).read_bytes(), type=Job)
    with Recorder(Path("/proc/self/fd/1")) as recorder:
        try:
            run_here(job, recorder)
            end: Done | Failed = Done(events=len(recorder.events))
        except HarnessError as error:
            end = Failed(kind=type(error).__name__, message=error.message, mend=error.mend)
        recorder.flush()
    sys.stdout.write(msgspec.json.encode(end).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
