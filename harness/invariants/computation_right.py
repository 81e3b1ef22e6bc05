"""The program computes what it would have computed without the calls, and the calls do too."""

from collections.abc import Iterator

from harness.invariants.invariant import Invariant
from harness.recording import Exited, Recording, Report
from harness.recording.recording import PANIC, RETURN
from harness.verdict import Finding


def _check(recording: Recording) -> Iterator[Finding]:
    for report in recording.all(Report):
        if report.mismatches:
            yield Finding(
                INVARIANT.name,
                f"{report.mismatches} of {report.rounds} rounds of the interrupted computation "
                "came out wrong",
                events=(report,),
            )
    if recording.header.target.toolchain and recording.injections:
        # One of this project's own targets. Somebody else's program may end for its own reasons.
        for exit_ in recording.all(Exited):
            if exit_.crash or exit_.code:  # Go's fatal errors end in exit code 2
                yield Finding(INVARIANT.name, f"the target ended by {exit_.how}", events=(exit_,))
    for injection in recording.injections:
        callee, left = injection.inject.callee, injection.trap(RETURN, PANIC)
        if left is None:
            continue
        if left.status != callee.ends_in or not _as_expected(left.results, callee.results):
            yield Finding(
                INVARIANT.name,
                f"{callee.name}{callee.arguments} ended with status {left.status} and results "
                f"{left.results}, expected {callee.ends_in} and {callee.results}",
                injection.inject.call,
                (injection.inject, left),
            )


def _as_expected(results: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return not expected or (
        len(results) == len(expected)
        and all(wanted in (None, result) for result, wanted in zip(results, expected, strict=True))
    )


INVARIANT = Invariant(
    "computation-right",
    "callees return what they compute, and the interrupted computation goes on right",
    _check,
)
