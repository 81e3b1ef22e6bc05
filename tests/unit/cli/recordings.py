"""Recordings of calls under `delay`, as a check leaves them in a file."""

from itertools import chain
from pathlib import Path

from harness.recording import AnyEvent, Recorder, Schedule
from tests import recordings

KINDS = {"r": recordings.refused, "m": recordings.migrated}
WHOLE = tuple(recordings.recording().events[1:])
"""How a recording ends that does not break off."""


def write(path: Path, calls: str, *, end: tuple[AnyEvent, ...] = WHOLE) -> Path:
    """Write a recording with a call for each letter: "r" refused, "m" migrated."""
    made = (KINDS[letter](call, Schedule.DELAY) for call, letter in enumerate(calls))
    with Recorder(path) as recorder:
        for event in chain([recordings.HEADER], *made, end):
            recorder.add(event)
    return path
