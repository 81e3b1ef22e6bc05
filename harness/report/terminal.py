"""Verdicts as lines of text and as a table."""

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from harness.recording import Schedule
from harness.report.lanes import Line, lanes, plain
from harness.report.story import printable, steps
from harness.verdict import Breach, Check, Conclusion, Counts, Failure, Result, Verdict, counted

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_WIDTH = 10_000
"""Columns of a table at most: what a terminal has no room for is wrapped there, not cut here."""
NAME = 40
"""Columns of a toolchain's name, which may be a path. It is wrapped; the headline has it whole."""
STYLES = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow"}
COLUMNS = (
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
"""The heads of the table."""


def headline(conclusion: Conclusion) -> "Text":
    """Return the result, the toolchain and the reason in one line."""
    from rich.text import Text

    result, reason = result_of(conclusion)
    style = STYLES.get(result, "bold red")
    return Text.assemble((f"{result:<5}", style), printable(f" {conclusion.toolchain}: {reason}"))


def account(check: Check, again: str) -> Iterator[str]:
    """Return what a verdict rests on, and for a violation how it came about.

    `again` is the command that repeats it; a recording tells that itself.
    """
    verdict = check.verdict
    for schedule, counts in verdict.counts.items():
        yield f"  {schedule.value:<8}{_counted(counts)}"
    whole = total(verdict)
    if whole.locked + whole.unlocked:
        yield f"  witness the call goroutine began locked to its thread in {_locked(whole)} calls"
    if check.control:
        yield f"  control {_control(check.control)}"
    yield f"  took    {verdict.seconds:.2f} s for {counted(whole.injections, 'injection')}"
    yield from explained(verdict)
    if check.recording:
        yield f"recording: {printable(check.recording)}"
    if check.command:
        yield printable(f"recorded by: {check.command}")
    elif again:
        yield f"again: {again}"


def table(conclusions: Sequence[Conclusion]) -> "Table":
    """Return a table of all conclusions."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(COLUMNS[0], max_width=NAME, overflow="fold")
    for name in COLUMNS[1:]:
        made.add_column(name, no_wrap=True)
    for conclusion in conclusions:
        toolchain, result, *others = cells(conclusion)
        made.add_row(toolchain, Text(result, STYLES.get(result, "bold red")), *others)
    return made


def render(*parts: object, to: TextIO | None) -> str:
    """Return what rich makes of these parts for a stream: in colour on a terminal only.

    It is rendered first and written afterwards, since rich ends a program whose reader went away.
    """
    from rich.console import Console

    rendered = io.StringIO()
    console = Console(
        file=rendered,
        force_terminal=(to is not None and to.isatty()) or None,
        width=_WIDTH,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=True,
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in rendered.getvalue().splitlines())


def styled(lines: Sequence[Line], *, to: TextIO | None) -> str:
    """Return lines in colour for a terminal, plain for anything else."""
    from rich.text import Text

    return render(*(Text.assemble(*line) for line in lines), to=to)


def result_of(conclusion: Conclusion) -> tuple[str, str]:
    """Return the result in a word or two, and the reason in a sentence."""
    if isinstance(conclusion, Failure):
        return f"error {conclusion.exit_code}", conclusion.error
    return conclusion.result.value, conclusion.reason


def cells(conclusion: Conclusion) -> Iterator[str]:
    """Return what stands in a row of the table; of what came to no verdict only the first two."""
    result, _ = result_of(conclusion)
    yield from (printable(conclusion.toolchain), result)
    if isinstance(conclusion, Check):
        yield from _figures(conclusion)


def _figures(check: Check) -> Iterator[str]:
    whole = total(check.verdict)
    yield from map(str, (whole.injections, whole.migrated, whole.refused, whole.uncontested))
    forced = total(check.verdict, but=Schedule.NATURAL)
    yield _share(forced) if forced.injections else "-"
    yield _locked(whole)
    yield _detection(check.verdict) or "-"
    if check.control is None:
        yield "skipped" if check.result is Result.PASS else "-"  # what fails needs none
    else:
        yield "fails" if check.control.result is Result.FAIL else "DOES NOT FAIL"


def _counted(counts: Counts) -> str:
    parts = [f"{counts.migrated} migrated, {counts.refused} refused"]
    parts.append(f"{counts.uncontested} uncontested ({_share(counts)} contested)")
    if counts.rejected:
        parts.append(f"{counts.rejected} not taken by the runtime")
    if lost := counts.injections - counts.ended:
        parts.append(f"{lost} never ended")
    return f"{counted(counts.injections, 'injection')}: {', '.join(parts)}"


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


def explained(verdict: Verdict) -> Iterator[str]:
    """Tell the first breach event by event, and of the others what was found."""
    if verdict.breaches and (detection := _detection(verdict)):
        yield f"first detection: {detection} after the first injection"
    for number, breach in enumerate(verdict.breaches):
        first = breach.first[0]
        where = "" if first.call is None else f"injection {first.call}: "
        yield printable(f"{breach.invariant} ({_times(breach)}): {where}{first.text}")
        if number == 0:
            yield from plain(list(lanes(list(steps(first.events)))))


def _times(breach: Breach) -> str:
    return "once" if breach.count == 1 else f"{breach.count} times"


def total(verdict: Verdict, *, but: Schedule | None = None) -> Counts:
    """Return the counts of all schedules together, or of all but one."""
    chosen = [counts for schedule, counts in verdict.counts.items() if schedule is not but]
    return Counts(
        **{
            name: sum(getattr(counts, name) for counts in chosen)
            for name in Counts.__struct_fields__
        }
    )
