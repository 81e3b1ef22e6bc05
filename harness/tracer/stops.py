"""A traced thread, and the reasons why it stops."""

import enum
from typing import NamedTuple

from harness.arch import Arch


class Kind(enum.Enum):
    """Why a thread stopped, where that is anything to the caller."""

    BREAKPOINT = "hardware breakpoint"
    TRAP = "breakpoint instruction that was announced"
    FOREIGN_TRAP = "SIGTRAP of the program's own"
    EXEC = "the process executes another program"
    EXIT = "the process ended"


class Thread:
    """One traced thread. `registers` are those of its last stop by SIGTRAP."""

    __slots__ = ("breakpoints", "group_stop", "registers", "signal", "stopped", "tid")

    def __init__(self, tid: int, arch: Arch) -> None:
        self.tid = tid
        self.stopped = False
        self.signal = 0
        self.group_stop = False
        self.registers = arch.registers()
        self.breakpoints: list[int | None] = [None] * arch.breakpoint_slots


class Stop(NamedTuple):
    """One stop: of which thread, and why. `code` is the wait status of an exit."""

    kind: Kind
    thread: Thread
    code: int = 0
