"""`debugcall run`: launch any Go program and check it."""

from pathlib import Path

import click

from harness.cli import options


def _program(ctx: click.Context, param: click.Parameter, value: str) -> str:
    options.file_name(ctx, param, value)
    return value  # as it was given: "./server" is no "server"


@click.command(
    "run",
    context_settings={"allow_interspersed_args": False},
    epilog="Example: debugcall run --at main.handle -- ./server -addr :8080",
)
@options.at
@options.schedule
@options.number
@options.wake
@click.option("--to-end", is_flag=True, help="Let the program run to its own end afterwards.")
@options.as_json
@options.record
@click.argument("binary", type=click.Path(), callback=_program)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(  # noqa: PLR0913 - an option each
    *,
    binary: str,
    args: tuple[str, ...],
    at: str | None,
    schedule: str | None,
    number: int,
    wake: bool,
    to_end: bool,
    as_json: bool,
    record: Path | None,
) -> int:
    """Launch a Go program and check it.

    BINARY may be stripped. What follows it goes to the program, which reads the stdin of this
    command; what it prints goes to stderr. It is ended when the calls are made, unless --to-end.
    """
    from harness.cli.single import single
    from harness.experiment.program import ProgramSettings, run_program
    from harness.recording import Schedule

    settings = ProgramSettings(
        number=number,
        schedule=Schedule(schedule) if schedule else None,
        at=at,
        wake=wake,
        to_end=to_end,
        record=record,
    )
    return single(
        binary,
        lambda progress: run_program([binary, *args], settings, progress),
        as_json=as_json,
        again=options.again(),
    )
