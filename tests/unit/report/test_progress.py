import io
import threading
from itertools import chain

import pytest

from harness.recording import AnyEvent
from harness.report.progress import LiveProgress
from tests.recordings import migrated, refused


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("TERM", "xterm")
    return Clock()


def some(*calls: int) -> list[AnyEvent]:
    return list(chain.from_iterable(map(refused, calls)))


def drawn(terminal: io.StringIO) -> list[str]:
    return terminal.getvalue().split("\r\x1b[K")[1:]


def test_a_terminal_has_one_line_with_rate_and_outcomes(clock: Clock) -> None:
    terminal = Terminal()
    with LiveProgress(terminal, clock) as progress:
        progress("building", ())
        progress("target built with go1.21.1", some(0))
        clock.now += 0.2
        progress("target built with go1.21.1", some(1, 2, 3))
        clock.now += 0.2
        progress("target built with go1.21.1", migrated(4))
    lines = drawn(terminal)
    assert lines[0] == "building ..."
    assert lines[-1] == "", "the line is still there at the end"
    # Five calls in 4.07 ms of the recording.
    assert lines[-2].startswith("target built with go1.21.1: 5 injections, 1229/s: 1 migrated")
    assert "\n" not in terminal.getvalue()


def test_a_terminal_is_drawn_ten_times_a_second_at_most(clock: Clock) -> None:
    terminal = Terminal()
    with LiveProgress(terminal, clock) as progress:
        for call in range(1000):
            clock.now += 0.001
            progress("target", some(call))
    assert 9 <= len(drawn(terminal)) <= 12


def test_a_line_stays_within_the_width(clock: Clock) -> None:
    terminal = Terminal()
    with LiveProgress(terminal, clock) as progress:
        progress("x" * 500, ())
    assert max(map(len, drawn(terminal))) == 79


@pytest.mark.parametrize("dumb", [False, True])
def test_a_log_gets_plain_lines(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, *, dumb: bool
) -> None:
    log = io.StringIO()
    if dumb:
        monkeypatch.setenv("TERM", "dumb")
        log = Terminal()
    with LiveProgress(log, clock) as progress:
        progress("building", ())
        for call in range(30):
            clock.now += 1
            progress("target", some(call))
    begin, target, *states = log.getvalue().splitlines()
    assert (begin, target) == ("building ...", "target ...")
    assert [state.partition(",")[0] for state in states] == [
        "target: 11 injections",
        "target: 21 injections",
        "target: 30 injections",
    ]


def test_what_is_done_next_counts_anew(clock: Clock) -> None:
    log = io.StringIO()
    with LiveProgress(log, clock) as progress:
        progress("target", some(0, 1))
        progress("control", migrated(0))
    assert log.getvalue().splitlines() == [
        "target ...",
        "target: 2 injections, 1835/s: 0 migrated, 2 refused, 0 uncontested",
        "control ...",
        "control: 1 injection, 14286/s: 1 migrated, 0 refused, 0 uncontested",
    ]


class Broken(Terminal):
    def write(self, _: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [None, Broken()])
def test_nobody_need_read_it(clock: Clock, stream: Broken | None) -> None:
    with LiveProgress(stream, clock) as progress:
        progress("building", ())
        progress("target", some(0))


def test_no_thread_is_started(clock: Clock) -> None:
    before = threading.active_count()
    with LiveProgress(Terminal(), clock) as progress:
        progress("target", some(0))
        assert threading.active_count() == before
