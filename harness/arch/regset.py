"""The kernel's register sets, by PTRACE_GETREGSET and PTRACE_SETREGSET (ptrace(2)).

The set numbers are the ELF core note types of include/uapi/linux/elf.h.
"""

import ctypes

from harness.arch.binding import request

NT_FPREGSET = 2
NT_X86_XSTATE = 0x202

_GETREGSET, _SETREGSET = 0x4204, 0x4205

_VECTOR_LIMIT = 16384
"""Bytes to offer for a vector set whose size the kernel decides: XSAVE with AMX is 11008."""


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def get_vector(tid: int, note: int) -> bytes:
    """Return the set `note` of a stopped thread, as large as this processor has it."""
    buffer = ctypes.create_string_buffer(_VECTOR_LIMIT)
    vector = _IoVec(ctypes.addressof(buffer), _VECTOR_LIMIT)
    request(_GETREGSET, tid, note, ctypes.addressof(vector))
    return buffer.raw[: vector.length]


def set_vector(tid: int, note: int, state: bytes) -> None:
    """Write back what `get_vector` returned."""
    vector = _IoVec(ctypes.cast(ctypes.c_char_p(state), ctypes.c_void_p).value, len(state))
    request(_SETREGSET, tid, note, ctypes.addressof(vector))
