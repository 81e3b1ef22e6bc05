"""The kernel's register sets, by PTRACE_GETREGSET and PTRACE_SETREGSET (ptrace(2)).

The set numbers are the ELF core note types of include/uapi/linux/elf.h.
"""

import ctypes
from collections.abc import Callable

from harness.arch.binding import prepared, request

NT_PRSTATUS = 1
NT_FPREGSET = 2
NT_X86_XSTATE = 0x202
NT_ARM_HW_BREAK = 0x402
NT_ARM_SYSTEM_CALL = 0x404
NT_ARM_SVE = 0x405

_GETREGSET, _SETREGSET = 0x4204, 0x4205

_VECTOR_LIMIT = 16384
"""Bytes to offer for a vector set whose size the kernel decides: XSAVE with AMX is 11008, SVE with
its longest vectors 8768."""

_Buffer = ctypes.Structure | ctypes.Array[ctypes.c_char] | ctypes.c_int32


class _IoVec(ctypes.Structure):
    """struct iovec, of a buffer that lives as long."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    def __init__(self, buffer: _Buffer) -> None:
        super().__init__(ctypes.addressof(buffer), ctypes.sizeof(buffer))
        self.buffer = buffer


def read_set(tid: int, note: int, into: _Buffer) -> None:
    """Read the set `note` of a stopped thread, of which the size is known."""
    set_reader(tid, note, into)()


def write_set(tid: int, note: int, data: _Buffer) -> None:
    """Write the set `note` of a stopped thread, or its beginning."""
    set_writer(tid, note, data)()


def set_reader(tid: int, note: int, into: _Buffer) -> Callable[[], None]:
    """Return a function that does what `read_set` does, again and again."""
    return prepared(_GETREGSET, tid, note, ctypes.byref(_IoVec(into)))


def set_writer(tid: int, note: int, data: _Buffer) -> Callable[[], None]:
    """Return a function that does what `write_set` does, with what `data` holds by then."""
    return prepared(_SETREGSET, tid, note, ctypes.byref(_IoVec(data)))


class RegisterSet:
    """The set `note` of a stopped thread, as large as this processor has it."""

    def __init__(self, tid: int, note: int) -> None:
        self._note = note
        self._vector = _IoVec(ctypes.create_string_buffer(_VECTOR_LIMIT))
        request(_GETREGSET, tid, note, ctypes.byref(self._vector))

    def write(self, tid: int) -> None:
        """Write it back, to this thread or another one."""
        request(_SETREGSET, tid, self._note, ctypes.byref(self._vector))
