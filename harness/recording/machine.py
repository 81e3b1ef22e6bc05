"""The machine that a recording is made on."""

import os
import platform
from contextlib import suppress
from pathlib import Path

from harness.recording.events import Machine


def this_machine() -> Machine:
    """Describe the running kernel, the processor and the load."""
    return Machine(
        kernel=f"{platform.system()} {platform.release()}",
        cpu=f"{platform.machine()} {_cpu_model()}".strip(),
        cpus=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
    )


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "CPU part"}:
                return value.strip()
    return ""
