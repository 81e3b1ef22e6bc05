from collections.abc import Collection, Sequence
from math import log2
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.history import Commits, History, Line, to_test
from harness.toolchain.repository import Repository
from tests.clones import chain, commit, git, merge, start


def search(
    history: History, old: str, new: str, news: Collection[str], unfit: Collection[str], jobs: int
) -> tuple[Sequence[str], int]:
    """Search as a bisection does; return what is left, and how many rounds it took."""
    olds, skipped, rounds = [old], set[str](), 0
    while points := to_test(history, olds, new, skipped, jobs):
        assert len(points) <= jobs
        assert len(set(points)) == len(points)
        rounds += 1
        for point in points:
            if point in unfit:
                skipped.add(point)
            elif point in history.between(olds, new):
                if point in news:
                    new = point
                else:
                    olds.append(point)
    return history.between(olds, new), rounds


@given(st.integers(2, 200), st.data(), st.integers(1, 7))
def test_the_first_new_point_of_a_line_is_found(size: int, data: st.DataObject, jobs: int) -> None:
    points = [str(number) for number in range(size)]
    first = data.draw(st.integers(1, size - 1))
    found, rounds = search(Line(points), points[0], points[-1], points[first:], (), jobs)
    assert found == [points[first]]
    part = 2 ** int(log2(jobs + 1))  # 1 or 2 points a round leave a half at most, 3 a quarter
    assert part ** (rounds - 1) <= 2 * size


@given(st.integers(2, 60), st.data(), st.integers(1, 4))
def test_what_cannot_be_judged_is_passed_over(size: int, data: st.DataObject, jobs: int) -> None:
    points = [str(number) for number in range(size)]
    first = data.draw(st.integers(1, size - 1))
    unfit = data.draw(st.sets(st.sampled_from(points[1:-1]))) if size > 2 else set()
    found, _ = search(Line(points), points[0], points[-1], points[first:], unfit, jobs)
    assert points[first] in found
    assert len(found) == 1 or set(found) & unfit
    assert all(point in unfit for point in found[:-1])


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("first", [1, 5, 9])
def test_the_first_new_commit_is_found(tmp_path: Path, first: int, jobs: int) -> None:
    folder = start(tmp_path / "clone")
    commits = chain(folder, [str(number) for number in range(10)])
    history = Commits(Repository(folder / ".git"), ())
    found, _ = search(history, commits[0], commits[-1], commits[first:], (), jobs)
    assert list(found) == [commits[first]]


def test_commits_that_change_nothing_there_are_no_candidates(tmp_path: Path) -> None:
    folder = start(tmp_path / "clone")
    old = commit(folder, "old", src__a_DOT_go="1")
    commit(folder, "docs", README="1")
    culprit = commit(folder, "culprit", src__a_DOT_go="2")
    new = commit(folder, "more docs", README="2")
    history = Commits(Repository(folder / ".git"), ["src"])
    assert list(history.between([old], new)) == [culprit]
    found, rounds = search(history, old, new, {culprit, new}, (), 1)
    assert (list(found), rounds) == ([culprit], 1)


def test_a_culprit_on_a_branch_that_was_merged_is_found(tmp_path: Path) -> None:
    folder = start(tmp_path / "clone")
    old = commit(folder, "old", src__a_DOT_go="1")
    git(folder, "checkout", "--quiet", "-b", "side")
    commit(folder, "side 1", src__b_DOT_go="1")
    culprit = commit(folder, "side 2", src__b_DOT_go="2")
    last = commit(folder, "side 3", src__b_DOT_go="3")
    git(folder, "checkout", "--quiet", "master")
    commit(folder, "main 1", src__a_DOT_go="2")
    joined = merge(folder, "side")
    new = commit(folder, "main 2", src__a_DOT_go="3")
    history = Commits(Repository(folder / ".git"), ())
    for jobs in (1, 3):
        found, _ = search(history, old, new, {culprit, last, joined, new}, (), jobs)
        assert list(found) == [culprit]


def test_a_merge_itself_can_be_the_culprit(tmp_path: Path) -> None:
    folder = start(tmp_path / "clone")
    old = commit(folder, "old", src__a_DOT_go="1")
    git(folder, "checkout", "--quiet", "-b", "side")
    commit(folder, "side", src__b_DOT_go="1")
    git(folder, "checkout", "--quiet", "master")
    commit(folder, "main", src__a_DOT_go="2")
    joined = merge(folder, "side")
    history = Commits(Repository(folder / ".git"), ())
    found, _ = search(history, old, joined, {joined}, (), 1)
    assert list(found) == [joined]
