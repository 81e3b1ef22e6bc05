"""Releases of Go on a real arm64 Linux: which of them lose the call goroutine."""

from collections.abc import Callable

import pytest

from harness.experiment.exercise import Plan
from harness.experiment.in_guest import InGuest
from harness.experiment.job import Job
from harness.experiment.verdict import judge
from harness.recording import Recorder
from harness.toolchain import Toolchain, build_target, unlocked_runtime
from harness.verdict import Counts, Result, Verdict
from harness.vm import CPUS, Guest

BROKEN = ("1.18.10", "1.20.14", "1.21.1")
FIXED = ("1.21.3", "1.22.0", "1.24.0", "1.27.3")
INJECTIONS = 40


@pytest.fixture
def verdict_of(
    toolchain: Callable[[str], Toolchain], arm64_guest: Callable[..., Guest]
) -> Callable[..., Verdict]:
    def verdict_of(version: str, cpu: str, *, control: bool = False) -> Verdict:
        arm64_guest(cpu)
        tools, recorder = toolchain(version), Recorder()
        overlay = unlocked_runtime(tools) if control else None
        binary = build_target(tools, "caller", goarch="arm64", overlay=overlay)
        job = Job(str(binary), Plan.of(None, INJECTIONS), tools.version, control)
        InGuest(cpu)(job, recorder)
        return judge(recorder.recording())

    return verdict_of


def total(verdict: Verdict, what: str) -> int:
    counts: list[Counts] = list(verdict.counts.values())
    return sum(getattr(count, what) for count in counts)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("version", BROKEN)
def test_a_broken_release_loses_each_call(
    verdict_of: Callable[..., Verdict], version: str, cpu: str
) -> None:
    verdict = verdict_of(version, cpu)
    assert verdict.result is Result.FAIL
    assert total(verdict, "migrated") == INJECTIONS
    assert total(verdict, "unlocked") == INJECTIONS
    assert verdict.detected_at == 0


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("version", FIXED)
def test_a_fixed_release_refuses_each_theft(
    verdict_of: Callable[..., Verdict], version: str, cpu: str
) -> None:
    verdict = verdict_of(version, cpu)
    assert verdict.result is Result.PASS, verdict.reason
    assert total(verdict, "refused") >= 0.99 * INJECTIONS
    assert total(verdict, "locked") == INJECTIONS


@pytest.mark.parametrize("cpu", CPUS)
def test_the_control_fails(verdict_of: Callable[..., Verdict], cpu: str) -> None:
    verdict = verdict_of(FIXED[-1], cpu, control=True)
    assert verdict.result is Result.FAIL
    assert total(verdict, "migrated") == INJECTIONS
