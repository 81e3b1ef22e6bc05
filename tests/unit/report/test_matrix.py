import itertools

from harness.experiment.verdict import judge
from harness.recording import AnyEvent, Schedule
from harness.report.matrix import names, stories
from harness.verdict import Cell, Check
from tests.recordings import migrated, recording, refused


def test_a_check_is_named_by_what_tells_it_from_others() -> None:
    toolchains, targets = ("go1.21.1", "go1.22.0"), ("caller", "server")
    schedules = (Schedule.DELAY, Schedule.STEAL)
    grid = [
        Cell(*each, "amd64", None) for each in itertools.product(toolchains, targets, schedules)
    ]
    assert names(grid)[:3] == [
        "go1.21.1 caller delay",
        "go1.21.1 caller steal",
        "go1.21.1 server delay",
    ]
    assert len(set(names(grid))) == len(grid)
    assert names(grid[::4]) == ["go1.21.1", "go1.22.0"]
    emulated = Cell("go1.21.1", "caller", None, "arm64", "cortex-a72")
    assert names([grid[0], emulated]) == [
        "go1.21.1 delay amd64",
        "go1.21.1 delay+steal arm64 cortex-a72",
    ]


def test_a_violation_that_was_recorded_can_be_shown() -> None:
    def cell(made: list[AnyEvent]) -> Cell:
        verdict = judge(recording(made))
        check = Check("go1.21.1", verdict.result, verdict.reason, verdict, recording="a b.jsonl")
        return Cell("go1.21.1", "caller", Schedule.STEAL, "amd64", None, check)

    (line,) = stories([cell(refused()), cell(migrated())])
    assert line == "go1.21.1 caller steal amd64: debugcall show 'a b.jsonl'"
