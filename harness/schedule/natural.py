"""The schedule that does nothing: for throughput, for soaks, as the honest comparison."""

from harness.debugcall.injection import NEVER, Injection
from harness.recording import Schedule
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
