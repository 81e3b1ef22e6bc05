"""One check as a piece of work: all that it takes goes in as data, all that comes of it comes out.

So it can be done by another process, or on another machine that has this package.
"""

import resource
import tempfile
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from time import monotonic
from typing import TypeAlias

import msgspec

from harness.arch import host_goarch
from harness.errors import BinaryError, HarnessError, TargetError, Unsupported
from harness.experiment.attempt import attempt
from harness.experiment.check import Settings, check_toolchain, verdict_on
from harness.experiment.exercise import Plan
from harness.experiment.job import TARGET, Job, Runner, run_here
from harness.experiment.program import ProgramSettings, run_program
from harness.fleet import Executor, work
from harness.invariants import INVARIANTS
from harness.recording import Schedule
from harness.recording.machine import this_command
from harness.toolchain import build_target, find_toolchain
from harness.toolchain.commit import AtCommit, build_at_commit
from harness.tracer.waiting import time_scale
from harness.verdict import Check, Conclusion, Failure


class Installed(msgspec.Struct, frozen=True, tag="installed"):
    """A toolchain as `--go` names it: a release, a GOROOT or a go binary."""

    name: str


Source: TypeAlias = Installed | AtCommit


class Task(msgspec.Struct, frozen=True):
    """A check of one toolchain. `schedule` None: some calls by delays, the others by steals.

    `target` is the program of this project that has a job of its own, or the folder of any main
    package that imports the standard library only; that is checked as `debugcall run` does.

    `cpu` is the processor of the arm64 guest that the target runs in, None for this machine.
    `invariants` are the names of those that count. With `control` a toolchain that passes is
    checked once more without the lock; one at a commit never is. `command` is the command line that
    wants it done.
    """

    source: Source
    target: str = TARGET
    number: int = 200
    schedule: Schedule | None = None
    goarch: str | None = None
    cpu: str | None = None
    control: bool = True
    invariants: tuple[str, ...] = tuple(INVARIANTS)
    command: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """What came of a task: a `check`, or a `failure` to check.

    `recording` holds JSON lines, deflated; it is empty if nothing was seen. `seconds` passed, and
    `cpu_seconds` of processors were used, building included.
    """

    check: Check | None
    failure: Failure | None
    recording: bytes
    seconds: float
    cpu_seconds: float

    @property
    def conclusion(self) -> Conclusion:
        """The one of both that came."""
        conclusion = self.check or self.failure
        assert conclusion is not None
        return conclusion

    def keep(self, path: Path) -> Path | None:
        """Write the recording to a file, if there is one, and return its path."""
        if not self.recording:
            return None
        path.write_bytes(zlib.decompress(self.recording))
        return path


def do(task: Task, hear: Callable[[str], None] = lambda _: None) -> Outcome:
    """Do a task here. `hear` is told what is being done."""
    began, used = monotonic(), _cpu_seconds()
    with tempfile.TemporaryDirectory(prefix="debugcall-") as folder:
        record = Path(folder, "recording.jsonl")
        conclusion = attempt(task.source.name, lambda: check_task(task, record, hear))
        recording = b""
        with suppress(FileNotFoundError):
            recording = zlib.compress(record.read_bytes())
    seconds, cpu_seconds = monotonic() - began, _cpu_seconds() - used
    if isinstance(conclusion, Failure):
        return Outcome(None, conclusion, recording, seconds, cpu_seconds)
    check = msgspec.structs.replace(conclusion, recording=None)  # the file is gone
    return Outcome(check, None, recording, seconds, cpu_seconds)


def submit(task: Task, executor: Executor) -> Future[bytes]:
    """Hand a task to an executor. A machine that does it has to have what it `needs`."""
    needs = ("qemu",) if task.cpu else (task.goarch or host_goarch(), "ptrace")
    task = msgspec.structs.replace(task, command=this_command())
    return executor.submit(work, msgspec.json.encode(task), needs=needs)


def outcome_of(future: Future[bytes], name: str) -> Outcome:
    """Return what came of a task that was submitted; that its process died is a failure, too."""
    try:
        return msgspec.json.decode(future.result(), type=Outcome)
    except HarnessError as error:
        failure = Failure(name, error.exit_code, error.message, error.mend)
        return Outcome(None, failure, b"", 0, 0)


def check_task(task: Task, record: Path | None, hear: Callable[[str], None]) -> Check:
    """Do the check of a task, and write what is seen to a file. Raises HarnessError."""
    with _runner(task, hear) as run:
        return _check(run, task, record, hear)


def _check(run: Runner, task: Task, record: Path | None, hear: Callable[[str], None]) -> Check:
    settings = Settings(
        number=task.number,
        schedule=task.schedule,
        control=task.control,
        record=record,
        goarch=task.goarch,
        run=run,
        invariants=task.invariants,
    )

    def progress(what: str, _: object) -> None:
        hear(what)

    goarch = task.goarch or host_goarch()
    if isinstance(task.source, Installed):
        toolchain = find_toolchain(task.source.name, goarch)
        if task.target == TARGET:
            return check_toolchain(toolchain, settings, progress)
        binary = build_target(toolchain, task.target, goarch=goarch)
    else:
        time_scale()  # a bad one is told before anything is built
        binary = build_at_commit(task.source, task.target, goarch, hear)
    if task.target != TARGET:
        alike = ProgramSettings(number=task.number, schedule=task.schedule, record=record)
        return run_program([str(binary)], alike, progress)
    job = Job(str(binary), Plan.of(task.schedule, task.number), task.source.name)
    try:
        verdict = verdict_on(job, settings, progress)
    except (BinaryError, TargetError) as error:  # there are commits whose runtime does not work
        raise Unsupported(
            f"the target at {task.source.name} cannot be checked: {error.message}", mend=error.mend
        ) from error
    return Check(task.source.name, verdict.result, verdict.reason, verdict)


def _runner(task: Task, hear: Callable[[str], None]) -> AbstractContextManager[Runner]:
    if task.cpu is None:
        return nullcontext(run_here)
    from harness.experiment.in_guest import InGuest

    return InGuest(task.cpu, hear)


def _cpu_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
