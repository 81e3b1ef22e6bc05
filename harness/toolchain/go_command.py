"""Running Go commands, and what comes of those that fail."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.cache import held_locks, is_told_full, no_room
from harness.errors import BuildError, HarnessError

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_END_LIMIT = 5.0  # seconds that a Go command has to end when it is interrupted
_SHOWN_LINES = 20  # of a compiler's output in an error


def run_command(
    command: Sequence[str], environ: Mapping[str, str], folder: Path
) -> tuple[int, str]:
    """Run a Go command; return its exit code and what it said. What it started ends with it."""
    # No interrupt comes between the start and the `try`: nobody would end the command.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        with subprocess.Popen(
            command,
            env=environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
            pass_fds=held_locks(),
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),  # noqa: PLW1509 - there are no threads
        ) as process:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                output, _ = process.communicate()
            except BaseException:
                _end_group(process)
                raise
    except OSError as error:
        raise BuildError(
            f"{command[0]} does not run: {error.strerror}", mend="install this Go anew"
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return process.returncode, output


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a Go command and its compilers; it waits for them and removes what it has written."""
    try:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGINT)
            process.wait(_END_LIMIT)
    finally:  # after one more interrupt, too
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def failure(what: str, output: str, scratch: Path, mend: str) -> HarnessError:
    """Return the error for a command that failed: with what it said, or that the disk is full."""
    if is_told_full(output, scratch):
        return no_room(scratch)
    lines = output.strip().splitlines()
    left_out = len(lines) - _SHOWN_LINES
    if left_out > 0:
        lines = [*lines[:_SHOWN_LINES], f"... {left_out} more lines"]
    said = "\n".join(lines) or "the Go command said nothing"
    return BuildError(f"{what}:\n{said}", mend=mend)
