"""The near end of a job that another process does."""

import msgspec
import pytest

from harness.errors import GuestError, TargetError, Unsupported
from harness.experiment.exercise import Plan
from harness.experiment.job import Job
from harness.experiment.piped import Done, Failed, Listener
from harness.experiment.piped import _do as far_end
from harness.gobinary.layout import LayoutError
from harness.recording import AnyEvent, Recorder
from tests import recordings

EVENTS = recordings.recording(recordings.refused(0), recordings.migrated(1)).events


def line(event: object) -> str:
    return msgspec.json.encode(event).decode()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def batches() -> list[list[AnyEvent]]:
    return []


@pytest.fixture
def listener(recorder: Recorder, batches: list[list[AnyEvent]]) -> Listener:
    return Listener(recorder, lambda events: batches.append(list(events)))


def test_what_is_told_is_recorded_and_handed_on_by_whole_injections(
    listener: Listener, recorder: Recorder, batches: list[list[AnyEvent]]
) -> None:
    for event in EVENTS:
        listener.hear(line(event))
        listener.hear("[    0.1] the kernel speaks")
    listener.hear(line(Done(events=len(EVENTS))))
    listener.finish()
    assert recorder.events == list(EVENTS)
    assert [event for batch in batches for event in batch] == list(EVENTS)
    calls = [{getattr(event, "call", None) for event in batch} - {None} for batch in batches]
    assert calls == [set(), {0}, {1}]


def test_an_error_at_the_far_end_is_the_same_here(listener: Listener) -> None:
    listener.hear(line(Failed(kind="TargetError", message="it ended", mend="start it")))
    with pytest.raises(TargetError, match="it ended") as caught:
        listener.finish()
    assert caught.value.mend == "start it"


def test_each_error_of_the_harness_keeps_its_exit_code(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a layout is no class of harness.errors, but one below."""

    def fail(*_: object) -> None:
        raise LayoutError("m.procid is elsewhere", mend="report it")

    monkeypatch.setattr("harness.experiment.piped.run_here", fail)
    listener.hear(line(far_end(Job("target", Plan.of(None, 1), "go1.22.0"))))
    with pytest.raises(Unsupported, match=r"m\.procid is elsewhere") as caught:
        listener.finish()
    assert (caught.value.exit_code, caught.value.mend) == (LayoutError.exit_code, "report it")


def test_an_end_in_the_middle_is_none(listener: Listener, recorder: Recorder) -> None:
    listener.hear(line(EVENTS[0]))
    listener.hear("Kernel panic")
    with pytest.raises(GuestError, match=r"(?s)before it had told all.*Kernel panic") as caught:
        listener.finish()
    assert caught.value.mend
    assert recorder.events == [EVENTS[0]]


def test_a_line_that_was_lost_is_missed(listener: Listener) -> None:
    for event in EVENTS[:-1]:
        listener.hear(line(event))
    listener.hear(line(Done(events=len(EVENTS))))
    with pytest.raises(GuestError):
        listener.finish()


def test_a_damaged_line_is_an_error(listener: Listener) -> None:
    with pytest.raises(GuestError, match="damaged") as caught:
        listener.hear(line(EVENTS[1])[:-5])
    assert caught.value.mend
