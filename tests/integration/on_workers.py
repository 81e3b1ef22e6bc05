"""What tests have Dask's workers do, and a cluster of real processes that does it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


def echo(task: bytes, *, owner: str) -> bytes:
    """Return the task and the worker's process."""
    assert owner
    return b"%s by %d" % (task, os.getpid())


def modules(_task: bytes, *, owner: str) -> bytes:
    """Return the names of the modules that the worker has imported."""
    assert owner
    return " ".join(sys.modules).encode()


def dwell(task: bytes, *, owner: str) -> bytes:
    """Say who does it, then wait for the file named `go` beside the one that the task names."""
    said = Path(task.decode())
    with said.open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    while not said.with_name("go").exists():
        time.sleep(0.01)
    return echo(task, owner=owner)


def die(_task: bytes, *, owner: str) -> bytes:
    """End the worker, as the kernel does when memory runs out."""
    assert owner
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


class Workers(NamedTuple):
    """A scheduler, and how to start a worker that has some resources (`ptrace=1 amd64=1`)."""

    address: str
    scheduler: "subprocess.Popen[str]"
    env: dict[str, str]
    processes: list["subprocess.Popen[str]"]

    def start(
        self, resources: str, *args: str, env: dict[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """Start a worker; it does one task at a time."""
        self.processes.append(
            _dask(
                self.env | (env or {}),
                *("worker", self.address, "--resources", resources, "--no-dashboard"),
                *("--nthreads", "1", "--memory-limit", "0", *(args or ("--no-nanny",))),
            )
        )
        return self.processes[-1]


@contextmanager
def scheduler(folder: Path) -> Iterator[Workers]:
    """Start a scheduler on the loopback; end it and its workers, each by its id."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "DASK_TEMPORARY_DIRECTORY": str(folder)}
    process = _dask(env, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    workers = Workers(_address(process), process, env, [])
    try:
        yield workers
    finally:
        for each in (*workers.processes, process):  # workers first: they take leave of it
            each.terminate()
            try:
                each.wait(20)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
            if each.stderr:
                each.stderr.close()


def _dask(env: Mapping[str, str], command: str, *args: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        (sys.executable, "-P", "-m", f"distributed.cli.dask_{command}", *args),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if command == "scheduler" else subprocess.DEVNULL,
        text=True,
    )


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if found := re.search(r"Scheduler at:\s*(tcp://\S+)", line):
            return found[1]
        said.append(line)
    raise AssertionError("".join(said))
