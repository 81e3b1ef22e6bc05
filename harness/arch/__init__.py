"""What differs between processor architectures, behind one protocol.

Nothing outside this package asks which architecture it runs on: it asks `arch_for` once, and
the `Arch` it gets knows the registers, the trap, the hardware breakpoints and Go's calling
convention.
"""

from harness.arch.amd64 import Amd64
from harness.arch.interface import Arch, Beginning, Frame, Image, Memory, Registers
from harness.arch.regset import RegisterSet
from harness.errors import Unsupported

__all__ = [
    "Arch",
    "Beginning",
    "Frame",
    "Image",
    "Memory",
    "RegisterSet",
    "Registers",
    "arch_for",
]

_ARCHES: dict[str, Arch] = {"amd64": Amd64()}


def arch_for(goarch: str) -> Arch:
    """Return the architecture that Go calls `goarch`; raise `Unsupported` for one we lack."""
    try:
        return _ARCHES[goarch]
    except KeyError:
        known = ", ".join(_ARCHES)
        raise Unsupported(f"architecture {goarch} is not supported (supported: {known})") from None
