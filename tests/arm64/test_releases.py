"""Releases of Go on a real arm64 Linux: which of them lose the call goroutine. One boot a CPU."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from harness.errors import GuestError, HarnessError
from harness.experiment.exercise import Plan
from harness.experiment.in_guest import InGuest
from harness.experiment.job import Job
from harness.experiment.verdict import judge
from harness.recording import Recorder
from harness.toolchain import Toolchain, build_target, unlocked_runtime
from harness.verdict import Counts, Result, Verdict
from harness.vm import CPUS, Guest
from tests.arm64.children import children

BROKEN = ("1.18.10", "1.20.14", "1.21.1")
FIXED = ("1.21.3", "1.22.0", "1.24.0", "1.27.3")
INJECTIONS = 40


@pytest.fixture(scope="module")
def guest_of(arm64_guest: Callable[..., Guest]) -> Iterator[Callable[[str], InGuest]]:
    with ExitStack() as stack:

        @cache
        def guest_of(cpu: str) -> InGuest:
            arm64_guest(cpu)
            return stack.enter_context(InGuest(cpu))

        yield guest_of


@pytest.fixture(scope="module")
def verdict_of(
    toolchain: Callable[[str], Toolchain], guest_of: Callable[[str], InGuest]
) -> Callable[..., Verdict]:
    def verdict_of(version: str, cpu: str, *, control: bool = False) -> Verdict:
        tools, recorder = toolchain(version), Recorder()
        overlay = unlocked_runtime(tools) if control else None
        binary = build_target(tools, "caller", goarch="arm64", overlay=overlay)
        job = Job(str(binary), Plan.of(None, INJECTIONS), tools.version, control)
        guest_of(cpu)(job, recorder)
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


def test_after_a_failure_the_next_job_works(
    arm64_guest: Callable[..., Guest], toolchain: Callable[[str], Toolchain]
) -> None:
    assert arm64_guest()
    tools, others = toolchain(FIXED[-1]), children(os.getpid())
    good, exits = (
        Job(str(build_target(tools, source, goarch="arm64")), Plan.of(None, 3), tools.version)
        for source in ("caller", "exit")
    )
    with InGuest() as run:

        def qemu() -> set[int]:
            return set(children(os.getpid())) - set(others)

        def kill(_: object) -> None:
            for pid in qemu():
                os.kill(pid, signal.SIGKILL)

        def assert_it_works() -> None:
            recorder = Recorder()
            run(good, recorder)
            assert len(recorder.recording().injections) == 3

        assert_it_works()
        first = qemu()
        with pytest.raises(HarnessError, match="ended before it was ready: exit code 3"):
            run(exits, Recorder())
        assert_it_works()
        assert qemu() == first
        with pytest.raises(GuestError, match="killed by SIGKILL"):
            run(good, Recorder(), kill)
        assert not qemu()
        assert_it_works()
    assert children(os.getpid()) == others
