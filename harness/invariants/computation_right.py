"""The program computes what it would have computed without the calls, and the calls do too."""

import signal
from collections.abc import Iterator

from harness.invariants.finding import Finding, Invariant
from harness.recording import Exited, Recording, Report
from harness.recording.recording import PANIC, RETURN

_CRASHES = {
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGSEGV,
}
"""What a fault in the runtime may raise. Any other signal comes from outside."""


def _check(recording: Recording) -> Iterator[Finding]:
    for report in recording.all(Report):
        if report.mismatches:
            yield Finding(
                INVARIANT.name,
                f"{report.mismatches} of {report.rounds} rounds of the interrupted computation "
                "came out wrong",
                events=(report,),
            )
    for exit_ in recording.all(Exited):
        if exit_.signal in _CRASHES and not exit_.killed:
            yield Finding(
                INVARIANT.name, f"the target was ended by signal {exit_.signal}", events=(exit_,)
            )
        elif exit_.code and recording.injections and recording.header.target.toolchain:
            # One of this project's own targets. Go's fatal errors end in exit code 2, no signal;
            # somebody else's program may end like that for reasons of its own.
            yield Finding(
                INVARIANT.name, f"the target ended with exit code {exit_.code}", events=(exit_,)
            )
    for injection in recording.injections:
        callee, left = injection.inject.callee, injection.trap(RETURN, PANIC)
        if left is None:
            continue
        wrong = left.status != callee.ends_in or (callee.results and left.results != callee.results)
        if wrong:
            yield Finding(
                INVARIANT.name,
                f"{callee.name}{callee.arguments} ended with status {left.status} and results "
                f"{left.results}, expected {callee.ends_in} and {callee.results}",
                injection.inject.call,
                (injection.inject, left),
            )


INVARIANT = Invariant(
    "computation-right",
    "callees return what they compute, and the interrupted computation goes on right",
    _check,
)
