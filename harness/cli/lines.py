"""Verdicts as lines of text and as a table."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.cli.outcome import Failure
from harness.experiment.verdict import Breach, Check, Counts, Result, Verdict
from harness.recording import Schedule
from harness.report.terminal import timeline

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from harness.cli.outcome import Outcome

_STYLES = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow"}
_COLUMNS = (
    "toolchain",
    "result",
    "injections",
    "migrated",
    "refused",
    "uncontested",
    "contested",
    "locked",
    "first detection",
    "control",
)


def headline(outcome: "Outcome") -> "Text":
    """Return the result, the toolchain and the reason in one line."""
    from rich.text import Text

    result, reason = _result_of(outcome)
    style = _STYLES.get(result, "bold red")
    return Text.assemble((f"{result:<5}", style), f" {outcome.toolchain}: {reason}")


def account(check: Check, again: str) -> Iterator[str]:
    """Return what a verdict rests on, and for a violation how it came about.

    `again` is the command that repeats it; a recording tells that itself.
    """
    verdict = check.verdict
    for schedule, counts in verdict.counts.items():
        yield f"  {schedule.value:<8}{_counted(counts)}"
    total = _total(verdict)
    if total.locked + total.unlocked:
        yield f"  witness the call goroutine began locked to its thread in {_locked(total)} calls"
    if check.control:
        yield f"  control {_control(check.control)}"
    yield f"  took    {verdict.seconds:.2f} s for {total.injections} injections"
    yield from _explained(verdict)
    if check.recording:
        yield f"recording: {check.recording}"
    if check.command:
        yield f"recorded by: {check.command}"
    elif again:
        yield f"again: {again}"


def table(outcomes: "Sequence[Outcome]") -> "Table":
    """Return a table of all outcomes."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in _COLUMNS:
        made.add_column(name, no_wrap=True)
    for outcome in outcomes:
        result, _ = _result_of(outcome)
        cells = () if isinstance(outcome, Failure) else _cells(outcome)
        made.add_row(outcome.toolchain, Text(result, _STYLES.get(result, "bold red")), *cells)
    return made


def _result_of(outcome: "Outcome") -> tuple[str, str]:
    if isinstance(outcome, Failure):
        return f"error {outcome.exit_code}", outcome.error
    return outcome.result.value, outcome.reason


def _cells(check: Check) -> Iterator[str]:
    total = _total(check.verdict)
    yield from map(str, (total.injections, total.migrated, total.refused, total.uncontested))
    forced = _total(check.verdict, but=Schedule.NATURAL)
    yield _share(forced) if forced.injections else "-"
    yield _locked(total)
    yield _detection(check.verdict) or "-"
    if check.control is None:
        yield "-"
    else:
        yield "fails" if check.control.result is Result.FAIL else "DOES NOT FAIL"


def _counted(counts: Counts) -> str:
    parts = [f"{counts.migrated} migrated, {counts.refused} refused"]
    parts.append(f"{counts.uncontested} uncontested ({_share(counts)} contested)")
    if counts.rejected:
        parts.append(f"{counts.rejected} not taken by the runtime")
    if lost := counts.injections - counts.ended:
        parts.append(f"{lost} never ended")
    return f"{counts.injections} injections: {', '.join(parts)}"


def _share(counts: Counts) -> str:
    contested = counts.migrated + counts.refused
    return f"{100 * contested / counts.injections:.1f} %"


def _locked(counts: Counts) -> str:
    return f"{counts.locked}/{counts.locked + counts.unlocked}"


def _detection(verdict: Verdict) -> str:
    if verdict.detected_at is None or verdict.detected_after is None:
        return ""
    return f"injection {verdict.detected_at}, {1e3 * verdict.detected_after:.1f} ms"


def _control(control: Verdict) -> str:
    if control.result is not Result.FAIL:
        return f"without the lock in its runtime it does NOT fail: {control.reason}"
    detection = _detection(control)
    return f"without the lock in its runtime it fails, as it must{detection and ': '}{detection}"


def _explained(verdict: Verdict) -> Iterator[str]:
    """Tell the first breach event by event, and of the others what was found."""
    if verdict.breaches and (detection := _detection(verdict)):
        yield f"first detection: {detection} after the first injection"
    for number, breach in enumerate(verdict.breaches):
        first = breach.first[0]
        where = "" if first.call is None else f"injection {first.call}: "
        yield f"{breach.invariant} ({_times(breach)}): {where}{first.text}"
        if number == 0:
            yield from timeline(first.events)


def _times(breach: Breach) -> str:
    return "once" if breach.count == 1 else f"{breach.count} times"


def _total(verdict: Verdict, *, but: Schedule | None = None) -> Counts:
    chosen = [counts for schedule, counts in verdict.counts.items() if schedule is not but]
    return Counts(
        **{
            name: sum(getattr(counts, name) for counts in chosen)
            for name in Counts.__struct_fields__
        }
    )
