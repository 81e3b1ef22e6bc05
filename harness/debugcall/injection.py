"""One debug call, from the saved registers to their restoration."""

import math
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Protocol

from harness.arch.binding import PtraceError
from harness.debugcall.caller import Caller
from harness.debugcall.goroutine import Goroutine
from harness.debugcall.program import Program
from harness.debugcall.protocol import Action, State, advance
from harness.errors import HarnessError, TargetError
from harness.recording import Callee, Inject, Lost, Recorder, Restored, Schedule, Trap
from harness.recording.recording import RESTORE
from harness.tracer import Kind, Stop, Thread

NEVER = math.inf
CALL_LIMIT = 10.0
"""Seconds until a call that does not end is given up. They do not pass while the target is stopped
by SIGSTOP or the like."""
_SLICES = 20
_AFTERWARDS = (
    "a program that was attached to goes on; restart it when you can: no debugger can call "
    "functions in it any more"
)


class Timing(Protocol):
    """What a schedule does to one injection. `harness.schedule` holds the three there are."""

    name: Schedule
    limit: float
    """The time, on monotonic(), at which `expired` wants to be called."""

    @property
    def settled(self) -> bool:
        """Whether the injecting thread is out of the schedule's hands."""

    def begin(self, call: "Injection") -> None:
        """Prepare the injecting thread, which is about to enter debugCallV2."""

    def reached(self, call: "Injection", thread: Thread) -> None:
        """Deal with a thread at a hardware breakpoint: resume it, or hold it for a while."""

    def expired(self, call: "Injection") -> None:
        """Deal with `limit` having come."""

    def dispatched(self, call: "Injection") -> None:
        """Take note that the call goroutine asks for its call."""

    def end(self, call: "Injection") -> None:
        """Take back what is left of the preparations."""


class Injection:
    """A call in flight.

    `call_g` is the call goroutine, once it was seen; `results` are the callee's, once it returned.
    """

    def __init__(
        self,
        program: Program,
        caller: Caller,
        callee: Callee,
        timing: Timing,
        recorder: Recorder,
        number: int,
        clock: Callable[[], int],
        scale: float,
    ) -> None:
        self.program = program
        self.process = program.process
        self.caller = caller
        self.callee = callee
        self.timing = timing
        self.record = recorder.add
        self.number = number
        self.clock = clock
        self.scale = scale
        self.injecting = caller.thread
        self.call_g = 0
        self.state = State.INJECTED
        self.results: tuple[int, ...] = ()
        self._restored = False
        self._begun = False
        self._abandoned = False
        self._entry = program.address(callee.name)
        self._frame = program.frame(callee)

    def run(self) -> None:
        """Inject the call and drive it to its end; then the caller's thread is stopped again.

        Raises `TargetError` if the target ends meanwhile and `HarnessError` if the call does not.
        Signals that ask the harness to end wait until then. Should anything else go wrong, the call
        is ended all the same. One that cannot be ended is left to end without a debugger, by
        `Program.silence_traps`.
        """
        self._drive(self._inject)

    def go_on(self, state: State, call_g: int = 0) -> None:
        """Drive a call that is in this state of the protocol to its end, as `run` does."""
        self.state, self.call_g, self._begun = state, call_g, True
        self._drive(lambda: None)

    def _drive(self, begin: Callable[[], None]) -> None:
        shielded, self.process.shielded = self.process.shielded, True
        try:
            begin()
            self._until_settled()
        except BaseException:
            if not self._abandoned:
                if self.process.dies():
                    raise self._lost("the target ended") from None
                self._bring_home()
            if self._begun and not self._restored and not self.process.over:
                with suppress(OSError):  # it is being killed
                    self.program.silence_traps()
            raise
        finally:
            self.process.shielded = shielded

    def _until_settled(self) -> None:
        left, slice_ = _SLICES, CALL_LIMIT * self.scale / _SLICES
        limit = monotonic() + slice_
        while not (self._restored and self.timing.settled):
            stop = self.process.wait(min(limit, self.timing.limit))
            if stop is not None:
                self._stopped(stop)
            elif monotonic() < limit:
                self.timing.expired(self)
            elif not self.process.suspended:
                left, limit = left - 1, monotonic() + slice_
                if not left:
                    raise self._lost(f"it did not end in {CALL_LIMIT * self.scale:.0f} s")
            elif self.process.asked_to_end:
                raise self._lost("the target was stopped by a signal")
            else:
                limit = monotonic() + slice_
        self.timing.end(self)

    def _bring_home(self) -> None:
        """End the call after a failure, without its schedule, so that the target can be let go."""
        process, self._abandoned = self.process, True
        with suppress(HarnessError, PtraceError, OSError):  # what failed first is what to tell
            if not self._begun:
                process.write_registers(self.caller.thread, self.caller.saved)
                return
            for thread in process.threads.values():
                if thread.stopped and not process.has_news(thread) and not self._restored:
                    self._past_trap(thread)
            process.resume_all(but=[self.caller.thread] if self._restored else [])
            limit = monotonic() + CALL_LIMIT * self.scale
            while not self._restored and (stop := process.wait(limit)):
                self._stopped(stop)

    def _past_trap(self, thread: Thread) -> None:
        """Have a thread go on behind a trap that was not dealt with; debugCallN then returns."""
        registers = self.process.read_registers(thread)
        if registers.pc not in self.program.traps:
            return
        if registers.status == RESTORE:
            self._restore(thread)
        elif self.program.arch.leave_trap(registers, self.process.memory):
            self.process.write_registers(thread, registers)

    def _inject(self) -> None:
        caller, memory = self.caller, self.process.memory
        self.record(
            Inject(
                t=self.clock(),
                call=self.number,
                tid=caller.thread.tid,
                g=caller.g,
                goid=caller.goid,
                pc=caller.saved.pc,
                function=caller.function,
                schedule=self.timing.name,
                callee=self.callee,
            )
        )
        begin = self.program.arch.begin_call(
            caller.saved, self.program.debug_call, self._frame.size
        )
        memory.write(begin.address, begin.data)
        self.process.write_registers(caller.thread, begin.registers)
        self.timing.begin(self)
        self._begun = True
        self.process.resume(caller.thread)

    def _stopped(self, stop: Stop) -> None:
        if stop.kind is Kind.TRAP:
            self._trapped(stop.thread)
        elif stop.kind is Kind.BREAKPOINT and self._abandoned:
            self.process.resume(stop.thread)
        elif stop.kind is Kind.BREAKPOINT:
            self.timing.reached(self, stop.thread)
        elif stop.kind is Kind.FOREIGN_TRAP:
            ours = self.call_g and stop.thread.registers.goroutine == self.call_g
            if ours and stop.code > 0:  # the kernel made it, and no kill(2)
                # runtime.Breakpoint in the callee: to stop there is what it asks a debugger for.
                stop.thread.signal = 0
                if self.program.arch.pass_breakpoint(stop.thread.registers, self.process.memory):
                    self.process.write_registers(stop.thread, stop.thread.registers)
            self.process.resume(stop.thread)
        elif stop.kind is Kind.EXIT:
            raise self._lost("the target ended")
        else:
            raise self._lost("the target executed another program")

    def _trapped(self, thread: Thread) -> None:
        registers = thread.registers
        status = registers.status
        self.state, action = advance(self.state, status)
        dispatch = action is Action.CALL
        goroutine = self._goroutine(registers.goroutine) if dispatch else None
        if action is Action.READ_RESULTS:
            self.results = self._frame.read(registers, self.process.memory)
        self.record(
            Trap(
                t=self.clock(),
                call=self.number,
                tid=thread.tid,
                status=status,
                g=registers.goroutine,
                function=self.program.traps[registers.pc],
                goid=goroutine.goid if goroutine else None,
                parent=goroutine.parent if goroutine else None,
                locked=goroutine.locked if goroutine else None,
                results=self.results if action is Action.READ_RESULTS else (),
                text=self._reason(thread) if action is Action.READ_REFUSAL else "",
            )
        )
        if action is Action.RESTORE:
            self._restore(thread)
            return
        if dispatch:
            self.call_g = registers.goroutine
            memory = self.process.memory
            self._frame.write(self.callee.arguments, registers, memory)
            self.program.arch.enter_function(registers, memory, self._entry, 0)
            self.process.write_registers(thread, registers)
            if not self._abandoned:
                self.timing.dispatched(self)
        elif self.program.arch.leave_trap(registers, self.process.memory):
            self.process.write_registers(thread, registers)
        self.process.resume(thread)

    def _restore(self, thread: Thread) -> None:
        memory, arch, caller = self.process.memory, self.program.arch, self.caller
        frame = arch.read_frame(thread.registers, memory, caller.saved)
        self.process.write_registers(thread, frame.registers)
        caller.vector.write(thread.tid)
        caller.thread, caller.saved = thread, frame.registers
        self.record(
            Restored(
                t=self.clock(),
                call=self.number,
                tid=thread.tid,
                changed=frame.changed,
                moved=frame.moved,
            )
        )
        self._restored = True
        if thread is self.injecting:  # it is back: a call that was refused never gets further
            self.timing.end(self)

    def _goroutine(self, g: int) -> Goroutine | None:
        try:
            return self.program.goroutine(g)
        except OSError:
            return None

    def _reason(self, thread: Thread) -> str:
        memory = self.process.memory
        header = self.program.arch.data(thread.registers)
        try:
            text = memory.read(memory.word(header), min(memory.word(header + 8), 200))
        except OSError:
            return ""
        return str(text, errors="replace")

    def _lost(self, why: str) -> HarnessError:
        self._abandoned = True
        self.record(Lost(t=self.clock(), call=self.number, why=why))
        what = f"during the call of {self.callee.name} {why}"
        return TargetError(what) if self.process.over else HarnessError(what, mend=_AFTERWARDS)
