"""A traced process from its beginning to its end: launched or attached to, ended or let go.

All threads are traced, or none.
"""

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from shlex import quote
from time import monotonic
from typing import Self

from harness.arch import Arch
from harness.errors import HarnessError, Interrupted, TargetError
from harness.tracer import permission, requests
from harness.tracer.launch import start_suspended
from harness.tracer.procfs import is_zombie, status
from harness.tracer.stops import Kind, Thread
from harness.tracer.threadgroup import STOP_LIMIT, ThreadGroup

_log = logging.getLogger(__name__)
_SILENT = 2.0
"""Seconds until the user is told that a thread is waited for."""


class Process(ThreadGroup):
    """A process whose threads are all traced by the calling thread.

    Use it as a context manager: leaving it lets an attached process go and ends a launched one.
    """

    def __init__(self, pid: int, arch: Arch, *, launched: bool) -> None:
        super().__init__(pid, arch)
        self.launched = launched

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
    ) -> Self:
        """Start a program, stopped before its first instruction with all of it mapped.

        It dies with the harness. `stdin` and `stdout` are descriptors, inherited if None.
        """
        pid, release = start_suspended(
            argv, env=env, stdin=stdin, stdout=stdout, own_session=own_session
        )
        with ExitStack() as undo:
            undo.callback(os.close, release)
            process = cls(pid, arch, launched=True)
            failed = undo.enter_context(ExitStack())
            failed.callback(process.close)
            process._seize(pid)
            os.write(release, b"x")
            stop = process.wait(monotonic() + STOP_LIMIT * process.scale)
            if stop is None or stop.kind is not Kind.EXEC:
                raise _not_started(argv[0])
            process.replaced = False  # that was its beginning
            failed.pop_all()
        return process

    @classmethod
    def attach(cls, pid: int, arch: Arch) -> Self:
        """Attach to all threads of a running process and stop them."""
        leader = status(pid).get("Tgid", str(pid))
        if leader != str(pid):
            raise TargetError(
                f"{pid} is a thread of process {leader}", mend=f"debugcall attach {leader}"
            )
        process = cls(pid, arch, launched=False)
        with ExitStack() as failed:
            failed.callback(process.close)
            process._seize_all()
            process.stop_all()
            if process.exit_status is not None:
                raise TargetError(f"process {pid} ended while it was being attached to")
            failed.pop_all()
        return process

    def __enter__(self) -> Self:
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
            if memory := self.__dict__.pop("memory", None):
                memory.close()
            self._waiter.close()

    def kill(self) -> None:
        """End the process and reap it."""
        if self.exit_status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._reap_exit()

    def detach(self) -> None:
        """Disarm every breakpoint and let the process run on, as if it had never been traced."""
        if self.exit_status is not None or not self.threads:
            return
        with ExitStack() as steps:  # each is taken, whatever becomes of the others
            steps.callback(self.threads.clear)
            steps.callback(self._let_all_go)
            self._stop_for_good()

    def _stop_for_good(self) -> None:
        """Stop every thread, however long one with an armed breakpoint takes.

        One that is let go with it would end the process when it comes by. While a child of it has
        its memory (vfork(2)), a thread does not stop; Go's syscall.forkExec makes such. The others
        need not wait for it. Raises `Interrupted` if the user does not want to either.
        """
        limit, requests_told = monotonic() + STOP_LIMIT * self.scale, None
        while not self._all_stop(_SILENT):
            self._let_all_go()
            running = [thread for thread in self.threads.values() if not self._stands(thread)]
            armed = [thread.tid for thread in running if any(thread.breakpoints)]
            if not armed:
                if monotonic() < limit:
                    continue
                raise self._unstoppable()
            self._waiter.look()
            if requests_told is None:
                requests_told = self._waiter.requests
                _log.warning(
                    "waiting for thread %d of process %d, which the kernel does not stop: let go "
                    "now, it would end the process at its next breakpoint (cat /proc/%d/task/%d/"
                    "wchan says what it waits for; interrupt once more to let it go all the same)",
                    *(armed[0], self.pid, self.pid, armed[0]),
                )
            elif self._waiter.requests > requests_told:
                self._waiter.heeded = True
                raise Interrupted(
                    f"interrupted while thread {armed[0]} could not be stopped: process {self.pid} "
                    "ends when that thread comes by its breakpoint",
                    mend=f"restart process {self.pid} when you can",
                )

    def _let_all_go(self) -> None:
        """Let all threads go that are stopped."""
        with ExitStack() as steps:
            for thread in self.threads.values():
                if thread.stopped:
                    steps.callback(self._let_go, thread)

    def _let_go(self, thread: Thread) -> None:
        with suppress(requests.PtraceError):  # it may just have been killed
            self._program(thread, [None] * self.arch.breakpoint_slots)
        # A breakpoint hit just before may be pending as SIGTRAP, which would end the process.
        while thread.tid in self.threads and _pending(thread.tid, signal.SIGTRAP):
            requests.cont(thread.tid, thread.signal)
            thread.stopped, thread.signal = False, 0
            self._collect()
        requests.detach(thread.tid, thread.signal)
        self.threads.pop(thread.tid, None)

    def _seize(self, tid: int) -> None:
        try:
            requests.seize(tid, exit_kill=self.launched)
        except requests.PtraceError:
            raise permission.explain(self.pid) from None
        self.threads[tid] = Thread(tid, self.arch)

    def _seize_all(self) -> None:
        """Seize until no thread is left; one that a seized thread makes meanwhile is seized."""
        refused: set[int] = set()
        while True:
            new = set(_tasks(self.pid)) - self.threads.keys() - refused
            if not new:
                break
            for tid in new:
                try:
                    self._seize(tid)
                except HarnessError:
                    ours = status(tid).get("TracerPid") == str(threading.get_native_id())
                    if not is_zombie(tid) and not ours:
                        raise
                    refused.add(tid)  # ended meanwhile, a zombie, or traced from its birth
        if not self.threads:
            raise TargetError(f"process {self.pid} ended while it was being attached to")

    def _reap_exit(self) -> None:
        limit = monotonic() + STOP_LIMIT * max(self.scale, 1)  # never too short: it is the last act
        while self.exit_status is None and monotonic() < limit:
            event = self._waiter.next(limit)
            if event is not None:
                self._reap(*event)


def _not_started(program: str | Path) -> TargetError:
    name = quote(os.fspath(program))
    if not os.access(program, os.X_OK):
        return TargetError(f"{program} may not be executed", mend=f"chmod +x {name}")
    return TargetError(f"{program} could not be started", mend=f"try it by hand: {name}")


def _tasks(pid: int) -> Iterator[int]:
    try:
        yield from [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        raise TargetError(
            f"no process {pid}", mend="list the Go programs that run: pgrep -l ."
        ) from None


def _pending(tid: int, number: int) -> bool:
    return bool(int(status(tid).get("SigPnd", "0"), 16) >> (number - 1) & 1)
