"""Starting a process that is traced before its first instruction."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path


def start_suspended(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None,
    stdin: int | None,
    stdout: int | None,
    own_session: bool,
) -> tuple[int, int]:
    """Fork a child that waits with its exec; return its pid and the descriptor that lets it go.

    The child executes `argv` when a byte is written to the descriptor, and ends when it is closed
    instead. `stdin` and `stdout` are descriptors that it gets as 0 and 1. With `own_session`,
    Ctrl-C in the terminal does not reach it.
    """
    gate, release = os.pipe()
    pid = os.fork()
    if pid:
        os.close(gate)
        return pid, release
    try:
        os.close(release)
        if own_session:
            os.setsid()
        if stdin is not None:
            os.dup2(stdin, 0)
        if stdout is not None:
            os.dup2(stdout, 1)
        if os.read(gate, 1):
            for handled in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these
                signal.signal(handled, signal.SIG_DFL)
            arguments = [os.fspath(argument) for argument in argv]
            os.execve(argv[0], arguments, os.environ if env is None else dict(env))  # noqa: S606 - no shell
    finally:
        os._exit(127)
