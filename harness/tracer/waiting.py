"""Waiting for what traced threads do, with a time limit and without polling.

SIGCHLD, and the signals that would end the harness, are blocked while a process is traced and
taken by sigtimedwait(2). So Ctrl-C is an event like the others: it never cuts in between a stop and
the reaping of it.
"""

import math
import os
import signal
from contextlib import suppress
from time import monotonic

from harness.errors import HarnessError, InputError

_WALL = 0x40000000
"""__WALL of waitpid(2): wait for threads too."""
_LOOKING = os.WNOHANG | _WALL
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_FATAL = {
    signal.SIGALRM,
    signal.SIGIO,
    signal.SIGPROF,
    signal.SIGPWR,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGVTALRM,
    signal.SIGXCPU,
}
"""They end a process that has no handler for them: signal(7)."""
_RECHECK = 0.2
"""Seconds. Another thread of this process that does not block SIGCHLD may swallow one; then this
bounds the delay."""


def time_scale() -> float:
    """Return the factor on all time limits: DEBUGCALL_TIME_SCALE, for slow machines."""
    text = os.environ.get("DEBUGCALL_TIME_SCALE", "1")
    with suppress(ValueError):
        if 0 < (scale := float(text)) < math.inf:
            return scale
    raise InputError(
        f"DEBUGCALL_TIME_SCALE is {text!r}, no number above 0", mend="unset DEBUGCALL_TIME_SCALE"
    )


class Waiter:
    """Reaps the threads that the calling thread traces.

    There is one at a time in a process, since each would take the other's events: `InputError`.
    `asked_to_end` is the signal to end that came last, if any, and `requests` how many came;
    `heeded`, whether the caller was told.
    """

    _in_use = False

    def __init__(self) -> None:
        if Waiter._in_use:
            raise InputError(
                "this process traces a target already",
                mend="close that session first, or trace each target from a process of its own",
            )
        Waiter._in_use = True
        self.asked_to_end: signal.Signals | None = None
        self.requests = 0
        self.heeded = False
        self._closed = False
        unhandled = {number for number in _FATAL if signal.getsignal(number) is signal.SIG_DFL}
        self._ending = _ENDING | unhandled
        self._blocked = {signal.SIGCHLD, *self._ending}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._blocked)

    def next(self, limit: float) -> tuple[int, int] | None:
        """Return the next (tid, wait status), or None once monotonic() has reached `limit`.

        Also None when a signal to end arrives. `HarnessError` if there is nothing to wait for.
        """
        while True:
            try:
                event = os.waitpid(-1, _LOOKING)
            except ChildProcessError:
                raise HarnessError(
                    "the target's end was reaped by something else in this process",
                    mend="wait for your own children only while a session lasts: no waitpid(-1)",
                ) from None
            if event[0]:
                return event
            rest = limit - monotonic()
            if rest <= 0:
                return None
            taken = signal.sigtimedwait(self._blocked, min(rest, _RECHECK))
            if taken and self._asks_to_end(taken.si_signo):
                return None

    def look(self) -> None:
        """Take a signal to end that has come. `next` does only when there is nothing to reap."""
        while taken := signal.sigtimedwait(self._ending, 0):
            self._asks_to_end(taken.si_signo)

    def close(self) -> None:
        """Give the signals back to whoever handled them before, one to end that nobody heeded too.

        Others that are still pending are dropped: they were for what has ended now.
        """
        if self._closed:
            return
        self._closed, Waiter._in_use = True, False
        while taken := signal.sigtimedwait(self._blocked, 0):
            self._asks_to_end(taken.si_signo)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        if self.asked_to_end and not self.heeded:
            signal.raise_signal(self.asked_to_end)

    def _asks_to_end(self, number: int) -> bool:
        # Blocked signals come also where they are ignored, as SIGHUP is under nohup.
        if number not in self._ending or signal.getsignal(number) is signal.SIG_IGN:
            return False
        self.asked_to_end = signal.Signals(number)
        self.requests += 1
        return True
