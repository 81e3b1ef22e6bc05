"""The events of a traced process: which of its threads run, and why the others stopped.

A thread is resumed only after its stop was reaped, signals go on to the thread they came for, and
each new thread gets the breakpoints of the others before it runs.
"""

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Collection, Iterator
from errno import ESRCH
from time import monotonic

from harness.arch import Arch
from harness.errors import HarnessError, Interrupted
from harness.tracer import requests
from harness.tracer.procfs import is_zombie
from harness.tracer.stops import TRAPPED, Kind, Stop, Thread
from harness.tracer.threads import Threads
from harness.tracer.waiting import Waiter, time_scale

STOP_LIMIT = 20.0
"""Seconds until a thread that does not stop is given up: it sits in the kernel, uninterruptible."""
_DYING_LIMIT = 2.0
"""Seconds until a process on which a request failed is taken to live on."""


class ThreadGroup(Threads):
    """All threads of one process, traced by the calling thread.

    `traps` are the PCs that the kernel reports for breakpoint instructions that the caller wants
    to see as `Kind.TRAP`. `exit_status` is the wait status, once the process has ended, and
    `replaced` whether it executes another program since. While `shielded` is set, a request to end
    waits. `signals` counts what was passed on. `scale` is the factor on all time limits.
    """

    def __init__(self, pid: int, arch: Arch) -> None:
        super().__init__(pid, arch)
        self.traps: Collection[int] = ()
        self.signals = 0
        self.exit_status: int | None = None
        self.replaced = False
        self.shielded = False
        self._queue: deque[Stop] = deque()
        # Of a new thread two things come, in any order: its parent's clone event, its first stop.
        self._announced: set[int] = set()
        self._unannounced: set[int] = set()
        self.scale = time_scale()
        self._waiter = Waiter()

    def wait(self, limit: float) -> Stop | None:
        """Return the next stop that concerns the caller, or None when monotonic() reaches `limit`.

        Everything else (signals, new threads, group stops) is dealt with and the thread goes on.
        Raises `Interrupted` when the user asked to end, unless `shielded` is set.
        """
        while True:
            self._raise_interrupted()
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

    def runner(self, thread: Thread) -> Callable[[float], bool]:
        """Return a function that lets a stopped thread run to its next announced trap.

        It does so with little ceremony, until a time limit. False: something else stopped that
        concerns the caller, or the limit has come. `wait` returns what it is.
        """
        next_event, expected = self._waiter.next, (thread.tid, TRAPPED)
        go_on = requests.prepared_cont(thread.tid)
        read = self.arch.reader(thread.tid, thread.registers)
        registers, traps = thread.registers, self.traps

        def run(limit: float) -> bool:
            if thread.signal or thread.hit:
                self.resume(thread)
            else:
                go_on()
                thread.stopped = False
            while not self._queue:
                event = next_event(limit)
                if event == expected:
                    thread.stopped = True
                    read()
                    if registers.pc in traps:
                        return True
                elif event is None:
                    return False
                stopped, stop = self._reap(*event)
                if stop is not None:
                    self._queue.append(stop)
                elif stopped is not None:
                    self.resume(stopped)
            return False

        return run

    def requeue_trap(self, thread: Thread) -> None:
        """Have `wait` return the trap that `await_trap` waited for."""
        self._queue.append(Stop(Kind.TRAP, thread))

    @property
    def suspended(self) -> bool:
        """Whether threads are in a group stop (SIGSTOP, Ctrl-Z): they do nothing until SIGCONT."""
        return any(thread.listening for thread in self.threads.values())

    @property
    def asked_to_end(self) -> bool:
        """Whether the user has asked to end, heeded or not."""
        return self._waiter.asked_to_end is not None

    def heed(self) -> None:
        """Raise `Interrupted` if the user has asked to end and nothing forbids it now."""
        self._waiter.look()
        self._raise_interrupted()

    def _raise_interrupted(self) -> None:
        if self._waiter.asked_to_end and not self.shielded:
            self._waiter.heeded = True
            raise Interrupted(f"interrupted by {self._waiter.asked_to_end.name}")

    def stop_all(self) -> None:
        """Stop every thread. What stopped by itself meanwhile is kept for `wait`.

        `HarnessError` if one does not: the others stand then, and are for `close` to let go.
        """
        if not self._all_stop(STOP_LIMIT):
            raise self._unstoppable()

    def _all_stop(self, seconds: float) -> bool:
        """Stop every thread; False if for so long, times `scale`, none of those that run does."""
        for thread in self.threads.values():
            if not thread.stopped:
                requests.interrupt(thread.tid)
        while self._announced or not all(map(self._stands, self.threads.values())):
            if not self._collect(seconds):
                return False
            if self.exit_status is not None:
                break
        return True

    def _unstoppable(self) -> HarnessError:
        tid = next((t.tid for t in self.threads.values() if not self._stands(t)), self.pid)
        return HarnessError(
            f"thread {tid} of process {self.pid} does not stop: it waits in the kernel, "
            "uninterruptible",
            mend=f"see what it waits for: cat /proc/{self.pid}/task/{tid}/wchan",
        )

    def _stands(self, thread: Thread) -> bool:
        """Whether a thread executes nothing: it is stopped, or the leader that ended before others.

        Such a leader is reaped last; until then the kernel says nothing of it.
        """
        return thread.stopped or (thread.tid == self.pid and is_zombie(thread.tid))

    def resume_all(self, *, but: Collection[Thread] = ()) -> None:
        """Let every thread go on, except `but` and those with a stop that `wait` will return."""
        self._queue = deque(stop for stop in self._queue if self._still_true(stop))
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

    def dies(self) -> bool:
        """Tell whether the process is being killed or replaced, and if so reap it.

        SIGKILL and execve(2) take threads away in any stop. Then requests and reads of memory fail
        at once, and the news of it comes only afterwards.
        """
        limit = monotonic() + _DYING_LIMIT * self.scale
        while not self.over and monotonic() < limit:
            if event := self._waiter.next(limit):
                _, stop = self._reap(*event)
                if stop is not None:
                    self._queue.append(stop)
        return self.over

    @property
    def over(self) -> bool:
        """Whether the program is no more: the process ended, or executes another one."""
        return self.replaced or self.exit_status is not None

    def has_news(self, thread: Thread) -> bool:
        """Tell whether a thread stopped for a signal, a trap, a group stop; not by `stop_all`."""
        return bool(
            thread.signal or thread.group_stop or any(stop.thread is thread for stop in self._queue)
        )

    def _collect(self, seconds: float = STOP_LIMIT) -> bool:
        """Reap one event while all threads are to stand still; False if none comes in time."""
        limit = monotonic() + seconds * self.scale
        event = self._waiter.next(limit)
        if event is None:
            return monotonic() < limit  # a signal to end has come: that is dealt with later
        _, stop = self._reap(*event)
        if stop is not None:
            self._queue.append(stop)
        return True

    def _reap(self, tid: int, status: int) -> tuple[Thread | None, Stop | None]:
        """Take in one wait status: the thread, if it is now stopped, and the stop to report."""
        if os.WIFSTOPPED(status):
            try:
                return self._reap_stop(tid, status)
            except requests.PtraceError as error:
                if error.errno != ESRCH:
                    raise
                return None, None  # it was killed in this stop: its exit is still to come
        thread = self.threads.pop(tid, None)
        self._announced.discard(tid)
        if tid != self.pid:
            return None, None
        self.exit_status = status
        return None, Stop(Kind.EXIT, thread or Thread(tid, self.arch), status)

    def _reap_stop(self, tid: int, status: int) -> tuple[Thread | None, Stop | None]:
        thread = self.threads.get(tid)
        if thread is not None and thread.stepping and self._stepped_off(thread, status):
            return thread, None
        if status == TRAPPED and thread is not None:
            thread.stopped = True
            return thread, self._trapped(thread)
        if thread is None:
            thread = self._new_thread(tid)
        thread.stopped, thread.listening = True, False
        number, event = os.WSTOPSIG(status), status >> 16
        if event == requests.EVENT_CLONE:
            new = requests.ptrace_geteventmsg(tid)
            if new in self._unannounced:
                self._unannounced.remove(new)  # it stopped, and may have ended, before
            else:
                self._announced.add(new)
        elif event == requests.EVENT_EXEC:
            for other in self.threads.keys() - {tid}:
                del self.threads[other]
            self._announced.clear()
            self._unannounced.clear()
            self.replaced = True
            return thread, Stop(Kind.EXEC, thread)
        elif event == requests.EVENT_STOP:
            thread.group_stop = number != signal.SIGTRAP
        else:
            thread.signal = number
            self.signals += 1
        return thread, None

    def _trapped(self, thread: Thread) -> Stop | None:
        registers = self.read_registers(thread)
        if registers.pc in self.traps:
            return Stop(Kind.TRAP, thread)
        if registers.pc in thread.breakpoints:
            thread.hit = registers.pc
            return Stop(Kind.BREAKPOINT, thread)
        code = requests.trap_code(thread.tid)
        if code == requests.TRAP_HWBKPT:
            return None  # it was already on its way when the breakpoint was taken out
        if code == requests.TRAP_TRACE and self.arch.steps_off_breakpoints:
            return None  # the end of a step, of which a stop of all threads was told first
        thread.signal = signal.SIGTRAP
        return Stop(Kind.FOREIGN_TRAP, thread, code)

    def _still_true(self, stop: Stop) -> bool:
        if stop.kind is Kind.BREAKPOINT:
            return stop.thread.registers.pc in stop.thread.breakpoints
        return True

    def _new_thread(self, tid: int) -> Thread:
        if tid in self._announced:
            self._announced.remove(tid)
        else:
            self._unannounced.add(tid)
        thread = self.threads[tid] = Thread(tid, self.arch)
        thread.stopped = True
        self._program(thread, self._everywhere)
        return thread

    @property
    def ending(self) -> str:
        """How the program ended, in words."""
        if self.exit_status is None:
            return "it executed another program" if self.replaced else "it still runs"
        code = os.waitstatus_to_exitcode(self.exit_status)
        return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
