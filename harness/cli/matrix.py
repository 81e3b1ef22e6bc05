"""`debugcall matrix`: many toolchains, targets, schedules and architectures at once."""

import os
import sys
import tempfile
from pathlib import Path

import click

from harness.cli import executors, options, places


def _schedules(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> list[str]:
    words = places.words(ctx, param, value)
    if unknown := [word for word in words if word not in options.SCHEDULES]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(options.SCHEDULES)}")
    return words


@click.command(
    "matrix", epilog="Example: debugcall matrix --go go1.21.1,go1.22.0 --schedule delay,steal"
)
@click.option(
    "--go",
    "names",
    multiple=True,
    callback=places.words,
    required=True,
    metavar="TOOLCHAIN,...",
    help="Releases, GOROOTs, go binaries; with --repo also revisions of that clone.",
)
@click.option(
    "--repo",
    type=click.Path(),
    callback=options.file_name,
    metavar="CLONE",
    help="A clone of Go's repository, for what --go names and is no release and no path.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    callback=places.words,
    metavar="DIR,...",
    help="Folders of main packages of the standard library only, checked as `run` does on this "
    "machine (not with --vm).  "
    "[default: the harness's own target]",
)
@click.option(
    "--schedule",
    "schedules",
    multiple=True,
    callback=_schedules,
    metavar="SCHEDULE,...",
    help="natural, delay, steal.  [default: one check, a tenth by delay, then steal]",
)
@options.number
@places.goarch
@places.vm
@places.cpu
@options.jobs
@executors.cluster
@click.option("--no-control", is_flag=True, help="Do not check that the checks can fail.")
@click.option(
    "--record",
    type=click.Path(),
    callback=options.file_name,
    metavar="DIR",
    help="Keep the recordings in this folder.",
)
@options.junit
@options.json_of("cells")
def command(  # noqa: PLR0913 - an option each
    *,
    names: list[str],
    repo: Path | None,
    targets: list[str],
    schedules: list[str],
    number: int,
    goarches: list[str],
    vm: bool,
    cpus: list[str],
    jobs: int | None,
    cluster: str | None,
    no_control: bool,
    record: Path | None,
    junit: Path | None,
    as_json: bool,
) -> int:
    """Check many toolchains at once, in many ways.

    Every combination of toolchains, targets, schedules and architectures is a check.

    Each check runs in a process of its own, as many at a time as there are processors, or as
    --jobs says. The exit code is that of the worst check, as in `debugcall check`.
    """
    from harness.cli import output
    from harness.cli.publish import Publisher
    from harness.experiment import matrix
    from harness.experiment.attempt import exit_code
    from harness.experiment.job import TARGET
    from harness.experiment.journal import writing_into
    from harness.recording import Schedule
    from harness.report import matrix as report
    from harness.report import terminal
    from harness.report.matrix import LiveGrid
    from harness.toolchain.sources import package_folder

    if vm and targets:
        raise click.UsageError("--vm runs the harness's own target only: leave out --target")
    tasks = matrix.tasks_of(
        [matrix.source_of(name, repo) for name in names],
        [str(package_folder(Path(target))) for target in targets] or [TARGET],
        [Schedule(word) for word in schedules] or [None],
        places.places(goarches, cpus, vm=vm),
        number=number,
        control=not no_control,
    )
    if record:
        with writing_into(record), tempfile.TemporaryFile(dir=record):
            pass  # so that it is told before the first check
    cells = [matrix.cell_of(task) for task in tasks]
    targets = [f"{cell.target} on {cell.where}" for cell in cells]
    ways = [cell.way for cell in cells]
    publish = Publisher(junit, as_json=as_json, targets=targets, ways=ways)
    with (
        LiveGrid(sys.stderr, cells) as grid,
        executors.executor(cluster, jobs or os.cpu_count() or 1) as executor,
    ):
        for place, outcome in matrix.run(tasks, executor):
            cells[place] = matrix.cell_of(tasks[place], outcome, record)
            grid.show(cells, cells[place])
    conclusions = [cell.conclusion for cell in cells if cell.conclusion]
    code = exit_code(conclusions)
    if as_json:
        output.write_json({"exit_code": code, "cells": cells})
    else:
        parts = [terminal.render(report.grid(cells), to=sys.stdout), *report.stories(cells)]
        output.write("\n".join(parts))
    publish(conclusions, report.names(cells))
    return code
