"""A session with one target: launch or attach, find a stop, inject calls, let go.

with Session.launch(["./server"], recorder) as session:
    caller = session.seek([session.site("main.handle")], limit=5.0)
    session.inject(caller, Callee("main.add", (2, 3), (5,)), Natural())
"""

import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, monotonic_ns
from types import TracebackType
from typing import Self

from harness.arch import arch_here
from harness.debugcall.caller import Caller
from harness.debugcall.injection import Injection, Timing
from harness.debugcall.program import Program
from harness.debugcall.seeking import seek
from harness.errors import InputError, TargetError
from harness.gobinary import Facts, GoBinary, examine, open_binary
from harness.recording import Callee, Exited, Header, Recorder, Target
from harness.recording.events import FORMAT
from harness.recording.machine import readable, this_command, this_machine
from harness.tracer import Process
from harness.tracer.permission import explain
from harness.version import __version__

_LOOK = 0.01
"""Seconds between two looks at a condition that no event announces."""


@dataclass(frozen=True)
class Build:
    """What is known of an executable beforehand.

    `toolchain`, `control` and `command` go into the recording; without the last, the command line
    of this process. `facts` are what `examine` found out about it elsewhere; None: find out here.
    """

    toolchain: str = ""
    control: bool = False
    facts: Facts | None = None
    command: tuple[str, ...] = ()


UNKNOWN = Build()


class Session:
    """One target, traced from `launch` or `attach` to `close`; a context manager.

    All that is seen goes to `recorder`. `begun` is monotonic_ns() at its beginning.
    """

    def __init__(
        self,
        process: Process,
        binary: GoBinary,
        recorder: Recorder,
        *,
        argv: Sequence[str | Path],
        build: Build = UNKNOWN,
    ) -> None:
        self.process = process
        self.recorder = recorder
        self.scale = process.scale
        self._closed = False
        self._calls = 0
        self.begun = monotonic_ns()
        self.program = Program(binary, build.facts or examine(binary), process)
        process.traps = self.program.traps
        recorder.add(
            Header(
                format=FORMAT,
                harness=__version__,
                python=platform.python_version(),
                started=time.time(),
                command=build.command or this_command(),
                target=Target(
                    argv=readable(argv),
                    pid=process.pid,
                    go_version=binary.go_version,
                    goarch=binary.goarch,
                    build_id=binary.build_id,
                    launched=process.launched,
                    toolchain=build.toolchain,
                    control=build.control,
                ),
                machine=this_machine(),
            )
        )

    @classmethod
    def launch(
        cls,
        argv: Sequence[str | Path],
        recorder: Recorder,
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        own_session: bool = False,
        build: Build = UNKNOWN,
    ) -> Self:
        """Start a Go program, stopped before its first instruction. It dies with the harness."""
        if isinstance(argv, str | Path):
            raise InputError(
                f"a command line is a list, not {str(argv)!r}", mend=f"give [{str(argv)!r}]"
            )
        binary = open_binary(Path(argv[0]))
        process = Process.launch(
            argv,
            arch_here(binary.goarch),
            env=env,
            stdin=stdin,
            stdout=stdout,
            own_session=own_session,
        )
        with ExitStack() as failed:
            failed.callback(process.close)
            session = cls(process, binary, recorder, argv=argv, build=build)
            failed.pop_all()
        return session

    @classmethod
    def attach(cls, pid: int, recorder: Recorder) -> Self:
        """Attach to a running Go program and stop all its threads."""
        link = Path(f"/proc/{pid}/exe")
        if not Path(f"/proc/{pid}").exists():
            raise TargetError(f"no process {pid}", mend="list the processes: ps -e")
        if not os.access(link, os.R_OK):
            raise explain(pid)
        binary = open_binary(_executable(link))
        process = Process.attach(pid, arch_here(binary.goarch))
        with ExitStack() as failed:
            failed.callback(process.close)
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            session = cls(process, binary, recorder, argv=argv.rstrip("\0").split("\0"))
            failed.pop_all()
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        # A target that ended by itself is no reason to distrust what was seen before.
        self.close(early=kind is not None and not issubclass(kind, TargetError))

    def close(self, *, early: bool = False) -> None:
        """Let an attached target go on, end a launched one. `early`: not all was done."""
        if self._closed:
            return
        self._closed = True
        process = self.process
        killed = process.launched and process.exit_status is None
        try:
            process.close()
        finally:
            detached = process.exit_status is None
            self.recorder.add(
                Exited(t=self.clock(), detached=detached, killed=killed, early=early)
                if killed or detached
                else _exited(self.clock(), process.exit_status)
            )
            self.recorder.flush()

    def clock(self) -> int:
        """Return microseconds since the session began."""
        return (monotonic_ns() - self.begun) // 1000

    def run_until(self, condition: Callable[[], bool], limit: float) -> bool:
        """Let the target run until `condition` holds; False if `limit` seconds pass before.

        The condition is looked at after each event, and now and then.
        """
        self.process.resume_all()
        until = monotonic() + limit * self.scale
        while not condition():
            if self.process.exit_status is not None or monotonic() > until:
                return False
            if stop := self.process.wait(monotonic() + _LOOK):
                self.process.resume(stop.thread)
        return True

    def run_to_end(self) -> None:
        """Let the target run until it ends by itself."""
        self.run_until(lambda: False, math.inf)

    def seek(
        self, sites: Sequence[int], limit: float, nudge: Callable[[], None] | None = None
    ) -> Caller:
        """Let the target run until a thread can take a call, `limit` seconds at most.

        See `harness.debugcall.seeking.seek`.
        """
        return seek(self.program, sites, limit * self.scale, nudge)

    def site(self, function: str) -> int:
        """Return the address in a function, behind its prologue, where a call can be injected."""
        binary = self.program.binary
        return binary.after_prologue(binary.function(function)) + self.program.bias

    def inject(self, caller: Caller, callee: Callee, timing: Timing) -> Injection:
        """Call `callee` from `caller`; return when the caller stands where it stood before.

        Raises `Interrupted`, before the call, if the user has asked to end.
        """
        self.process.heed()
        call = self.injection(self.next_number(), caller, callee, timing)
        try:
            call.run()
        finally:
            self.recorder.flush()
        return call

    def next_number(self) -> int:
        """Return the number of the next call; `TargetError` if none can be made any more."""
        if self.program.silenced:
            raise TargetError("a call was lost, so no more can be made in this target")
        self._calls += 1
        return self._calls - 1

    def injection(self, number: int, caller: Caller, callee: Callee, timing: Timing) -> Injection:
        """Return the call of this number, still to be run."""
        return Injection(
            self.program, caller, callee, timing, self.recorder, number, self.clock, self.scale
        )

    def release(self, caller: Caller) -> None:
        """Let the calling goroutine go on with its own work."""
        self.process.resume(caller.thread)


def _executable(link: Path) -> Path:
    """Return the path of a process's executable for a person, or /proc/PID/exe.

    The latter where that path is another file by now, or in a container.
    """
    with suppress(OSError):
        path = link.readlink()
        if path.samefile(link):
            return path
    return link


def _exited(t: int, status: int | None) -> Exited:
    assert status is not None
    code = os.waitstatus_to_exitcode(status)
    return Exited(t=t, code=code) if code >= 0 else Exited(t=t, signal=-code)
