"""The events: frozen, and the same again after a way through JSON."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from harness.recording import AnyEvent, Event, Recorder, load
from tests import any_recording, recordings


@pytest.mark.parametrize("kind", any_recording.EVENT_TYPES)
def test_an_event_comes_back_from_json(kind: type[Event]) -> None:
    @given(any_recording.events(kind))
    @settings(max_examples=30)
    def check(event: Any) -> None:  # noqa: ANN401 - of the type that is tried
        line = msgspec.json.encode(event)
        assert b"\n" not in line
        assert msgspec.json.decode(line)["event"] == kind.__name__.lower()
        assert msgspec.json.decode(line, type=AnyEvent) == event

    check()


@given(any_recording.acceptable())
@settings(max_examples=50)
def test_a_recording_comes_back_from_its_file(
    tmp_path_factory: pytest.TempPathFactory, events: list[AnyEvent]
) -> None:
    path = tmp_path_factory.mktemp("recording") / "file"
    with Recorder(path) as recorder:
        for event in events:
            recorder.add(event)
    assert load(path) == recorder.recording()


@pytest.mark.parametrize("kind", any_recording.EVENT_TYPES)
def test_an_event_is_frozen(kind: type[Event]) -> None:
    @given(any_recording.events(kind))
    @settings(max_examples=1)
    def check(event: Any) -> None:  # noqa: ANN401 - of the type that is tried
        for field in msgspec.structs.fields(event):
            with pytest.raises(AttributeError):
                setattr(event, field.name, None)

    check()


def test_a_recording_is_frozen() -> None:
    recording = recordings.recording(recordings.refused())
    with pytest.raises(AttributeError):
        recording.complete = False  # type: ignore[misc]
    with pytest.raises(AttributeError):
        recording.header.target.pid = 1  # type: ignore[misc]


def test_a_type_s_name_on_disk_is_part_of_the_format() -> None:
    assert {kind.__struct_config__.tag for kind in any_recording.EVENT_TYPES} == {
        "header",
        "planned",
        "starved",
        "inject",
        "entry",
        "preempt",
        "hold",
        "handback",
        "release",
        "trap",
        "restored",
        "lost",
        "report",
        "exited",
    }


def test_all_events_but_the_header_tell_when_they_were_seen() -> None:
    for kind in any_recording.EVENT_TYPES[1:]:
        assert "t" in {field.name for field in msgspec.structs.fields(kind)}, kind
