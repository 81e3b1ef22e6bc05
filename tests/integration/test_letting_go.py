"""What becomes of a process that is let go while a thread of it cannot be stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from harness.arch import arch_for, host_goarch
from harness.errors import HarnessError, Interrupted
from harness.tracer import Process
from tests.integration.running import GENEROUS, Running, assert_free, status, tasks, until

# posix_spawn(3) is a vfork: until the child has opened its stdin, the parent does not stop.
TARGET = """#!{python}
import ctypes, os, sys, threading
getppid = ctypes.CDLL(None).getppid
threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
print(ctypes.cast(getppid, ctypes.c_void_p).value, flush=True)
sys.stdin.readline()
stdin = (os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)
os.waitpid(os.posix_spawn("/bin/true", ["true"], {{}}, file_actions=[stdin]), 0)
getppid()
print("alive", flush=True)
"""

HARNESS = """
import sys
from harness.arch import arch_for, host_goarch
from harness.errors import HarnessError
from harness.tracer import Process
pid, address = map(int, sys.argv[1:])
try:
    with Process.attach(pid, arch_for(host_goarch())) as process:
        if address:
            process.set_breakpoint_everywhere(0, address)
        process.resume_all()
        print("attached", flush=True)
        sys.stdin.readline()
except HarnessError as error:
    sys.stderr.write(f"{error.message}, {error.mend}")
    sys.exit(error.exit_code)
"""


class Spawning(Running):
    """A program that comes by `getppid` once its child has executed another one."""

    def __init__(self, folder: Path) -> None:
        self._fifo = folder / "fifo"
        os.mkfifo(self._fifo)
        program = folder / "program"
        program.write_text(TARGET.format(python=sys.executable))
        program.chmod(0o755)
        super().__init__(program, str(self._fifo))
        self.getppid = int(self.stdout.readline())

    def spawn(self) -> None:
        """Have it make a child, which hangs before it executes anything."""
        self.stdin.write(b"go\n")
        self.stdin.flush()
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        until(lambda: bool(children.read_text()), "it has a child")

    def let_child_go(self) -> None:
        """Let the child execute its program."""
        os.close(os.open(self._fifo, os.O_WRONLY))


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Spawning]:
    with ExitStack() as cleanup:
        running = Spawning(tmp_path)
        # Its child holds the memory until it goes on: till then no signal ends the parent.
        cleanup.enter_context(running)
        cleanup.callback(_free_child, tmp_path / "fifo")
        yield running


def _free_child(fifo: Path) -> None:
    with suppress(OSError):  # nobody waits there any more
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))


@contextmanager
def harness(target: Spawning, address: int, scale: str = "1") -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(target.pid), str(address)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"DEBUGCALL_TIME_SCALE": scale},
    ) as tracing:
        try:
            yield tracing
        finally:
            tracing.kill()


def let_go_while_it_spawns(tracing: subprocess.Popen[str], target: Spawning) -> None:
    """Have a harness let the target go, wait until it tells of the thread that does not stop."""
    assert tracing.stdin is not None
    assert tracing.stdout is not None
    assert tracing.stderr is not None
    assert tracing.stdout.readline() == "attached\n"
    target.spawn()
    tracing.stdin.close()
    assert f"waiting for thread {target.pid}" in tracing.stderr.readline()


def test_a_thread_is_not_let_go_with_a_breakpoint(target: Spawning) -> None:
    with harness(target, target.getppid) as tracing:
        let_go_while_it_spawns(tracing, target)
        traced = {tid for tid in tasks(target.pid) if status(target.pid, tid)["TracerPid"] != "0"}
        assert len(tasks(target.pid)) == 2
        assert traced == {target.pid}  # the other goes on meanwhile
        target.let_child_go()
        assert tracing.wait(GENEROUS) == 0
        assert tracing.stderr is not None
        assert tracing.stderr.read() == ""
    assert target.stdout.read() == b"alive\n"


def test_one_more_interrupt_ends_the_waiting(target: Spawning) -> None:
    with harness(target, target.getppid) as tracing:
        let_go_while_it_spawns(tracing, target)
        tracing.send_signal(signal.SIGINT)
        assert tracing.wait(GENEROUS) == Interrupted.exit_code
        assert tracing.stderr is not None
        assert "ends when that thread comes by its breakpoint" in tracing.stderr.read()
    assert_free(target.pid)
    target.let_child_go()
    assert target.stdout.read() == b"", "no wait was needed"


def test_interrupts_before_the_user_is_told_do_not_end_the_waiting(target: Spawning) -> None:
    with harness(target, target.getppid) as tracing:
        assert tracing.stdin is not None
        assert tracing.stdout is not None
        assert tracing.stderr is not None
        assert tracing.stdout.readline() == "attached\n"
        target.spawn()
        tracing.stdin.close()
        until(lambda: status(target.pid, _other(target))["State"][0] == "t", "it is let go")
        tracing.send_signal(signal.SIGINT)
        assert "waiting for thread" in tracing.stderr.readline()
        target.let_child_go()
        assert tracing.wait(GENEROUS) == -signal.SIGINT  # as without a target
    assert target.stdout.read() == b"alive\n"


def _other(target: Spawning) -> int:
    (tid,) = set(tasks(target.pid)) - {target.pid}
    return tid


def test_a_thread_without_breakpoints_is_not_waited_for(target: Spawning) -> None:
    target.spawn()
    with harness(target, 0, scale="0.1") as tracing:
        assert tracing.wait(GENEROUS) == HarnessError.exit_code
        assert tracing.stderr is not None
        said = tracing.stderr.read()
    assert f"thread {target.pid} of process {target.pid} does not stop" in said
    assert f"cat /proc/{target.pid}/task/{target.pid}/wchan" in said
    assert_free(target.pid)
    target.let_child_go()
    assert target.stdout.read() == b"alive\n"


def test_a_process_whose_end_was_reaped_by_somebody_else(target: Spawning) -> None:
    process = Process.attach(target.pid, arch_for(host_goarch()))
    process.set_breakpoint_everywhere(0, target.getppid)
    process.resume_all()
    os.kill(target.pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0x40000000)  # __WALL
    with pytest.raises(HarnessError, match="reaped by something else"):
        process.close()
