"""The breakpoint instructions by which the runtime talks to a debugger."""

from collections.abc import Mapping
from types import MappingProxyType

from harness.errors import BinaryError
from harness.gobinary.binary import GoBinary
from harness.gobinary.disassembly import BREAKPOINTS, disassemble

#: The functions with traps: runtime/asm_amd64.s and runtime/asm_arm64.s. Those of the frame sizes
#: are local to their file and have no package in their names.
TRAPPING = (
    "runtime.debugCallV2",
    *(f"debugCall{32 << n}" for n in range(12)),
    "runtime.debugCallPanicked",
)


def trap_sites(binary: GoBinary) -> Mapping[int, str]:
    """Link-time address of each breakpoint instruction of the protocol -> name of its function.

    On amd64 a stop reports the address behind the INT3, on arm64 that of the BRK itself. Padding is
    made of breakpoints too; it is not in here. Raises BinaryError if a function has no trap.
    """
    sites: dict[int, str] = {}
    for name in TRAPPING:
        binary.function(name)
        found = {
            instruction.address: name
            for twin in binary.functions(name)
            for instruction in disassemble(binary.goarch, binary.code(twin), twin.entry)
            if instruction[1:] == BREAKPOINTS[binary.goarch]
        }
        if not found:
            raise BinaryError(
                f"{name} in {binary.path} has no breakpoint instruction",
                mend="use a Go toolchain whose runtime was not changed there",
            )
        sites |= found
    return MappingProxyType(sites)
