"""Doing one task in a process of its own. Dask's workers import this, so it needs Python only."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from harness.errors import ClusterError, HarnessError
from harness.version import __version__

COMMAND = (sys.executable, "-m", "harness.experiment.work")
_running: dict["subprocess.Popen[bytes]", str] = {}  # the processes at work, and for whom
_ended: set[str] = set()


def work(task: bytes, hear: Callable[[str], None] = lambda _: None, *, owner: str = "") -> bytes:
    """Do a task and return what came of it; `hear` is told what is being done.

    The process is ended as it starts if the work of its `owner` was. Raises HarnessError with what
    the process said last if it died.
    """
    said = ""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as outcome:
        given.write(task)
        given.seek(0)
        with subprocess.Popen(
            COMMAND,
            stdin=given,
            stdout=outcome,
            stderr=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for the one who asked, who ends it
        ) as process:
            assert process.stderr is not None
            _running[process] = owner
            if owner in _ended:  # meanwhile
                process.send_signal(signal.SIGINT)
            for line in process.stderr:
                said = line.decode(errors="replace").strip() or said
                hear(said)
        del _running[process]
        if process.returncode:
            raise HarnessError(
                f"the process of a task ended in {process.returncode}: {said}",
                mend="`dmesg | tail` says whether memory ran out; else report it",
            )
        outcome.seek(0)
        return outcome.read()


def end(owner: str) -> int:
    """End the processes at work for one owner, as Ctrl-C does; return how many there are."""
    _ended.add(owner)
    theirs = [process for process, whose in tuple(_running.items()) if whose == owner]
    for process in theirs:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
    return len(theirs)


def called(function: str, version: str, owner: str, task: bytes) -> bytes:
    """Do a task on a worker of Dask by a function such as `harness.fleet.worker:work`.

    Raises ClusterError if the one who asks has another version than is installed here.
    """
    if version != __version__:
        raise ClusterError(
            f"a worker has debugcall-harness {__version__}, this is {version}",
            mend=f"on the workers: pip install 'debugcall-harness[fleet]=={version}'",
        )
    if owner in _ended:
        raise ClusterError("the one who asked has ended it")
    module, _, name = function.partition(":")
    outcome: bytes = getattr(import_module(module), name)(task, owner=owner)
    return outcome
