"""Where time and bytes go on a big cluster: the real driver side, simulated workers, a stub job.

scripts/bench/fleet [--workers 1000] [--jobs 10000] [--seconds 3] [--idle 20] [--go GO]

One real check tells how big a task and its outcome are. Then, each with stub jobs of that size:

bytes     some jobs through a relay that counts what the driver sends and gets
overhead  as many jobs as a tenth of the workers do in ten rounds of --seconds, which each job
          takes more or less: how long workers have nothing to do between two jobs
load      all jobs, of no time at all, on all workers: what each process spends on one

The workers are threads of one process, which is slower than the driver: so what the driver could do
is told by the processor time that it and its bridge spend on a job.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import as_completed
from contextlib import contextmanager
from itertools import pairwise
from math import inf
from pathlib import Path
from threading import Thread

import msgspec

from harness.experiment.task import Installed, Outcome, Task
from harness.fleet import Local, work
from harness.fleet.cluster import Cluster
from harness.toolchain import find_toolchain
from scripts.bench.ending import at_least_one, ended
from scripts.bench.relay import Relay
from scripts.bench.stub_job import stub

NEEDS = ("ptrace", "stub")
HERE = Path(__file__).resolve().parent
_DASK = (sys.executable, "-m", "distributed.cli.dask_scheduler")


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, by its clock: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)  # CPUCLOCK_SCHED of linux/posix-timers.h


@contextmanager
def scheduler() -> Iterator[tuple[int, int]]:
    """Start a scheduler; hand out its port and its process."""
    command = (*_DASK, "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        port = next(
            int(found[1])
            for line in process.stderr
            if (found := re.search(r"Scheduler at:\s*tcp://\S+:(\d+)", line))
        )
        Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop it
        try:
            yield port, process.pid
        finally:
            process.kill()


@contextmanager
def workers(port: int, number: int) -> Iterator[int]:
    """Start simulated workers; hand out their process."""
    command = (sys.executable, HERE / "simulated_workers.py", f"tcp://127.0.0.1:{port}", number)
    with subprocess.Popen(
        [str(part) for part in command],
        env=os.environ | {"PYTHONPATH": str(HERE.parent.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the simulated workers did not start"
        try:
            yield process.pid
        finally:
            process.kill()


def sizes(go: str) -> tuple[int, int, float]:
    """Return the bytes of a real task and its outcome, and the seconds it took, built already."""
    find_toolchain(go)  # what cannot be had is told before anything is measured
    task = msgspec.json.encode(Task(Installed(go), control=False))
    with Local(1) as executor:
        executor.submit(work, task).result()
        outcome = executor.submit(work, task).result()
    return len(task), len(outcome), msgspec.json.decode(outcome, type=Outcome).seconds


def job(task: int, outcome: int, seconds: float) -> bytes:
    """Return a stub task of that many bytes."""
    what = {"seconds": seconds, "outcome": outcome, "pad": ""}
    what["pad"] = "x" * (task - len(json.dumps(what)))
    return json.dumps(what).encode()


def do(cluster: Cluster, task: bytes, jobs: int) -> tuple[float, list[bytes]]:
    """Have a stub job done so many times; return the seconds it took, and what each says."""
    began = time.perf_counter()
    done = as_completed([cluster.submit(stub, task, needs=NEEDS) for _ in range(jobs)])
    heads = [future.result().partition(b"\n")[0] for future in done]
    return time.perf_counter() - began, heads


def in_bytes(port: int, task: int, outcome: int) -> None:
    """Print what goes over the wire between the driver and the scheduler."""
    relay, jobs = Relay(port), 500
    with Cluster(f"tcp://127.0.0.1:{relay.port}") as cluster:
        do(cluster, job(task, outcome, 0), 10)
        up, down = relay.up, relay.down
        do(cluster, job(task, outcome, 0), jobs)
        up, down = relay.up - up, relay.down - down
    print(f"bytes     {up / jobs:.0f} up and {down / jobs:.0f} down a job")


def overhead(port: int, count: int, task: int, outcome: int, seconds: float) -> None:
    """Print how much longer than the jobs themselves it takes to have them done."""
    rounds = 10
    with Cluster(f"tcp://127.0.0.1:{port}") as cluster:
        do(cluster, job(task, outcome, 0), count)
        took, heads = do(cluster, job(task, outcome, seconds), rounds * count)
    by_worker: dict[int, list[tuple[float, float]]] = {}
    for head in heads:
        worker, began, ended = json.loads(head)
        by_worker.setdefault(worker, []).append((began, ended))
    at_work = idle = 0.0
    for times in map(sorted, by_worker.values()):
        at_work += sum(ended - began for began, ended in times)
        idle += sum(later[0] - former[1] for former, later in pairwise(times))
    print(
        f"overhead  {rounds * count} jobs of {seconds:g} s on {count} workers took {took:.1f} s: "
        f"between two jobs a worker waits {idle / at_work:.2%} of their time"
    )


def load(
    port: int, pids: tuple[int, int], count: int, jobs: int, stub_job: bytes, rested: float
) -> float:
    """Print what each process spends on a job; return how many jobs a second the slowest can do.

    What it spends when there is nothing to do, on the heartbeats of workers, is told apart: that
    is seen in `rested` seconds.
    """
    with Cluster(f"tcp://127.0.0.1:{port}") as cluster:
        do(cluster, stub_job, count)
        watched = (os.getpid(), cluster._bridge.pid, *pids)  # noqa: SLF001
        spent = [[cpu_seconds(pid) for pid in watched]]
        time.sleep(rested)
        spent.append([cpu_seconds(pid) for pid in watched])
        took, _ = do(cluster, stub_job, jobs)
        spent.append([cpu_seconds(pid) for pid in watched])
    idle = [(then - first) / rested for first, then in zip(*spent[:2], strict=True)]
    a_job = [
        (last - then - rest * took) / jobs
        for then, last, rest in zip(*spent[1:], idle, strict=True)
    ]
    print(f"load      {jobs} jobs on {count} workers in {took:.1f} s ({jobs / took:.0f} a second)")
    print("          processor time  a job     and a second with nothing to do")
    for name, each, rest in zip(
        ("driver", "bridge", "scheduler", "workers"), a_job, idle, strict=True
    ):
        print(f"          {name:<15} {each * 1000:5.2f} ms  {rest * 1000:.0f} ms")
    return float(min((1 - rest) / each for each, rest in zip(a_job[:3], idle[:3], strict=True)))


def seconds(text: str) -> float:
    """Parse a time for argparse."""
    number = float(text)
    if not 0 < number < inf:
        raise argparse.ArgumentTypeError("some seconds are needed")
    return number


def main() -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=at_least_one, default=1000)
    parser.add_argument("--jobs", type=at_least_one, default=10_000)
    parser.add_argument("--seconds", type=seconds, default=3.0, help="a job")
    parser.add_argument("--idle", type=seconds, default=20.0, help="seconds with nothing to do")
    parser.add_argument("--go", default="go1.21.1")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a worker takes half a dozen
    task, outcome, took = sizes(given.go)
    print(f"a check   task {task} bytes, outcome {outcome} bytes, {took:.2f} s once built")
    with scheduler() as (port, _), workers(port, max(2, given.workers // 10)):
        in_bytes(port, task, outcome)
        overhead(port, max(2, given.workers // 10), task, outcome, given.seconds)
    with scheduler() as (port, pid), workers(port, given.workers) as simulated:
        stub_job = job(task, outcome, 0)
        rate = load(port, (pid, simulated), given.workers, given.jobs, stub_job, given.idle)
    print(
        f"so        with a core each they do {rate:.0f} jobs a second: "
        f"{rate * given.seconds:.0f} workers at {given.seconds:g} s a job"
    )
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
