"""A process that does one task: JSON on stdin, JSON on stdout, what is being done on stderr."""

import ctypes
import signal
import sys

import msgspec

from harness.experiment.task import Task, do

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Do the task, and end as after Ctrl-C if the process that asked for it is gone."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    sys.argv = [*task.command] or sys.argv  # for the recording, which is not made for this process
    outcome = do(task, _say)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
