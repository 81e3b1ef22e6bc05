"""Options that several commands share."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any] | click.Command)

SCHEDULES = ("natural", "delay", "steal")
"""The names of `harness.recording.Schedule`, which would be slow to import for a help text."""
_WRITTEN = {"--record", "--junit"}


class WholeNumber(click.IntRange):
    """A number of 1 or more."""

    name = "whole number"  # click calls it "integer range", in its errors too

    def __init__(self) -> None:
        super().__init__(min=1)


def file_name(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:  # noqa: ARG001 - click's signature
    """Return the path of a file; an empty name would be that of the current folder."""
    if value == "":
        raise click.BadParameter("an empty name is that of no file")
    return None if value is None else Path(value)


def file_names(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[Path | None, ...]:
    """Return the paths of files."""
    return tuple(file_name(ctx, param, name) for name in value)


def _recording_name(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    if value == "-":
        raise click.BadParameter("results go to stdout; a file of this name is ./-")
    if value and "{go}" in value and ctx.info_name != "check":
        raise click.BadParameter("{go} is filled in by `debugcall check` only")
    return file_name(ctx, param, value)


schedule = click.option(
    "--schedule",
    type=click.Choice(SCHEDULES),
    help="What is done to the timing of the calls. natural: nothing; delay: threads are delayed, "
    "nothing is written; steal: the preemption is asked for, too.  "
    "[default: a tenth by delay, then steal]",
)
number = click.option(
    "-n",
    "--number",
    type=WholeNumber(),
    metavar="N",
    default=200,
    show_default=True,
    help="How many calls to inject.",
)


def json_of(key: str, more: str = "") -> Callable[[_Decorated], _Decorated]:
    """Return the option --json for a document that has its results under this key."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help=f'Print one JSON document: {{"exit_code": ..., "{key}": [...]}}.{more}',
    )


as_json = json_of("checks", ' A check that came to no verdict has "error" and "mend".')
record = click.option(
    "--record",
    type=click.Path(),
    callback=_recording_name,
    metavar="FILE",
    help="Write all that is seen to FILE, as JSON lines. `check` fills in the toolchain for {go}, "
    "and in a folder that exists it calls the file after it.",
)
junit = click.option(
    "--junit",
    type=click.Path(),
    callback=file_name,
    metavar="FILE",
    help="Write the results to FILE as JUnit XML, for CI servers.",
)
CHECKS = (
    "thread-until-dispatch",
    "call-goroutine-locked",
    "witnesses-agree",
    "thread-after-dispatch",
    "protocol-order",
    "computation-right",
    "registers-kept",
)
"""The names of `harness.invariants.INVARIANTS`, which would be slow to import for a help text."""

check = click.option(
    "--check",
    type=click.Choice(CHECKS),
    default=CHECKS[0],
    show_default=True,
    help="What the answer is about: the name of an invariant.",
)
jobs = click.option(
    "--jobs",
    type=WholeNumber(),
    metavar="K",
    help="How many checks to do at the same time.  [default: one for each processor]",
)
at = click.option(
    "--at",
    metavar="FUNC",
    help="Inject where threads come by this function, such as main.handle.  "
    "[default: where goroutines read, write or accept]",
)
wake = click.option(
    "--wake",
    is_flag=True,
    help="Connect to a port that the program listens on, so that an idle server comes by.  It "
    "asks for nothing: to come by the FUNC of --at, send a request yourself.",
)


def again() -> str:
    """Return the command that is being run, as one would type it here."""
    return shlex.join([called(sys.argv[0]), *click.get_current_context().find_root().obj])


def elsewhere() -> str:
    """Return that command for another machine: without the files that it writes here."""
    kept = ["debugcall"]
    words = iter(click.get_current_context().find_root().obj)
    for word in words:
        if word in _WRITTEN:
            next(words, None)
        elif word.partition("=")[0] not in _WRITTEN:
            kept.append(word)
    return shlex.join(kept)


def called(program: str) -> str:
    """Return how to call the command: by its name where that is on PATH, else by its path."""
    if os.path.basename(program) != "debugcall":  # called from Python  # noqa: PTH119 - quick
        return "debugcall"
    path = os.path.realpath(program)
    on_path = shutil.which("debugcall")
    if on_path and os.path.realpath(on_path) == path:
        return "debugcall"
    here = os.path.relpath(program)
    return os.path.abspath(program) if here.startswith("..") else here  # noqa: PTH100 - no links followed
