"""What lies between two ends, and what of it to test next.

`Line` is a list, such as releases; `Commits` is a part of a repository's history, in which git
itself does the reckoning (git-rev-list(1), --bisect-all).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.toolchain.repository import Repository


class History(Protocol):
    """Points of which the early ones are old and the late ones new."""

    def between(self, olds: Iterable[str], new: str) -> Sequence[str]:
        """Return where the first new point may be, the point that parts the others best first.

        These are `new` and what comes before it, but not what comes before an old one, or is old.
        """
        ...


@dataclass(frozen=True)
class Line(History):
    """Points in a row."""

    points: Sequence[str]

    def between(self, olds: Iterable[str], new: str) -> Sequence[str]:
        """Return what comes after the last old point, up to the new one."""
        first = max(map(self.points.index, olds)) + 1
        end = self.points.index(new)
        middle = (first + end - 1) / 2
        inner = sorted(range(first, end), key=lambda index: abs(index - middle))
        return [*(self.points[index] for index in inner), new]


@dataclass(frozen=True)
class Commits(History):
    """The commits that change what lies at some paths (git's pathspecs; none: everything).

    A commit that is `new` without changing anything there stands for the last one that does.
    """

    repository: Repository
    paths: Sequence[str]

    def between(self, olds: Iterable[str], new: str) -> Sequence[str]:
        """Return the commits that come before `new`, or are it, and after an old one.

        Not those on branches that parted before any old one: what they began with is not known.
        """
        words = ["--bisect-all", "--ancestry-path", new, "--not", *olds, "--", *self.paths]
        found = [line.split()[0] for line in self.repository.lines("rev-list", *words)]
        return [*(commit for commit in found if commit != new), *({new} & set(found))]


def to_test(
    history: History, olds: Iterable[str], new: str, skipped: Iterable[str], number: int
) -> Sequence[str]:
    """Return up to `number` points to test next: each parts what the ones before it leave over."""
    chosen: list[str] = []
    parts = [(tuple(olds), new)]
    for earlier, later in parts:
        untested = [
            point
            for point in history.between(earlier, later)
            if point not in {*skipped, *chosen, later}
        ]
        if untested:
            chosen.append(untested[0])
            parts += [(earlier, untested[0]), ((*earlier, untested[0]), later)]
        if len(chosen) >= number or len(parts) > 2 * number:
            break
    return chosen[:number]
