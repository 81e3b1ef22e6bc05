"""The seam between the harness and capstone: machine code to (address, mnemonic, operands).

capstone takes tens of milliseconds to import, so this module loads it when it is first asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple, Protocol

#: GOARCH -> mnemonic and operands of the breakpoint instruction of the debug call protocol.
BREAKPOINTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"amd64": ("int3", ""), "arm64": ("brk", "#0")}
)


class Instruction(NamedTuple):
    """One instruction in capstone's Intel (amd64) or Arm (arm64) syntax, in lower case."""

    address: int
    mnemonic: str
    operands: str


class _Engine(Protocol):
    def disasm_lite(self, code: bytes, offset: int) -> Iterator[tuple[int, int, str, str]]: ...


def disassemble(goarch: str, code: bytes, address: int) -> Iterator[Instruction]:
    """The instructions of `code`, one after the other; ends at a byte that is none."""
    for at, _, mnemonic, operands in _engine(goarch).disasm_lite(code, address):
        yield Instruction(at, mnemonic, operands)


@cache
def _engine(goarch: str) -> _Engine:
    import capstone

    if goarch == "amd64":
        engine: _Engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    else:
        engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    return engine
