"""Which commit, or release, changed the answer to a check.

Both ends are tested first. Between them only commits count that change a package which the target
links, and all of them are built with the compiler of the new end. So the culprit and its parents
are built once more, each with its own, and checked with more injections: that is the proof. If it
disagrees, the compiler has to do with it, and the search is done again with each commit's own.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.bisected import Bisected, Change, Question, Tested
from harness.errors import InputError, Unsupported
from harness.experiment.history import Commits, History, Line, to_test
from harness.experiment.job import TARGET
from harness.experiment.journal import Journal
from harness.experiment.task import Installed, Source, Task, outcome_of, submit
from harness.fleet import Executor
from harness.toolchain.commit import (
    MAKE_BASH,
    AtCommit,
    content_key,
    folders_of,
    linked_folders,
    require_debug_calls_at,
)
from harness.toolchain.repository import Repository
from harness.toolchain.tools import tool_folders
from harness.verdict import Result

PROOF = 200
"""Injections into each program that the answer rests on."""


@dataclass
class Bisection:
    """One bisection under way: who does the tests, what came of them, who hears of it."""

    question: Question
    journal: Journal
    executor: Executor
    jobs: int = 1
    full_build: bool = False
    hear: Callable[[str], None] = lambda _: None
    _linked: tuple[str, ...] = field(default=(), init=False)

    def releases(self, names: Sequence[str], find: Change | None) -> Bisected:
        """Look for the release, of these in a row, that is the first with the new answer."""
        old, new = self._ends(names[0], names[-1], None)
        change = _change(old, new, find)
        suspects = self._search(Line(names), old, new, None)
        before = names[names.index(suspects[-1]) - 1]
        proof = self._tests([suspects[-1], before], None, PROOF) if len(suspects) == 1 else []
        return self._result(change, suspects, proof, names[1:], names[1:])

    def commits(self, find: Change | None) -> Bisected:
        """Look for the commit. Raises InputError if the ends do not differ, or not as expected."""
        asked = self.question
        assert asked.repository
        repository = Repository.open(Path(asked.repository))
        for end in (asked.old, asked.new):
            require_debug_calls_at(repository, end, asked.goarch)
            self.hear(f"finding out what the target is made of at {end[:12]}")
            source = AtCommit(asked.repository, end)
            self._linked += linked_folders(source, TARGET, asked.goarch)
        self._linked = tuple(sorted(set(self._linked)))
        old, new = self._ends(asked.old, asked.new, asked.new)
        change = _change(old, new, find)
        points = repository.lines("rev-list", "--ancestry-path", asked.new, f"^{asked.old}")
        for tools in (asked.new, None):
            paths = folders_of(self._linked)
            if tools is None:
                paths += tool_folders(repository, asked.old) + tool_folders(repository, asked.new)
            history = Commits(repository, paths)
            candidates = history.between([asked.old], asked.new)
            suspects = self._search(history, old, new, tools)
            proof = self._proof(repository, suspects)
            if not proof or _proves(proof, change):
                break
            self.hear("their own compilers show it otherwise: testing with these from now on")
        if self.full_build and _proves(proof, change):
            proof += self._proof(repository, suspects, MAKE_BASH)
        return self._result(change, suspects, proof, points, candidates, repository, tools)

    def _ends(self, old: str, new: str, tools: str | None) -> tuple[Tested, Tested]:
        tests = self._tests([old, new], tools, self.question.number)
        for test in tests:
            if test.result not in {Result.PASS, Result.FAIL}:
                raise Unsupported(
                    f"{test.point[:12]}, an end of the range, cannot be judged: {test.reason}",
                    mend="give other ends; debugcall check shows what comes of a release",
                )
        return tests[0], tests[1]

    def _search(
        self, history: History, old: Tested, new: Tested, tools: str | None
    ) -> Sequence[str]:
        """Return the points of which one is the first new one: one, if none had to be skipped."""
        olds, first_new, skipped = [old.point], new.point, set[str]()
        while points := to_test(history, olds, first_new, skipped, self.jobs):
            left = len(history.between(olds, first_new))
            self.hear(f"{left} candidates left")
            for tested in self._tests(points, tools, self.question.number):
                if tested.result not in {old.result, new.result}:
                    skipped.add(tested.point)
                elif tested.point in history.between(olds, first_new):
                    if tested.result is new.result:
                        first_new = tested.point
                    else:
                        olds.append(tested.point)
        return history.between(olds, first_new)

    def _proof(
        self, repository: Repository, suspects: Sequence[str], tools: str | None = None
    ) -> list[Tested]:
        if len(suspects) > 1:
            return []
        points = [suspects[0], *repository.parents(suspects[0])]
        return self._tests(points, tools, max(PROOF, self.question.number))

    def _tests(self, points: Sequence[str], tools: str | None, number: int) -> list[Tested]:
        """Test points, or remember what came of them; in their order."""
        tested: dict[str, Tested] = {}
        under_way: dict[Future[bytes], tuple[str, str]] = {}
        for point in points:
            try:
                key = self._key(point, tools)
            except Unsupported as error:  # a Go of another make
                told = error.message
                tested[point] = Tested(point, tools, "", number, None, told, None, 0, 0)
                continue
            if known := self.journal.find(key, number):
                tested[point] = msgspec.structs.replace(known, point=point)
            else:
                under_way[self._submit(point, tools, number)] = point, key
        try:
            for future in as_completed(under_way):
                point, key = under_way[future]
                outcome = outcome_of(future, point)
                tested[point] = self.journal.add(point, tools, key, number, outcome)
                self.hear(f"{point[:12]}: {tested[point].result or 'skipped'}")
        finally:
            for future in under_way:
                future.cancel()
        if tools not in {None, MAKE_BASH}:  # what a foreign compiler cannot build is no answer
            failed = [point for point in points if tested[point].result is None]
            tested |= zip(failed, self._tests(failed, None, number), strict=True) if failed else ()
        return [tested[point] for point in points]

    def _submit(self, point: str, tools: str | None, number: int) -> Future[bytes]:
        asked = self.question
        task = Task(
            self._source(point, tools),
            number=number,
            goarch=asked.goarch,
            cpu=asked.cpu,
            control=False,
            invariants=(asked.check,),
        )
        return submit(task, self.executor)

    def _source(self, point: str, tools: str | None) -> Source:
        if self.question.repository is None:
            return Installed(point)
        return AtCommit(self.question.repository, point, tools, self._linked)

    def _key(self, point: str, tools: str | None) -> str:
        source = self._source(point, tools)
        if isinstance(source, Installed):
            return point
        return content_key(source, TARGET, self.question.goarch)

    def _result(
        self,
        change: Change,
        suspects: Sequence[str],
        proof: Sequence[Tested],
        points: Sequence[str],
        candidates: Sequence[str],
        repository: Repository | None = None,
        tools: str | None = None,
    ) -> Bisected:
        found = repository is not None and len(suspects) == 1
        return Bisected(
            self.question,
            change,
            tuple(suspects),
            repository.describe(suspects[0]) if repository and found else None,
            tuple(proof),
            _proves(proof, change),
            tuple(self.journal.tested),
            len(points),
            len(candidates),
            own_tools=tools is None,
        )


def _proves(proof: Sequence[Tested], change: Change) -> bool:
    """Tell whether the last point shows the new answer, and what comes before it the old one."""
    old, new = Result.FAIL, Result.PASS
    if change is Change.REGRESSION:
        old, new = new, old
    return len(proof) > 1 and all(
        test.result is (new if test.point == proof[0].point else old) for test in proof
    )


def _change(old: Tested, new: Tested, find: Change | None) -> Change:
    """Tell what the ends differ in. Raises InputError if that is nothing, or not what is wanted."""
    if old.result is new.result:
        raise InputError(
            f"both ends {'pass' if old.result is Result.PASS else 'fail'}: nothing changed between"
            f" {old.point[:12]} and {new.point[:12]}",
            mend="give an older --old or a newer --new",
        )
    change = Change.FIX if new.result is Result.PASS else Change.REGRESSION
    if find not in {None, change}:
        raise InputError(
            f"{old.point[:12]} is {old.result}, {new.point[:12]} is {new.result}: what lies between"
            f" is a {change}, not a {find}",
            mend=f"use --find {change}, or other ends",
        )
    return change
