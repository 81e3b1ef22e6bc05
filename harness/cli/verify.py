"""`debugcall verify`: judge recordings again, with neither Go nor ptrace."""

from pathlib import Path

import click

from harness.cli import options


@click.command("verify", epilog="Example: debugcall verify go1.21.1.jsonl")
@options.as_json
@click.argument(
    "files",
    metavar="FILE...",
    type=click.Path(),
    nargs=-1,
    required=True,
    callback=options.file_names,
)
def command(*, files: tuple[Path, ...], as_json: bool) -> int:
    """Judge recordings again.

    This needs neither Go nor ptrace, so it can be done on another machine. A recording that breaks
    off in the middle is judged as far as it goes: a violation that it shows stands, but it proves
    no pass. Of several the worst decides the exit code, as in `debugcall check`.
    """
    from harness.cli.several import several
    from harness.cli.single import single
    from harness.experiment.recorded import check_recording

    if len(files) == 1:
        return single(str(files[0]), lambda _: check_recording(files[0]), as_json=as_json)
    names = [str(file) for file in files]
    return several(names, lambda name, _: check_recording(Path(name)), as_json=as_json)
