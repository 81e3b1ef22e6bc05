"""Exhibits: what `debugcall show` shows, from recordings made by hand."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.experiment.recorded import exhibit as read
from harness.recording import AnyEvent, Recorder, Recording
from harness.report.exhibit import Exhibit
from tests import recordings


def exhibit(path: Path, *calls: Sequence[AnyEvent], **target: object) -> Exhibit:
    """Return what is read back from a recording of these calls; `target` changes its header."""
    changed = msgspec.structs.replace(recordings.HEADER.target, **target)
    header = msgspec.structs.replace(recordings.HEADER, target=changed)
    return written(path, recordings.recording(*calls, header=header))


def written(path: Path, recording: Recording) -> Exhibit:
    """Return what is read back from a recording."""
    with Recorder(path) as recorder:
        recorder.add_all(recording.events)
    return read(path)
