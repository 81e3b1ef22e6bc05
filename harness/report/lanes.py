"""A call in 80 columns: a lane for each thread that plays a part, and the call's way through them.

A line is a list of pieces, each with the name of its style (rich's), so that the same lines serve
a terminal, a log and a file.
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from harness.recording import HandBack
from harness.report.story import Step

Piece = tuple[str, str]
Line = list[Piece]

WIDTH = 80
_LOCK = 11
"""Columns of the lock state, at the right."""
_TEXT = 18
"""Columns that are left for the text at least."""
_LANES = 4
"""More threads than these share the last lane."""
BAD, GOOD, FAINT, STRONG, WARN = "bold red", "green", "dim", "bold", "yellow"


_SEEN, WRONG, _OTHER = "●", "✗", "○"
_THERE, _HELD = "│", "┊"
_MOVES, _TAKEN = tuple("╚═▶◀╝"), tuple("└╌▶◀┘")
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
        self._steps = steps
        self._threads = list(dict.fromkeys(s.tid for s in steps if s.tid is not None))
        self._count = min(len(self._threads), _LANES)
        widest = max((len(name) for name in self._names()), default=0)
        self._lane = max(10, widest + 2)
        self._time = max(9, *(len(_ms(s.t)) for s in steps)) if steps else 9
        left = self._time + 3 + self._count * self._lane
        self._width = max(_TEXT, WIDTH - left - _LOCK)

    def lines(self) -> Iterator[Line]:
        names = "".join(name.ljust(self._lane) for name in self._names())
        if names:
            yield [
                ("ms".rjust(self._time) + "   ", FAINT),
                (names.ljust(self._span()), STRONG),
                ("".ljust(self._width), ""),
                ("lock", FAINT),
            ]
        at: int | None = None
        held = False
        for step in self._steps:
            if step.came_from is not None:
                yield self._moving(step)
            elif isinstance(step.event, HandBack) and at not in {None, step.tid}:
                yield self._arrow(at, step.tid, _TAKEN, WARN, "a thread takes the call")
            yield from self._stepping(step, at, held=held)
            if isinstance(step.event, HandBack) and at not in {None, step.tid}:
                yield self._arrow(step.tid, at, _TAKEN, GOOD, "handed back")
            at, held = step.at, step.held

    def _names(self) -> list[str]:
        if len(self._threads) > _LANES:
            return [*map(str, self._threads[: _LANES - 1]), "others"]
        return list(map(str, self._threads))

    def _span(self) -> int:
        return self._count * self._lane

    def _column(self, tid: int | None) -> int | None:
        if tid is None or tid not in self._threads:
            return None
        return min(self._threads.index(tid), self._count - 1) * self._lane + 2

    def _moving(self, step: Step) -> Line:
        text = f"THE CALL MOVES to thread {step.at}"
        return self._arrow(step.came_from, step.at, _MOVES, BAD, text)

    def _arrow(
        self, origin: int | None, to: int | None, signs: tuple[str, ...], style: str, text: str
    ) -> Line:
        begin, end = self._column(origin), self._column(to)
        row = [" "] * self._span()
        if begin is not None and end is not None and begin != end:
            right, across, east, west, left = signs
            low, high = min(begin, end), max(begin, end)
            row[low : high + 1] = across * (high - low + 1)
            row[begin] = right if begin < end else left
            row[end] = east if begin < end else west
        return [(" " * (self._time + 3), ""), ("".join(row), style), (text, style)]

    def _stepping(self, step: Step, at: int | None, *, held: bool) -> Iterator[Line]:
        style = BAD if step.wrong else ""
        row = self._row(step.at if step.came_from is not None else at, held=held)
        column = self._column(step.tid)
        if column is not None:
            glyph = _SEEN if step.tid == step.at else _OTHER
            row[column] = WRONG if step.wrong else glyph
        alone = self._count == len(self._threads) or step.tid in self._threads[: _LANES - 1]
        text = step.text if alone or step.tid is None else f"{step.tid}: {step.text}"
        first, *more = wrap(text, self._width - 1) or [""]
        yield [
            (_ms(step.t).rjust(self._time) + "   ", FAINT),
            ("".join(row), style or STRONG),
            (first.ljust(self._width), style),
            _lock(step.locked),
        ]
        rest = "".join(self._row(step.at, held=step.held))
        for line in more:
            yield [(" " * (self._time + 3), ""), (rest, STRONG), (line, style)]

    def _row(self, at: int | None, *, held: bool) -> list[str]:
        row = [" "] * self._span()
        column = self._column(at)
        if column is not None:
            row[column] = _HELD if held else _THERE
        return row


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1e3:.3f}"


def _lock(locked: bool | None) -> Piece:  # noqa: FBT001 - it is what it tells
    if locked is None:
        return "", ""
    return ("locked", GOOD) if locked else ("NOT LOCKED", BAD)
