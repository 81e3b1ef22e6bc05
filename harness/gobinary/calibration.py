"""The offsets held against a stopped process: the last check before anything is written to it."""

import struct
from collections.abc import Callable

from harness.gobinary.layout import Layout, LayoutError

#: Reads so many bytes at a run-time address of the target.
Read = Callable[[int, int], bytes]

_SEARCHED = 512  # procid and curg lie in the first so many bytes of an m
_MEND = "report this with the output of `go version -m` for the program"


def calibrate(layout: Layout, tid: int, g: int, read: Read) -> None:
    """Check g.m, m.procid, m.curg and the stack's bounds against a thread that runs goroutine `g`.

    Raises LayoutError where they contradict the layout. In a process in another PID namespace `tid`
    is the thread's id in there (NSpid in /proc/PID/status).
    """
    lo, hi = (_word(read, g + at) for at in (layout.g.stack_lo, layout.g.stack_hi))
    if not 0 < lo < hi:
        raise LayoutError(
            f"the g of thread {tid} at {g:#x} has no stack: {lo:#x} to {hi:#x}", mend=_MEND
        )
    m = _word(read, g + layout.g.m)
    for name, offset, expected in (
        ("procid", layout.m.procid, tid),
        ("curg", layout.m.curg, g),
    ):
        found = _word(read, m + offset)
        if found != expected:
            raise LayoutError(
                f"m.{name} of thread {tid} should hold {expected:#x}; at offset {offset} there "
                f"is {found:#x}{_elsewhere(read, m, expected)}",
                mend=_MEND,
            )


def is_locked(layout: Layout, g: int, read: Read) -> bool:
    """Whether goroutine `g` is locked to the thread that runs it: g.lockedm == g.m.

    That nothing is there is what a broken runtime looks like, and also what a wrong offset looks
    like. So LayoutError if another word close by names the m: then the offset is wrong.
    """
    m = _word(read, g + layout.g.m)
    lockedm = _word(read, g + layout.g.lockedm)
    if lockedm == m:
        return True
    # lockedm has stood in [208, 240) in all releases; no other field near it points to an m.
    near = range(layout.g.lockedm - 24, layout.g.lockedm + 32, 8)
    others = [at for at in near if _word(read, g + at) == m]
    if others:
        raise LayoutError(
            f"g.lockedm at offset {layout.g.lockedm} holds {lockedm:#x}, but the m of this "
            f"goroutine is named at offset {others[0]}",
            mend=_MEND,
        )
    return False


def _elsewhere(read: Read, m: int, expected: int) -> str:
    places = [at for at in range(0, _SEARCHED, 8) if _word(read, m + at) == expected]
    return f" (it is at {', '.join(map(str, places))})" if places else ""


def _word(read: Read, address: int) -> int:
    try:
        raw = read(address, 8)
    except OSError as error:
        raise LayoutError(
            f"a pointer of the runtime leads nowhere: {address:#x} ({error.strerror})", mend=_MEND
        ) from None
    if len(raw) != 8:
        raise LayoutError(f"a pointer of the runtime leads nowhere: {address:#x}", mend=_MEND)
    value: int = struct.unpack("<Q", raw)[0]
    return value
