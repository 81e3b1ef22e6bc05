"""Results where GitHub shows them: annotations of a run, and the Markdown summary of a step.

The form of annotations is that of GitHub's "Workflow commands"; what must be escaped is what the
runner unescapes (actions/toolkit, packages/core/src/command.ts).
"""

import re
from collections.abc import Iterator, Sequence

from harness.report import terminal
from harness.report.story import printable
from harness.verdict import Check, Conclusion, Failure, Result

_LEVELS = {Result.FAIL: "error", Result.INCONCLUSIVE: "warning"}


def annotations(conclusions: Sequence[Conclusion]) -> Iterator[str]:
    """Return a workflow command for each check that did not pass."""
    for conclusion in conclusions:
        level = _LEVELS.get(conclusion.result) if isinstance(conclusion, Check) else "error"
        if level:
            result, _ = terminal.result_of(conclusion)
            title = _property(printable(f"debugcall {conclusion.toolchain}: {result}"))
            message = _data("\n".join(map(printable, _told(conclusion))))
            yield f"::{level} title={title}::{message}"


def summary(conclusions: Sequence[Conclusion], again: str) -> str:
    """Return Markdown: a table of all checks, and the story of the first that did not pass.

    `again` is the command that repeats them.
    """
    width = len(terminal.COLUMNS)
    rows = [terminal.COLUMNS, ("---",) * width]
    for conclusion in conclusions:
        cells = [_escaped(cell) for cell in terminal.cells(conclusion)]
        rows.append((*cells, *[""] * (width - len(cells))))
    parts = ["### debugcall", "\n".join(f"| {' | '.join(row)} |" for row in rows)]
    wrong = [c for c in conclusions if not isinstance(c, Check) or c.result is not Result.PASS]
    for conclusion in sorted(wrong, key=_gravity)[:1]:
        parts += [f"**{_escaped(conclusion.toolchain)}**", _block(_told(conclusion))]
    parts += ["Again:", _block([again])]
    return "\n\n".join(parts) + "\n\n"


def _gravity(conclusion: Conclusion) -> int:
    """Return what puts violations first."""
    return 0 if isinstance(conclusion, Check) and conclusion.result is Result.FAIL else 1


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
    text = "\n".join(map(printable, "\n".join(lines).split("\n")))
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
