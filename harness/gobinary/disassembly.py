"""The seam between the harness and capstone: machine code to (address, mnemonic, operands).

Only capstone's C library is loaded, and called as capstone/capstone.h of version 5 has it. Its
Python package describes the operands of all architectures, which the harness does not look at, and
takes twenty times as long to import.
"""

import struct
from collections.abc import Iterator, Mapping
from ctypes import (
    CDLL,
    POINTER,
    byref,
    c_char_p,
    c_int,
    c_size_t,
    c_uint64,
    c_void_p,
    string_at,
)
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from harness.errors import HarnessError

#: GOARCH -> mnemonic and operands of the breakpoint instruction of the debug call protocol.
BREAKPOINTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"amd64": ("int3", ""), "arm64": ("brk", "#0")}
)

# GOARCH -> cs_arch and cs_mode: CS_ARCH_X86 and CS_MODE_64, CS_ARCH_ARM64 and CS_MODE_ARM.
_MACHINES = {"amd64": (3, 8), "arm64": (1, 0)}
_CS_INSN = struct.Struct("<I4x Q H 24x 32s 160s 6x 8x")  # id, address, size, mnemonic, op_str
_MAJOR = 5


class Instruction(NamedTuple):
    """One instruction in capstone's Intel (amd64) or Arm (arm64) syntax, in lower case."""

    address: int
    mnemonic: str
    operands: str


def disassemble(goarch: str, code: bytes, address: int) -> Iterator[Instruction]:
    """The instructions of `code`, one after the other; ends at a byte that is none."""
    capstone, handle = _engine(goarch)
    first = c_void_p()
    count = capstone.cs_disasm(handle, code, len(code), address, 0, byref(first))
    listing = string_at(first, count * _CS_INSN.size) if count else b""
    capstone.cs_free(first, count)
    for _, at, _, mnemonic, operands in _CS_INSN.iter_unpack(listing):
        yield Instruction(at, _text(mnemonic), _text(operands))


def _text(field: bytes) -> str:
    return field[: field.index(0)].decode("ascii")


@cache
def _engine(goarch: str) -> tuple[CDLL, c_size_t]:
    capstone, handle = _library(), c_size_t()
    if error := capstone.cs_open(*_MACHINES[goarch], byref(handle)):
        raise _unusable(f"it does not know {goarch} (error {error})")
    return capstone, handle


@cache
def _library() -> CDLL:
    package = find_spec("capstone")
    own = Path(package.origin if package and package.origin else "").parent / "lib/libcapstone.so"
    try:
        # Linux distributions keep the library apart from the package.
        library = CDLL(str(own) if own.exists() else f"libcapstone.so.{_MAJOR}")
    except OSError as error:
        raise _unusable(str(error)) from None
    if (major := library.cs_version(None, None) >> 8) != _MAJOR:
        raise _unusable(f"it is version {major}")
    library.cs_open.argtypes = [c_int, c_int, POINTER(c_size_t)]
    library.cs_disasm.restype = c_size_t
    library.cs_disasm.argtypes = [
        c_size_t, c_char_p, c_size_t, c_uint64, c_size_t, POINTER(c_void_p),
    ]  # fmt: skip
    library.cs_free.restype = None
    library.cs_free.argtypes = [c_void_p, c_size_t]
    return library


def _unusable(why: str) -> HarnessError:
    return HarnessError(
        f"the disassembler capstone cannot be used: {why}", mend="pip install 'capstone>=5,<6'"
    )
