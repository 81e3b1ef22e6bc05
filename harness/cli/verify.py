"""`debugcall verify`: judge a recording again, with neither Go nor ptrace."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.experiment.verdict import Check


@click.command("verify", epilog="Example: debugcall verify go1.21.1.jsonl")
@options.as_json
@click.argument("file", type=click.Path(path_type=Path))
def command(*, file: Path, as_json: bool) -> int:
    """Judge a recording again.

    This needs neither Go nor ptrace, so it can be done on another machine. A recording that breaks
    off in the middle is judged as far as it goes: a violation that it shows stands, but it proves
    no pass.
    """
    from harness.cli.single import single

    return single(str(file), lambda _: verified(file), as_json=as_json)


def verified(file: Path) -> "Check":
    """Judge the recording in a file. Raises `RecordingError` if there is none in it."""
    from harness.experiment.verdict import Check, judge
    from harness.recording import load

    recording = load(file)
    verdict = judge(recording)
    target = recording.header.target
    program, *arguments = recording.header.command or ("",)
    return Check(
        f"{target.toolchain or target.go_version}{' (control)' if target.control else ''}",
        verdict.result,
        verdict.reason,
        verdict,
        recording=str(file),
        command=shlex.join([Path(program).name, *arguments]),
    )
