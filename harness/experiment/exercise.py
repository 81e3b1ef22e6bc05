"""Many injections into one target, under a sequence of schedules."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from time import monotonic

from harness.debugcall.injection import Timing
from harness.debugcall.session import Session
from harness.errors import IdleTarget
from harness.recording import AnyEvent, Callee, Planned, Schedule, Starved
from harness.schedule import Delay, Steal, volley

HELD_LIMIT = 0.1
"""Seconds for which a goroutine of an attached program is kept from its work: all calls from one
stop take no longer. A launched one has nobody who waits for it."""
HELD_LIMIT_LAUNCHED = 5.0
SEEK_LIMIT = 10.0
"""Seconds until a target in which nobody comes by is given up."""

_TIMINGS: dict[Schedule, Callable[[Session], Timing]] = {
    Schedule.DELAY: Delay,
    Schedule.STEAL: Steal,
}


@dataclass(frozen=True)
class Plan:
    """How many injections under which schedule, in order; `per_stop` of them from each stop."""

    steps: tuple[tuple[Schedule, int], ...]
    per_stop: int

    @classmethod
    def of(cls, schedule: Schedule | None, number: int, per_stop: int = 20) -> "Plan":
        """Return `number` injections under one schedule; None: a tenth by delays, then steals."""
        if schedule is not None:
            return cls(((schedule, number),), per_stop)
        delays = max(1, number // 10)
        return cls(((Schedule.DELAY, delays), (Schedule.STEAL, number - delays)), per_stop)

    @property
    def total(self) -> int:
        """All injections together."""
        return sum(number for _, number in self.steps)


def exercise(
    session: Session,
    sites: Sequence[int],
    callee: Callable[[int], Callee],
    plan: Plan,
    progress: Callable[[Sequence[AnyEvent]], None] = lambda _: None,
    nudge: Callable[[], None] | None = None,
) -> bool:
    """Inject as planned at threads that come by `sites`; return False if none came in time.

    `callee` gets the caller's stack pointer and says what to call. `progress` gets the new events
    after each stop. `nudge` is called when a stop is waited for. The target runs on between stops.
    """
    timings = {s: _TIMINGS[s](session) for s, _ in plan.steps if s in _TIMINGS}
    held = HELD_LIMIT_LAUNCHED if session.process.launched else HELD_LIMIT
    session.recorder.add(Planned(t=session.clock(), injections=plan.total))
    todo = deque(schedule for schedule, number in plan.steps for _ in range(number))
    while todo:
        try:
            caller = session.seek(sites, SEEK_LIMIT, nudge)
        except IdleTarget:
            session.recorder.add(
                Starved(
                    t=session.clock(),
                    seconds=SEEK_LIMIT * session.scale,
                    suspended=session.process.suspended,
                )
            )
            return False
        seen, called = len(session.recorder.events), callee(caller.saved.sp)
        until = monotonic() + held * session.scale
        left: list[Schedule] = []
        here = [todo.popleft() for _ in range(min(plan.per_stop, len(todo)))]
        for schedule, calls in groupby(here):
            if schedule is Schedule.NATURAL:
                wanted = len(list(calls))
                left += [schedule] * (wanted - volley(session, caller, called, wanted, until))
                continue
            for _ in calls:
                if monotonic() < until:
                    session.inject(caller, called, timings[schedule])
                else:
                    left.append(schedule)
        todo.extendleft(reversed(left))
        session.release(caller)
        progress(session.recorder.events[seen:])
    return True
