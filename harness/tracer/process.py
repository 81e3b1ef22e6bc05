"""A traced process: which of its threads run, why the others stopped, and letting it go unharmed.

All threads are traced, or none. A thread is resumed only after its stop was reaped, signals go on
to the thread they came for, and each new thread gets the breakpoints of the others before it runs.
"""

import contextlib
import enum
import os
import signal
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from harness.arch import Arch, Registers
from harness.arch.regset import get_registers, set_registers
from harness.errors import HarnessError, Interrupted, TargetError
from harness.tracer import permission, requests
from harness.tracer.launch import start_suspended
from harness.tracer.memory import ProcessMemory
from harness.tracer.waiting import Waiter

STOP_LIMIT = 20.0
"""Seconds until a thread that does not stop is given up: it sits in the kernel, uninterruptible."""


class Kind(enum.Enum):
    """Why a thread stopped, where that is anything to the caller."""

    BREAKPOINT = "hardware breakpoint"
    TRAP = "breakpoint instruction that was announced"
    FOREIGN_TRAP = "SIGTRAP of the program's own"
    EXEC = "the process executes another program"
    EXIT = "the process ended"


class Thread:
    """One traced thread. `registers` are those of its last stop by SIGTRAP."""

    __slots__ = ("breakpoints", "group_stop", "registers", "signal", "stopped", "tid")

    def __init__(self, tid: int, arch: Arch) -> None:
        self.tid = tid
        self.stopped = False
        self.signal = 0
        self.group_stop = False
        self.registers = arch.registers()
        self.breakpoints: list[int | None] = [None] * arch.breakpoint_slots


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop: of which thread, and why. `code` is the wait status of an exit."""

    kind: Kind
    thread: Thread
    code: int = 0


class Process:
    """A process whose threads are all traced by the calling thread.

    Use it as a context manager: leaving it detaches (a launched one is killed if it still runs).
    `traps` are the PCs that the kernel reports for breakpoint instructions that the caller wants
    to see as `Kind.TRAP`.
    """

    def __init__(self, pid: int, arch: Arch, *, launched: bool) -> None:
        self.pid = pid
        self.arch = arch
        self.launched = launched
        self.threads: dict[int, Thread] = {}
        self.traps: Collection[int] = ()
        self.signals = 0
        self.exit_status: int | None = None
        self.shielded = False
        self._everywhere: list[int | None] = [None] * arch.breakpoint_slots
        self._queue: deque[Stop] = deque()
        self._announced: set[int] = set()
        self._waiter = Waiter()

    # -- beginning and end ---------------------------------------------------------------------

    @classmethod
    def launch(
        cls,
        argv: Sequence[str | Path],
        arch: Arch,
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        own_session: bool = False,
    ) -> "Process":
        """Start a program, stopped before its first instruction with all of it mapped.

        It dies with the harness. `stdin` and `stdout` are descriptors, inherited if None.
        """
        pid, release = start_suspended(
            argv, env=env, stdin=stdin, stdout=stdout, own_session=own_session
        )
        process = cls(pid, arch, launched=True)
        try:
            process._seize(pid)
            os.write(release, b"x")
            stop = process.wait(monotonic() + STOP_LIMIT)
            if stop is None or stop.kind is not Kind.EXEC:
                raise TargetError(f"{argv[0]} could not be started", mend=f"try it by hand: {argv[0]}")
            process.memory = ProcessMemory(pid)
        except BaseException:
            process.close()
            raise
        finally:
            os.close(release)
        return process

    @classmethod
    def attach(cls, pid: int, arch: Arch) -> "Process":
        """Attach to all threads of a running process and stop them."""
        process = cls(pid, arch, launched=False)
        try:
            process._seize_all()
            process.memory = ProcessMemory(pid)
            process.stop_all()
            if process.exit_status is not None:
                raise TargetError(f"process {pid} ended while it was being attached to")
        except BaseException:
            process.close()
            raise
        return process

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the process go, or end it if it was launched; then give the signals back."""
        try:
            if self.launched:
                self.kill()
            else:
                self.detach()
        finally:
            if hasattr(self, "memory"):
                self.memory.close()
            self._waiter.close()

    def kill(self) -> None:
        """End the process and reap it."""
        if self.exit_status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._reap_exit()

    def detach(self) -> None:
        """Disarm every breakpoint and let the process run on, as if it had never been traced."""
        if self.exit_status is not None or not self.threads:
            return
        self.stop_all()
        for thread in list(self.threads.values()):
            self._disarm(thread)
        for thread in self.threads.values():
            requests.detach(thread.tid, thread.signal)
        self.threads.clear()

    def _disarm(self, thread: Thread) -> None:
        with contextlib.suppress(requests.PtraceError):  # it may just have been killed
            self._program(thread, [None] * self.arch.breakpoint_slots)
        # A breakpoint hit just before may be pending as SIGTRAP, which would end the process.
        while thread.tid in self.threads and _pending(self.pid, thread.tid, signal.SIGTRAP):
            requests.cont(thread.tid, thread.signal)
            thread.stopped, thread.signal = False, 0
            self._collect()

    def _seize(self, tid: int) -> None:
        try:
            requests.seize(tid, exit_kill=self.launched)
        except requests.PtraceError:
            raise permission.explain(self.pid) from None
        self.threads[tid] = Thread(tid, self.arch)

    def _seize_all(self) -> None:
        """Seize until no thread is left; a thread born meanwhile of a seized one comes by itself."""
        refused: set[int] = set()
        while True:
            new = set(_tasks(self.pid)) - self.threads.keys() - refused
            if not new:
                break
            for tid in new:
                try:
                    self._seize(tid)
                except HarnessError:
                    if _alive(self.pid, tid):
                        raise
                    refused.add(tid)  # ended meanwhile, or a zombie: nothing to trace
        if not self.threads:
            raise TargetError(f"process {self.pid} ended while it was being attached to")

    # -- events --------------------------------------------------------------------------------

    def wait(self, limit: float) -> Stop | None:
        """Return the next stop that concerns the caller, or None when monotonic() reaches `limit`.

        Everything else (signals, new threads, group stops) is dealt with and the thread goes on.
        Raises `Interrupted` when the user asked to end, unless `shielded` is set.
        """
        while True:
            if self._waiter.asked_to_end and not self.shielded:
                raise Interrupted(f"interrupted by {self._waiter.asked_to_end.name}")
            while self._queue:
                stop = self._queue.popleft()
                if self._still_true(stop):
                    return stop
                self.resume(stop.thread)
            event = self._waiter.next(limit)
            if event is None:
                if self._waiter.asked_to_end and monotonic() < limit:
                    continue
                return None
            thread, reaped = self._reap(*event)
            if reaped is not None:
                return reaped
            if thread is not None:
                self.resume(thread)

    def resume(self, thread: Thread) -> None:
        """Let one stopped thread go on, with the signal that stopped it, if any."""
        if not thread.stopped:
            return
        thread.stopped = False
        if thread.group_stop:
            thread.group_stop = False
            requests.listen(thread.tid)
        else:
            requests.cont(thread.tid, thread.signal)
        thread.signal = 0

    def stop_all(self) -> None:
        """Stop every thread. What stopped by itself meanwhile is kept for `wait`."""
        for thread in self.threads.values():
            if not thread.stopped:
                requests.interrupt(thread.tid)
        while self._announced or not all(t.stopped for t in self.threads.values()):
            if not self._collect():
                raise HarnessError(
                    f"process {self.pid} has a thread that does not stop: it waits in the kernel, "
                    "uninterruptible"
                )
            if self.exit_status is not None:
                break

    def resume_all(self, *, but: Collection[Thread] = ()) -> None:
        """Let every thread go on, except `but` and those with a stop that `wait` will return."""
        kept = {stop.thread for stop in self._queue}.union(but)
        for thread in list(self.threads.values()):
            if thread not in kept:
                self.resume(thread)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Have all threads stopped meanwhile; those that were stopped before stay so."""
        held = [thread for thread in self.threads.values() if thread.stopped]
        self.stop_all()
        yield
        self.resume_all(but=held)

    def _collect(self) -> bool:
        """Reap one event while all threads are to stand still."""
        event = self._waiter.next(monotonic() + STOP_LIMIT)
        if event is None:
            return self._waiter.asked_to_end is not None
        _, stop = self._reap(*event)
        if stop is not None:
            self._queue.append(stop)
        return True

    def _reap(self, tid: int, status: int) -> tuple[Thread | None, Stop | None]:
        """Take in one wait status: the thread, if it is now stopped, and the stop to report."""
        thread = self.threads.get(tid)
        if not os.WIFSTOPPED(status):
            self._announced.discard(tid)
            self.threads.pop(tid, None)
            if tid != self.pid:
                return None, None
            self.exit_status = status
            return None, Stop(Kind.EXIT, thread or Thread(tid, self.arch), status)
        if thread is None:
            thread = self._new_thread(tid)
        thread.stopped = True
        number, event = os.WSTOPSIG(status), status >> 16
        if event == requests.EVENT_CLONE:
            new = requests.ptrace_geteventmsg(tid)
            if new not in self.threads:
                self._announced.add(new)
        elif event == requests.EVENT_EXEC:
            for other in self.threads.keys() - {tid}:
                del self.threads[other]
            return thread, Stop(Kind.EXEC, thread)
        elif event == requests.EVENT_STOP:
            thread.group_stop = number != signal.SIGTRAP
        elif number == signal.SIGTRAP:
            return thread, self._trapped(thread)
        else:
            thread.signal = number
            self.signals += 1
        return thread, None

    def _trapped(self, thread: Thread) -> Stop | None:
        registers = self.read_registers(thread)
        if registers.pc in self.traps:
            return Stop(Kind.TRAP, thread)
        if registers.pc in thread.breakpoints:
            return Stop(Kind.BREAKPOINT, thread)
        if requests.trap_code(thread.tid) == requests.TRAP_HWBKPT:
            return None  # it was already on its way when the breakpoint was taken out
        thread.signal = signal.SIGTRAP
        return Stop(Kind.FOREIGN_TRAP, thread)

    def _still_true(self, stop: Stop) -> bool:
        if stop.kind is Kind.BREAKPOINT:
            return stop.thread.registers.pc in stop.thread.breakpoints
        return True

    def _new_thread(self, tid: int) -> Thread:
        self._announced.discard(tid)
        thread = self.threads[tid] = Thread(tid, self.arch)
        thread.stopped = True
        self._program(thread, self._everywhere)
        return thread

    def _reap_exit(self) -> None:
        while self.exit_status is None and self.threads:
            event = self._waiter.next(monotonic() + STOP_LIMIT)
            if event is not None:
                self._reap(*event)
            elif not self._waiter.asked_to_end:
                return

    # -- state of stopped threads --------------------------------------------------------------

    def read_registers(self, thread: Thread) -> Registers:
        """Read a stopped thread's general registers into `thread.registers` and return them."""
        get_registers(thread.tid, thread.registers)
        return thread.registers

    def write_registers(self, thread: Thread, registers: Registers) -> None:
        """Write a stopped thread's general registers."""
        set_registers(thread.tid, registers)

    def set_breakpoint(self, thread: Thread, slot: int, address: int | None) -> None:
        """Put a stopped thread's hardware breakpoint `slot` on `address`; None: take it out."""
        new = list(thread.breakpoints)
        new[slot] = address
        self._program(thread, new)

    def set_breakpoint_everywhere(self, slot: int, address: int | None) -> None:
        """Do so for all threads, which must be stopped, and for each thread to come."""
        self._everywhere[slot] = address
        for thread in self.threads.values():
            self.set_breakpoint(thread, slot, address)

    def _program(self, thread: Thread, addresses: Sequence[int | None]) -> None:
        if thread.breakpoints != addresses:
            self.arch.set_breakpoints(thread.tid, thread.breakpoints, addresses)
            thread.breakpoints = list(addresses)


def _tasks(pid: int) -> Iterator[int]:
    try:
        yield from map(int, os.listdir(f"/proc/{pid}/task"))
    except FileNotFoundError:
        raise TargetError(f"no process {pid}", mend="list the Go programs that run: pgrep -l .") from None


def _alive(pid: int, tid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/task/{tid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _pending(pid: int, tid: int, number: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/task/{tid}/status").read_text().splitlines()
    except OSError:
        return False
    mask = next(line for line in lines if line.startswith("SigPnd:"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)
