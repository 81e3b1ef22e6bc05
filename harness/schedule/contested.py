"""The contested steal: a call is driven into the schedule in which its goroutine can be lost.

The call goroutine is stopped at its first instruction and asked to yield. Its thread puts it on
the global run queue and enters the scheduler; there the thread is held, as a busy kernel could
hold it, so that another one has to take the goroutine. Then it is seen which of the two happens:
that thread runs the goroutine and dispatches the call (it migrated), or finds it locked to the
held thread and hands it back by runtime.startlockedm (it was refused). Neither: uncontested.

Go's runtime/debugcall.go (debugCallWrap, debugCallWrap1) and runtime/proc.go (goschedImpl,
schedule, startlockedm) are what this module follows.
"""

import enum
from time import monotonic

from harness.debugcall.injection import NEVER, Injection
from harness.debugcall.session import Session
from harness.debugcall.slots import CALL_SLOT, HANDBACK_SLOT
from harness.recording import Entry, HandBack, Hold, Preempt, Release, Schedule
from harness.tracer import Thread

HOLD_LIMIT = 0.1
"""Seconds that a thread is held. Where anybody looks at the run queue, it takes milliseconds."""


class Phase(enum.Enum):
    """What the injecting thread is about."""

    ENTERING = "on its way to debugCallWrap1"
    PREEMPTING = "stopped at debugCallWrap1, until it is asked to yield"
    YIELDING = "on its way to the scheduler"
    WAKING = "calling runtime.wakep"
    HELD = "stopped at the scheduler's entry"
    FREE = "out of our hands"


class Contested:
    """What `delay` and `steal` share. One object serves one session, a call at a time."""

    name: Schedule

    def __init__(self, session: Session) -> None:
        program = session.program
        self._entry = program.address("runtime.debugCallWrap1")
        self._schedule = program.address("runtime.schedule")
        self._hand_back = program.address("runtime.startlockedm")
        self._phase = Phase.FREE
        self._decided = False
        self.limit = NEVER
        with session.process.frozen():
            session.process.set_breakpoint_everywhere(HANDBACK_SLOT, self._hand_back)

    @property
    def settled(self) -> bool:
        """Whether the injecting thread is out of the schedule's hands."""
        return self._phase is Phase.FREE

    def begin(self, call: Injection) -> None:
        """Have the injecting thread stop where the call goroutine begins to run."""
        self._phase, self.limit, self._decided = Phase.ENTERING, NEVER, False
        call.process.set_breakpoint(call.injecting, CALL_SLOT, self._entry)

    def reached(self, call: Injection, thread: Thread) -> None:
        """Take the injecting thread to the next phase, or note that another one hands back."""
        pc = thread.registers.pc
        if pc == self._hand_back:
            self._handed_back(call, thread)
        elif thread is not call.injecting:
            # It was an earlier call's, which ended on another thread.
            call.process.set_breakpoint(thread, CALL_SLOT, None)
            call.process.resume(thread)
        elif pc == self._entry and self._phase is Phase.ENTERING:
            self._entered(call)
        elif pc == self._schedule and self._phase is Phase.YIELDING:
            self._yielded(call)
        elif pc == self._schedule and self._phase is Phase.WAKING:
            self._woken(call)
        else:
            self._let_go(call)

    def expired(self, call: Injection) -> None:
        """Give up holding the thread."""
        self._release(call, "time limit")

    def dispatched(self, call: Injection) -> None:
        """Release the thread that was held, for a theft or for nothing."""
        self._decided = True
        if self._phase is Phase.HELD:
            self._release(call, "dispatched")
        elif self._phase is not Phase.WAKING:
            self._phase = Phase.FREE

    def end(self, call: Injection) -> None:
        """Take the injecting thread's breakpoint out, if it stands; `reached` does, if it runs."""
        self._phase, self.limit = Phase.FREE, NEVER
        if call.injecting.stopped:
            call.process.set_breakpoint(call.injecting, CALL_SLOT, None)

    def _entered(self, call: Injection) -> None:
        registers = call.injecting.registers
        call.call_g = registers.goroutine
        call.record(
            Entry(
                t=call.clock(),
                call=call.number,
                tid=call.injecting.tid,
                g=call.call_g,
                locked=call.program.is_locked(call.call_g),
            )
        )
        self._phase = Phase.PREEMPTING
        self._preempt(call)

    def _preempt(self, call: Injection) -> None:
        """Have the call goroutine asked to yield, then call `_asked`."""
        raise NotImplementedError

    def _asked(self, call: Injection, by: str) -> None:
        call.record(Preempt(t=call.clock(), call=call.number, tid=call.injecting.tid, by=by))
        call.process.set_breakpoint(call.injecting, CALL_SLOT, self._schedule)
        self._phase, self.limit = Phase.YIELDING, NEVER
        call.process.resume(call.injecting)

    def _yielded(self, call: Injection) -> None:
        self._hold(call)

    def _woken(self, call: Injection) -> None:
        self._hold(call)

    def _hold(self, call: Injection) -> None:
        if self._decided:  # the other thread was faster than the news of this stop
            self._let_go(call)
            return
        call.process.set_breakpoint(call.injecting, CALL_SLOT, None)
        self._phase = Phase.HELD
        self.limit = monotonic() + HOLD_LIMIT * call.scale
        call.record(Hold(t=call.clock(), call=call.number, tid=call.injecting.tid))

    def _handed_back(self, call: Injection, thread: Thread) -> None:
        if thread.registers.argument == call.call_g and thread is not call.injecting:
            call.record(HandBack(t=call.clock(), call=call.number, tid=thread.tid))
            self._decided = True
            if self._phase is Phase.HELD:
                self._release(call, "handed back")
        call.process.resume(thread)

    def _release(self, call: Injection, why: str) -> None:
        call.record(Release(t=call.clock(), call=call.number, tid=call.injecting.tid, why=why))
        self._let_go(call)

    def _let_go(self, call: Injection) -> None:
        self._phase, self.limit = Phase.FREE, NEVER
        call.process.set_breakpoint(call.injecting, CALL_SLOT, None)
        call.process.resume(call.injecting)
