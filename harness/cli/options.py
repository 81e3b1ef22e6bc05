"""Options that several commands share."""

import shlex
from pathlib import Path

import click

SCHEDULES = ("natural", "delay", "steal")
"""The names of `harness.recording.Schedule`, which would be slow to import for a help text."""

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
    type=click.IntRange(min=1),
    metavar="N",
    default=200,
    show_default=True,
    help="How many calls to inject.",
)
as_json = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help='Print one JSON document: {"exit_code": ..., "checks": [...]}. A check that came to no '
    'verdict has "error" and "mend".',
)
record = click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all that is seen to FILE, as JSON lines.",
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
    help="Connect to a port that the program listens on, so that an idle server comes by.",
)


def again() -> str:
    """Return the command that is being run, as one would type it."""
    return shlex.join(["debugcall", *click.get_current_context().find_root().obj])
