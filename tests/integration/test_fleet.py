"""Tasks on a Dask cluster of real processes, some of which die."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, as_completed
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.arch import host_goarch
from harness.errors import ClusterError, InputError
from harness.experiment.task import Installed, Outcome, Task
from harness.fleet import Local, work
from harness.fleet.cluster import Cluster
from harness.recording import load
from harness.verdict import Result
from tests.integration.on_workers import (
    ROOT,
    Workers,
    die,
    dwell,
    echo,
    modules,
    scheduler,
)
from tests.integration.running import GENEROUS, ended, until

ARCH = host_goarch()
OTHER = "arm64" if ARCH == "amd64" else "amd64"
NEEDS = (ARCH, "ptrace")


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with scheduler(tmp_path) as workers:
        yield workers


def pids(said: Path) -> list[int]:
    return [int(line) for line in said.read_text().split()] if said.exists() else []


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def test_checks_are_done_by_workers_that_have_what_they_need(workers: Workers) -> None:
    fit = workers.start(f"ptrace=1 {ARCH}=1")
    other = workers.start(f"{OTHER}=1")
    task = msgspec.json.encode(Task(Installed("go1.21.1"), number=5, control=False))
    with Cluster(workers.address) as cluster:
        checks = [cluster.submit(work, task, needs=NEEDS) for _ in range(3)]
        here = [cluster.submit(echo, b"x", needs=NEEDS) for _ in range(4)]
        there = [cluster.submit(echo, b"y", needs=(OTHER,)) for _ in range(4)]
        for check in checks:
            outcome = msgspec.json.decode(check.result(GENEROUS), type=Outcome)
            assert outcome.check is not None
            assert outcome.check.result is Result.FAIL
            assert outcome.recording
        assert {done.result(GENEROUS) for done in here} == {b"x by %d" % fit.pid}
        assert {done.result(GENEROUS) for done in there} == {b"y by %d" % other.pid}


def test_both_executors_take_the_same_call(workers: Workers) -> None:
    workers.start(f"ptrace=1 {ARCH}=1")
    task = msgspec.json.encode(Task(Installed("go1.21.1"), number=5, control=False))
    for executor in (Local(1), Cluster(workers.address)):
        with executor:
            done = executor.submit(work, task, needs=NEEDS).result(GENEROUS)
            assert msgspec.json.decode(done, type=Outcome).conclusion.exit_code == 1


def test_ptrace_and_dask_are_never_in_one_process(workers: Workers) -> None:
    worker = workers.start("ptrace=1")
    with Cluster(workers.address) as cluster:
        said = cluster.submit(modules, b"", needs=("ptrace",)).result(GENEROUS).decode().split()
        assert "distributed" in said
        assert "ptrace" not in said
        bridge = cluster._bridge.pid  # noqa: SLF001
        assert not ended(worker.pid)
        assert Path(f"/proc/{bridge}/cmdline").read_bytes().count(b"harness.fleet.bridge")
    loaded = "import harness.fleet.bridge, distributed, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True, cwd=ROOT)
    assert b"ptrace" not in done.stdout.split()
    client = (
        "import sys; from harness.experiment.task import do\n"
        "from harness.fleet.cluster import Cluster\n"
        "with Cluster(sys.argv[1]) as cluster: print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", client, workers.address], capture_output=True, check=True, cwd=ROOT
    )
    assert b"ptrace" in done.stdout.split()
    assert {b"distributed", b"tornado", b"msgpack"}.isdisjoint(done.stdout.split())


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(
    workers: Workers, tmp_path: Path
) -> None:
    one, two = (workers.start("ptrace=1") for _ in range(2))
    said = [tmp_path / f"task-{number}" for number in range(8)]
    counted: Counter[bytes] = Counter()
    with Cluster(workers.address) as cluster:
        futures: dict[Future[bytes], bytes] = {}
        for task in map(bytes, said):
            future = cluster.submit(dwell, task, needs=("ptrace",))
            futures[future] = task
            future.add_done_callback(lambda done: counted.update([futures[done]]))
        until(lambda: {one.pid, two.pid} == {p for s in said for p in pids(s)}, "both work")
        one.kill()
        one.wait()
        (tmp_path / "go").touch()
        for future in as_completed(futures, GENEROUS):
            assert future.result() == b"%s by %d" % (futures[future], two.pid)
    assert counted == Counter(map(bytes, said))
    again = [path for path in said if one.pid in pids(path)]
    assert again, "the one that was killed had a task"
    assert all(pids(path) == [one.pid, two.pid] for path in again)


def test_an_answer_that_comes_twice_counts_once(workers: Workers) -> None:
    workers.start("ptrace=1")
    with Cluster(workers.address) as cluster:
        done = cluster.submit(echo, b"1", needs=("ptrace",))
        first = done.result(GENEROUS)
        cluster._settle(1, b"late")  # noqa: SLF001
        assert cluster.submit(echo, b"2", needs=("ptrace",)).result(GENEROUS)
        assert done.result() == first


def test_a_task_that_kills_each_worker_ends_in_an_error(workers: Workers) -> None:
    workers.start("ptrace=1", "--nanny")  # it starts the worker anew
    with Cluster(workers.address) as cluster:
        deadly = cluster.submit(die, b"", needs=("ptrace",))
        with pytest.raises(ClusterError, match="4 workers died while they had a task"):
            deadly.result(GENEROUS)
        assert cluster.submit(echo, b"x", needs=("ptrace",)).result(GENEROUS)


def test_a_process_that_dies_is_told_with_what_it_said(workers: Workers) -> None:
    workers.start("ptrace=1")
    with Cluster(workers.address) as cluster:
        broken = cluster.submit(work, b"no task", needs=("ptrace",))
        with pytest.raises(ClusterError, match=r"the process of a task ended in 1: .*JSON"):
            broken.result(GENEROUS)


def test_leaving_early_ends_what_runs_and_what_waits(workers: Workers) -> None:
    worker = workers.start("ptrace=1")
    endless = msgspec.json.encode(Task(Installed("go1.21.1"), number=10**6, control=False))
    with pytest.raises(KeyboardInterrupt), Cluster(workers.address) as cluster:  # noqa: PT012
        futures = [cluster.submit(work, endless, needs=("ptrace",)) for _ in range(5)]
        until(lambda: children(worker.pid), "a task runs")
        raise KeyboardInterrupt
    assert all(future.cancelled() for future in futures)
    until(lambda: not children(worker.pid), "it has ended")
    assert ended(cluster._bridge.pid)  # noqa: SLF001
    with Cluster(workers.address) as cluster:  # the worker is free, and not ended for others
        assert cluster.submit(echo, b"x", needs=("ptrace",)).result(GENEROUS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_bridge_and_no_work_is_left_by_one_that_was_ended(
    workers: Workers, number: signal.Signals
) -> None:
    worker = workers.start("ptrace=1")
    script = (
        "import sys, msgspec; from harness.fleet import work\n"
        "from harness.fleet.cluster import Cluster\n"
        "from harness.experiment.task import Installed, Task\n"
        "task = msgspec.json.encode(Task(Installed('go1.21.1'), number=10**6, control=False))\n"
        "with Cluster(sys.argv[1]) as cluster:\n"
        "    futures = [cluster.submit(work, task, needs=('ptrace',)) for _ in range(3)]\n"
        "    print(cluster._bridge.pid, flush=True)\n"
        "    futures[0].result()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, workers.address],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        bridge = int(process.stdout.readline())
        until(lambda: children(worker.pid), "a task runs")
        (at_work,) = children(worker.pid)
        process.send_signal(number)
        until(lambda: ended(bridge), "the bridge has ended")
        until(lambda: ended(at_work), "the task has ended")
    with Cluster(workers.address) as cluster:
        assert cluster.submit(echo, b"x", needs=("ptrace",)).result(GENEROUS)
        assert not children(worker.pid)


def test_the_cluster_goes_in_the_middle(workers: Workers, tmp_path: Path) -> None:
    workers.start("ptrace=1")
    with Cluster(workers.address) as cluster:
        futures = [cluster.submit(dwell, bytes(tmp_path / "a"), needs=("ptrace",)) for _ in "abc"]
        until(lambda: pids(tmp_path / "a"), "one runs")
        workers.scheduler.kill()
        for future in futures:
            with pytest.raises(ClusterError, match="is gone") as told:
                future.result(GENEROUS)
            assert told.value.mend.startswith("what is finished is kept")
        with pytest.raises(ClusterError, match="is gone"):
            cluster.submit(echo, b"x")
    (tmp_path / "go").touch()


def test_the_scheduler_hangs(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.2")
    workers.start("ptrace=1")
    with Cluster(workers.address) as cluster:
        assert cluster.submit(echo, b"x", needs=("ptrace",)).result(GENEROUS)
        workers.scheduler.send_signal(signal.SIGSTOP)
        future = cluster.submit(echo, b"x", needs=("ptrace",))
        with pytest.raises(ClusterError, match="is gone: it does not answer"):
            future.result(GENEROUS)
    workers.scheduler.send_signal(signal.SIGCONT)


def test_a_bridge_that_dies_is_told(workers: Workers) -> None:
    with Cluster(workers.address) as cluster:
        future = cluster.submit(echo, b"x")
        os.kill(cluster._bridge.pid, signal.SIGKILL)  # noqa: SLF001
        with pytest.raises(ClusterError, match="the bridge to the cluster ended in -9"):
            future.result(GENEROUS)


def test_no_worker_has_what_is_needed(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.1")
    workers.start(f"ptrace=1 {OTHER}=2")
    with Cluster(workers.address) as cluster:
        assert cluster.submit(echo, b"x", needs=("ptrace",)).result(GENEROUS)
        future = cluster.submit(echo, b"x", needs=NEEDS)
        with pytest.raises(ClusterError) as told:
            future.result(GENEROUS)
    assert f"has {ARCH} and ptrace; 1 of its workers have: " in told.value.message
    assert set(told.value.message.split()) > {f"{OTHER}=2", "ptrace=1"}
    assert told.value.mend == (f"dask worker {workers.address} --resources '{ARCH}=1 ptrace=1'")


def test_a_worker_without_the_harness_or_with_another_one(workers: Workers, tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").touch()
    workers.start("empty=1", env={"PYTHONPATH": str(tmp_path)})
    with Cluster(workers.address) as cluster:
        without = cluster.submit(echo, b"x", needs=("empty",))
        with pytest.raises(ClusterError, match="cannot import the harness: No module") as told:
            without.result(GENEROUS)
        assert "pip install 'debugcall-harness[fleet]==" in told.value.mend
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import harness.version as v; v.__version__ = '0'\n")
    workers.start("other=1", env={"PYTHONPATH": f"{other}:{ROOT}"})
    with Cluster(workers.address) as cluster:
        older = cluster.submit(echo, b"x", needs=("other",))
        with pytest.raises(ClusterError, match="a worker has debugcall-harness 0, this is"):
            older.result(GENEROUS)


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.05")
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        Cluster("tcp://127.0.0.1:9")


@pytest.mark.parametrize("address", ["", "host:8786", "tcp://", "tcp://host", "tcp://h:x", "a b"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InputError, match="is no address of a Dask scheduler"):
        Cluster(address)


def test_dask_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError('nothing of this name')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ClusterError, match="Dask cannot be imported") as told:
        Cluster("tcp://127.0.0.1:9")
    assert told.value.mend == "pip install 'debugcall-harness[fleet]'"


def command(*words: str, cwd: Path) -> Any:  # noqa: ANN401 - JSON
    code = "import sys; from harness.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--json"],
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=GENEROUS * 4,
    )
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)


def test_the_commands_take_a_cluster(workers: Workers, tmp_path: Path) -> None:
    for _ in range(2):
        workers.start(f"ptrace=1 {ARCH}=1")
    cluster = ("--cluster", workers.address)
    words = ["--go", "go1.21.1,go1.21.3", "-n", "20", "--record", "recordings"]
    cells = command("matrix", *words, *cluster, cwd=tmp_path)["cells"]
    assert [cell["conclusion"]["result"] for cell in cells] == ["fail", "pass"]
    kept = [load(path) for path in (tmp_path / "recordings").iterdir()]
    # `-c`: that is how this test calls the command
    assert [recording.header.command[:3] for recording in kept] == [("-c", "matrix", "--go")] * 2
    words = ["--releases", "go1.21.0..go1.21.3", "--jobs", "2"]
    (found,) = command("bisect", *words, *cluster, cwd=tmp_path)["bisections"]
    assert found["suspects"] == ["go1.21.2"]
    assert found["proven"] is True
