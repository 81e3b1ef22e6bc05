from pathlib import Path

import pytest

from harness.errors import InputError
from harness.experiment.matrix import cell_of, source_of, tasks_of
from harness.experiment.task import Outcome
from harness.verdict import Check, Result, Verdict
from tests.clones import commit, git, start


def test_a_commit_with_two_names_is_checked_once(tmp_path: Path) -> None:
    clone = start(tmp_path / "clone")
    made = commit(clone, "one", src__runtime__proc_DOT_go="package runtime\n")
    git(clone, "tag", "weekly")
    sources = [source_of(name, clone) for name in ("master", made, "weekly", "go1.21.1")]
    tasks = tasks_of(sources, ["caller"], [None], [("amd64", None)], number=5, control=True)
    assert [task.source.name for task in tasks] == [made[:12], "go1.21.1"]


def test_targets_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="two targets are called server"):
        tasks_of([], ["/a/server", "/b/server"], [None], [("amd64", None)], number=5, control=True)


def test_a_check_without_a_recording_names_none(tmp_path: Path) -> None:
    (task,) = tasks_of(
        [source_of("go1.21.1", None)], ["caller"], [None], [("amd64", None)], number=5, control=True
    )
    check = Check("go1.21.1", Result.PASS, "", Verdict(Result.PASS, "", {}, (), 0.0))
    cell = cell_of(task, Outcome(check, None, b"", 1, 1), tmp_path)
    assert isinstance(cell.conclusion, Check)
    assert cell.conclusion.recording is None
