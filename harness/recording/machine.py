"""The machine that a recording is made on, and the command that makes it."""

import os
import platform
import sys
from collections.abc import Iterable
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


def this_command() -> tuple[str, ...]:
    """Return the command line of this process."""
    return readable(sys.argv)


def readable(arguments: Iterable[str | Path]) -> tuple[str, ...]:
    """Return a command line as JSON can hold it: file names need not be UTF-8."""
    return tuple(os.fsencode(argument).decode(errors="replace") for argument in arguments)


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "CPU part"}:
                return value.strip()
    return ""
