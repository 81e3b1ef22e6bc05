"""The command line `debugcall`: one small module a command, and the exit codes of them all.

    0    pass
    1    violation: a promise of the runtime was seen broken
    125  cannot tell: does not build, is not supported, or nothing was proved
    129  wrong usage or input
    130  interrupted by SIGINT, SIGTERM, SIGHUP or SIGQUIT
    131  no permission to trace
    132  something that it takes failed (network, cache, disk, guest, cluster), or the harness

They are made for `git bisect run` (git-bisect(1)): nothing that says nothing about a runtime ends
in 0 or 1, neither a wrong option nor a traceback.
"""

import errno
import os
import signal
import sys
from collections.abc import Sequence

import click

from harness.cli.group import NAMES, debugcall
from harness.errors import HarnessError, InputError, Interrupted

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run one command with these arguments (`sys.argv` if None) and return its exit code."""
    _open_standard_streams()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup SIGHUP is ignored: let it be
            signal.signal(number, signal.default_int_handler)
    try:
        code = _run(list(sys.argv[1:] if args is None else args))
    except KeyboardInterrupt:  # one more, while the last one was told
        code = Interrupted.exit_code
    if code == Interrupted.exit_code:  # no further one changes that while Python ends
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
    return code


def _run(words: list[str]) -> int:
    try:
        with debugcall.make_context("debugcall", words.copy(), obj=words) as top:
            return int(debugcall.invoke(top))
    except click.exceptions.Exit as done:  # --help and --version
        code = done.exit_code
    except click.UsageError as error:
        code = _misused(error, words)
    except (KeyboardInterrupt, click.Abort):
        code = _failed(Interrupted("interrupted"))
    except HarnessError as error:
        code = _failed(error)
    except BrokenPipeError:  # nobody reads --help any more; results are written by `output`
        code = _unread()
    except OSError as error:
        code = _unwritten(error) if error.errno == errno.ENOSPC else _broken()  # of --help, too
    except Exception:  # noqa: BLE001 - a traceback of Python's own would end in 1, a violation
        code = _broken()
    return code


def _open_standard_streams() -> None:
    """Put /dev/null where a standard stream is closed, so that no pipe of ours takes its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - stderr is 2
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - positional only
    os.close(descriptor)


def _misused(error: click.UsageError, words: list[str]) -> int:
    command = " ".join(["debugcall", *(word for word in words[:1] if word in NAMES)])
    if error.ctx:  # click knows none where an option lacks its value
        command = error.ctx.command_path
    said = error.format_message()
    return _failed(InputError(said[:1].lower() + said[1:].rstrip("."), mend=f"{command} --help"))


def _failed(error: HarnessError) -> int:
    from harness.cli.output import complain

    complain(error.message, error.mend)
    return error.exit_code


def _broken() -> int:
    import traceback
    from importlib import metadata

    from harness.cli.output import complain, log

    log(traceback.format_exc().rstrip())
    urls = metadata.metadata("debugcall-harness").get_all("Project-URL") or []
    where = next((url.partition(",")[2] for url in urls if url.startswith("Issues,")), "")
    complain(
        "the harness itself failed; this says nothing about the Go runtime",
        f"report it with the lines above{where and ':'}{where}",
    )
    return HarnessError.exit_code


def _unread() -> int:
    from harness.cli.output import discard

    discard(sys.stdout)
    return 0


def _unwritten(error: OSError) -> int:
    from harness.cli.output import discard

    discard(sys.stdout)
    return _failed(InputError(f"cannot write: {error.strerror}", mend="df -h"))
