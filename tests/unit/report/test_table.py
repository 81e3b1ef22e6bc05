"""The table of several checks."""

from harness.experiment.verdict import judge
from harness.recording import Recording
from harness.report import terminal
from harness.verdict import Check
from tests import recordings


def row(recording: Recording) -> list[str]:
    verdict = judge(recording)
    check = Check("go1.21.1", verdict.result, verdict.reason, verdict)
    return terminal.render(terminal.table([check]), to=None).splitlines()[1].split()


def test_a_control_that_is_not_needed_is_told_from_one_that_was_skipped() -> None:
    passed = row(recordings.recording(recordings.refused(0)))
    failed = row(recordings.recording(recordings.migrated(0)))
    assert (passed[1], passed[-1]) == ("pass", "skipped")
    assert (failed[1], failed[-1]) == ("fail", "-")
