"""A matrix of checks as a grid: a row a toolchain, a column a target, schedule and architecture."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from shlex import quote
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from harness.recording import Schedule
from harness.report.story import printable, printable_lines
from harness.report.terminal import NAME, STYLES, total
from harness.verdict import Cell, Check, Counts, Failure, Result

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table


class LiveGrid:
    """Shows the grid while it fills: on a terminal; elsewhere a line for each check that ends."""

    def __init__(self, stream: TextIO | None, cells: Sequence[Cell]) -> None:
        self._stream = stream
        self._live: Live | None = None
        if stream and stream.isatty():
            self._live = _live(stream, cells)

    def show(self, cells: Sequence[Cell], ended: Cell) -> None:
        """Draw all cells anew, one of which has just ended."""
        if self._live:
            self._live.update(grid(cells), refresh=True)
        elif self._stream:
            done = sum(cell.conclusion is not None for cell in cells)
            text, _ = _text(ended)
            what = " ".join((ended.toolchain, *_column(ended)))
            with suppress(OSError):
                self._stream.write(f"{done}/{len(cells)} {what}: {text}\n")
                self._stream.flush()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()


def _live(stream: TextIO, cells: Sequence[Cell]) -> "Live":
    from rich.console import Console
    from rich.live import Live

    return Live(grid(cells), console=Console(file=stream), transient=True, auto_refresh=False)


def grid(cells: Sequence[Cell]) -> "Table":
    """Return the grid, with an ellipsis where nothing has come yet.

    What all columns have in common stands above the grid only.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = dict.fromkeys(cell.toolchain for cell in cells)
    common, columns = _columns(cells)
    table = Table(box=box.SIMPLE, pad_edge=False, title=common or None, title_justify="left")
    table.add_column("toolchain", max_width=NAME, overflow="fold")
    for head in columns.values():
        table.add_column(head or "result")
    found = {(cell.toolchain, _column(cell)): cell for cell in cells}
    for row in rows:
        texts = (_text(found[row, column]) for column in columns)
        table.add_row(printable(row), *(Text(text, style) for text, style in texts))
    return table


def names(cells: Sequence[Cell]) -> Sequence[str]:
    """Return a name for each check: its toolchain, and what else tells it from the others."""
    _, columns = _columns(cells)
    return [
        f"{(cell.conclusion or cell).toolchain} {columns[_column(cell)]}".rstrip() for cell in cells
    ]


def stories(cells: Sequence[Cell]) -> Iterator[str]:
    """Return a line for each check that did not pass: why, what mends it, what shows it."""
    for cell in cells:
        match cell.conclusion:
            case Check(result=Result.FAIL, recording=str(recording)):
                story = f"debugcall show {quote(recording)}"
            case Check(result=Result.INCONCLUSIVE, reason=reason):
                story = reason
            case Failure(error=error, mend=mend):
                story = f"{error}{mend and f' (mend: {mend})'}"
            case _:
                continue
        yield printable_lines(f"{cell.toolchain} {cell.target} {cell.way} {cell.where}: {story}")


def _columns(cells: Sequence[Cell]) -> tuple[str, dict[tuple[str, str, str], str]]:
    """Return what all columns have in common, and each with what it has of its own."""
    columns = list(dict.fromkeys(_column(cell) for cell in cells))
    same = [len({column[part] for column in columns}) == 1 for part in range(3)]
    common = " ".join(word for word, is_same in zip(columns[0], same, strict=True) if is_same)
    own = {
        column: " ".join(word for word, is_same in zip(column, same, strict=True) if not is_same)
        for column in columns
    }
    return common, own


def _column(cell: Cell) -> tuple[str, str, str]:
    return cell.target, cell.way, cell.where


def _text(cell: Cell) -> tuple[str, str]:
    conclusion = cell.conclusion
    if conclusion is None:
        return "...", "dim"
    if not isinstance(conclusion, Check):
        return f"error {conclusion.exit_code}", "bold red"
    result = conclusion.result.value
    return f"{result} {_outcome(cell.schedule, total(conclusion.verdict))}".rstrip(), STYLES[result]


def _outcome(schedule: Schedule | None, counts: Counts) -> str:
    if schedule is Schedule.NATURAL:
        return f"{counts.locked}/{counts.injections} locked"
    if counts.migrated:
        return f"{counts.migrated}/{counts.injections} migrated"
    return f"{counts.refused}/{counts.injections} refused"
