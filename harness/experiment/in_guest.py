"""Doing jobs in a real arm64 Linux under QEMU: `harness.vm`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.experiment.job import Job
from harness.experiment.piped import Listener
from harness.gobinary import examine, open_binary
from harness.recording import AnyEvent, Recorder
from harness.tracer.waiting import time_scale
from harness.vm import CPUS, Guest, harness_tree

SLOWNESS = 10
"""Factor on all time limits in there: an emulated processor is so much slower."""
_BOOT_LIMIT = 120.0
_INJECTION_LIMIT = 0.5
"""Seconds that a boot, and on top of it each injection, may take."""


class InGuest:
    """A `Runner` whose jobs each have a boot of their own."""

    def __init__(self, cpu: str = CPUS[0], hear: Callable[[str], None] = lambda _: None) -> None:
        """`hear` is told when the guest has to be made first. Raises `GuestError`."""
        self._guest = Guest.prepare(cpu, hear=hear)

    def __call__(
        self,
        job: Job,
        recorder: Recorder,
        progress: Callable[[Sequence[AnyEvent]], None] = lambda _: None,
    ) -> None:
        """Do a job. Raises as it would here, and `GuestError`."""
        binary = Path(job.binary)
        inside = msgspec.structs.replace(
            job, binary="/job/target", facts=examine(open_binary(binary))
        )
        listener = Listener(recorder, progress)
        self._guest.run(
            ["python3", "-m", "harness.experiment.piped", "/job/job.json"],
            limit=_BOOT_LIMIT + _INJECTION_LIMIT * job.plan.total,
            files={"/job/target": binary, "/job/job.json": msgspec.json.encode(inside)},
            tree=harness_tree(self._guest.image.python),
            environ={"DEBUGCALL_TIME_SCALE": str(SLOWNESS * time_scale())},
            hear=listener.hear,
        )
        listener.finish()
