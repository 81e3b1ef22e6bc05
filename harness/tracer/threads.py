"""The threads of a traced process, and what can be done to each of them while it is stopped."""

from collections.abc import Sequence
from errno import ESRCH
from functools import cached_property

from harness.arch import Arch, Registers
from harness.tracer import requests
from harness.tracer.memory import ProcessMemory
from harness.tracer.stops import TRAPPED, Thread


class Threads:
    """All threads of one process, by id: their registers and breakpoints, the memory they share."""

    def __init__(self, pid: int, arch: Arch) -> None:
        self.pid = pid
        self.arch = arch
        self.threads: dict[int, Thread] = {}
        self._everywhere: list[int | None] = [None] * arch.breakpoint_slots

    @cached_property
    def memory(self) -> ProcessMemory:
        """Its memory. Any thread may run meanwhile."""
        return ProcessMemory(self.pid)

    def read_registers(self, thread: Thread) -> Registers:
        """Read a stopped thread's general registers into `thread.registers` and return them."""
        self.arch.get_registers(thread.tid, thread.registers)
        return thread.registers

    def write_registers(self, thread: Thread, registers: Registers) -> None:
        """Write a stopped thread's general registers."""
        self.arch.set_registers(thread.tid, registers)

    def set_breakpoint(self, thread: Thread, slot: int, address: int | None) -> None:
        """Put a stopped thread's hardware breakpoint `slot` on `address`; None: take it out."""
        new = list(thread.breakpoints)
        new[slot] = address
        self._program(thread, new)

    def set_breakpoint_everywhere(self, slot: int, address: int | None) -> None:
        """Do so for all threads, which must be stopped, and for each thread to come."""
        self._everywhere[slot] = address
        for thread in self.threads.values():
            if thread.stopped:  # a leader that ended before the others never is, nor does it run
                self.set_breakpoint(thread, slot, address)

    def _program(self, thread: Thread, addresses: Sequence[int | None]) -> None:
        if thread.breakpoints != addresses:
            self.arch.set_breakpoints(thread.tid, thread.breakpoints, addresses)
            thread.breakpoints = list(addresses)

    def resume(self, thread: Thread) -> None:
        """Let one stopped thread go on, with the signal that stopped it, if any."""
        if not thread.stopped:
            return
        thread.stopped = False
        if thread.group_stop:
            thread.group_stop, thread.listening = False, True
            requests.listen(thread.tid)
        elif thread.hit is None or not self._step_off(thread):
            thread.hit = None
            requests.cont(thread.tid, thread.signal)
        thread.signal = 0

    def _step_off(self, thread: Thread) -> bool:
        """Have a thread execute the instruction under its breakpoint, without that breakpoint.

        False where no step is needed: this is not the architecture for it, the breakpoint is out,
        the thread was moved elsewhere, or it has a signal to take and comes by again afterwards.

        The other threads run meanwhile and keep their breakpoints. A step clears the processor's
        exclusive monitor, so a breakpoint between a load-exclusive and its store would never let
        the loop end. None is ever there: they are at entries of functions and at beginnings of
        statements, and such a loop lies in one statement, behind the test whether this processor
        has instructions that need no loop.
        """
        if not self.arch.steps_off_breakpoints or thread.signal:
            return False
        if thread.hit not in thread.breakpoints:
            return False
        now, armed = self.arch.registers(), thread.breakpoints
        try:
            self.arch.get_registers(thread.tid, now)
            if now.pc != thread.hit:
                return False
            self._program(thread, [None if a == thread.hit else a for a in armed])
            thread.stepping = armed
            requests.step(thread.tid)
        except requests.PtraceError as error:
            if error.errno != ESRCH:
                raise
        return True  # also if it was killed: its exit is still to come

    def _stepped_off(self, thread: Thread, status: int) -> bool:
        """Take in the stop of a thread that was to step; tell whether it is the end of the step.

        If not, a signal or a stop of all threads came first; the step's end may still follow.
        """
        assert thread.stepping is not None
        self._program(thread, thread.stepping)
        thread.stepping = None
        if status != TRAPPED or requests.trap_code(thread.tid) != requests.TRAP_TRACE:
            return False
        thread.hit, thread.stopped = None, True
        return True
