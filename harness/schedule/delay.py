"""The contested steal by delays alone: nothing is written, sysmon asks for the preemption.

A goroutine that counts as running for 10 ms is asked to yield by the runtime's own sysmon
(runtime/proc.go, retake and preemptone). The thread is delayed at the call goroutine's first
instruction until that has happened, as a kernel may do to any thread at any time.
"""

from time import monotonic

from harness.debugcall.injection import Injection
from harness.recording import Schedule
from harness.schedule.contested import HOLD_LIMIT, Contested, Phase

_SYSMON_LIMIT = 0.5
"""Seconds. sysmon takes 17 ms at the median; it sleeps longer in an idle program.

A program that was attached to is held no longer than `HOLD_LIMIT`: somebody waits for it.
"""
_LOOK = 0.001
"""Seconds between looks at stackguard0. The runtime's write to it causes no event."""


class Delay(Contested):
    """Delay threads and write nothing."""

    name = Schedule.DELAY

    def _preempt(self, call: Injection) -> None:
        limit = _SYSMON_LIMIT if call.process.launched else HOLD_LIMIT
        self._until = monotonic() + limit * call.scale
        self.limit = monotonic() + _LOOK

    def expired(self, call: Injection) -> None:
        """Look whether sysmon has asked; or give up."""
        if self._phase is not Phase.PREEMPTING or monotonic() > self._until:
            super().expired(call)
        elif call.program.asked_to_yield(call.call_g):
            self._asked(call, "sysmon")
        else:
            self.limit = monotonic() + _LOOK
