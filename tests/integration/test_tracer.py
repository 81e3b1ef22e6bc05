"""The tracer on real Go programs. Nothing here calls a function of the target."""

import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from harness.arch import arch_for, host_goarch
from harness.errors import TargetError
from harness.gobinary import open_binary
from harness.toolchain import Toolchain, build_target
from harness.tracer import Kind, Process, Stop
from harness.tracer.threadgroup import STOP_LIMIT
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

ARCH = arch_for(host_goarch())
RELEASE = "1.21.3"
LIBC = ctypes.CDLL(None)

Build = Callable[[str], Path]


@pytest.fixture
def build(toolchain: Callable[[str], Toolchain]) -> Build:
    return lambda target: build_target(toolchain(RELEASE), target)


@contextlib.contextmanager
def launched(binary: Path, *args: str) -> Iterator[Process]:
    """Launch a target whose stdin stays open and whose stdout goes nowhere."""
    reader, writer = os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        with Process.launch(
            [binary, *args], ARCH, stdin=reader, stdout=nowhere, own_session=True
        ) as process:
            yield process
    finally:
        for descriptor in (reader, writer, nowhere):
            os.close(descriptor)


def pump(process: Process, condition: Callable[[], object], what: str) -> list[Stop]:
    """Let a target run, event by event, until a condition holds; return what was reported."""
    stops = []
    end = time.monotonic() + GENEROUS
    process.resume_all()
    while not condition():
        assert time.monotonic() < end, f"not so after {GENEROUS:.0f} s: {what}"
        if stop := process.wait(time.monotonic() + 0.005):
            stops.append(stop)
            process.resume(stop.thread)
    return stops


def entry(binary: Path, function: str) -> int:
    """Return the address of a function's first instruction; the targets are not PIE."""
    return open_binary(binary).function(function).entry


def end_of(process: Process) -> Stop:
    """Let a target run to its end."""
    process.resume_all()
    while stop := process.wait(time.monotonic() + GENEROUS):
        if stop.kind is Kind.EXIT:
            return stop
        process.resume(stop.thread)
    pytest.fail("the target did not end")


# -- launching -----------------------------------------------------------------------------------


def test_a_launched_program_stands_before_its_first_instruction(build: Build) -> None:
    binary = build("caller")
    with launched(binary) as process:
        assert Path(f"/proc/{process.pid}/exe").resolve() == binary.resolve()
        assert list(process.threads) == [process.pid] == tasks(process.pid)
        (thread,) = process.threads.values()
        assert thread.stopped
        first = process.read_registers(thread)
        entry_point = int.from_bytes(binary.read_bytes()[24:32], "little")  # e_entry, elf(5)
        assert first.pc == entry_point
        assert process.memory.read(first.pc, 4)
    assert ended(process.pid)


def test_a_launched_program_gets_its_arguments_and_signals_as_by_hand(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = 'cat /proc/self/status > "$0"; printf %s "$1" >> "$0"'
    with Process.launch(["/bin/sh", "-c", script, str(seen), "argument"], ARCH) as process:
        end_of(process)
        assert process.ending == "exit code 0"
    by_hand = tmp_path / "by-hand"
    subprocess.run(["/bin/sh", "-c", script, str(by_hand), "argument"], check=True)
    lines, expected = seen.read_text().splitlines(), by_hand.read_text().splitlines()
    assert lines[-1] == "argument"
    for name in ("SigBlk:", "SigIgn:"):
        assert [s for s in lines if s.startswith(name)] == [
            s for s in expected if s.startswith(name)
        ]


@pytest.mark.parametrize(
    ("mode", "why"), [(0o644, "may not be executed"), (0o755, "could not be started")]
)
def test_what_cannot_be_executed_is_refused(tmp_path: Path, mode: int, why: str) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    plain.chmod(mode)
    before = descriptors()
    with pytest.raises(TargetError, match=why) as caught:
        Process.launch([plain], ARCH)
    assert str(plain) in caught.value.mend
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_launched_program_dies_with_its_tracer(build: Build) -> None:
    script = (
        "import sys, time\n"
        "from harness.arch import arch_for, host_goarch\n"
        "from harness.tracer import Process\n"
        "process = Process.launch(sys.argv[1:], arch_for(host_goarch()), stdin=0, stdout=2)\n"
        "process.resume_all()\n"
        "print(process.pid, flush=True)\n"
        "while True:\n"
        "    process.resume(process.wait(time.monotonic() + 100).thread)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, build("caller")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as tracer:
        assert tracer.stdout is not None
        assert tracer.stderr is not None
        pid = int(tracer.stdout.readline())
        assert tracer.stderr.readline() == "ready\n"
        assert not ended(pid)
        tracer.kill()
        until(lambda: ended(pid), "the target is dead")


@pytest.mark.parametrize(
    ("target", "ending"), [("exit", "exit code 3"), ("signals", "signal SIGSEGV")]
)
def test_how_a_target_ends_is_told(build: Build, target: str, ending: str) -> None:
    with launched(build(target)) as process:
        if target == "signals":
            # Before its first instruction the runtime has no handler yet.
            os.kill(process.pid, signal.SIGSEGV)
        stop = end_of(process)
        assert process.ending == ending
        assert stop.code == process.exit_status
        assert not process.threads
    assert ended(process.pid)


def test_a_killed_target_is_reaped(build: Build) -> None:
    with launched(build("threads"), "20") as process:
        pump(process, lambda: len(process.threads) > 20, "it has its threads")
        os.kill(process.pid, signal.SIGKILL)
        assert end_of(process).kind is Kind.EXIT
        assert process.ending == "signal SIGKILL"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_target_that_is_killed_at_a_busy_breakpoint(build: Build) -> None:
    binary = build("caller")
    address = entry(binary, "main.round")
    for n in range(40):
        with launched(binary) as process:
            process.set_breakpoint_everywhere(0, address)
            hits = 0
            process.resume_all()
            while (
                stop := process.wait(time.monotonic() + GENEROUS)
            ) and stop.kind is not Kind.EXIT:
                hits += 1
                if hits == 50:
                    kill = (process.pid, signal.SIGKILL)
                    threading.Timer(n * 0.0001, os.kill, kill).start()
                process.resume(stop.thread)
            assert process.ending == "signal SIGKILL"
    until(lambda: threading.active_count() == 1, "the timers have ended")


def test_a_program_that_executes_another_is_seen() -> None:
    with Process.launch(["/bin/sh", "-c", "exec /bin/true"], ARCH) as process:
        process.resume_all()
        stop = process.wait(time.monotonic() + GENEROUS)
        assert stop is not None
        assert stop.kind is Kind.EXEC
        process.resume(stop.thread)
        assert end_of(process).code == 0


def test_an_attached_program_may_execute_another(build: Build) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", "echo ready; read line; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as target:
        assert target.stdin is not None
        assert target.stdout is not None
        assert target.stdout.readline() == b"ready\n"
        with Process.attach(target.pid, ARCH) as process:
            process.set_breakpoint_everywhere(0, entry(build("caller"), "main.round"))
            process.resume_all()
            target.stdin.write(b"go\n")
            target.stdin.flush()
            stop = process.wait(time.monotonic() + GENEROUS)
            assert stop is not None
            assert stop.kind is Kind.EXEC
        assert_free(target.pid)
        assert target.communicate(b"on it goes")[0] == b"on it goes"
        assert target.returncode == 0


# -- attaching and letting go --------------------------------------------------------------------


def test_attaching_gets_all_threads_while_they_come_and_go(build: Build) -> None:
    with Running(build("threads"), "20") as target:
        for _ in range(100):
            with Process.attach(target.pid, ARCH) as process:
                assert set(tasks(target.pid)) <= process.threads.keys()
                for tid in tasks(target.pid):
                    assert status(target.pid, tid)["TracerPid"] == str(os.getpid())
                    assert status(target.pid, tid)["State"][0] == "t"
            assert_free(target.pid)
        report = target.finish()
    assert report.rounds > 100
    assert (report.mismatches, report.exit_code) == (0, 0)


@pytest.mark.parametrize("attach_first", [True, False])
def test_a_leader_that_ends_before_its_threads(*, attach_first: bool) -> None:
    script = (
        "import ctypes, sys, threading\n"
        "go = threading.Event()\n"
        "def other():\n"
        "    go.wait()\n"
        "    print('other', sys.stdin.read(), flush=True)\n"
        "threading.Thread(target=other).start()\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "go.set()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as target:
        assert target.stdin is not None
        assert target.stdout is not None
        assert target.stdout.readline() == b"ready\n"

        def end_leader() -> None:
            assert target.stdin is not None
            target.stdin.write(b"end\n")
            target.stdin.flush()
            until(lambda: status(target.pid)["State"].startswith("Z"), "the leader has ended")

        if not attach_first:
            end_leader()
        begin = time.monotonic()
        with Process.attach(target.pid, ARCH) as process:
            process.resume_all()
            if attach_first:
                end_leader()
            with process.frozen():
                process.set_breakpoint_everywhere(0, 0x1000)
                assert [t.tid for t in process.threads.values() if t.stopped] == [
                    tid for tid in tasks(target.pid) if tid != target.pid
                ]
        assert time.monotonic() - begin < STOP_LIMIT
        target.stdin.close()
        assert target.stdout.read() == b"other \n"


def test_threads_come_and_go_under_the_tracer(build: Build) -> None:
    with Running(build("threads")) as target:
        with Process.attach(target.pid, ARCH) as process:
            seen: set[int] = set()

            def enough() -> bool:
                seen.update(process.threads)
                return len(seen) > 500

            pump(process, enough, "500 threads were seen")
            process.stop_all()
            assert process.threads.keys() == set(tasks(target.pid))
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_two_hundred_threads(build: Build) -> None:
    with Running(build("threads"), "200") as target:
        with Process.attach(target.pid, ARCH) as process:
            assert len(process.threads) > 200
            for _ in range(20):
                with process.frozen():
                    assert all(thread.stopped for thread in process.threads.values())
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_a_pid_that_is_not_there() -> None:
    with subprocess.Popen(["/bin/true"]) as gone:
        pass
    before = descriptors()
    with pytest.raises(TargetError, match=f"no process {gone.pid}") as caught:
        Process.attach(gone.pid, ARCH)
    assert caught.value.mend
    assert descriptors() == before


def test_a_zombie_cannot_be_attached_to() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    try:
        until(lambda: status(pid)["State"][0] == "Z", "the child is a zombie")
        with pytest.raises(TargetError, match="ended"):
            Process.attach(pid, ARCH)
    finally:
        os.waitpid(pid, 0)


def test_a_target_that_ends_while_it_is_attached_to(build: Build) -> None:
    binary = build("exit")
    for _ in range(150):
        target = subprocess.Popen([binary])
        try:
            with Process.attach(target.pid, ARCH) as process:
                assert end_of(process).code == 3 << 8
        except TargetError as error:
            assert "ended" in error.message or "no process" in error.message  # noqa: PT017
        # Its tracer, which is its parent too, may have reaped it.
        target.wait()


def test_a_target_that_ends_by_itself_while_it_is_traced(build: Build) -> None:
    with Running(build("caller")) as target, Process.attach(target.pid, ARCH) as process:
        target.stdin.close()
        assert end_of(process).kind is Kind.EXIT
        assert process.ending == "exit code 0"


# -- signals -------------------------------------------------------------------------------------


def test_every_signal_arrives(build: Build) -> None:
    binary = build("signals")
    address = entry(binary, "main.spin")
    with Running(binary) as target:
        os.set_blocking(target.stdout.fileno(), False)
        with Process.attach(target.pid, ARCH) as process:
            for n in range(300):
                # The tracer's own stops come in between: all threads, and a busy breakpoint.
                with process.frozen():
                    process.set_breakpoint_everywhere(0, address if n % 2 else None)
                os.kill(target.pid, signal.SIGUSR1)
                pump(process, lambda: target.stdout.read(1) == b"s", f"signal {n} arrived")
            assert process.signals >= 300
        assert_free(target.pid)
        os.set_blocking(target.stdout.fileno(), True)
        os.kill(target.pid, signal.SIGUSR1)
        assert target.stdout.read(1) == b"s"
        assert target.finish().mismatches == 0


def test_the_runtime_can_preempt_by_signal(build: Build) -> None:
    binary = build("signals")
    with Running(binary) as target:
        os.set_blocking(target.stdout.fileno(), False)
        with Process.attach(target.pid, ARCH) as process:
            address = entry(binary, "main.spin")
            for n in range(200):
                target.stdin.write(b"g")
                target.stdin.flush()
                with process.frozen():
                    process.set_breakpoint_everywhere(0, address if n % 2 else None)
                # Several at once, to threads that have no use for them either.
                for tid in tasks(target.pid):
                    LIBC.tgkill(target.pid, tid, signal.SIGURG)
                pump(process, lambda: target.stdout.read(1) == b"g", f"collection {n} ended")
            assert process.signals >= 200
        os.set_blocking(target.stdout.fileno(), True)
        for _ in range(20):
            target.stdin.write(b"g")
            target.stdin.flush()
            assert target.stdout.read(1) == b"g"
        assert target.finish().mismatches == 0


def stopped(pid: int, states: str = "tT") -> bool:
    """Tell whether all threads stand. The state in a group stop is "t" while it is traced."""
    return all(status(pid, tid)["State"][0] in states for tid in tasks(pid))


def assert_stands(process: Process) -> None:
    """Check that a target which makes threads all the time makes none, though nobody holds it."""
    pump(process, lambda: stopped(process.pid), "all of it is stopped")
    before = tasks(process.pid)
    for _ in range(20):
        assert process.wait(time.monotonic() + 0.005) is None
        assert tasks(process.pid) == before


def test_a_stopped_target_stays_stopped_until_it_is_continued(build: Build) -> None:
    with Running(build("threads"), "5") as target:
        with Process.attach(target.pid, ARCH) as process:
            for _ in range(10):
                os.kill(target.pid, signal.SIGSTOP)
                assert_stands(process)
                with process.frozen():
                    pass
                assert_stands(process)
                before = set(tasks(target.pid))
                os.kill(target.pid, signal.SIGCONT)
                pump(process, partial(born, target.pid, before), "it makes threads again")
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def born(pid: int, before: set[int]) -> set[int]:
    """Return the threads that are new."""
    return set(tasks(pid)) - before


def test_a_stopped_target_is_let_go_as_it_was(build: Build) -> None:
    with Running(build("threads"), "5") as target:
        with Process.attach(target.pid, ARCH) as process:
            os.kill(target.pid, signal.SIGSTOP)
            assert_stands(process)
        until(lambda: stopped(target.pid, "T"), "it stands as before")
        with Process.attach(target.pid, ARCH):
            assert stopped(target.pid, "t")
        until(lambda: stopped(target.pid, "T"), "it stands as before")
        assert status(target.pid)["TracerPid"] == "0"
        os.kill(target.pid, signal.SIGCONT)
        assert target.finish().mismatches == 0


# -- hardware breakpoints ------------------------------------------------------------------------


def test_a_breakpoint_is_hit_on_threads_that_are_new(build: Build) -> None:
    binary = build("threads")
    with Running(binary) as target:
        with Process.attach(target.pid, ARCH) as process:
            address = entry(binary, "main.round")
            process.set_breakpoint_everywhere(2, address)
            old = set(process.threads)
            hits: set[int] = set()
            process.resume_all()
            while len(hits - old) < 50:
                stop = process.wait(time.monotonic() + GENEROUS)
                assert stop is not None, "nobody comes by"
                assert stop.kind is Kind.BREAKPOINT
                assert stop.thread.registers.pc == address
                hits.add(stop.thread.tid)
                process.resume(stop.thread)
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_all_slots_serve_at_once(build: Build) -> None:
    binary = build("caller")
    names = ("main.round", "main.yieldInBursts", "runtime.goschedImpl", "runtime.schedule")
    with Running(binary) as target, Process.attach(target.pid, ARCH) as process:
        addresses = {entry(binary, name): name for name in names}
        assert len(addresses) == ARCH.breakpoint_slots
        for slot, address in enumerate(addresses):
            process.set_breakpoint_everywhere(slot, address)
        left = set(names)
        process.resume_all()
        while left:
            stop = process.wait(time.monotonic() + GENEROUS)
            assert stop is not None, f"not hit: {left}"
            left.discard(addresses[stop.thread.registers.pc])
            process.resume(stop.thread)


def test_a_hit_on_its_way_is_absorbed_at_detach(build: Build) -> None:
    binary = build("threads")
    spread = random.Random(61732)  # noqa: S311 - moments, no secrets
    with Running(binary) as target:
        for _ in range(150):
            with Process.attach(target.pid, ARCH) as process:
                process.set_breakpoint_everywhere(0, entry(binary, "runtime.schedule"))
                process.set_breakpoint_everywhere(1, entry(binary, "main.round"))
                process.resume_all()
                for _ in range(spread.randrange(6)):
                    stop = process.wait(time.monotonic() + GENEROUS)
                    assert stop is not None
                    process.resume(stop.thread)
            assert_free(target.pid)
        report = target.finish()
    assert (report.mismatches, report.exit_code) == (0, 0)


def test_a_hit_on_its_way_is_absorbed_when_disarmed(build: Build) -> None:
    binary = build("caller")
    with Running(binary) as target:
        with Process.attach(target.pid, ARCH) as process:
            address = entry(binary, "main.round")
            for _ in range(1000):
                with process.frozen():
                    process.set_breakpoint_everywhere(0, address)
                with process.frozen():
                    process.set_breakpoint_everywhere(0, None)
                assert process.wait(time.monotonic()) is None
            assert process.signals < 1000, "a hit was taken for a signal"
        assert_free(target.pid)
        report = target.finish()
    assert (report.mismatches, report.exit_code) == (0, 0)


def test_a_trap_of_the_programs_own_ends_it() -> None:
    with Process.launch(["/bin/sh", "-c", "kill -TRAP $$"], ARCH) as process:
        process.resume_all()
        stop = process.wait(time.monotonic() + GENEROUS)
        assert stop is not None
        assert stop.kind is Kind.FOREIGN_TRAP
        process.resume(stop.thread)
        end_of(process)
        assert process.ending == "signal SIGTRAP"
