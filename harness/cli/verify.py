"""`debugcall verify`: judge a recording again, with neither Go nor ptrace."""

from pathlib import Path

import click

from harness.cli import options


@click.command("verify", epilog="Example: debugcall verify go1.21.1.jsonl")
@options.as_json
@click.argument("file", type=click.Path(), callback=options.file_name)
def command(*, file: Path, as_json: bool) -> int:
    """Judge a recording again.

    This needs neither Go nor ptrace, so it can be done on another machine. A recording that breaks
    off in the middle is judged as far as it goes: a violation that it shows stands, but it proves
    no pass.
    """
    from harness.cli.single import single
    from harness.experiment.recorded import check_recording

    return single(str(file), lambda _: check_recording(file), as_json=as_json)
