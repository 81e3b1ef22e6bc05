"""The check of a Go program that nobody prepared: launched, or running already."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.debugcall.safepoint import why_never
from harness.debugcall.session import Session
from harness.errors import BinaryError, InputError, TargetError
from harness.experiment.check import Progress, unseen
from harness.experiment.exercise import Plan, exercise
from harness.experiment.verdict import judge
from harness.experiment.wake import knock
from harness.recording import Callee, Recorder, Schedule
from harness.verdict import Check, built_for

SITES = (
    "internal/poll.(*FD).Read",
    "internal/poll.(*FD).Write",
    "internal/poll.(*FD).Accept",
)
"""Where a program that does any input or output comes by, as a goroutine that can take a call."""
_STDERR = 2
PER_STOP = 200
"""Injections from one stop: an idle program gives few stops."""


@dataclass(frozen=True)
class ProgramSettings:
    """How to check a program. `at` names the function to inject from, instead of the usual ones.

    `wake` allows to connect to a port that the program listens on, when nothing happens in it.
    `to_end` lets a launched program run to its own end afterwards, instead of ending it.
    """

    number: int = 200
    schedule: Schedule | None = None
    at: str | None = None
    wake: bool = False
    to_end: bool = False
    record: Path | None = None


def run_program(
    argv: Sequence[str], settings: ProgramSettings, progress: Progress = unseen
) -> Check:
    """Launch a program and check it. It reads the harness's stdin; all it prints goes to stderr."""
    with Recorder(settings.record) as recorder:
        return _check(
            lambda: Session.launch(argv, recorder, stdout=_STDERR), recorder, settings, progress
        )


def attach_program(pid: int, settings: ProgramSettings, progress: Progress = unseen) -> Check:
    """Check a running program and let it go on."""
    with Recorder(settings.record) as recorder:
        return _check(lambda: Session.attach(pid, recorder), recorder, settings, progress)


def _check(
    begin: Callable[[], Session],
    recorder: Recorder,
    settings: ProgramSettings,
    progress: Progress,
) -> Check:
    progress("reading the program", ())
    try:
        with begin() as session:
            binary = session.program.binary
            version = built_for(binary.go_version, binary.goarch)
            what = f"process {session.process.pid}, built with {version}"
            exercise(
                session,
                _sites(session, settings.at),
                _callee,
                Plan.of(settings.schedule, settings.number, PER_STOP),
                lambda events: progress(what, events),
                nudge=(lambda: knock(session.process.pid)) if settings.wake else None,
            )
            if settings.to_end and session.process.launched:
                session.run_to_end()
    except TargetError:
        if not recorder.recording().injections:
            raise
    verdict = judge(recorder.recording())
    record = str(settings.record) if settings.record else None
    return Check(version, verdict.result, verdict.reason, verdict, recording=record)


def _callee(sp: int) -> Callee:
    """Return what to call: a leaf that every Go program has, on 16 bytes of the caller's stack."""
    return Callee("runtime.memequal", (sp, sp, 16), (1,))


def _sites(session: Session, at: str | None) -> list[int]:
    if at is not None:
        if why_never(session.program.binary.function(at)):
            raise InputError(
                f"no call can be injected in {at}, nor in any code of the runtime or in assembly",
                mend="give --at a function of your own",
            )
        return [session.site(at)]
    found = []
    for name in SITES:
        with suppress(BinaryError):  # a program that never listens has no Accept
            found.append(session.site(name))
    return found
