"""Many natural calls from one stop, in straight code prepared once for all of them.

The driver in `injection` deals with whatever comes, a step at a time. Here nothing is expected but
the protocol's own three traps, on the calling thread: dispatch, return, restore. Whatever differs
is left to that driver, which takes the call over where it is.
"""

from collections.abc import Callable
from time import monotonic

from harness.debugcall.caller import Caller
from harness.debugcall.injection import CALL_LIMIT
from harness.debugcall.program import Goroutine, Program
from harness.debugcall.protocol import State
from harness.recording import AnyEvent, Callee, Inject, Restored, Schedule, Trap
from harness.recording.recording import DISPATCH, RESTORE, RETURN


class Volley:
    """Calls of one function from one caller, under the schedule `natural`.

    `call_g` is the last call's goroutine, once it was seen.
    """

    def __init__(
        self,
        program: Program,
        caller: Caller,
        callee: Callee,
        record: Callable[[AnyEvent], None],
        clock: Callable[[], int],
    ) -> None:
        arch = program.arch
        self._program = program
        self._process = program.process
        self._caller = caller
        self._callee = callee
        self._record = record
        self._clock = clock
        self.call_g = 0
        self._thread = caller.thread
        self._saved = caller.saved
        self._frame = program.frame(callee)
        self._entry = program.address(callee.name)
        self._begin = arch.begin_call(caller.saved, program.debug_call, self._frame.size)
        self._image = arch.frame_image(caller.saved)

    def fits(self) -> bool:
        """Whether the caller stands where it stood when this was prepared."""
        return self._caller.saved is self._saved and self._caller.thread is self._thread

    def call(self, number: int) -> State:
        """Make the call of this number, and return where in the protocol it is.

        `ENDED`: the caller stands where it stood before. Any other state: something else than
        the next trap came, and `Process.wait` will return it.
        """
        limit = monotonic() + CALL_LIMIT
        self._inject(number)
        if not self._trapped(DISPATCH, limit):
            return State.INJECTED
        self._dispatch(number)
        if not self._trapped(RETURN, limit):
            return State.CALLING
        self._return(number)
        if not self._trapped(RESTORE, limit) or not self._restore(number):
            return State.LEAVING
        return State.ENDED

    def _trapped(self, status: int, limit: float) -> bool:
        if not self._process.await_trap(self._thread, limit):
            return False
        if self._thread.registers.status == status:
            return True
        self._process.requeue_trap(self._thread)
        return False

    def _inject(self, number: int) -> None:
        process, thread, caller = self._process, self._thread, self._caller
        t = self._clock()
        process.memory.write(self._begin.address, self._begin.data)
        process.arch.set_registers(thread.tid, self._begin.registers)
        process.resume(thread)
        self._record(
            Inject(
                t=t,
                call=number,
                tid=thread.tid,
                g=caller.g,
                goid=caller.goid,
                pc=self._saved.pc,
                function=caller.function,
                schedule=Schedule.NATURAL,
                callee=self._callee,
            )
        )

    def _dispatch(self, number: int) -> None:
        process, thread = self._process, self._thread
        registers, memory, arch = thread.registers, process.memory, process.arch
        t, pc = self._clock(), registers.pc
        self.call_g = registers.goroutine
        goroutine = self._program.goroutine(registers.goroutine)
        self._frame.write(self._callee.arguments, registers, memory)
        arch.enter_function(registers, memory, self._entry, 0)
        arch.set_registers(thread.tid, registers)
        process.resume(thread)
        self._note(t, number, DISPATCH, pc, goroutine)

    def _return(self, number: int) -> None:
        process, thread = self._process, self._thread
        registers, arch = thread.registers, process.arch
        t, pc = self._clock(), registers.pc
        results = self._frame.read(registers, process.memory)
        if arch.leave_trap(registers, process.memory):
            arch.set_registers(thread.tid, registers)
        process.resume(thread)
        self._note(t, number, RETURN, pc, results=results)

    def _restore(self, number: int) -> bool:
        process, thread = self._process, self._thread
        t, registers = self._clock(), thread.registers
        if registers.sp != self._image.sp or not self._image.is_in(process.memory):
            process.requeue_trap(thread)
            return False
        process.arch.set_registers(thread.tid, self._saved)
        self._caller.vector.write(thread.tid)
        self._note(t, number, RESTORE, registers.pc)
        self._record(Restored(t=t, call=number, tid=thread.tid))
        return True

    def _note(
        self,
        t: int,
        number: int,
        status: int,
        pc: int,
        goroutine: Goroutine | None = None,
        results: tuple[int, ...] = (),
    ) -> None:
        self._record(
            Trap(
                t=t,
                call=number,
                tid=self._thread.tid,
                status=status,
                g=self._thread.registers.goroutine,
                function=self._program.traps[pc],
                goid=goroutine.goid if goroutine else None,
                parent=goroutine.parent if goroutine else None,
                locked=goroutine.locked if goroutine else None,
                results=results,
            )
        )
