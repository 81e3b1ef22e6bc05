"""Doing jobs in a real arm64 Linux under QEMU: `harness.vm`."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from harness.experiment.job import Job
from harness.experiment.piped import READY, Listener, parcel
from harness.gobinary import examine, open_binary
from harness.recording import AnyEvent, Recorder
from harness.recording.machine import this_command
from harness.tracer.waiting import time_scale
from harness.vm import CPUS, Guest, harness_tree
from harness.vm.booted import Booted

SLOWNESS = 10
"""Factor on all time limits in there: an emulated processor is so much slower."""
_STANDSTILL = 300.0
"""Seconds until a boot, or a job of which nothing is told, is given up. The longest that one waits
in there is 20 s for its target, times SLOWNESS; then it tells that."""
_FAR_END = ("python3", "-m", "harness.experiment.piped", "/dev/vda", "/root/target")


class InGuest:
    """A `Runner` whose jobs share one boot; a context manager.

    The boot begins before the first job is there, so it goes on while targets are built. After a
    failure of the guest the next job gets another one.
    """

    def __init__(self, cpu: str = CPUS[0], hear: Callable[[str], None] = lambda _: None) -> None:
        """`hear` is told when the guest has to be made first. Raises `GuestError`."""
        self._guest = Guest.prepare(cpu, hear=hear)
        self._booted: Booted | None = None
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        self._boot()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._end()

    def __call__(
        self,
        job: Job,
        recorder: Recorder,
        progress: Callable[[Sequence[AnyEvent]], None] = lambda _: None,
    ) -> None:
        """Do a job. Raises as it would here, and `GuestError`."""
        binary = Path(job.binary)
        facts = examine(open_binary(binary))
        job = msgspec.structs.replace(job, facts=facts, command=this_command())
        goods = parcel(job, binary.read_bytes())
        listener = Listener(recorder, progress)
        try:
            self._do(goods, listener)
        finally:
            if listener.end is None:
                self._end()
        listener.finish()

    def _do(self, goods: bytes, listener: Listener) -> None:
        booted = self._booted or self._boot()
        while booted.status is None and listener.end is None:
            for line in booted.lines(_STANDSTILL, "did not get on for"):
                if line == READY:
                    booted.hand_in(goods)
                elif not listener.hear(line):  # what a kernel in trouble says is no sign of life
                    continue
                break

    def _boot(self) -> Booted:
        environ = {"DEBUGCALL_TIME_SCALE": str(SLOWNESS * time_scale())}
        tree = harness_tree(self._guest.image.python)
        self._booted = self._undo.enter_context(
            self._guest.boot(_FAR_END, tree=tree, environ=environ)
        )
        return self._booted

    def _end(self) -> None:
        self._booted = None
        self._undo.close()
