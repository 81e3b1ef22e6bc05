"""A traced thread, and the reasons why it stops."""

import enum
import signal
from typing import NamedTuple

from harness.arch import Arch
from harness.tracer.procfs import status

TRAPPED = signal.SIGTRAP << 8 | 0x7F
"""The wait status of a thread stopped by SIGTRAP, without an event: by far the most frequent."""


class Kind(enum.Enum):
    """Why a thread stopped, where that is anything to the caller."""

    BREAKPOINT = "hardware breakpoint"
    TRAP = "breakpoint instruction that was announced"
    FOREIGN_TRAP = "SIGTRAP of the program's own"
    EXEC = "the process executes another program"
    EXIT = "the process ended"


class Thread:
    """One traced thread. `registers` are those of its last stop by SIGTRAP.

    `hit` is the address of the breakpoint that it was last seen at, until it runs on; `stepping`
    the breakpoints to give it back once it is past that one. `group_stop` says that it has stopped
    with its whole process (SIGSTOP and the like), `listening` that it was left in that state.
    """

    __slots__ = (
        "_inner_tid",
        "breakpoints",
        "group_stop",
        "hit",
        "listening",
        "registers",
        "signal",
        "stepping",
        "stopped",
        "tid",
    )

    def __init__(self, tid: int, arch: Arch) -> None:
        self.tid = tid
        self.stopped = False
        self.signal = 0
        self.group_stop = False
        self.listening = False
        self._inner_tid = 0
        self.registers = arch.registers()
        self.breakpoints: list[int | None] = [None] * arch.breakpoint_slots
        self.hit: int | None = None
        self.stepping: list[int | None] | None = None

    @property
    def inner_tid(self) -> int:
        """Its id in its own PID namespace, as gettid(2) tells the program itself.

        The last number of NSpid in proc_pid_status(5).
        """
        if not self._inner_tid:
            self._inner_tid = int(status(self.tid).get("NSpid", str(self.tid)).split()[-1])
        return self._inner_tid


class Stop(NamedTuple):
    """One stop: of which thread, and why.

    `code` is the wait status of an exit, and si_code of a SIGTRAP of the program's own.
    """

    kind: Kind
    thread: Thread
    code: int = 0
