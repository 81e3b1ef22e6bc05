"""A recording with what was made of it: what `debugcall show` shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import InputError
from harness.recording import HandBack, Injection, Lost, Outcome, Recording
from harness.report.story import printable
from harness.verdict import Check, Finding


@dataclass(frozen=True)
class Exhibit:
    """A recording, its check, and all findings by the call they are about; None: by no call."""

    recording: Recording
    check: Check
    findings: Mapping[int | None, Sequence[Finding]]

    @property
    def name(self) -> str:
        """The toolchain, as a title."""
        return printable(self.check.toolchain) or "unknown toolchain"

    def injection(self, call: int | None = None) -> Injection | None:
        """Return the injection of this number; by default the first with a finding, or the first.

        None where nothing was injected. Raises `InputError` if there is none of this number.
        """
        injections = self.recording.injections
        wanted = self.check.verdict.detected_at if call is None else call
        if wanted is None:
            return next(iter(injections), None)
        found = next((i for i in injections if i.inject.call == wanted), None)
        if found is None:
            last = max((i.inject.call for i in injections), default=None)
            raise InputError(
                f"{self.check.recording} has no call {wanted}",
                mend="" if last is None else f"give --call a number up to {last}",
            )
        return found


def outcome(injection: Injection) -> str:
    """Return in a word what became of a call."""
    if injection.first(Lost):
        return "lost"
    if injection.trap(8):
        return "not taken"
    return injection.outcome.value if injection.trap(0) else "never dispatched"


def meaning(injection: Injection) -> str:
    """Say in plain words what a call shows."""
    tid = injection.inject.tid
    dispatch = injection.trap(0)
    witness = {
        True: "it was locked to its thread",
        False: "it was NOT locked to its thread, so any thread might have",
        None: "whether it was locked was not seen",
    }[injection.locked]
    if lost := injection.first(Lost):
        return f"The call never came to its end: {printable(lost.why)}."
    if refusal := injection.trap(8):
        return f"The runtime would not take a call here: {printable(refusal.text)}."
    if dispatch is None:
        return "The recording breaks off, or the call ended, before the runtime asked for the call."
    if injection.outcome is Outcome.MIGRATED:
        return (
            f"Thread {dispatch.tid} took the call goroutine and ran it. A debugger waits for it on "
            f"thread {tid}, where it injected the call: it hangs there, or takes the trap for "
            "another one."
        )
    if injection.outcome is Outcome.REFUSED:
        thief = injection.all(HandBack)[0].tid
        return (
            f"Thread {thief} took the call goroutine off the run queue, found it locked to thread "
            f"{tid} and handed it back: the call stayed where a debugger waits for it."
        )
    return f"No other thread took the call goroutine, which alone proves nothing; {witness}."
