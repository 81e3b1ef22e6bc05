"""The contested steal with the preemption written by the harness: the same, without the wait.

Two things the runtime could do at that point are done for it: what runtime.preemptone writes,
and the call of runtime.wakep that goschedImpl makes by itself since Go 1.22, so that a thread
looks at the run queue even in a program where nothing happens.
"""

from harness.debugcall.injection import Injection
from harness.debugcall.session import Session
from harness.recording import Schedule
from harness.schedule.contested import Contested, Phase


class Steal(Contested):
    """Delay threads, write the request to yield, wake a thread that looks for work."""

    name = Schedule.STEAL

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._wakep = session.program.address("runtime.wakep")

    def _preempt(self, call: Injection) -> None:
        call.program.ask_to_yield(call.call_g)
        self._asked(call, "harness")

    def _yielded(self, call: Injection) -> None:
        # The breakpoint stays where it is: wakep returns to the entry of schedule.
        thread, process = call.injecting, call.process
        self._before = thread.registers.copy()
        self._phase = Phase.WAKING
        process.write_registers(
            thread, call.program.arch.call_from(self._before, process.memory, self._wakep)
        )
        process.resume(thread)

    def _woken(self, call: Injection) -> None:
        call.process.write_registers(call.injecting, self._before)
        self._hold(call)
