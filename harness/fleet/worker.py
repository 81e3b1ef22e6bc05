"""Doing one task in a process of its own. Imports nothing else: Dask's workers import this."""

import subprocess
import sys
import tempfile
from collections.abc import Callable

COMMAND = (sys.executable, "-m", "harness.experiment.work")
running: set["subprocess.Popen[bytes]"] = set()
"""The processes at work for this one."""


def work(task: bytes, hear: Callable[[str], None] = lambda _: None) -> bytes:
    """Do a task and return what came of it; `hear` is told what is being done.

    Raises RuntimeError with what the process said last if it died.
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
            running.add(process)
            for line in process.stderr:
                said = line.decode(errors="replace").strip() or said
                hear(said)
        running.discard(process)
        if process.returncode:
            raise RuntimeError(f"the process of a task ended in {process.returncode}: {said}")
        outcome.seek(0)
        return outcome.read()
