"""How long a job in a guest may take. In the guest's place stands a program of a few lines."""

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec
import pytest

from harness.errors import GuestError
from harness.experiment.exercise import Plan
from harness.experiment.in_guest import InGuest
from harness.experiment.job import Job
from harness.experiment.piped import READY, Done
from harness.recording import Recorder
from harness.vm import Guest
from harness.vm.qemu import QEMU
from tests import recordings

CALLS = [recordings.refused(number) for number in range(9)]
EVENTS = recordings.recording(*CALLS).events


@pytest.fixture
def run(
    guest: Guest,
    program: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., Recorder]:
    """Return a function that does a job in a guest which does this, and tells of its progress."""
    monkeypatch.setattr(Guest, "prepare", lambda *_, **__: guest)
    for name in ("examine", "open_binary"):
        monkeypatch.setattr(f"harness.experiment.in_guest.{name}", lambda _: None)
    (tmp_path / "target").touch()

    def run(does: str, progress: Callable[[object], None] = lambda _: None) -> Recorder:
        head = f"#!{sys.executable}\nimport sys, time\nprint({READY!r}, flush=True)\n"
        program(QEMU, f"{head}sys.stdin.readline()\n{does}")
        recorder = Recorder()
        with InGuest() as in_guest:
            job = Job(str(tmp_path / "target"), Plan.of(None, len(CALLS)), "go1.22.0")
            in_guest(job, recorder, progress)
        return recorder

    return run


def test_a_job_that_gets_on_may_take_any_time(
    run: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute each injection."""
    minutes: list[object] = []
    monkeypatch.setattr("harness.vm.qemu.monotonic", lambda: 60.0 * len(minutes))
    told = [msgspec.json.encode(event).decode() for event in (*EVENTS, Done(events=len(EVENTS)))]
    recorder = run(
        f"for line in {told!r}:\n"
        "    print(line, flush=True)\n    time.sleep(0.2 * ('inject' in line))\n",
        minutes.append,
    )
    assert len(minutes) == 1 + len(CALLS)
    assert recorder.events == list(EVENTS)


def test_what_else_is_said_is_no_sign_of_life(
    run: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(step=10)
    monkeypatch.setattr("harness.vm.qemu.monotonic", lambda: next(clock))
    with pytest.raises(GuestError, match=r"(?s)did not get on for 300 s.*stall") as caught:
        run("while True:\n    print('a stall', flush=True)\n    time.sleep(0.01)\n")
    assert "DEBUGCALL_TIME_SCALE" in caught.value.mend
