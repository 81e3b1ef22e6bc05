"""The ptrace system call, for the ten or so requests that each injection makes.

python-ptrace's own binding checks and converts more than these need. This one takes a third of the
time: no declared argument types (ctypes would convert each), and the GIL kept, since no request
blocks.
"""

import ctypes
from collections.abc import Callable

from ptrace import PtraceError

__all__ = ["PtraceError", "prepared", "request"]

_call = ctypes.PyDLL(None, use_errno=True).ptrace


def request(number: int, tid: int, address: int = 0, data: object = 0) -> None:
    """Make a ptrace request that returns nothing but success; raise `PtraceError` otherwise.

    `address` and `data` are ints below 2^31; for more, `data` is a ctypes pointer or c_void_p.
    """
    if _call(number, tid, address, data) == -1:
        raise PtraceError(f"ptrace request {number:#x}", ctypes.get_errno(), tid)


def prepared(number: int, tid: int, address: int = 0, data: object = 0) -> Callable[[], None]:
    """Return `request` with these arguments, for one that is made thousands of times."""

    def make() -> None:
        if _call(number, tid, address, data) == -1:
            raise PtraceError(f"ptrace request {number:#x}", ctypes.get_errno(), tid)

    return make
