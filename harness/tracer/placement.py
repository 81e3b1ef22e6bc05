"""Where threads run: a traced one and its tracer on one core, where they would wait for each other.

Each stop is a switch from one to the other, and waking an idle core for it takes longer than
everything else that an injection does.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROCESSOR = 36
"""Place of `processor` in proc_pid_stat(5), from 0, behind the name in parentheses."""


@contextmanager
def on_one_core(pid: int, tid: int) -> Iterator[None]:
    """Have a stopped thread of a process run on the core of the calling thread meanwhile.

    Both have the masks back afterwards that they had before, and so have threads that inherited
    that core meanwhile. Processes that the thread starts meanwhile keep it. Where the kernel allows
    no common core, nothing changes.
    """
    own, its = os.sched_getaffinity(0), _mask(tid)
    shared = own & its
    if not shared:
        yield
        return
    here = _current_core()
    core = {here if here in shared else min(shared)}
    spared = {task for task in _tasks(pid) if _mask(task) == core}
    try:
        _set_mask(tid, core)
        _set_mask(0, core)
        yield
    finally:
        _set_mask(0, own)
        while inherited := {task for task in _tasks(pid) - spared if _mask(task) == core}:
            for task in inherited:
                _set_mask(task, its)
            spared |= inherited


def _current_core() -> int:
    """Return the core that the calling thread runs on."""
    fields = Path("/proc/thread-self/stat").read_text(errors="replace").rpartition(")")[2].split()
    return int(fields[_PROCESSOR])


def _tasks(pid: int) -> set[int]:
    try:
        return {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
    except OSError:
        return set()  # it has ended


def _mask(tid: int) -> set[int]:
    try:
        return os.sched_getaffinity(tid)
    except OSError:
        return set()


def _set_mask(tid: int, cores: set[int]) -> None:
    with suppress(OSError):  # it has ended, or belongs to another user by now
        os.sched_setaffinity(tid, cores)
