"""The check of what is recorded already: it needs neither Go nor ptrace."""

import shlex
from pathlib import Path

from harness.experiment.verdict import find, judge
from harness.recording import Recording, load
from harness.report.exhibit import Exhibit
from harness.verdict import Check, Finding, built_for


def check_recording(file: Path) -> Check:
    """Judge the recording in a file. Raises `RecordingError` if there is none in it."""
    return _check(file, load(file))


def exhibit(file: Path) -> Exhibit:
    """Judge the recording in a file, and keep all that there is to show of it. Raises as above."""
    recording = load(file)
    by_call: dict[int | None, list[Finding]] = {}
    for findings in find(recording).values():
        for finding in findings:
            by_call.setdefault(finding.call, []).append(finding)
    return Exhibit(recording, _check(file, recording), by_call)


def _check(file: Path, recording: Recording) -> Check:
    verdict = judge(recording)
    target = recording.header.target
    program, *arguments = recording.header.command or ("",)
    name = built_for(target.toolchain or target.go_version, target.goarch)
    return Check(
        f"{name}{' (control)' if target.control else ''}",
        verdict.result,
        verdict.reason,
        verdict,
        recording=str(file),
        command=shlex.join([Path(program).name, *arguments]),
    )
