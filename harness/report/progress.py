"""Progress: a line that is drawn anew on a terminal, now and then a line in a log."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Self, TextIO

from harness.recording import AnyEvent, Outcome, Recording
from harness.verdict import counted

REDRAW = 0.1
"""Seconds between two drawings of the line on a terminal."""
REPEAT = 10.0
"""Seconds between two lines about the same thing in a log."""

_CLEAR = "\r\x1b[K"


class LiveProgress:
    """Says what is being done, how fast calls are injected and what became of them.

    The rate is by the clock of the recording: all the time between the first call and the last.

    On a terminal this is one line that is drawn anew, and gone at the end; else lines now and
    then. It is drawn by whoever reports the progress: there is no thread, since the one that
    traces must be the only one. A stream that cannot be written to is left alone.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._live = bool(stream and stream.isatty() and os.environ.get("TERM") != "dumb")
        self._what = ""
        self._counts: Counter[str] = Counter()
        self._drawn = clock()
        self._first = self._last = 0
        self._unsaid = False

    def __call__(self, what: str, new_events: Sequence[AnyEvent]) -> None:
        """Take note of what is being done, and of the whole injections that are new."""
        if what != self._what:
            self.end()
            self._what = what
            if not self._live:
                self._draw(f"{what} ...\n")
        for injection in Recording(new_events).injections:
            if not self._counts:
                self._first = injection.inject.t
            self._counts["injections"] += 1
            if injection.trap(0):
                self._counts[injection.outcome] += 1
            self._last = max(
                getattr(event, "t", 0) for event in (injection.inject, *injection.events)
            )
            self._unsaid = True
        if self._clock() - self._drawn >= (REDRAW if self._live else REPEAT) or not self._counts:
            self._say()

    def end(self) -> None:
        """End what is under way: nothing of it stays on a terminal, its last state in a log."""
        if self._live:
            self._draw(_CLEAR if self._what else "")
        elif self._unsaid:
            self._say()
        self._what = ""
        self._counts.clear()
        self._unsaid = False

    def _say(self) -> None:
        line = f"{self._what}: {self._state()}" if self._counts else f"{self._what} ..."
        if self._live:
            self._draw(_CLEAR + line[: self._width() - 1])
        elif self._counts:
            self._draw(line + "\n")
        self._unsaid = False

    def _state(self) -> str:
        done = self._counts["injections"]
        rate = 1e6 * done / max(self._last - self._first, 1)
        outcomes = [f"{self._counts[outcome]} {outcome.value}" for outcome in Outcome]
        return f"{counted(done, 'injection')}, {rate:.0f}/s: {', '.join(outcomes)}"

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno() if self._stream else 2).columns or 80
        except OSError:
            return 80

    def _draw(self, text: str) -> None:
        self._drawn = self._clock()
        with suppress(OSError):
            if self._stream and text:
                self._stream.write(text)
                self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.end()
