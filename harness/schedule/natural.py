"""The schedule that does nothing: for throughput, for soaks, as the honest comparison."""

from harness.arch.binding import PtraceError
from harness.debugcall.caller import Caller
from harness.debugcall.injection import NEVER, Injection
from harness.debugcall.protocol import State
from harness.debugcall.session import Session
from harness.debugcall.volley import Volley
from harness.errors import TargetError
from harness.recording import Callee, Schedule
from harness.tracer import Thread


class Natural:
    """Leave the call to itself."""

    name = Schedule.NATURAL
    limit = NEVER
    settled = True

    def begin(self, call: Injection) -> None:
        """Nothing to prepare."""

    def reached(self, call: Injection, thread: Thread) -> None:
        """Pass by a breakpoint that is not this call's."""
        call.process.resume(thread)

    def expired(self, call: Injection) -> None:
        """Never comes."""

    def dispatched(self, call: Injection) -> None:
        """Nobody waits for it."""

    def end(self, call: Injection) -> None:
        """Nothing to take back."""


def volley(session: Session, caller: Caller, callee: Callee, number: int) -> None:
    """Make `number` natural calls of `callee` from `caller`, as fast as ptrace goes.

    Raises as `Session.inject` does.
    """
    straight = Volley(session.program, caller, callee, session.recorder.add, session.clock)
    for _ in range(number):
        session.process.heed()
        if not straight.fits():
            straight = Volley(session.program, caller, callee, session.recorder.add, session.clock)
        call = session.next_number()
        try:
            state = straight.call(call)
        except (PtraceError, OSError):
            if session.process.dies():
                raise TargetError(f"the target ended during the call of {callee.name}") from None
            raise
        if state is not State.ENDED:
            rest = session.injection(call, caller, callee, Natural())
            rest.go_on(state, straight.call_g)
        session.recorder.flush()
