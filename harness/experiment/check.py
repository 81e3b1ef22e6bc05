"""The regression check of one toolchain, and its control."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import TargetError
from harness.experiment.exercise import Plan, exercise
from harness.experiment.gotarget import GoTarget
from harness.experiment.verdict import Check, Result, Verdict, judge
from harness.recording import AnyEvent, Callee, Recorder, Schedule
from harness.toolchain import Toolchain, build_target, unlocked_runtime
from harness.toolchain.environment import neutral

CALLEE = Callee("main.add", (2, 3), (5,))
SITE = "main.round"
CONTROL_INJECTIONS = 20
"""Enough: a runtime without the lock loses the first call."""

Progress = Callable[[str, Sequence[AnyEvent]], None]
"""Called with what is being done and with the events that are new."""


@dataclass(frozen=True)
class Settings:
    """How to check. `number` injections; `schedule` None: some by delays, the others by steals."""

    number: int = 200
    schedule: Schedule | None = None
    control: bool = True
    record: Path | None = None


def check_toolchain(toolchain: Toolchain, settings: Settings, progress: Progress) -> Check:
    """Build the target with a toolchain, inject, judge; then see the control fail."""
    progress(f"building the target with {toolchain.version}", ())
    binary = build_target(toolchain, "caller")
    plan = Plan.of(settings.schedule, settings.number)
    verdict = _verdict(binary, plan, settings.record, toolchain.version, progress, control=False)
    result, reason, control = verdict.result, verdict.reason, None
    if settings.control and result is Result.PASS:
        progress(f"building the control: {toolchain.version} with the lock cut out", ())
        binary = build_target(toolchain, "caller", overlay=unlocked_runtime(toolchain))
        plan = Plan.of(settings.schedule, min(settings.number, CONTROL_INJECTIONS))
        control = _verdict(binary, plan, None, toolchain.version, progress, control=True)
        if control.result is not Result.FAIL:
            result = Result.INCONCLUSIVE
            reason = f"the control, which must fail, did not: {control.reason}"
    record = str(settings.record) if settings.record else None
    return Check(toolchain.version, result, reason, verdict, control, record)


def _verdict(
    binary: Path,
    plan: Plan,
    record: Path | None,
    version: str,
    progress: Progress,
    *,
    control: bool,
) -> Verdict:
    what = f"{'control' if control else 'target'} built with {version}"
    with Recorder(record) as recorder:
        try:
            with GoTarget(
                binary, recorder, env=neutral(), toolchain=version, control=control
            ) as target:
                _run(target, plan, lambda events: progress(what, events))
        except TargetError:
            # A target that a broken runtime brought down is a finding, not a failure to check.
            verdict = judge(recorder.recording())
            if verdict.result is not Result.FAIL:
                raise
            return verdict
    return judge(recorder.recording())


def _run(target: GoTarget, plan: Plan, progress: Callable[[Sequence[AnyEvent]], None]) -> None:
    target.await_ready()
    session = target.session
    if not exercise(session, [session.site(SITE)], lambda _: CALLEE, plan, progress):
        raise TargetError(f"the target never came by {SITE}")
    target.finish()
