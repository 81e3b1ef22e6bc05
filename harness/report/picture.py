"""A call as a picture: lanes of threads, rows from top to bottom, and the call's way through them.

Where things are, not what they look like: text and HTML draw the same picture.
"""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.recording import HandBack
from harness.report.story import Step

LANES = 4
"""More threads than these share the last lane."""


class Mark(enum.StrEnum):
    """What a step is marked as: the call, the call where it is wrong, another thread's act."""

    SEEN = "seen"
    WRONG = "wrong"
    OTHER = "other"


class Way(enum.StrEnum):
    """What an arrow from lane to lane tells of the call: it moves, is taken, is handed back."""

    MOVES = "moves"
    TAKEN = "taken"
    BACK = "back"


@dataclass(frozen=True)
class Row:
    """A step, or an arrow between two steps.

    `above` and `below` are the lanes in which the call comes into the row and leaves it, None
    where it is not there; there it may be held. `lane` is the one that is marked.
    """

    text: str
    above: int | None
    below: int | None
    held_above: bool = False
    held_below: bool = False
    step: Step | None = None
    lane: int | None = None
    mark: Mark = Mark.SEEN
    arrow: tuple[int, int] | None = None
    way: Way | None = None


@dataclass(frozen=True)
class Picture:
    """The names of the lanes, and the rows."""

    names: Sequence[str]
    rows: Sequence[Row]


def picture(steps: Sequence[Step]) -> Picture:
    """Lay out steps. A thread has a lane if it plays a part in them."""
    threads = list(dict.fromkeys(s.tid for s in steps if s.tid is not None))
    names = list(map(str, threads))
    if len(threads) > LANES:
        names[LANES - 1 :] = ["others"]
    lanes = {tid: min(number, LANES - 1) for number, tid in enumerate(threads)}
    return Picture(names, list(_rows(steps, lanes, alone=len(threads) <= LANES)))


def _rows(steps: Sequence[Step], lanes: dict[int, int], *, alone: bool) -> Iterator[Row]:
    above: int | None = None
    held = False
    last = len(steps) - 1
    for number, step in enumerate(steps):
        lane = None if step.tid is None else lanes[step.tid]
        at = None if step.at is None else lanes[step.at]
        theft = isinstance(step.event, HandBack) and None not in {above, lane}
        if step.came_from is not None and at is not None:
            arrow = (lanes[step.came_from], at)
            text = f"THE CALL MOVES to {step.at}"
            yield Row(text, arrow[0], at, held, arrow=arrow, way=Way.MOVES)
            above, held = at, False
        elif theft:
            yield _try(above, lane, Way.TAKEN, "a thread takes the call", held=held)
        text = step.text if alone or lane != LANES - 1 else f"{step.tid}: {step.text}"
        mark = Mark.WRONG if step.wrong else Mark.SEEN if step.tid == step.at else Mark.OTHER
        below = None if number == last else at
        yield Row(text, above, below, held, step.held, step, lane, mark)
        above, held = at, step.held
        if theft:
            yield _try(lane, above, Way.BACK, "handed back", held=held)


def _try(begin: int | None, end: int | None, way: Way, text: str, *, held: bool) -> Row:
    """Return an arrow between the thread that has the call and one that takes it in vain."""
    assert begin is not None
    assert end is not None
    at = begin if way is Way.TAKEN else end
    return Row(text, at, at, held, held, arrow=(begin, end), way=way)
