"""One failure, one look: a page of text for each recording, and what tells them apart."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from harness.recording import HandBack, Injection, Outcome
from harness.report.exhibit import Exhibit, meaning, outcome
from harness.report.lanes import (
    BAD,
    FAINT,
    GOOD,
    STRONG,
    WARN,
    WIDTH,
    WRONG,
    Line,
    lanes,
    plain,
)
from harness.report.story import called, goroutine, printable, steps
from harness.verdict import Result

STYLES = {
    Result.PASS: "bold green",
    Result.FAIL: BAD,
    Result.INCONCLUSIVE: "bold yellow",
}
_GAP = 4
"""Columns between two pages that stand side by side."""
COMPARED = ("", "call goroutine", "another thread", "dispatched on", "moved")
"""The heads of a comparison."""
_NARROW = (20, 14, 15, 15, 8)
"""Columns of a comparison where there are few: 80, with the gaps."""
_OUTCOMES = {"migrated": BAD, "refused": GOOD}


def look(
    exhibits: Sequence[Exhibit],
    call: int | None = None,
    *,
    columns: int = WIDTH,
) -> list[Line]:
    """Return a page for each recording, side by side where there is room, and the comparison.

    `call` is the number of the injection to show, None for the most telling. Raises `InputError`
    if a recording has no such injection.
    """
    chosen = [exhibit.injection(call) for exhibit in exhibits]
    pages = [
        list(_page(exhibit, injection)) for exhibit, injection in zip(exhibits, chosen, strict=True)
    ]
    abreast = max(1, (columns + _GAP) // (WIDTH + _GAP))
    lines: list[Line] = []
    for first in range(0, len(pages), abreast):
        lines += [[]] if lines else []
        lines += _beside(pages[first : first + abreast])
    if len(exhibits) > 1:
        lines += [[], *_comparison(exhibits, chosen, columns)]
    return lines


def _page(exhibit: Exhibit, injection: Injection | None) -> Iterator[Line]:
    check = exhibit.check
    yield [
        (f"{check.result.value.upper()}  ", STYLES[check.result]),
        (exhibit.name, STRONG),
        (f"  {printable(check.recording or '')}", FAINT),
    ]
    for text in wrap(printable(check.reason), WIDTH):
        yield [(text, "")]
    if injection is None:
        return
    inject, became = injection.inject, outcome(injection)
    yield []
    yield [
        (f"call {inject.call} of {len(exhibit.recording.injections)}", STRONG),
        (f", {inject.schedule.value}: ", ""),
        (became.upper(), _OUTCOMES.get(became, WARN)),
    ]
    callers = f"{called(inject.callee)}, injected into {goroutine(inject)}"
    for text in wrap(f"{callers} at {printable(inject.function)}", WIDTH):
        yield [(text, FAINT)]
    yield []
    yield from lanes(list(steps([inject, *injection.events])))
    if not exhibit.recording.complete and injection is exhibit.recording.injections[-1]:
        yield [("here the recording breaks off", WARN)]
    yield []
    for text in wrap(meaning(injection), WIDTH):
        yield [(text, "")]
    for finding in exhibit.findings.get(inject.call, ()):
        yield from _marked(f"{finding.invariant}: {finding.text}")
    for finding in exhibit.findings.get(None, ()):
        yield from _marked(f"{finding.invariant}, of the whole session: {finding.text}")


def _marked(text: str) -> Iterator[Line]:
    for number, line in enumerate(wrap(printable(text), WIDTH - 2)):
        yield [(f"{'  ' if number else WRONG + ' '}{line}", BAD)]


def _beside(pages: Sequence[list[Line]]) -> Iterator[Line]:
    for row in zip_longest(*pages, fillvalue=[]):
        line: Line = []
        for number, part in enumerate(row):
            width = 0 if number == len(row) - 1 else WIDTH + _GAP
            line += [*part, (" " * (width - len(plain([part])[0])), "")]
        yield line


def _comparison(
    exhibits: Sequence[Exhibit], chosen: Sequence[Injection | None], columns: int
) -> Iterator[Line]:
    rows = [[(name, FAINT) for name in COMPARED]]
    rows += [compared(*pair) for pair in zip(exhibits, chosen, strict=True)]
    widths = [max(len(row[i][0]) for row in rows) for i in range(len(COMPARED))]
    if sum(widths) + 2 * (len(widths) - 1) > columns:
        widths = [min(pair) for pair in zip(widths, _NARROW, strict=True)]
    for row in rows:
        cells = [wrap(text, width) for (text, _), width in zip(row, widths, strict=True)]
        for texts in zip_longest(*cells, fillvalue=""):
            yield [
                (text.ljust(width + 2), style)
                for text, (_, style), width in zip(texts, row, widths, strict=True)
            ]


def compared(exhibit: Exhibit, injection: Injection | None) -> Line:
    """Return what tells a recording, and the call of it that is shown, from another one."""
    injections = exhibit.recording.injections
    moved = sum(i.outcome is Outcome.MIGRATED for i in injections)
    share = (f"{moved} of {len(injections)}", BAD if moved else "")
    if injection is None:
        return [(exhibit.name, STRONG), ("", ""), ("", ""), ("", ""), share]
    tid, dispatch = injection.inject.tid, injection.trap(0)
    lock = {True: ("locked", GOOD), False: ("NOT LOCKED", BAD), None: ("", "")}[injection.locked]
    other, where = ("none tried", ""), ("", "")
    if dispatch and dispatch.tid != tid:
        other, where = (f"{dispatch.tid} ran it", BAD), (f"{dispatch.tid}, NOT on {tid}", BAD)
    elif dispatch:
        where = (f"{tid}, as injected", GOOD)
        if back := injection.first(HandBack):
            other = (f"{back.tid} handed it back", GOOD)
    return [(exhibit.name, STRONG), lock, other, where, share]
