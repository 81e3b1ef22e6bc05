"""The regression check of one toolchain, and its control."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.arch import host_goarch
from harness.errors import TargetError
from harness.experiment.exercise import Plan
from harness.experiment.job import TARGET, Job, Runner, run_here
from harness.experiment.verdict import judge
from harness.invariants import INVARIANTS
from harness.recording import AnyEvent, Recorder, Schedule
from harness.recording.lines import claim
from harness.toolchain import Toolchain, build_target, unlocked_runtime
from harness.tracer.waiting import time_scale
from harness.verdict import Check, Result, Verdict, built_for

CONTROL_INJECTIONS = 20
"""Enough: a runtime without the lock loses the first call."""

Progress = Callable[[str, Sequence[AnyEvent]], None]
"""Called with what is being done and with the events that are new."""


def unseen(_what: str, _events: Sequence[AnyEvent]) -> None:
    """Take progress that nobody wants to see."""


@dataclass(frozen=True)
class Settings:
    """How to check. `number` injections; `schedule` None: some by delays, the others by steals.

    `goarch` is what the targets are built for, None for this machine; `run` does the jobs;
    `invariants` are the names of those that count.
    """

    number: int = 200
    schedule: Schedule | None = None
    control: bool = True
    record: Path | None = None
    goarch: str | None = None
    run: Runner = run_here
    invariants: Sequence[str] = tuple(INVARIANTS)


def check_toolchain(toolchain: Toolchain, settings: Settings, progress: Progress = unseen) -> Check:
    """Build the target with a toolchain, inject, judge; then see the control fail."""
    time_scale()  # a bad one is told before anything is built, as is a bad place to record
    if settings.record:
        claim(settings.record)
    version = toolchain.version
    progress(f"building the target with {version}", ())
    plan = Plan.of(settings.schedule, settings.number)
    job = Job(str(build_target(toolchain, TARGET, goarch=settings.goarch)), plan, version)
    verdict = verdict_on(job, settings, progress)
    result, reason, control = verdict.result, verdict.reason, None
    if settings.control and result is Result.PASS:
        progress(f"building the control: {version} with the lock cut out", ())
        unlocked = unlocked_runtime(toolchain)
        binary = build_target(toolchain, TARGET, overlay=unlocked, goarch=settings.goarch)
        plan = Plan.of(settings.schedule, min(settings.number, CONTROL_INJECTIONS))
        job = Job(str(binary), plan, version, control=True)
        control = _without_findings(verdict_on(job, replace(settings, record=None), progress))
        if control.result is not Result.FAIL:
            result = Result.INCONCLUSIVE
            reason = f"the control, which must fail, did not: {control.reason}"
    record = str(settings.record) if settings.record else None
    name = built_for(version, settings.goarch or host_goarch())
    return Check(name, result, reason, verdict, control, record)


def _without_findings(control: Verdict) -> Verdict:
    """Return the verdict on a control: that it fails counts, not event by event how."""
    brief = tuple(msgspec.structs.replace(breach, first=()) for breach in control.breaches)
    return msgspec.structs.replace(control, breaches=brief)


def verdict_on(job: Job, settings: Settings, progress: Progress = unseen) -> Verdict:
    """Do a job and judge what was seen."""
    what = f"{'control' if job.control else 'target'} built with {job.toolchain}"
    with Recorder(settings.record) as recorder:
        try:
            settings.run(job, recorder, lambda events: progress(what, events))
        except TargetError:
            # A target that a broken runtime brought down is a finding, not a failure to check.
            verdict = judge(recorder.recording(), settings.invariants)
            if verdict.result is not Result.FAIL:
                raise
            return verdict
    return judge(recorder.recording(), settings.invariants)
