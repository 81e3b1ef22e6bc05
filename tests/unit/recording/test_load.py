"""Reading: whole, broken off, or no recording at all."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RecordingError
from harness.recording import AnyEvent, Recording, load
from harness.recording.events import FORMAT
from tests import any_recording, recordings

Written = Callable[[bytes], Path]

SOUND = recordings.recording(recordings.refused(0), recordings.refused(1))


def lines(*events: AnyEvent) -> bytes:
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


HEADER = lines(recordings.HEADER)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    path = tmp_path / "file"

    def write(content: bytes) -> Path:
        path.write_bytes(content)
        return path

    return write


def test_a_whole_file_is_complete(written: Written) -> None:
    loaded = load(written(lines(*SOUND.events)))
    assert loaded == SOUND
    assert loaded.complete


def test_a_line_that_is_cut_off_is_left_out(written: Written) -> None:
    content = lines(*SOUND.events)
    last = len(lines(SOUND.events[-1]))
    for missing in range(1, last):
        loaded = load(written(content[:-missing]))
        assert loaded.events == SOUND.events[:-1]
        assert not loaded.complete


def test_a_file_that_breaks_off_anywhere_is_read_or_refused(written: Written) -> None:
    content = lines(*SOUND.events)
    for size in range(0, len(content), 37):
        path = written(content[:size])
        if size < len(HEADER):
            with pytest.raises(RecordingError, match="it has no header"):
                load(path)
        else:
            loaded = load(path)
            assert loaded.events == SOUND.events[: len(loaded.events)]
            assert len(loaded.events) == content[:size].count(b"\n")


NOT_ONE = "is no recording: it has no header"
NO_EVENT = "line 2: no event of a recording"
NEST = b"[" * 100_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", NOT_ONE, id="empty"),
        pytest.param(b"\n", NOT_ONE, id="an empty line"),
        pytest.param(b"\x7fELF\x02\x01\n\xff\n", NOT_ONE, id="binary"),
        pytest.param(b'"format"\n', NOT_ONE, id="a string"),
        pytest.param(b'["format"]\n', NOT_ONE, id="a list"),
        pytest.param(b"7\n", NOT_ONE, id="a number"),
        pytest.param(b'"\xff"\n', NOT_ONE, id="not UTF-8"),
        pytest.param(NEST + b"\n", NOT_ONE, id="nested without end"),
        pytest.param(lines(*SOUND.events[1:]), NOT_ONE, id="no header"),
        pytest.param(HEADER + b"?\n", NO_EVENT, id="garbage"),
        pytest.param(HEADER + b"\n" + HEADER, NO_EVENT, id="an empty line inside"),
        pytest.param(HEADER + b'{"event":"later"}\n', NO_EVENT, id="an unknown event"),
        pytest.param(HEADER + b'{"event":"hold","t":1}\n', NO_EVENT, id="a field missing"),
        pytest.param(HEADER + b'{"event":"\xff"}\n', NO_EVENT, id="a line not UTF-8"),
        pytest.param(
            HEADER + b'{"event":"lost","t":0,"call":0,"why":"\xff"}\n',
            NO_EVENT,
            id="text not UTF-8",
        ),
        pytest.param(
            HEADER + b'{"event":"lost","x":' + NEST + b"\n",
            NO_EVENT,
            id="a line nested without end",
        ),
        pytest.param(HEADER + HEADER, "line 2: a recording has one header", id="two headers"),
        pytest.param(
            HEADER + lines(*recordings.refused(3)[1:]),
            "line 2: an event of injection 3, which has not begun",
            id="a call that never began",
        ),
        pytest.param(
            HEADER + lines(*recordings.refused(3), recordings.refused(3)[0]),
            "line 12: injection 3 begins a second time",
            id="a call that began twice",
        ),
    ],
)
def test_what_is_no_recording_is_refused(written: Written, content: bytes, message: str) -> None:
    path = written(content)
    with pytest.raises(RecordingError) as caught:
        load(path)
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 129


def test_a_line_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(RecordingError, match="/dev/zero is no recording: line 1 has more than"):
        load(Path("/dev/zero"))


def test_what_begins_as_no_recording_is_not_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load, tmp_path / "pipe")
        with (tmp_path / "pipe").open("wb", buffering=0) as endless:
            endless.write(b"something else\n")
            with pytest.raises(RecordingError, match=NOT_ONE):
                loading.result()


@pytest.mark.parametrize("version", [FORMAT + 1, 1 << 80])
def test_a_newer_format_is_named_before_its_events_are_looked_at(
    written: Written, version: int
) -> None:
    path = written(b'{"event":"prologue","format":%d}\n{"event":"later"}\n' % version)
    with pytest.raises(RecordingError, match=f"recording format {version}, .* to {FORMAT}") as e:
        load(path)
    assert "newer" in e.value.mend
    assert e.value.exit_code == 129


@pytest.mark.parametrize("version", [b'"1"', b"null", b"1.0", b"[]"])
def test_a_format_that_is_no_whole_number_is_refused(written: Written, version: bytes) -> None:
    path = written(HEADER.replace(b'"format":1,', b'"format":%s,' % version))
    with pytest.raises(RecordingError):
        load(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot read .*: No such file") as caught:
        load(tmp_path / "file")
    assert caught.value.exit_code == 129
    assert caught.value.mend.startswith("ls -ld ")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot read .*: Is a directory"):
        load(tmp_path)
    # Reading the memory of address 0 fails for every user, the superuser included.
    with pytest.raises(RecordingError, match=r"cannot read /proc/self/mem: Input/output error"):
        load(Path("/proc/self/mem"))


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_behind_a_header_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("recording") / "file"
    path.write_bytes(HEADER + content)
    try:
        loaded = load(path)
    except RecordingError:
        return
    assert isinstance(loaded, Recording)


@given(any_recording.disorder())
@settings(max_examples=50)
def test_a_recording_that_is_read_can_be_grouped(
    tmp_path_factory: pytest.TempPathFactory, events: list[AnyEvent]
) -> None:
    path = tmp_path_factory.mktemp("recording") / "file"
    path.write_bytes(lines(*events))
    try:
        loaded = load(path)
    except RecordingError as error:
        assert "injection" in error.message  # noqa: PT017 - any other reason would be wrong here
        return
    calls = [event for event in events[1:] if hasattr(event, "call")]
    assert {i.inject.call for i in loaded.injections} == {event.call for event in calls}
