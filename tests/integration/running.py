"""Targets that run on their own, and what the kernel says of a process."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

_WALL = 0x40000000
GENEROUS = 60.0
"""Seconds to wait for what takes milliseconds on a machine that is not busy."""


class FinalReport(NamedTuple):
    rounds: int
    mismatches: int
    exit_code: int


class Running:
    """A target that was started by itself and is ready: a place to attach to."""

    def __init__(self, binary: Path, *args: str, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [binary, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=None if env is None else os.environ | env,
            start_new_session=True,
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.stdin: IO[bytes] = self._process.stdin
        self.stdout: IO[bytes] = self._process.stdout
        assert self.stdout.readline() == b"ready\n"

    def finish(self) -> FinalReport:
        """Let it end its computation; return what it says of it."""
        self.stdin.close()
        *_, last = self.stdout.read().splitlines()
        report = json.loads(last)
        return FinalReport(report["rounds"], report["mismatches"], self._process.wait(GENEROUS))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._process.kill()
        while self._process.poll() is None:
            with suppress(ChildProcessError):  # threads that a failed test left traced by this one
                os.waitpid(-1, os.WNOHANG | _WALL)
            time.sleep(0.002)
        self.stdin.close()
        self.stdout.close()


def until(condition: Callable[[], object], what: str, limit: float = GENEROUS) -> None:
    """Wait until a condition holds; fail if it does not within the limit, in seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"not so after {limit:.0f} s: {what}"
        time.sleep(0.002)


def status(pid: int, tid: int | None = None) -> dict[str, str]:
    """Return /proc/PID/task/TID/status."""
    text = Path(f"/proc/{pid}/task/{tid or pid}/status").read_text()
    return {key: value.strip() for key, _, value in (s.partition(":") for s in text.splitlines())}


def tasks(pid: int) -> list[int]:
    """Return the ids of a process's threads."""
    return [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]


def assert_free(pid: int) -> None:
    """Check that nobody traces a process and that none of its threads is stopped."""
    for tid in tasks(pid):
        try:
            found = status(pid, tid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended by itself
        assert found["TracerPid"] == "0"
        assert found["State"][0] not in "tT", found["State"]


def ended(pid: int) -> bool:
    """Tell whether a process is gone, or only waits to be reaped by its parent."""
    try:
        return status(pid)["State"][0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def descriptors() -> list[str]:
    """Return what the open descriptors of this process are."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            found.append(f"{path.name}: {path.readlink()}")
    return sorted(found)
