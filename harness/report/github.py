"""Results where GitHub shows them: annotations of a run, and the Markdown summary of a step.

The form of annotations is that of GitHub's "Workflow commands"; what must be escaped is what the
runner unescapes (actions/toolkit, packages/core/src/command.ts).
"""

import re
from collections.abc import Iterator, Sequence

from harness.report import terminal
from harness.report.story import printable, printable_lines
from harness.verdict import Check, Conclusion, Failure, Result

_LEVELS = {Result.FAIL: "error", Result.INCONCLUSIVE: "warning"}


Named = tuple[str, Conclusion]
"""A check by the name that tells it from the others."""


def annotations(checks: Sequence[Named]) -> Iterator[str]:
    """Return a workflow command for each check that did not pass."""
    for name, conclusion in checks:
        level = _LEVELS.get(conclusion.result) if isinstance(conclusion, Check) else "error"
        if level:
            result, _ = terminal.result_of(conclusion)
            title = _property(printable(f"debugcall {name}: {result}"))
            message = _data("\n".join(map(printable, _told(conclusion))))
            yield f"::{level} title={title}::{message}"


def summary(checks: Sequence[Named], again: str) -> str:
    """Return Markdown: a table of all checks, and the story of the first that did not pass.

    `again` is the command that repeats them.
    """
    width = len(terminal.COLUMNS)
    rows = [terminal.COLUMNS, ("---",) * width]
    for name, conclusion in checks:
        cells = [_escaped(cell) for cell in (name, *list(terminal.cells(conclusion))[1:])]
        rows.append((*cells, *[""] * (width - len(cells))))
    parts = ["### debugcall", "\n".join(f"| {' | '.join(row)} |" for row in rows)]
    for name, conclusion in sorted(checks, key=_gravity)[:1]:
        if not isinstance(conclusion, Check) or conclusion.result is not Result.PASS:
            parts += [f"**{_escaped(name)}**", _block(_told(conclusion))]
    parts += ["Again:", _block([again])]
    return "\n\n".join(parts) + "\n\n"


def _gravity(check: Named) -> int:
    """Return what puts violations first, and passes last."""
    _, conclusion = check
    if not isinstance(conclusion, Check):
        return 1
    return {Result.FAIL: 0, Result.PASS: 2}.get(conclusion.result, 1)


def _told(conclusion: Conclusion) -> list[str]:
    if isinstance(conclusion, Failure):
        return [conclusion.error, *([f"mend: {conclusion.mend}"] if conclusion.mend else [])]
    return [conclusion.reason, *terminal.explained(conclusion.verdict)]


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    """Return text that stands in Markdown, and in a cell of a table, as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&@-])", r"\\\1", printable(text))


def _block(lines: Sequence[str]) -> str:
    """Return lines as they are, in a fence that none of them can close."""
    text = printable_lines("\n".join(lines))
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
