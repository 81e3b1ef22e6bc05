"""What a bisection makes of test results. Programs are built and run in tests/integration only."""

import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from harness.bisected import Bisected, Change, Question
from harness.errors import InputError, Unsupported
from harness.experiment import bisect
from harness.experiment.bisect import Bisection
from harness.experiment.journal import Journal
from harness.experiment.task import Outcome, Task
from harness.report.bisection import account
from harness.toolchain.commit import AtCommit
from harness.toolchain.repository import Repository
from harness.verdict import Check, Failure, Result, Verdict
from tests.clones import chain, commit, git, merge, start

Answer = Callable[[AtCommit], Result | None]


class Answering:
    """An executor that has the answers, and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[tuple[str, str | None]] = []

    def submit(
        self, _: Callable[..., bytes], task: bytes, /, *, needs: Iterable[str] = ()
    ) -> Future[bytes]:
        assert set(needs) == {"amd64", "ptrace"}
        source = msgspec.json.decode(task, type=Task).source
        assert isinstance(source, AtCommit)
        self.asked.append((source.commit, source.tools))
        result = self._answer(source)
        if result is None:
            outcome = Outcome(None, Failure("go", 125, "does not build", ""), b"", 1, 1)
        else:
            check = Check("go", result, "because", Verdict(result, "because", {}, (), 0.0))
            outcome = Outcome(check, None, zlib.compress(b"{}\n"), 1, 1)
        future: Future[bytes] = Future()
        future.set_result(msgspec.json.encode(outcome))
        return future


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = start(tmp_path / "clone")
    commit(folder, "base", src__runtime__proc_DOT_go="package runtime\n")
    return folder


@pytest.fixture(autouse=True)
def keys_of_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a commit's own name be the key of what is built with it, so no release is needed."""
    stand_ins: Mapping[str, Callable[..., object]] = {
        "content_key": lambda source, *_: f"{source.commit} {source.tools}",
        "linked_folders": lambda *_: ("src",),
        "require_debug_calls_at": lambda *_: None,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(bisect, name, stand_in)


def run(
    clone: Path,
    old: str,
    new: str,
    answer: Answer,
    find: Change | None = None,
    number: int = 40,
) -> tuple[Bisected, Answering]:
    executor = Answering(answer)
    question = Question(str(clone), old, new, "thread-until-dispatch", number, "amd64")
    journal = Journal(clone.parent / "out", question)
    return Bisection(question, journal, executor).commits(find), executor


def fixed_since(commits: list[str], first: int) -> Answer:
    return lambda source: Result.PASS if commits.index(source.commit) >= first else Result.FAIL


def test_what_was_found_is_proven_with_its_own_compiler(clone: Path) -> None:
    commits = chain(clone, [str(number) for number in range(20)])
    found, executor = run(clone, commits[0], commits[-1], fixed_since(commits, 7))
    assert found.suspects == (commits[7],)
    assert (found.change, found.proven, found.own_tools) == (Change.FIX, True, False)
    assert [test.point for test in found.proof] == [commits[7], commits[6]]
    own = [point for point, tools in executor.asked if tools is None]
    assert sorted(own) == sorted([commits[6], commits[7]])
    text = "\n".join(account(found, "the command"))
    assert text.startswith(f"fix: {commits[7][:12]} 7\n")
    assert "thread-until-dispatch changes from its parent to this commit, each in 200" in text
    assert "\n    the command" in text


def test_a_change_of_the_compiler_is_found_when_the_proof_disagrees(clone: Path) -> None:
    commits = chain(clone, [str(number) for number in range(8)])
    culprit = commit(clone, "the compiler", src__compiler__main_DOT_go="2")
    commits += [culprit, *chain(clone, ["8", "9", "10"])]

    def answer(source: AtCommit) -> Result:
        if source.tools is not None:  # the new compiler makes a good program of everything but 0
            return Result.FAIL if commits.index(source.commit) == 0 else Result.PASS
        return fixed_since(commits, commits.index(culprit))(source) or Result.FAIL

    found, _ = run(clone, commits[0], commits[-1], answer)
    assert found.suspects == (culprit,)
    assert (found.proven, found.own_tools) == (True, True)
    assert "changed the compiler or what the target links" in "\n".join(account(found, ""))


def test_ends_that_differ_by_a_foreign_compiler_only_are_told(clone: Path) -> None:
    commits = chain(clone, ["0", "1", "2", "3"])

    def answer(source: AtCommit) -> Result:
        passes = source.tools is not None and source.commit != commits[0]
        return Result.PASS if passes else Result.FAIL

    with pytest.raises(InputError, match="both ends fail, built by their own compilers"):
        run(clone, commits[0], commits[-1], answer)


def test_a_proof_that_says_nothing_proves_nothing_and_refutes_nothing(clone: Path) -> None:
    commits = chain(clone, [str(number) for number in range(10)])

    def answer(source: AtCommit) -> Result:
        if source.tools is None:
            return Result.INCONCLUSIVE
        return fixed_since(commits, 4)(source) or Result.FAIL

    found, executor = run(clone, commits[0], commits[-1], answer)
    assert (found.suspects, found.proven, found.own_tools) == ((commits[4],), False, False)
    assert [point for point, tools in executor.asked if tools is None] == [commits[4], commits[3]]
    text = "\n".join(account(found, ""))
    assert text.startswith("fix, NOT PROVEN: ")
    assert "could not be judged" in text


def test_a_package_that_is_linked_between_the_ends_only(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits that are equal in what the ends link are one program, until the proof."""

    def key(source: AtCommit, *_: object) -> str:
        return Repository.open(clone).content(source.commit, source.linked or ["src"])

    monkeypatch.setattr(bisect, "content_key", key)
    monkeypatch.setattr(bisect, "linked_folders", lambda *_: ("src/runtime",))
    commits = [commit(clone, n, src__runtime__a_DOT_go=n) for n in "01"]
    commits.append(commit(clone, "the culprit", src__between__a_DOT_go="1"))
    commits += [commit(clone, n, src__runtime__a_DOT_go=n) for n in "23"]
    found, _ = run(clone, commits[0], commits[-1], fixed_since(commits, 2), number=200)
    assert (found.suspects, found.proven) == ((commits[2],), True)


def test_what_is_the_same_program_is_tested_once(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(source: AtCommit, *_: object) -> str:
        return f"{Repository.open(clone).content(source.commit, ['src'])} {source.tools is None}"

    monkeypatch.setattr(bisect, "content_key", key)
    commits = chain(clone, ["0", "1", "0", "1", "0", "1", "2"])  # what is reverted and done again
    executor = Answering(fixed_since(commits, 6))
    question = Question(str(clone), commits[0], commits[-1], "thread-until-dispatch", 200, "amd64")
    journal = Journal(clone.parent / "out", question)
    found = Bisection(question, journal, executor, jobs=7).commits(None)
    assert (found.suspects, found.proven) == ((commits[-1],), True)
    keys = [test.key for test in found.tested]
    assert len(keys) == len(set(keys)) == len(executor.asked)


def side_branch(clone: Path) -> dict[str, str]:
    """Make a branch that parts before the commit that breaks it, and is merged after that."""
    commits = {"begin": commit(clone, "begin", src__a_DOT_go="0")}
    git(clone, "branch", "side")
    commits["breaks"] = commit(clone, "breaks", src__a_DOT_go="1")
    git(clone, "checkout", "--quiet", "side")
    for name in ("side 1", "side 2", "side 3"):
        commits[name] = commit(clone, name, src__b_DOT_go=name)
    git(clone, "checkout", "--quiet", "master")
    commits["merge"] = merge(clone, "side")
    commits["fixes"] = commit(clone, "fixes", src__a_DOT_go="2")
    commits["end"] = commit(clone, "end", src__c_DOT_go="1")
    return commits


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_branch_that_parted_before_the_old_end_does_not_mislead(clone: Path, jobs: int) -> None:
    commits = side_branch(clone)
    good = {name for name in commits if name not in {"breaks", "merge"}}
    names = {made: name for name, made in commits.items()}
    executor = Answering(lambda s: Result.PASS if names[s.commit] in good else Result.FAIL)
    question = Question(
        str(clone), commits["breaks"], commits["end"], "thread-until-dispatch", 40, "amd64"
    )
    journal = Journal(clone.parent / "out", question)
    found = Bisection(question, journal, executor, jobs).commits(None)
    assert (found.suspects, found.proven) == ((commits["fixes"],), True)
    assert found.points >= found.candidates


def test_a_merge_that_brings_the_fix_from_before_the_old_end(clone: Path) -> None:
    commits = side_branch(clone)
    names = {made: name for name, made in commits.items()}

    def answer(source: AtCommit) -> Result:
        return Result.FAIL if names[source.commit] == "breaks" else Result.PASS

    found, _ = run(clone, commits["breaks"], commits["end"], answer)
    assert (found.suspects, found.proven) == ((commits["merge"],), True)
    assert [test.point for test in found.proof] == [commits["merge"], commits["breaks"]]


def test_ends_that_differ_though_nothing_changed_are_told(clone: Path) -> None:
    begin, end = commit(clone, "begin"), commit(clone, "end", README="1")
    with pytest.raises(Unsupported, match="no commit between them changes a source of Go"):
        run(clone, begin, end, lambda s: Result.PASS if s.commit == end else Result.FAIL)


def test_what_a_foreign_compiler_cannot_build_is_built_by_its_own(clone: Path) -> None:
    commits = chain(clone, [str(number) for number in range(10)])

    def answer(source: AtCommit) -> Result | None:
        if source.tools is not None and commits.index(source.commit) < 5:
            return None
        return fixed_since(commits, 3)(source)

    found, _ = run(clone, commits[0], commits[-1], answer)
    assert found.suspects == (commits[3],)
    assert found.proven


def test_a_commit_whose_tools_cannot_be_told_is_passed_over(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = chain(clone, [str(number) for number in range(8)])

    def key(source: AtCommit, *_: object) -> str:
        if source.commit == commits[4] and source.tools is None:
            raise Unsupported("no list of tools")
        return f"{source.commit} {source.tools}"

    def answer(source: AtCommit) -> Result | None:
        number = commits.index(source.commit)
        return None if number == 4 else fixed_since(commits, 6)(source)

    monkeypatch.setattr(bisect, "content_key", key)
    found, _ = run(clone, commits[0], commits[-1], answer)
    assert (found.suspects, found.proven) == ((commits[6],), True)


def test_suspects_that_cannot_be_told_apart_are_named(clone: Path) -> None:
    commits = chain(clone, [str(number) for number in range(6)])

    def answer(source: AtCommit) -> Result | None:
        number = commits.index(source.commit)
        return None if number in {2, 3} else Result.PASS if number > 3 else Result.FAIL

    found, _ = run(clone, commits[0], commits[-1], answer)
    assert set(found.suspects) == set(commits[2:5])
    assert (found.culprit, found.proven) == (None, False)
    text = list(account(found, ""))
    assert text[0] == "not found: one of 3 made the fix, none can be judged"


@pytest.mark.parametrize(
    ("ends", "find", "error", "said"),
    [
        ((Result.PASS, Result.PASS), None, InputError, "both ends pass"),
        ((Result.FAIL, Result.FAIL), None, InputError, "both ends fail"),
        ((Result.PASS, Result.FAIL), Change.FIX, InputError, "is a regression, not a fix"),
        ((Result.INCONCLUSIVE, Result.FAIL), None, Unsupported, "cannot be judged: because"),
        ((None, Result.FAIL), None, Unsupported, "cannot be judged: does not build"),
    ],
)
def test_ends_that_lead_nowhere(
    clone: Path,
    ends: tuple[Result | None, Result],
    find: Change | None,
    error: type[Exception],
    said: str,
) -> None:
    commits = chain(clone, ["0", "1", "2"])
    with pytest.raises(error, match=said):
        run(clone, commits[0], commits[-1], lambda s: ends[s.commit == commits[-1]], find)
