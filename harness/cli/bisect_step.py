"""`debugcall bisect-step`: the commit that is checked out, as `git bisect run` wants it judged."""

from pathlib import Path

import click

from harness.cli import options


@click.command(
    "bisect-step",
    epilog="""Example: debugcall bisect-step

    At each step of a bisection: git bisect run debugcall bisect-step
    """,
)
@options.check
@options.number
@click.option(
    "--find",
    type=click.Choice(["fix", "regression"]),
    default="regression",
    show_default=True,
    help="With `fix` a pass ends in 1, and a violation in 0: what is new is what passes.",
)
@options.as_json
@options.record
def command(*, check: str, number: int, find: str, as_json: bool, record: Path | None) -> int:
    """Judge the Go that is checked out here.

    Its target is built with its own compiler, for a small part of what make.bash costs. Exit codes
    are those of `git bisect run`: 0 the check holds, 1 it does not, 125 it cannot be told, 128 and
    above: stop.
    """
    from harness.arch import host_goarch
    from harness.cli.single import single
    from harness.experiment.task import Task, check_task
    from harness.toolchain.commit import AtCommit
    from harness.toolchain.repository import Repository

    here = Path.cwd()
    repository = Repository.open(here)
    repository.require_clean(here)
    source = AtCommit(str(repository.folder), repository.resolve("HEAD"))
    task = Task(source, number=number, goarch=host_goarch(), control=False, invariants=(check,))
    code = single(
        source.name,
        lambda progress: check_task(task, record, lambda what: progress(what, ())),
        as_json=as_json,
        again=options.again(),
    )
    return 1 - code if find == "fix" and code in {0, 1} else code
