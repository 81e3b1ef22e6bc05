"""A call in 80 columns: a lane for each thread that plays a part, and the call's way through them.

A line is a list of pieces, each with the name of its style (rich's), so that the same lines serve
a terminal, a log and a file.
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from harness.report.picture import Mark, Row, Way, picture
from harness.report.story import Step

Piece = tuple[str, str]
Line = list[Piece]

WIDTH = 80
_LOCK = 11
"""Columns of the lock state, at the right."""
_TEXT = 18
"""Columns that are left for the text at least."""
BAD, GOOD, FAINT, STRONG, WARN = "bold red", "green", "dim", "bold", "yellow"

WRONG = "✗"
_MARKS = {Mark.SEEN: "●", Mark.WRONG: WRONG, Mark.OTHER: "○"}
_THERE, _HELD = "│", "┊"
_MOVES, _TAKEN = tuple("╚═▶◀╝"), tuple("└╌▶◀┘")
_STYLES = {Way.MOVES: BAD, Way.TAKEN: WARN, Way.BACK: GOOD}
ASCII = str.maketrans("●✗○│┊╚═▶◀╝└╌┘", "*Xo|:+=><++-+")
"""What stands for these signs where the encoding has none of them."""


def plain(lines: Sequence[Line]) -> list[str]:
    """Return lines without their styles."""
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def lanes(steps: Sequence[Step]) -> Iterator[Line]:
    """Draw steps, from top to bottom."""
    yield from _Drawing(steps).lines()


class _Drawing:
    def __init__(self, steps: Sequence[Step]) -> None:
        self._picture = picture(steps)
        names = self._picture.names
        self._lane = max([10, *(len(name) + 2 for name in names)])
        self._span = len(names) * self._lane
        self._time = max([9, *(len(milliseconds(s.t)) for s in steps)])
        self._width = max(_TEXT, WIDTH - self._time - 3 - self._span - _LOCK)

    def lines(self) -> Iterator[Line]:
        names = "".join(name.ljust(self._lane) for name in self._picture.names)
        if names:
            yield [
                ("ms".rjust(self._time) + "   ", FAINT),
                (names + " " * self._width, STRONG),
                ("lock", FAINT),
            ]
        for row in self._picture.rows:
            yield from self._arrow(row) if row.way else self._step(row)

    def _arrow(self, row: Row) -> Iterator[Line]:
        assert row.arrow
        assert row.way
        begin, end = map(self._column, row.arrow)
        cells = [" "] * self._span
        if begin != end:
            right, across, east, west, left = _MOVES if row.way is Way.MOVES else _TAKEN
            low, high = min(begin, end), max(begin, end)
            cells[low : high + 1] = across * (high - low + 1)
            cells[begin] = right if begin < end else left
            cells[end] = east if begin < end else west
        style = _STYLES[row.way]
        yield [(" " * (self._time + 3), ""), ("".join(cells), style), (row.text, style)]

    def _step(self, row: Row) -> Iterator[Line]:
        assert row.step
        style = BAD if row.mark is Mark.WRONG else ""
        cells = self._bar(row.above, held=row.held_above)
        if row.lane is not None:
            cells[self._column(row.lane)] = _MARKS[row.mark]
        first, *more = wrap(row.text, self._width - 1) or [""]
        yield [
            (milliseconds(row.step.t).rjust(self._time) + "   ", FAINT),
            ("".join(cells), style or STRONG),
            (first.ljust(self._width), style),
            _lock(row.step.locked),
        ]
        rest = "".join(self._bar(row.below, held=row.held_below))
        for line in more:
            yield [(" " * (self._time + 3), ""), (rest, STRONG), (line, style)]

    def _bar(self, lane: int | None, *, held: bool) -> list[str]:
        cells = [" "] * self._span
        if lane is not None:
            cells[self._column(lane)] = _HELD if held else _THERE
        return cells

    def _column(self, lane: int) -> int:
        return lane * self._lane + 2


def milliseconds(microseconds: int) -> str:
    """Return a time as it is shown."""
    return f"{microseconds / 1e3:.3f}"


def _lock(locked: bool | None) -> Piece:  # noqa: FBT001 - it is what it tells
    if locked is None:
        return "", ""
    return ("locked", GOOD) if locked else ("NOT LOCKED", BAD)
