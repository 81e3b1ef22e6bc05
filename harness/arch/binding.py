"""The ptrace system call, as python-ptrace binds it, without that package's detours.

Most of what the harness does is this one call, some ten times an injection.
"""

import ctypes

from ptrace import PtraceError
from ptrace.binding import func  # noqa: F401 - types libc.ptrace
from ptrace.ctypes_libc import libc

__all__ = ["PtraceError", "request"]

_call = libc.ptrace
_FAILED = (1 << 64) - 1


def request(number: int, tid: int, address: int = 0, data: int = 0) -> None:
    """Make a ptrace request that returns nothing but success; raise `PtraceError` otherwise."""
    if _call(number, tid, address, data) == _FAILED:
        raise PtraceError(f"ptrace request {number:#x}", ctypes.get_errno(), tid)
