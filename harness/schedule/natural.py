"""The schedule that does nothing: for throughput, for soaks, as the honest comparison."""

from contextlib import nullcontext
from time import monotonic

from harness.arch.binding import PtraceError
from harness.debugcall.caller import Caller
from harness.debugcall.injection import NEVER, Injection
from harness.debugcall.protocol import State
from harness.debugcall.session import Session
from harness.debugcall.volley import Volley
from harness.errors import TargetError
from harness.recording import Callee, Schedule
from harness.tracer import Thread
from harness.tracer.placement import on_one_core

_BETWEEN_LOOKS = 50  # calls from one look at the clock to the next; they take milliseconds


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


def volley(
    session: Session, caller: Caller, callee: Callee, number: int, until: float = NEVER
) -> int:
    """Make `number` natural calls of `callee` from `caller`, as fast as ptrace goes.

    No more are begun when monotonic() reaches `until`; returns how many were made. A thread of a
    launched program shares a core with the harness meanwhile. Raises as `Session.inject` does.
    """
    process = session.process
    # A program that was attached to keeps its masks, even should the harness be killed.
    together = on_one_core(process.pid, caller.thread.tid) if process.launched else nullcontext()
    try:
        with together:
            left = number
            while left > 0 and monotonic() < until:
                few = left if until == NEVER else min(left, _BETWEEN_LOOKS)
                left -= _fire(session, caller, callee, few)
            return number - left
    except (PtraceError, OSError):
        if process.dies():
            raise TargetError(f"during the call of {callee.name} the target ended") from None
        raise


def _fire(session: Session, caller: Caller, callee: Callee, number: int) -> int:
    """Make calls until one leaves the straight path; end that one, and return how many it were."""
    straight = Volley(session, caller, callee)
    try:
        made = straight.fire(number)
    finally:
        if straight.state is not State.ENDED:
            straight.hand_over()
            rest = session.injection(straight.number, caller, callee, Natural())
            rest.go_on(straight.state, straight.call_g)
            session.recorder.flush()
    return min(made + 1, number)
