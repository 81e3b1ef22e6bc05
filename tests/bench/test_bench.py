"""The benchmarks, each at its smallest: that they print the figures they promise, of any size."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.arch import host_goarch
from harness.errors import HarnessError
from harness.toolchain import Toolchain, find_toolchain
from scripts.bench import programs
from scripts.bench.bisection import reverted
from scripts.bench.fleet import cpu_seconds
from tests.clones import chain, git, start
from tests.documented import ROOT
from tests.lacking import lacking

FOLDER = ROOT / "scripts" / "bench"
BENCHES = sorted(
    path.name for path in FOLDER.iterdir() if path.is_file() and os.access(path, os.X_OK)
)
PARTS = ("delve.py", "product.py")  # of `run`; either can be run by itself
_FIGURE = r"(\d+\.?\d*)"


def bench(name: str, *arguments: str | Path, cwd: Path = ROOT, status: int = 0) -> str:
    """Run a benchmark, see it end with an exit code, and return what it prints."""
    python = [sys.executable] if name in PARTS else []
    done = subprocess.run(
        [*python, FOLDER / name, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr
    return done.stderr if status == 2 else done.stdout


def figures(pattern: str, line: str) -> list[float]:
    """Return what stands in a line, or in some, where the pattern has a group."""
    found = re.fullmatch(pattern, line)
    assert found, line
    return [float(figure) for figure in found.groups()]


@pytest.fixture(scope="session")
def delve() -> None:
    try:
        programs.delve(find_toolchain())
    except (HarnessError, subprocess.CalledProcessError) as error:
        lacking(f"Delve is not here: {error}")


@pytest.mark.parametrize("name", [*BENCHES, *PARTS])
def test_each_says_how_it_is_used(name: str) -> None:
    said = bench(name, "--help")
    assert said.startswith("usage: ")
    assert len(said.split("\n\n")[1]) > 20  # what it does


@pytest.mark.parametrize(
    "words",
    [
        *([name, "--nonsense"] for name in [*BENCHES, *PARTS]),
        ["bisection"],
        ["bisection", "/nowhere"],
        ["delve.py", "some"],
        ["fleet", "--workers", "0"],
        ["fleet", "--seconds", "-1"],
        ["peers", "--runs", "0"],
        ["product.py", "0"],
        ["read-target"],
        ["run", "--rounds", "few"],
        ["soak", "--number", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told(words: list[str]) -> None:
    said = bench(*words, status=2)
    assert "usage: " in said
    assert ": error: " in said


@pytest.mark.parametrize("name", ["fleet", "run", "soak"])
def test_a_go_that_is_not_there_is_told_before_anything_is_done(name: str) -> None:
    assert bench(name, "--go", "nonsense", status=129) == ""


def test_soak_ends_at_the_first_chunk_that_fails(toolchain: Callable[[str], Toolchain]) -> None:
    toolchain("1.21.1")
    words = ("--go", "go1.21.1", "--number", "20", "--chunk", "10", "--json")
    found = json.loads(bench("soak", *words, status=1))
    assert found.pop("seconds") > 0
    assert found["go"] == "go1.21.1"
    assert found["result"] == "fail"
    assert found["injections"] == found["ended"] == found["unlocked"] == 10
    assert found["migrated"] > 0
    assert found["migrated"] + found["uncontested"] == 10
    assert found["refused"] == found["locked"] == 0


def test_soak_does_all_where_nothing_fails(toolchain: Callable[[str], Toolchain]) -> None:
    toolchain("1.26.8")
    said = bench("soak", "--go", "go1.26.8", "--number", "20", "--chunk", "10")
    injections, ended, migrated, refused, uncontested, locked, unlocked = figures(
        r"go1\.26\.8: pass in \d+ s: (\d+) injections, (\d+) ended, (\d+) migrated, "
        r"(\d+) refused, (\d+) uncontested, (\d+) locked, (\d+) unlocked\n",
        said,
    )
    assert injections == ended == locked == refused + uncontested == 20
    assert migrated == unlocked == 0


@pytest.mark.skipif(host_goarch() != "amd64", reason="the yardsticks in C are for amd64")
@pytest.mark.usefixtures("delve")
def test_run_compares_all_ways(toolchain: Callable[[str], Toolchain]) -> None:
    if not shutil.which("gcc"):
        lacking("no gcc is here", "sudo apt-get install gcc")
    toolchain("1.26.8")
    title, _, *rows = bench("run", "--rounds", "1", "--go", "go1.26.8", "--one-core").splitlines()
    assert title == "calls a second, go1.26.8, 1 rounds, on one core"
    ways = ("classic", "classic --breakpoint", "onestop", "product", "delve")
    rates = {}
    for way, row in zip(ways, rows, strict=True):
        median, lowest, highest, ratio = figures(
            rf"{way} +(\d+) +(\d+) +(\d+)   {_FIGURE} times it", row
        )
        assert lowest == median == highest > 0  # of one round
        rates[way] = (median, ratio)
    for rate, ratio in rates.values():
        assert ratio == pytest.approx(rates["product"][0] / rate, rel=0.1)  # they are rounded


@pytest.mark.usefixtures("delve")
def test_peers_asks_all_three_of_both_runtimes(toolchain: Callable[[str], Toolchain]) -> None:
    for version in ("1.21.1", "1.21.3"):
        toolchain(version)
    said = bench("peers", "--runs", "1", "--calls", "2").splitlines()
    for name, verdict in (
        ("go1.21.3", r"pass: \d+ thefts of the call goroutine were tried, all were refused"),
        ("go1.21.3, the fix reverted", r"fail: a call is dispatched .*: not so in \d+ cases"),
    ):
        title, go, delve, mine, *said = said
        assert title == name
        assert go == "  Go's own tests  0 of 1 runs failed"
        assert delve == "  Delve           0 of 2 calls went wrong"
        assert re.fullmatch(f"  this harness    {verdict}", mine)
    assert not said


def test_read_target_times_each_part(caller_binary: Callable[[str], Path], tmp_path: Path) -> None:
    for name, version in (("old", "1.21.1"), ("new", "1.26.8")):
        shutil.copy(caller_binary(version), tmp_path / name)
    title, columns, *rows = bench("read-target", "old", "new", cwd=tmp_path).splitlines()
    assert title == "ms, least and median of 20 processes"
    assert columns.split() == ["MB", "imports", "functions", "traps", "offsets", "all"]
    for name, row in zip(("old", "new"), rows, strict=True):
        size, *times = figures(rf" *{_FIGURE}" + rf" +{_FIGURE}" * 10 + f" +{name}", row)
        assert size == pytest.approx((tmp_path / name).stat().st_size / 1e6, abs=0.06)
        least, median = times[::2], times[1::2]
        assert all(0 < low <= middle for low, middle in zip(least, median, strict=True))
        assert least[-1] >= sum(least[:-1]) - 0.5  # rounded


def test_fleet_tells_what_a_job_costs(toolchain: Callable[[str], Toolchain]) -> None:
    toolchain("1.21.1")
    words = ("--workers", "3", "--jobs", "200", "--seconds", "0.1", "--idle", "1")
    said = bench("fleet", *words, "--go", "go1.21.1")
    process = rf"{_FIGURE} ms  \d+ ms\n"
    task, outcome, check, up, down, overhead, _, rate, *spent, most, supported = figures(
        rf"a check   task (\d+) bytes, outcome (\d+) bytes, {_FIGURE} s once built\n"
        r"bytes     (\d+) up and (\d+) down a job\n"
        rf"overhead  20 jobs of 0\.1 s on 2 workers took {_FIGURE} s: "
        rf"between two jobs a worker waits {_FIGURE}% of their time\n"
        r"load      200 jobs on 3 workers in \d+\.\d s \((\d+) a second\)\n"
        r"          processor time  a job     and a second with nothing to do\n"
        rf"          driver +{process}"
        rf"          bridge +{process}"
        rf"          scheduler +{process}"
        rf"          workers +{process}"
        r"so        with a core each they do (\d+) jobs a second: (\d+) workers at 0\.1 s a job\n",
        said,
    )
    assert check > 0
    assert up > task
    assert down > outcome * 0.9  # none of it can be packed
    assert overhead > 20 * 0.1 * 2 / 3 / 2  # seconds: stub_job.py takes a third less, or more
    assert all(each > 0 for each in (rate, *spent, most))
    assert supported == pytest.approx(most / 10, abs=1)


def test_the_processor_time_is_that_of_the_process_asked_for() -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as sleeper:
        try:
            mine = cpu_seconds(os.getpid())
            assert 0 < cpu_seconds(sleeper.pid) < mine
        finally:
            sleeper.kill()


def test_bisection_reverts_on_top(tmp_path: Path) -> None:
    clone = start(tmp_path / "go")
    before, fix = chain(clone, ["before", "fix"])
    made = reverted(clone, fix)
    assert git(clone, "rev-parse", f"{made}^") == fix
    assert git(clone, "rev-parse", f"{made}^{{tree}}") == git(
        clone, "rev-parse", f"{before}^{{tree}}"
    )
    assert git(clone, "rev-parse", "HEAD") == fix
    assert git(clone, "status", "--porcelain") == ""
