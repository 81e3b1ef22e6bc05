"""The check of what is recorded already: it needs neither Go nor ptrace."""

import shlex
from pathlib import Path

from harness.experiment.verdict import judge
from harness.recording import load
from harness.verdict import Check


def check_recording(file: Path) -> Check:
    """Judge the recording in a file. Raises `RecordingError` if there is none in it."""
    recording = load(file)
    verdict = judge(recording)
    target = recording.header.target
    program, *arguments = recording.header.command or ("",)
    return Check(
        f"{target.toolchain or target.go_version}{' (control)' if target.control else ''}",
        verdict.result,
        verdict.reason,
        verdict,
        recording=str(file),
        command=shlex.join([Path(program).name, *arguments]),
    )
