"""Which cores threads may run on, while a volley is under way and afterwards."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.debugcall.session import Session
from harness.recording import Callee, Recorder
from harness.schedule import volley
from harness.toolchain import Toolchain, build_target
from harness.tracer.placement import on_one_core
from tests.integration.running import GENEROUS, Running, tasks
from tests.integration.stopping import ready, report_of

ADD = Callee("main.add", (2, 3), (5,))
CORES = os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="there is only one core")


@pytest.fixture
def binary(toolchain: Callable[[str], Toolchain]) -> Path:
    return build_target(toolchain("1.21.3"), "caller")


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:
        yield process.pid
        process.kill()


def masks(pid: int) -> list[set[int]]:
    return [os.sched_getaffinity(tid) for tid in tasks(pid)]


def test_both_share_a_core_and_get_their_own_masks_back(sleeper: int) -> None:
    mask = set(sorted(CORES)[:-1])
    os.sched_setaffinity(sleeper, mask)
    with on_one_core(sleeper, sleeper):
        shared = os.sched_getaffinity(0)
        assert len(shared) == 1
        assert shared <= mask
        assert os.sched_getaffinity(sleeper) == shared
    assert os.sched_getaffinity(0) == CORES
    assert os.sched_getaffinity(sleeper) == mask


def test_nothing_changes_where_there_is_no_common_core(sleeper: int) -> None:
    first, *others = sorted(CORES)
    os.sched_setaffinity(sleeper, others)
    os.sched_setaffinity(0, {first})
    try:
        with on_one_core(sleeper, sleeper):
            assert os.sched_getaffinity(0) == {first}
            assert os.sched_getaffinity(sleeper) == set(others)
    finally:
        os.sched_setaffinity(0, CORES)


def test_the_own_mask_comes_back_though_the_process_has_ended(sleeper: int) -> None:
    with on_one_core(sleeper, sleeper):
        os.kill(sleeper, signal.SIGKILL)
        os.waitpid(sleeper, 0)
    assert os.sched_getaffinity(0) == CORES


def test_threads_that_were_made_meanwhile_may_run_anywhere(binary: Path) -> None:
    """A call that yields has the runtime start threads from the injecting one."""
    with ready(binary) as target:
        session = target.session
        pid = session.process.pid
        for _ in range(5):
            caller = session.seek([session.site("main.round")], GENEROUS)
            assert caller is not None
            volley(session, caller, Callee("main.yield", (20,), (20,)), 20)
            assert os.sched_getaffinity(0) == CORES
            assert masks(pid) == [CORES] * len(tasks(pid))
            session.release(caller)
        assert report_of(target).mismatches == 0


class Looking(Recorder):
    """Notes on which cores the tracer and the injecting thread may run while it records."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[set[int], set[int]]] = []
        self.tid = 0

    def flush(self) -> None:
        if self.tid:
            self.seen.append((os.sched_getaffinity(0), os.sched_getaffinity(self.tid)))
        super().flush()


def look(session: Session, recorder: Looking) -> None:
    caller = session.seek([session.site("main.round")], GENEROUS)
    assert caller is not None
    recorder.tid = caller.thread.tid
    volley(session, caller, ADD, 3)
    recorder.tid = 0
    session.release(caller)


def test_a_launched_target_shares_a_core_during_a_volley(binary: Path) -> None:
    recorder = Looking()
    reader, writer = os.pipe()
    try:
        with Session.launch([binary], recorder, stdin=reader, stdout=writer) as session:
            look(session, recorder)
    finally:
        os.close(reader)
        os.close(writer)
    assert recorder.seen
    for own, its in recorder.seen:
        assert own == its
        assert len(own) == 1


def test_an_attached_target_keeps_its_cores(binary: Path) -> None:
    recorder = Looking()
    with Running(binary) as target:
        with Session.attach(target.pid, recorder) as session:
            look(session, recorder)
        assert target.finish().mismatches == 0
    assert recorder.seen
    assert all(own == its == CORES for own, its in recorder.seen)
