"""`debugcall attach`: check a Go program that runs already."""

from pathlib import Path

import click

from harness.cli import options


@click.command("attach", epilog="Example: debugcall attach --wake $(pgrep -n server)")
@options.at
@options.schedule
@options.number
@options.wake
@options.as_json
@options.record
@click.argument("pid", type=options.WholeNumber(), metavar="PID")
def command(
    *,
    pid: int,
    at: str | None,
    schedule: str | None,
    number: int,
    wake: bool,
    as_json: bool,
    record: Path | None,
) -> int:
    """Check a Go program that runs already; it goes on working."""
    from harness.cli.single import single
    from harness.experiment.program import ProgramSettings, attach_program
    from harness.recording import Schedule

    settings = ProgramSettings(
        number=number,
        schedule=Schedule(schedule) if schedule else None,
        at=at,
        wake=wake,
        record=record,
    )
    return single(
        f"process {pid}",
        lambda progress: attach_program(pid, settings, progress),
        as_json=as_json,
        again=options.again(),
    )
