"""What differs between processor architectures, behind one protocol.

Nothing outside this package asks which architecture it runs on: it asks `arch_for` once, and
the `Arch` it gets knows the registers, the trap, the hardware breakpoints and Go's calling
convention.
"""

import platform

from harness.arch.amd64 import Amd64
from harness.arch.arm64 import Arm64
from harness.arch.interface import Arch, Beginning, Frame, FrameImage, Memory, Registers
from harness.arch.regset import RegisterSet
from harness.errors import Unsupported

__all__ = [
    "FIRST_GO",
    "Arch",
    "Beginning",
    "Frame",
    "FrameImage",
    "Memory",
    "RegisterSet",
    "Registers",
    "arch_for",
    "arch_here",
    "host_goarch",
]

_ARCHES: dict[str, Arch] = {"amd64": Amd64(), "arm64": Arm64()}
FIRST_GO = min(arch.first_go for arch in _ARCHES.values())
"""The first language version that has debug calls anywhere."""
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What uname(2) calls a machine, and what Go does."""


def host_goarch() -> str:
    """Return what Go calls this machine's architecture."""
    machine = platform.machine()
    return _MACHINES.get(machine, machine)


def arch_for(goarch: str) -> Arch:
    """Return the architecture that Go calls `goarch`; raise `Unsupported` for one we lack."""
    try:
        return _ARCHES[goarch]
    except KeyError:
        known = ", ".join(_ARCHES)
        raise Unsupported(f"architecture {goarch} is not supported (supported: {known})") from None


def arch_here(goarch: str) -> Arch:
    """Return the architecture of a program that is to run on this machine.

    Raises `Unsupported` if it is another machine's, or one we lack.
    """
    arch, here = arch_for(goarch), host_goarch()
    if goarch != here:
        raise Unsupported(
            f"the program is for {goarch}, and this machine is {here}",
            mend=f"build it with GOARCH={here}, or run this on a machine for {goarch}",
        )
    return arch
