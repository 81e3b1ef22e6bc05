"""Which commit, or release, changed the answer to a check.

Both ends are tested first. Between them only commits count that change a package which the target
links, and all of them are built with the compiler of the new end. So the culprit and its parents
are built once more, each with its own, and checked with more injections: that is the proof. If it
disagrees, the compiler has to do with it, or a package that is linked between the ends only; and
the search is done again with each commit's own compiler, and all commits that change a source.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

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
    WHOLE,
    AtCommit,
    content_key,
    folders_of,
    linked_folders,
    require_debug_calls_at,
)
from harness.toolchain.repository import Repository
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
        number = max(PROOF, self.question.number)
        proof = self._tests([suspects[-1], before], None, number) if len(suspects) == 1 else []
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
        points = repository.lines("rev-list", "--ancestry-path", asked.new, f"^{asked.old}")
        for tools in (asked.new, None):
            old, new = self._ends(asked.old, asked.new, tools)
            change = _change(old, new, find)
            history = Commits(repository, folders_of(self._linked if tools else WHOLE))
            candidates = history.between([asked.old], asked.new)
            suspects = self._search(history, old, new, tools)
            proof = self._proof(repository, suspects)
            if suspects and not _refutes(proof, change):
                break
            if tools:
                self.hear("their own compilers show it otherwise: testing with these from now on")
        if not suspects:
            raise Unsupported(
                f"{old.point[:12]} and {new.point[:12]} differ, but no commit between them changes "
                "a source of Go",
                mend=f"check both anew: rm -r {quote(str(self.journal.folder))}",
            )
        if self.full_build and _proves(proof, change):
            proof += self._proof(repository, suspects, MAKE_BASH)
        return self._result(change, suspects, proof, points, candidates, repository, tools)

    def _ends(self, old: str, new: str, tools: str | None) -> tuple[Tested, Tested]:
        """Test both ends with one compiler, None: each with its own."""
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
        if len(suspects) != 1:
            return []
        old, (suspect,) = self.question.old, suspects
        parents = repository.parents(suspect)
        points = [suspect, *(one for one in parents if repository.is_ancestor(old, one))]
        return self._tests(points, tools, max(PROOF, self.question.number))

    def _tests(self, points: Sequence[str], tools: str | None, number: int) -> list[Tested]:
        """Test points, or remember what came of them; in their order."""
        tested: dict[str, Tested] = {}
        alike: dict[str, list[str]] = {}
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
                alike.setdefault(key, []).append(point)
        under_way = {self._submit(same[0], tools, number): key for key, same in alike.items()}
        try:
            for future in as_completed(under_way):
                key = under_way[future]
                first, *_ = alike[key]
                test = self.journal.add(first, tools, key, number, outcome_of(future, first))
                tested |= {one: msgspec.structs.replace(test, point=one) for one in alike[key]}
                self.hear(f"{first[:12]}: {test.result or 'skipped'}")
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
        # What is linked at both ends need not be all that is between them: a proof rests on more.
        linked = () if tools in {None, MAKE_BASH} else self._linked
        return AtCommit(self.question.repository, point, tools, linked)

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


def _refutes(proof: Sequence[Tested], change: Change) -> bool:
    """Tell whether a proof shows something else. What cannot be judged shows nothing."""
    judged = all(test.result in {Result.PASS, Result.FAIL} for test in proof)
    return bool(proof) and judged and not _proves(proof, change)


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
        own = "" if old.tools else ", built by their own compilers"
        raise InputError(
            f"both ends {'pass' if old.result is Result.PASS else 'fail'}{own}: nothing changed"
            f" between {old.point[:12]} and {new.point[:12]}",
            mend="give an older --old or a newer --new",
        )
    change = Change.FIX if new.result is Result.PASS else Change.REGRESSION
    if find not in {None, change}:
        raise InputError(
            f"{old.point[:12]}: {old.result}, {new.point[:12]}: {new.result}; what lies between is"
            f" a {change}, not a {find}",
            mend=f"use --find {change}, or other ends",
        )
    return change
