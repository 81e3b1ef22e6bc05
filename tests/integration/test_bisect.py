"""A real bisection over a small history, made of the sources of the Go that is at hand.

                   crashes - LOCKS IT
                  /
base - docs - BREAKS - wording - does not build - builds again - merge - FIXES - docs
                                                               /
                  `------------- side ------------------------'
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from harness.arch import host_goarch
from harness.toolchain import Toolchain, tools, unlocked_runtime
from harness.toolchain.commit import MAKE_BASH, AtCommit, content_key, linked_folders
from harness.verdict import Result
from tests.clones import commit, git, merge, start, state_of
from tests.integration.on_workers import scheduler
from tests.integration.running import ended

CLI = "import sys; from harness.cli import main; sys.exit(main())"
LIMIT = 900  # seconds until a command that hangs is given up; building tools takes a minute


@dataclass(frozen=True)
class History:
    folder: Path
    base: str
    breaks: str
    crashes: str
    locks: str
    wording: str
    unbuildable: str
    fixes: str
    last: str


@pytest.fixture(scope="session")
def history(
    tmp_path_factory: pytest.TempPathFactory, toolchain: Callable[[str], Toolchain]
) -> History:
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of all workers of this run
    folder = shared / "go-history"
    with FileLock(shared / "go-history.lock"):
        if not (folder / "commits.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            (folder.with_suffix(".json")).write_text(json.dumps(make(folder, toolchain("1.26.8"))))
            folder.with_suffix(".json").rename(folder / "commits.json")
    return History(folder, **json.loads((folder / "commits.json").read_text()))


def make(folder: Path, go: Toolchain) -> dict[str, str]:
    start(folder)
    shutil.copytree(
        go.goroot / "src", folder / "src", ignore=shutil.ignore_patterns("testdata", "*_test.go")
    )
    # A release that was fetched may not be written to.
    subprocess.run(["chmod", "-R", "u+w", folder / "src"], check=True)  # noqa: S607
    (folder / ".git" / "info" / "exclude").write_text("/commits.json\n")
    debugcall = folder / "src" / "runtime" / "debugcall.go"
    runtime = folder / "src" / "runtime" / "proc.go"
    locked = debugcall.read_text()
    (unlocked,) = unlocked_runtime(go).values()
    commits = {"base": commit(folder, "all: begin")}
    commit(folder, "doc: begin", README="1")
    git(folder, "branch", "side")
    commits["breaks"] = commit(
        folder, "runtime: simplify debug calls", src__runtime__debugcall_DOT_go=unlocked.read_text()
    )
    good = runtime.read_text()
    git(folder, "checkout", "--quiet", "-b", "crashing")
    commits["crashes"] = commit(
        folder,
        "runtime: crash",
        src__runtime__proc_DOT_go=f'{good}\nfunc init() {{ throw("as it must") }}\n',
    )
    commits["locks"] = commit(
        folder,
        "runtime: lock debug calls, crash no more",
        src__runtime__proc_DOT_go=good,
        src__runtime__debugcall_DOT_go=locked,
    )
    git(folder, "checkout", "--quiet", "master")
    commits["wording"] = commit(
        folder,
        "runtime: word it better",
        src__runtime__proc_DOT_go=f"{good}\n// a\n",
    )
    good = runtime.read_text()
    commits["unbuildable"] = commit(
        folder, "runtime: clean up", src__runtime__proc_DOT_go=f"{good}\nfunc broken() {{\n"
    )
    commit(folder, "runtime: build again", src__runtime__proc_DOT_go=f"{good}\n// b\n")
    git(folder, "checkout", "--quiet", "side")
    commit(folder, "runtime: on a branch", src__runtime__zside_DOT_go="package runtime\n")
    git(folder, "checkout", "--quiet", "master")
    merge(folder, "side")
    commits["fixes"] = commit(
        folder, "runtime: lock debug calls again", src__runtime__debugcall_DOT_go=locked
    )
    commits["last"] = commit(folder, "doc: end", README="2")
    git(folder, "tag", "go1.21.1", commits["wording"])
    git(folder, "tag", "go1.21.2", commits["last"])
    git(folder, "config", "uploadpack.allowFilter", "true")
    return commits


def debugcall(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CLI, *words],
        cwd=cwd,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )


def bisect(history: History, old: str, new: str, *words: str, cwd: Path) -> Any:  # noqa: ANN401 - JSON
    done = debugcall(
        *("bisect", "--repo", str(history.folder), "--old", old, "--new", new, "--json", *words),
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["bisections"]
    return answer


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_the_commit_that_fixed_it_is_found(history: History, tmp_path: Path, jobs: str) -> None:
    answer = bisect(history, history.wording, history.last, "--jobs", jobs, cwd=tmp_path)
    assert (answer["change"], answer["suspects"]) == ("fix", [history.fixes])
    assert answer["proven"] is True
    assert answer["culprit"]["subject"] == "runtime: lock debug calls again"
    assert answer["culprit"]["files"] == ["src/runtime/debugcall.go"]
    at, before = answer["proof"]
    assert (at["result"], before["result"]) == ("pass", "fail")
    for test in (at, before):
        assert (test["number"], test["tools"]) == (200, None)
        verified = debugcall("verify", test["recording"], cwd=tmp_path)
        assert verified.returncode == (0 if test is at else 1), verified.stdout


def test_the_commit_that_broke_it_is_found_past_one_that_does_not_build(
    history: History, tmp_path: Path
) -> None:
    words = ("--find", "regression")
    answer = bisect(history, history.base, history.unbuildable + "~1", *words, cwd=tmp_path)
    assert (answer["change"], answer["suspects"]) == ("regression", [history.breaks])
    answer = bisect(history, history.base, history.fixes + "~1", *words, cwd=tmp_path)
    assert answer["suspects"] == [history.breaks]
    assert answer["proven"] is True


def test_a_commit_whose_runtime_crashes_is_passed_over(history: History, tmp_path: Path) -> None:
    ends = ("--old", history.breaks, "--new", history.locks)
    for _ in range(2):  # again it is what it was
        done = debugcall("bisect", "--repo", str(history.folder), *ends, cwd=tmp_path)
        assert done.returncode == 125, done.stderr
        assert done.stdout.startswith("not found: one of 2 made the fix")
        assert all(one in done.stdout for one in (history.crashes, history.locks))
    (folder,) = tmp_path.iterdir()
    lines = (folder / "journal.jsonl").read_text().splitlines()
    reasons = [json.loads(line).get("reason", "") for line in lines]
    said = f"{history.crashes[:12]} cannot be checked: the target ended before it was ready: exit"
    assert any(said in reason for reason in reasons)


def test_what_is_linked_by_an_experiment_that_the_driver_lacks(history: History) -> None:
    # Go 1.26 has greenteagc on, Go 1.25 has not; runtime/mgcmark_greenteagc.go imports it.
    source = AtCommit(str(history.folder / ".git"), history.base)
    linked = linked_folders(source, "caller", "amd64")
    assert {"src/runtime", "src/internal/runtime/gc/scan"} <= set(linked)


def test_a_key_holds_the_recipe_and_the_target(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    keys = set()
    for recipe, text in (("0.1.0", "1"), ("0.2.0", "1"), ("0.2.0", "2")):
        monkeypatch.setattr(tools, "__version__", recipe)
        (target / "main.go").write_text(f"package main // {text}\n")
        for lent in (None, MAKE_BASH):
            source = AtCommit(str(history.folder / ".git"), history.base, lent)
            keys.add(content_key(source, str(target), "amd64"))
    assert len(keys) == 3 + 2  # what make.bash builds owes nothing to the recipe


def test_a_partial_clone_with_changes_is_searched_and_stays_as_it_is(
    history: History, tmp_path: Path
) -> None:
    words = ("--quiet", "--no-checkout", "--filter=blob:none", f"file://{history.folder}", "clone")
    git(tmp_path, "clone", *words)
    clone = tmp_path / "clone"
    changed = clone / "src" / "runtime" / "proc.go"
    changed.parent.mkdir(parents=True)
    changed.write_text("package changed\n")

    def state() -> dict[str, bytes]:
        fetched = str(clone / ".git" / "objects")
        found = state_of(clone).items()
        return {name: text for name, text in found if not name.startswith(fetched)}

    before = state()
    ends = ("--old", history.wording, "--new", history.last, "--json")
    done = debugcall("bisect", "--repo", str(clone), *ends, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["bisections"]
    assert answer["suspects"] == [history.fixes]
    assert state() == before


def test_a_full_disk_is_told_and_it_goes_on_with_another(history: History, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["bisect", "--repo", str(history.folder), "--out", "out", "--json"]
    words += ["--old", history.wording, "--new", history.last]
    for size in ("20m", "220m"):  # the sources do not fit; they do, and the tools do not
        small = ["/usr/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)]
        if subprocess.run(small, stderr=subprocess.DEVNULL, check=False).returncode:
            pytest.skip("no disk can be mounted here")
        try:
            done = debugcall(*words, cwd=tmp_path, XDG_CACHE_HOME=str(disk))
        finally:
            subprocess.run(["/usr/bin/umount", str(disk)], check=True)
        assert done.returncode == 132, done.stderr
        assert "the disk is full" in done.stderr
        assert "mend: free some space" in done.stderr
    assert len((tmp_path / "out" / "journal.jsonl").read_text().splitlines()) == 1
    done = debugcall(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bisections"][0]["suspects"] == [history.fixes]


def test_the_release_that_builds_it_cannot_be_had(history: History, tmp_path: Path) -> None:
    words = ["bisect", "--repo", str(history.folder), "--old", history.base, "--new", history.last]
    done = debugcall(*words, cwd=tmp_path, GOPROXY="off", GOMODCACHE=str(tmp_path / "empty"))
    assert done.returncode == 129
    said = f"{history.base[:12]} is built by means of go1.25.0: go1.25.0 is not on this machine"
    assert said in done.stderr
    assert "\nmend: set GOPROXY" in done.stderr


def test_it_goes_on_without_the_cluster_that_is_gone(tmp_path: Path) -> None:
    words = ["bisect", "--releases", "go1.21.0..go1.21.3", "--out", "out", "--json"]
    journal = tmp_path / "out" / "journal.jsonl"
    with scheduler(tmp_path) as workers:
        workers.start(f"ptrace=1 {host_goarch()}=1")
        with subprocess.Popen(
            [sys.executable, "-c", CLI, *words, "--cluster", workers.address],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if ": pass" in line or ": fail" in line:
                    break
            workers.scheduler.kill()
            said = process.stderr.read()
        assert process.returncode == 132
        assert "is gone" in said
        assert "mend: what is finished is kept" in said
    kept = journal.read_text().splitlines()
    assert len(kept) > 1
    done = debugcall(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bisections"][0]["suspects"] == ["go1.21.2"]
    assert journal.read_text().splitlines()[: len(kept)] == kept
    assert_nothing_twice(journal)


def test_an_end_that_does_not_build_is_told(history: History, tmp_path: Path) -> None:
    ends = ("--old", history.base, "--new", history.unbuildable)
    done = debugcall("bisect", "--repo", str(history.folder), *ends, cwd=tmp_path)
    assert done.returncode == 125
    assert f"{history.unbuildable[:12]}, an end of the range, cannot be judged" in done.stderr
    assert "proc.go" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "words", "said"),
    [
        ("last", "base", (), "the ends are swapped"),
        ("base", "last", (), "both ends pass: nothing changed"),
        ("breaks", "wording", (), "both ends fail: nothing changed"),
        (
            "breaks",
            "last",
            ("--find", "regression"),
            "what lies between is a fix, not a regression",
        ),
    ],
)
def test_ends_that_lead_nowhere_are_told(
    history: History, tmp_path: Path, old: str, new: str, words: tuple[str, ...], said: str
) -> None:
    ends = ("--old", getattr(history, old), "--new", getattr(history, new))
    done = debugcall("bisect", "--repo", str(history.folder), *ends, *words, cwd=tmp_path)
    assert done.returncode == 129
    assert said in done.stderr
    assert "\nmend: " in done.stderr


def assert_nothing_twice(journal: Path) -> None:
    _, *lines = map(json.loads, journal.read_text().splitlines())
    tested = [(line["key"], line["number"]) for line in lines]
    assert len(tested) == len(set(tested))


def test_it_goes_on_where_it_was_killed(history: History, tmp_path: Path) -> None:
    words = ["bisect", "--repo", str(history.folder), "--out", "out", "--json"]
    words += ["--old", history.wording, "--new", history.last]
    journal = tmp_path / "out" / "journal.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", CLI, *words],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if ": pass" in line or ": fail" in line:
                break
        process.kill()
    kept = journal.read_text().splitlines()[1:]
    assert kept
    done = debugcall(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["bisections"]
    assert answer["suspects"] == [history.fixes]
    assert journal.read_text().splitlines()[1 : 1 + len(kept)] == kept
    assert_nothing_twice(journal)


def test_ctrl_c_ends_it_and_what_it_started(history: History, tmp_path: Path) -> None:
    words = ["bisect", "--repo", str(history.folder), "-n", "100000"]
    words += ["--old", history.wording, "--new", history.last]
    with subprocess.Popen(
        [sys.executable, "-c", CLI, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("target built"):
                break
        started = below(process.pid)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert started
    assert all(map(ended, started))


def below(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(word) for task in tasks for word in task.read_text().split()]
    return [*children, *(deeper for child in children for deeper in below(child))]


@pytest.fixture
def checkout(history: History, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "checkout"
    git(history.folder, "worktree", "add", "--quiet", "--detach", str(folder), history.breaks)
    yield folder
    git(history.folder, "worktree", "remove", "--force", str(folder))


def test_git_bisect_run_finds_it(history: History, checkout: Path) -> None:
    script = checkout / ".step"
    words = f'"{sys.executable}" -c "{CLI}" bisect-step -n 40 --find fix'
    script.write_text(f"#!/bin/sh\nexec {words}\n")
    script.chmod(0o755)
    git(checkout, "bisect", "start", history.last, history.wording)
    said = git(checkout, "bisect", "run", str(script))
    assert f"{history.fixes} is the first bad commit" in said
    git(checkout, "bisect", "reset", history.breaks)


def test_a_step_judges_what_is_committed_only(history: History, checkout: Path) -> None:
    done = debugcall("bisect-step", "-n", "20", cwd=checkout)
    assert done.returncode == 1
    assert done.stdout.startswith(f"fail  {history.breaks[:12]}")
    (checkout / "src" / "runtime" / "proc.go").write_text("package runtime\n")
    done = debugcall("bisect-step", "-n", "20", cwd=checkout)
    assert done.returncode == 129
    assert "uncommitted changes" in done.stderr
    for unfit in (history.unbuildable, history.crashes):
        git(checkout, "checkout", "--quiet", "--force", unfit)
        done = debugcall("bisect-step", "-n", "20", cwd=checkout)
        assert done.returncode == 125, done.stderr


def test_a_matrix_takes_commits_and_releases(history: History, tmp_path: Path) -> None:
    done = debugcall(
        *(
            "matrix",
            "--repo",
            str(history.folder),
            "--go",
            f"go1.21.1,{history.fixes},{history.breaks}",
        ),
        *("--schedule", "delay,steal", "-n", "20", "--record", "recordings", "--json"),
        *("--junit", "junit.xml"),
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stderr
    cells = json.loads(done.stdout)["cells"]
    results = {
        (cell["toolchain"], cell["schedule"]): cell["conclusion"]["result"] for cell in cells
    }
    assert results == {
        (name, schedule): result
        for name, result in (
            ("go1.21.1", "fail"),
            (history.fixes[:12], "pass"),
            (history.breaks[:12], "fail"),
        )
        for schedule in ("delay", "steal")
    }
    assert len(list((tmp_path / "recordings").iterdir())) == 6
    assert (tmp_path / "junit.xml").read_text().count("<failure ") >= 4
    for cell in cells:
        recording = cell["conclusion"]["recording"]
        verified = debugcall("verify", recording, cwd=tmp_path)
        assert verified.returncode == Result(cell["conclusion"]["result"]).exit_code


def test_releases_are_searched_too(tmp_path: Path) -> None:
    done = debugcall("bisect", "--releases", "go1.21.0..go1.21.3", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["bisections"]
    assert answer["suspects"] == ["go1.21.2"]
    assert [test["point"] for test in answer["proof"]] == ["go1.21.2", "go1.21.1"]


def test_releases_and_then_the_commits_between_two_of_them(
    history: History, tmp_path: Path
) -> None:
    words = ("--releases", "go1.21.1..go1.21.2", "--repo", str(history.folder), "--out", "out")
    for _ in range(2):
        done = debugcall("bisect", *words, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        releases, commits = json.loads(done.stdout)["bisections"]
        assert (releases["suspects"], commits["suspects"]) == (["go1.21.2"], [history.fixes])
