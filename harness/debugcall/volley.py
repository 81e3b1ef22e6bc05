"""Many natural calls from one stop, in straight code prepared once for all of them.

The driver in `injection` deals with whatever comes, a step at a time. Here nothing is expected but
the protocol's own three traps, on the calling thread: dispatch, return, restore. Whatever differs
is left to that driver, which takes the call over where it is.

Between two calls the thread is not put back to where it stood: the registers that begin the next
call are written instead, and the saved ones, with the vector state, when the volley ends. Nobody
can tell. Between two calls nothing runs; debugCallV2 takes no vector register for granted; and a
function must leave their control bits as it found them (Go's cmd/compile/abi-internal.md).
"""

from contextlib import suppress
from time import monotonic, monotonic_ns

from harness.arch.binding import PtraceError
from harness.debugcall.caller import Caller
from harness.debugcall.injection import CALL_LIMIT
from harness.debugcall.protocol import State
from harness.debugcall.session import Session
from harness.recording import AnyEvent, Callee, Inject, Restored, Schedule, Trap
from harness.recording.recording import DISPATCH, RESTORE, RETURN

_HEED = 16
"""Calls from one look at the signals that ask the harness to end to the next: a millisecond."""


class Volley:
    """Calls of one function from one caller, under the schedule `natural`.

    `number` is the last call's, `state` where it is in the protocol: `ENDED` also before the first.
    `call_g` is its call goroutine, once it was seen.
    """

    def __init__(self, session: Session, caller: Caller, callee: Callee) -> None:
        program, thread = session.program, caller.thread
        self.number = -1
        self.state = State.ENDED
        self.call_g = 0
        self._session = session
        self._read_goroutine = program.goroutine_format.read
        self._traps = program.traps
        self._process = program.process
        self._memory = program.process.memory
        self._arch = program.arch
        self._begun = session.begun
        self._recorder = session.recorder
        self._noted: list[AnyEvent] = []
        self._limit = CALL_LIMIT * session.scale
        self._caller = caller
        self._callee = callee
        self._thread = thread
        self._registers = thread.registers
        self._saved = caller.saved
        self._frame = program.frame(callee)
        self._entry = program.address(callee.name)
        self._begin = program.arch.begin_call(caller.saved, program.debug_call, self._frame.size)
        self._image = program.arch.frame_image(caller.saved)
        self._run = program.process.runner(thread)
        self._write = program.arch.writer(thread.tid, thread.registers)
        self._enter = program.arch.writer(thread.tid, self._begin.registers)

    def fire(self, calls: int) -> int:
        """Make so many calls; return how many ended.

        If that is fewer, the next one has left the straight path: see `hand_over`. So it has if
        this raises and `state` is not `ENDED`.
        """
        session, away = self._session, False
        try:
            for made in range(calls):
                if made % _HEED == 0:
                    session.process.heed()
                self.number = session.next_number()
                if not away:
                    self._enter()
                    away = True
                if not self._call():
                    return made
                self._put_down()
        finally:
            try:
                if away and self.state is State.ENDED:
                    self._process.write_registers(self._thread, self._saved)
                    self._caller.vector.write(self._thread.tid)
            finally:
                self._put_down()
        return calls

    def _put_down(self) -> None:
        self._recorder.add_all(self._noted)
        self._noted.clear()
        self._recorder.flush()

    def hand_over(self) -> None:
        """Leave the call that is under way to `Process.wait`, which will return its next stop."""
        process, thread = self._process, self._thread
        if thread.stopped and not process.has_news(thread):
            with suppress(PtraceError):  # it is being killed
                if process.read_registers(thread).pc in process.traps:
                    process.requeue_trap(thread)
                else:
                    process.resume(thread)

    def _call(self) -> bool:
        number = self.number
        run, registers, limit = self._run, self._registers, monotonic() + self._limit
        self._inject(number)
        if not run(limit) or registers.status != DISPATCH:
            return False
        self._dispatch(number)
        if not run(limit) or registers.status != RETURN:
            return False
        self._return(number)
        if not run(limit) or registers.status != RESTORE:
            return False
        return self._restore(number)

    # In each step what may fail comes first, then the event is noted and the state moves on. So a
    # step that failed can be made again, and one that was made is not.

    def _inject(self, number: int) -> None:
        event = Inject(
            t=(monotonic_ns() - self._begun) // 1000,
            call=number,
            tid=self._thread.tid,
            g=self._caller.g,
            goid=self._caller.goid,
            pc=self._saved.pc,
            function=self._caller.function,
            schedule=Schedule.NATURAL,
            callee=self._callee,
        )
        self._memory.write(self._begin.address, self._begin.data)
        self._noted.append(event)
        self.state = State.INJECTED

    def _dispatch(self, number: int) -> None:
        registers, memory = self._registers, self._memory
        t = (monotonic_ns() - self._begun) // 1000
        goroutine = self._read_goroutine(registers.goroutine, memory)
        event = Trap(
            t=t,
            call=number,
            tid=self._thread.tid,
            status=DISPATCH,
            g=goroutine.address,
            function=self._traps[registers.pc],
            goid=goroutine.goid,
            parent=goroutine.parent,
            locked=goroutine.locked,
        )
        self._frame.write(self._callee.arguments, registers, memory)
        self._arch.enter_function(registers, memory, self._entry, 0)
        self._write()
        self._noted.append(event)
        self.state, self.call_g = State.CALLING, goroutine.address

    def _return(self, number: int) -> None:
        registers, memory = self._registers, self._memory
        event = Trap(
            t=(monotonic_ns() - self._begun) // 1000,
            call=number,
            tid=self._thread.tid,
            status=RETURN,
            g=registers.goroutine,
            function=self._traps[registers.pc],
            results=self._frame.read(registers, memory),
        )
        if self._arch.leave_trap(registers, memory):
            self._write()
        self._noted.append(event)
        self.state = State.LEAVING

    def _restore(self, number: int) -> bool:
        t = (monotonic_ns() - self._begun) // 1000
        registers, tid = self._registers, self._thread.tid
        if registers.sp != self._image.sp or not self._image.is_in(self._memory):
            return False
        event = Trap(
            t=t,
            call=number,
            tid=tid,
            status=RESTORE,
            g=registers.goroutine,
            function=self._traps[registers.pc],
        )
        self._enter()
        self._noted += event, Restored(t=t, call=number, tid=tid)
        self.state = State.ENDED
        return True
