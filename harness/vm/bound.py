"""Becomes another program, which the kernel kills when the process that started it is gone.

This file runs by itself and imports nothing of the harness: in a process with threads no Python may
run between fork and exec. setpriv(1) is not on each machine with that option, and does not look
whether the parent was gone before.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, command: list[str]) -> None:
    """Execute a command, bound to the process `parent`."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has gone before, and nothing tells of that
        sys.exit(1)
    for handled in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these
        signal.signal(handled, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 - no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
