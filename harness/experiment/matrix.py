"""Toolchains x targets x schedules x architectures, a check each, some at a time."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from itertools import product
from pathlib import Path

import msgspec

from harness.arch import host_goarch
from harness.errors import InputError
from harness.experiment.journal import writing_into
from harness.experiment.task import Installed, Outcome, Source, Task, outcome_of, submit
from harness.fleet import Executor
from harness.recording import Schedule
from harness.toolchain.commit import AtCommit
from harness.toolchain.find import release_name
from harness.toolchain.repository import Repository
from harness.verdict import Cell, Check


def tasks_of(
    sources: Sequence[Source],
    targets: Sequence[str],
    schedules: Sequence[Schedule | None],
    places: Sequence[tuple[str, str | None]],
    *,
    number: int,
    control: bool,
) -> Sequence[Task]:
    """Return a task for each combination; a place is an architecture and a guest's processor.

    Raises InputError if two targets are of one name, by which results are told apart.
    """
    names = [Path(target).name for target in targets]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"two targets are called {twice[0]}", mend="check them in a matrix each")
    once = dict.fromkeys(sources)  # two names may be of one commit
    return [
        Task(source, target, number, schedule, goarch, cpu, control)
        for source, target, schedule, (goarch, cpu) in product(once, targets, schedules, places)
    ]


def source_of(name: str, repository: Path | None) -> Source:
    """Return what `--go` means by a name: a release, a path, or a revision of the clone."""
    if repository is None or release_name(name) or Path(name).expanduser().exists():
        return Installed(name)
    clone = Repository.open(repository)
    return AtCommit(str(clone.folder), clone.resolve(name))


def run(tasks: Sequence[Task], executor: Executor) -> Iterator[tuple[int, Outcome]]:
    """Do tasks on an executor; yield the place of each and what came of it, as they end."""
    under_way = {submit(task, executor): number for number, task in enumerate(tasks)}
    for future in as_completed(under_way):
        number = under_way[future]
        yield number, outcome_of(future, tasks[number].source.name)


def cell_of(task: Task, outcome: Outcome | None = None, folder: Path | None = None) -> Cell:
    """Return a task as a cell; with its outcome, whose recording goes to a file in the folder."""
    name, goarch = task.source.name, task.goarch or host_goarch()
    target = Path(task.target).name
    cell = Cell(name, target, task.schedule, goarch, task.cpu)
    if outcome is None:
        return cell
    conclusion = outcome.conclusion
    if folder and isinstance(conclusion, Check):
        words = (name, target, cell.way, cell.where)
        path = folder / f"{re.sub(r'[^A-Za-z0-9_.+-]+', '-', '-'.join(words))}.jsonl"
        with writing_into(folder):
            kept = outcome.keep(path)
        conclusion = msgspec.structs.replace(conclusion, recording=kept and str(kept))
    return msgspec.structs.replace(cell, conclusion=conclusion)
