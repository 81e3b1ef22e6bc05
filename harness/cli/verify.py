"""`debugcall verify`: judge a recording again, with neither Go nor ptrace."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.cli.outcome import Verified


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


def verified(file: Path) -> "Verified":
    """Judge the recording in a file. Raises `RecordingError` if there is none in it."""
    from harness.cli.outcome import Verified
    from harness.experiment.verdict import Result, judge
    from harness.recording import Exited, Recording, load

    recording = load(file)
    complete = recording.complete and bool(recording.all(Exited))
    verdict = judge(Recording(recording.events, complete))
    result, reason = verdict.result, verdict.reason
    if not complete:
        ended = sum(counts.ended for counts in verdict.counts.values())
        if result is Result.PASS:
            result = Result.INCONCLUSIVE
        reason += f"; but the recording breaks off after {ended} whole injections"
    target = recording.header.target
    program, *arguments = recording.header.command or ("",)
    command = shlex.join([Path(program).name, *arguments])
    name = f"{target.toolchain or target.go_version}{' (control)' if target.control else ''}"
    return Verified(name, result, reason, verdict, str(file), complete, command)
