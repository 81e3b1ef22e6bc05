"""Targets survive whatever happens to the harness, and nothing is left behind."""

import ctypes
import gc
import itertools
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness.debugcall.injection import CALL_LIMIT, Injection, Timing
from harness.debugcall.session import Session
from harness.errors import (
    HarnessError,
    InputError,
    Interrupted,
    TargetError,
    TracePermissionError,
)
from harness.experiment.exercise import Plan, exercise
from harness.experiment.verdict import judge
from harness.recording import Callee, Recorder, Restored, Schedule
from harness.schedule import Delay, Natural, Steal, volley
from harness.toolchain import Toolchain, build_target
from tests.integration.running import (
    GENEROUS,
    Running,
    assert_free,
    descriptors,
    ended,
    status,
    tasks,
    until,
)
from tests.integration.stopping import ready, report_of

ADD = Callee("main.add", (2, 3), (5,))
ROOT = Path(__file__).parents[2]
NOBODY = 65534
LIBC = ctypes.CDLL(None)

Build = Callable[[str], Path]


@pytest.fixture
def build(toolchain: Callable[[str], Toolchain]) -> Build:
    return lambda target: build_target(toolchain("1.21.3"), target)


@contextmanager
def injecting(pid: int, schedule: Schedule) -> Iterator[subprocess.Popen[str]]:
    """Have another process inject calls; it has attached."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.endless", str(pid), schedule],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as harness:
        try:
            assert harness.stdout is not None
            assert harness.stdout.readline() == "stop\n"
            yield harness
        finally:
            harness.kill()


# -- the harness is asked to end, or dies --------------------------------------------------------


@pytest.mark.parametrize("schedule", list(Schedule))
def test_a_request_to_end_ends_the_call_and_lets_go(build: Build, schedule: Schedule) -> None:
    spread = random.Random(schedule)  # noqa: S311 - moments, no secrets
    numbers = itertools.cycle(
        (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
            signal.SIGQUIT,
            signal.SIGUSR1,
            signal.SIGALRM,
        )
    )
    with Running(build("caller")) as target:
        for number in itertools.islice(numbers, 12):
            with injecting(target.pid, schedule) as harness:
                assert harness.stdout is not None
                for _ in range(spread.randrange(8)):
                    assert harness.stdout.readline() == "stop\n"
                time.sleep(spread.random() * 0.02)  # any moment will do
                harness.send_signal(number)
                assert harness.wait(GENEROUS) == Interrupted.exit_code
                assert harness.stderr is not None
                assert harness.stderr.read() == ""
            assert_free(target.pid)
        report = target.finish()
    assert report.rounds > 1000
    assert (report.mismatches, report.exit_code) == (0, 0)


class Ending(Natural):
    """Ask the harness to end while a call is under way."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        self.number = number

    def dispatched(self, call: Injection) -> None:
        assert call.process.shielded
        # To this thread: others of the test run may have it end the run.
        signal.pthread_kill(threading.get_ident(), self.number)


def test_the_call_under_way_is_ended_first(build: Build) -> None:
    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = session.seek([session.site("main.round")], GENEROUS)
            assert session.inject(caller, ADD, Ending()).results == (5,)
            with pytest.raises(Interrupted, match="SIGTERM"):
                session.inject(caller, ADD, Natural())
            with pytest.raises(Interrupted, match="SIGTERM"):
                volley(session, caller, ADD, 1)
            with pytest.raises(Interrupted, match="SIGTERM"):
                session.seek([session.site("main.round")], GENEROUS)
        assert len(session.recorder.recording().injections) == 1
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_a_request_that_nobody_heeded_is_handed_on(build: Build) -> None:
    with Running(build("caller")) as target:
        session = Session.attach(target.pid, Recorder())
        caller = session.seek([session.site("main.round")], GENEROUS)
        session.inject(caller, ADD, Ending(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            session.close()
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_a_launched_target_dies_with_the_harness(build: Build) -> None:
    script = (
        "import sys\n"
        "from harness import Callee, Recorder, Session, Steal\n"
        "with Session.launch(sys.argv[1:], Recorder(), stdin=0, stdout=2) as session:\n"
        "    steal = Steal(session)\n"
        "    print(session.process.pid, flush=True)\n"
        "    while caller := session.seek([session.site('main.round')], 60):\n"
        "        session.inject(caller, Callee('main.add', (2, 3), (5,)), steal)\n"
        "        print('called', flush=True)\n"
    )
    for n in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", script, build("caller")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        ) as harness:
            assert harness.stdout is not None
            pid = int(harness.stdout.readline())
            for _ in range(5 * n):
                assert harness.stdout.readline() == "called\n"
            harness.kill()
        until(lambda pid=pid: ended(pid), "the target is dead")  # type: ignore[misc]


# -- signals to the target while calls are made --------------------------------------------------


class Trapping(Natural):
    """Send the thread that is about to make the call a SIGTRAP which is not the runtime's."""

    def dispatched(self, call: Injection) -> None:
        assert not LIBC.tgkill(call.process.pid, call.injecting.tid, signal.SIGTRAP)


def test_a_sigtrap_from_outside_arrives_during_a_call(build: Build) -> None:
    with Running(build("signals")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = session.seek([session.site("main.spin")], GENEROUS)
            callee = Callee("runtime.memequal", (caller.saved.sp, caller.saved.sp, 8), (1,))
            assert session.inject(caller, callee, Trapping()).results == (1,)
        until(lambda: select.select([target.stdout], [], [], 0)[0], "it arrived", 10)
        assert os.read(target.stdout.fileno(), 1) == b"s"
        assert target.finish().exit_code == 0


@pytest.mark.parametrize("schedule", list(Schedule))
def test_every_signal_arrives_while_calls_are_made(build: Build, schedule: Schedule) -> None:
    with Running(build("signals")) as target:
        arrived = []

        def send() -> None:
            for _ in range(100):
                os.kill(target.pid, signal.SIGUSR1)
                arrived.append(target.stdout.read(1))

        sender = threading.Thread(target=send)
        with Session.attach(target.pid, Recorder()) as session:
            sender.start()
            sites = [session.site("main.spin")]
            plan = Plan.of(schedule, 10, 5)
            while sender.is_alive():
                assert exercise(
                    session, sites, lambda sp: Callee("runtime.memequal", (sp, sp, 8), (1,)), plan
                )
            sender.join()
        assert arrived == [b"s"] * 100
        assert_free(target.pid)
        assert target.finish().mismatches == 0


class Stopping(Natural):
    """Stop the target as a job, in the middle of a call, for a moment."""

    def dispatched(self, call: Injection) -> None:
        pid = call.process.pid
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.1, os.kill, (pid, signal.SIGCONT)).start()


def test_a_target_that_is_stopped_in_a_call_goes_on(build: Build) -> None:
    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            for _ in range(5):
                caller = session.seek([session.site("main.round")], GENEROUS)
                assert session.inject(caller, ADD, Stopping()).results == (5,)
                session.release(caller)
        until(lambda: threading.active_count() == 1, "the timers have ended")
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_a_stop_in_a_call_may_last(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.02")

    class Longer(Natural):
        def dispatched(self, call: Injection) -> None:
            os.kill(call.process.pid, signal.SIGSTOP)
            threading.Timer(
                5 * 0.02 * CALL_LIMIT, os.kill, (call.process.pid, signal.SIGCONT)
            ).start()

    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = session.seek([session.site("main.round")], GENEROUS)
            assert session.inject(caller, ADD, Longer()).results == (5,)
        until(lambda: threading.active_count() == 1, "the timer has ended")
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_a_target_stopped_in_a_call_can_be_let_go(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.02")

    class Stopped(Ending):
        def dispatched(self, call: Injection) -> None:
            os.kill(call.process.pid, signal.SIGSTOP)
            super().dispatched(call)

    with Running(build("caller")) as target:
        session = Session.attach(target.pid, Recorder())
        caller = session.seek([session.site("main.round")], GENEROUS)
        with pytest.raises(HarnessError, match="was stopped by a signal"):
            session.inject(caller, Callee("main.yield", (20_000,), ()), Stopped(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            session.close()
        until(lambda: status(target.pid)["State"] == "T (stopped)", "it is stopped as a job")
        os.kill(target.pid, signal.SIGCONT)
        assert_free(target.pid)
        # The interrupted round may be wrong: its vector registers are lost, as documented.
        assert target.finish().mismatches <= 1


def test_a_call_that_does_not_end_is_left_to_end(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.02")
    recorder = Recorder()
    with Running(build("caller")) as target:
        with Session.attach(target.pid, recorder) as session:
            caller = session.seek([session.site("main.round")], GENEROUS)
            with pytest.raises(HarnessError, match=r"main\.yield it did not end in 0") as caught:
                session.inject(caller, Callee("main.yield", (100_000,), ()), Natural())
            assert "restart it" in caught.value.mend
            with pytest.raises(TargetError, match="no more can be made"):
                session.inject(caller, ADD, Natural())
        assert_free(target.pid)
        with pytest.raises(TargetError, match="switched off"):
            Session.attach(target.pid, Recorder())
        report = target.finish()  # its main goroutine comes to this once the call has ended
    assert report.mismatches <= 1  # of the interrupted round, whose vector registers are lost
    assert judge(recorder.recording()).result == "inconclusive"


def test_a_program_that_executes_another_in_a_call(build: Build) -> None:
    recorder = Recorder()

    class Executing(Natural):
        def dispatched(self, call: Injection) -> None:  # noqa: ARG002 - Timing's
            target.stdin.write(b"x")
            target.stdin.flush()

    with Running(build("crowd")) as target:
        with Session.attach(target.pid, recorder) as session:
            caller = session.seek([session.site("main.step")], GENEROUS)
            with pytest.raises(TargetError, match="executed another program"):
                session.inject(caller, Callee("main.spin", (10**10,), ()), Executing())
        assert_free(target.pid)
        target.stdin.write(b"it lives\n")
        target.stdin.flush()
        assert target.stdout.readline() == b"it lives\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make PID namespaces")
def test_a_target_in_another_pid_namespace(build: Build) -> None:
    recorder = Recorder()
    with Running(Path("/usr/bin/unshare"), "--pid", "--fork", str(build("caller"))) as outer:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        pid = int(children.read_text())
        with Session.attach(pid, recorder) as session:
            assert exercise(session, [session.site("main.round")], lambda _: ADD, Plan.of(None, 20))
        assert_free(pid)
        assert outer.finish().mismatches == 0
    verdict = judge(recorder.recording())
    assert verdict.result == "pass", verdict.reason


# -- what cannot be attached to ------------------------------------------------------------------


def test_a_target_that_is_traced_already(build: Build) -> None:
    with Running(build("caller")) as target:
        with injecting(target.pid, Schedule.STEAL) as first:
            with pytest.raises(TracePermissionError, match="already traced") as caught:
                Session.attach(target.pid, Recorder())
            assert f"by process {first.pid} (python" in caught.value.message
            assert caught.value.mend.startswith("detach there first (gdb: detach; dlv: quit")
            assert caught.value.exit_code == 131
            first.send_signal(signal.SIGTERM)
            assert first.wait(GENEROUS) == 130
        with Session.attach(target.pid, Recorder()):
            pass
        assert target.finish().mismatches == 0


def test_what_has_ended_or_was_never_a_program_is_told_as_that(build: Build) -> None:
    with Running(build("caller")) as target:
        os.kill(target.pid, signal.SIGKILL)
        os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        with pytest.raises(TargetError, match=f"has ended, and only its parent {os.getpid()} "):
            Session.attach(target.pid, Recorder())


@pytest.mark.skipif(
    not Path("/proc/2/comm").exists() or Path("/proc/2/comm").read_text() != "kthreadd\n",
    reason="no kernel thread can be seen here",
)
def test_a_part_of_the_kernel() -> None:
    with pytest.raises(TargetError, match=r"process 2 \(kthreadd\) is part of the kernel"):
        Session.attach(2, Recorder())


def as_nobody(act: Callable[[], object]) -> str:
    """Run a function in a child that belongs to another user; return what it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            act()
        except HarnessError as error:
            text = f"{type(error).__name__} {error.exit_code}: {error.message} [{error.mend}]"
            os.write(writer, text.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as said:  # noqa: PTH123 - a descriptor
        text = said.read()
    os.waitpid(pid, 0)
    return text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_target_of_another_user(build: Build) -> None:
    with Running(build("caller")) as target:
        text = as_nobody(lambda: Session.attach(target.pid, Recorder()))
        assert text.startswith(
            f"TracePermissionError 131: process {target.pid} belongs to user 0, you are {NOBODY}"
        )
        assert "sudo" in text
        assert_free(target.pid)
        assert target.finish().mismatches == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_target_of_another_group() -> None:
    with subprocess.Popen(
        ["cat"],  # noqa: S607 - wherever it is
        stdin=subprocess.PIPE,
        user=NOBODY,
        group=7,
        extra_groups=[],
    ) as target:
        text = as_nobody(lambda: Session.attach(target.pid, Recorder()))
        assert f"process {target.pid} belongs to group 7, you to {NOBODY} " in text
        assert f"--user={NOBODY}:7" in text
        assert target.stdin is not None
        target.stdin.close()
    assert target.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_target_that_is_not_dumpable() -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(writer)
        os.setresuid(NOBODY, NOBODY, NOBODY)  # which makes a process undumpable: prctl(2)
        os.read(reader, 1)
        os._exit(0)
    try:
        until(lambda: status(pid)["Uid"].split()[0] == str(NOBODY), "it is somebody else's")
        text = as_nobody(lambda: Session.attach(pid, Recorder()))
        assert text.startswith("TracePermissionError 131: ")
        assert "sudo" in text or "--cap-add" in text
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(pid, 0)


def test_a_thread_is_no_process(build: Build) -> None:
    with Running(build("caller")) as target:
        thread = next(tid for tid in tasks(target.pid) if tid != target.pid)
        with pytest.raises(TargetError, match=f"{thread} is a thread of") as caught:
            Session.attach(thread, Recorder())
        assert caught.value.mend == f"debugcall attach {target.pid}"
        assert target.finish().mismatches == 0


def test_one_target_at_a_time(build: Build) -> None:
    binary = build("caller")
    with Running(binary) as first, Running(binary) as second:
        with Session.attach(first.pid, Recorder()) as session:
            acts: list[Callable[[], Session]] = [
                lambda: Session.attach(second.pid, Recorder()),
                lambda: Session.launch([binary], Recorder()),
            ]
            for act in acts:
                with pytest.raises(InputError, match="traces a target already"):
                    act()
            caller = session.seek([session.site("main.round")], GENEROUS)
            assert session.inject(caller, ADD, Natural()).results == (5,)
            session.close()  # and once more at the end of the block
        with Session.attach(second.pid, Recorder()):
            pass
        assert first.finish().mismatches == 0
        assert second.finish().mismatches == 0


# -- large and restless targets ------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [None, Schedule.NATURAL])
def test_two_hundred_threads_that_come_and_go(build: Build, schedule: Schedule | None) -> None:
    binary = build("threads")
    with Running(binary, "200") as target:
        recorder = Recorder()
        with Session.attach(target.pid, recorder) as session:
            assert len(session.process.threads) > 200
            assert exercise(
                session,
                [session.site("main.round")],
                lambda sp: Callee("runtime.memequal", (sp, sp, 16), (1,)),
                Plan.of(schedule, 60, 3),
            )
        assert len(tasks(target.pid)) > 200
        assert_free(target.pid)
        report = target.finish()
    assert (report.mismatches, report.exit_code) == (0, 0)
    assert sum(injection.ended for injection in recorder.recording().injections) == 60
    assert not judge(recorder.recording()).breaches


@pytest.mark.parametrize("schedule", [None, Schedule.NATURAL])
def test_many_threads_that_come_by_the_same_place(build: Build, schedule: Schedule | None) -> None:
    recorder = Recorder()
    with Running(build("crowd")) as target:
        with Session.attach(target.pid, recorder) as session:
            assert exercise(
                session,
                [session.site("main.step")],
                lambda _: Callee("main.collect", (4,), (4,)),
                Plan.of(schedule, 60, 6),
            )
        assert_free(target.pid)
    recording = recorder.recording()
    assert not judge(recording).breaches
    assert len(recording.injections) == 60
    for injection in recording.injections:  # none got on only by its time limit
        restored = injection.first(Restored)
        assert restored is not None
        assert restored.t - injection.inject.t < CALL_LIMIT / 2 * 1e6


# -- nothing is left -----------------------------------------------------------------------------


class Raising(Natural):
    """Fail in the middle of a call."""

    def dispatched(self, call: Injection) -> None:
        raise HarnessError(f"mistake in call {call.number}")


def test_nothing_is_left_behind(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = {name: build(name) for name in ("caller", "exit", "silent", "crash")}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setenv("TMPDIR", str(scratch))

    def launch(name: str, timing: Timing | None) -> None:
        with ready(binaries[name]) as target:
            session = target.session
            caller = session.seek([session.site("main.round")], GENEROUS)
            session.inject(caller, ADD, timing or Natural())
            report_of(target)

    def attach(timing: Timing | None) -> None:
        with Running(binaries["caller"]) as target:
            with suppress(HarnessError), Session.attach(target.pid, Recorder()) as session:
                caller = session.seek([session.site("main.round")], GENEROUS)
                session.inject(caller, ADD, timing or Steal(session))
            assert target.finish().mismatches == 0

    def launch_and_fail(name: str) -> None:
        with pytest.MonkeyPatch.context() as patch, suppress(TargetError):
            patch.setenv("DEBUGCALL_TIME_SCALE", "0.02")
            launch(name, None)

    acts: list[Callable[[], object]] = [
        lambda: launch("caller", None),
        lambda: attach(None),
        lambda: attach(Raising()),
        lambda: launch_and_fail("exit"),
        lambda: launch_and_fail("silent"),
        lambda: must_fail(lambda: Session.attach(2**22, Recorder())),
        lambda: must_fail(lambda: Session.attach(os.getpid(), Recorder())),
        lambda: must_fail(lambda: Session.launch([ROOT / "pyproject.toml"], Recorder())),
    ]
    gc.collect()  # of the tests before
    before = state()
    for act in acts * 2:
        act()
        gc.collect()
        assert state() == before
        assert not list(scratch.iterdir())


def must_fail(act: Callable[[], object]) -> None:
    with pytest.raises(HarnessError):
        act()


def state() -> tuple[object, ...]:
    """Return what a session changes in its own process, and must put back."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return descriptors(), children, handlers, mask, threading.active_count()


def test_delay_and_steal_can_take_turns(build: Build) -> None:
    with Running(build("caller")) as target:
        for _ in range(2):
            with Session.attach(target.pid, Recorder()) as session:
                timings = (Delay(session), Steal(session), Natural())
                for timing in timings * 5:
                    caller = session.seek([session.site("main.round")], GENEROUS)
                    assert session.inject(caller, ADD, timing).results == (5,)
                    session.release(caller)
            assert_free(target.pid)
        assert target.finish().mismatches == 0
