"""Writing: while it happens, in pieces of one injection, and what a full disk gets."""

from pathlib import Path

import pytest

from harness.errors import RecordingError
from harness.recording import AnyEvent, Recorder, load
from tests import recordings


def add(recorder: Recorder, events: list[AnyEvent]) -> None:
    for event in events:
        recorder.add(event)


def test_lines_are_there_after_each_flush_while_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first, second = recordings.refused(0), recordings.refused(1)
    with Recorder(path) as recorder, path.open("rb") as reader:
        recorder.add(recordings.HEADER)
        add(recorder, first)
        recorder.flush()
        assert reader.read().count(b"\n") == 1 + len(first)
        recorder.add_all(second)
        assert reader.read() == b""
        recorder.flush()
        assert reader.read().count(b"\n") == len(second)
        recorder.flush()
        assert reader.read() == b""
        assert load(path) == recorder.recording()


def test_what_is_left_is_written_at_the_end_also_of_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def record_and_fail() -> None:
        with Recorder(path) as recorder:
            recorder.add(recordings.HEADER)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_and_fail()
    assert load(path).events == (recordings.HEADER,)


def test_an_old_recording_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for calls in (5, 0):
        with Recorder(path) as recorder:
            recorder.add(recordings.HEADER)
            for event in recordings.refused(0) * calls:
                recorder.add(event)
    assert load(path).events == (recordings.HEADER,)


@pytest.mark.parametrize("text", ["something else\n", "{", "\x7fELF"])
def test_what_is_no_recording_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(RecordingError, match="exists and is no recording"):
        Recorder(path)
    assert path.read_text() == text


def test_without_a_path_events_are_kept_in_memory() -> None:
    with Recorder() as recorder:
        recorder.add(recordings.HEADER)
        recorder.flush()
    assert recorder.recording().events == (recordings.HEADER,)


def test_what_has_been_recorded_does_not_change_later() -> None:
    recorder = Recorder()
    recorder.add(recordings.HEADER)
    before = recorder.recording()
    recorder.add(recordings.refused()[0])
    assert before.events == (recordings.HEADER,)


def test_a_full_disk_is_told_at_the_flush_and_not_again_at_the_end() -> None:
    with Recorder(Path("/dev/full")) as recorder:
        recorder.add(recordings.HEADER)
        with pytest.raises(RecordingError) as caught:
            recorder.flush()
    assert caught.value.message == ("cannot write the recording /dev/full: No space left on device")
    assert caught.value.exit_code == 129
    assert caught.value.mend.startswith("df -h /dev;")


def test_a_full_disk_is_told_at_the_end() -> None:
    recorder = Recorder(Path("/dev/full"))
    recorder.add(recordings.HEADER)
    with pytest.raises(RecordingError, match="No space left"):
        recorder.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("name", "why", "mend"),
    [
        ("missing/file", "No such file or directory", "mkdir -p {}/missing"),
        ("", "Is a directory", "give the name of a file in it: --record {}/recording"),
        ("file/file", "Not a directory", "choose another place with --record"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_at_once(
    tmp_path: Path, name: str, why: str, mend: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match=f"cannot write the recording .*: {why}") as caught:
        Recorder(tmp_path / name)
    assert caught.value.exit_code == 129
    assert caught.value.mend == mend.format(tmp_path)
