"""`debugcall show`: one failure, one look. From recordings alone."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from harness.cli import options, output


@click.command("show", epilog="Example: debugcall show go1.21.1.jsonl go1.22.0.jsonl")
@click.option(
    "--call",
    type=click.IntRange(min=0),
    metavar="N",
    help="The call to show.  [default: the first with a finding, else the first]",
)
@click.option(
    "--trace",
    "trace_file",
    type=click.Path(),
    callback=options.file_name,
    metavar="OUT.json",
    help="Write all calls to OUT.json instead, as a Chrome trace; ui.perfetto.dev shows it.",
)
@click.option(
    "--html",
    "html_file",
    type=click.Path(),
    callback=options.file_name,
    metavar="OUT.html",
    help="Write a page to OUT.html instead, on which the calls can be picked.",
)
@click.argument(
    "files",
    metavar="FILE...",
    type=click.Path(),
    nargs=-1,
    required=True,
    callback=options.file_names,
)
def command(
    *,
    call: int | None,
    trace_file: Path | None,
    html_file: Path | None,
    files: tuple[Path, ...],
) -> int:
    """Show a call of a recording, thread by thread.

    Each thread has a lane, and the call goes its way through them, from top to bottom. Several
    recordings, such as one of a broken and one of a fixed runtime, are shown one under another,
    or side by side where the terminal is wide enough, and compared.

    This judges as `debugcall verify` does, but ends in 0 whatever it shows.
    """
    from harness.experiment.recorded import exhibit
    from harness.report import outfile

    if trace_file and html_file and trace_file.resolve() == html_file.resolve():
        raise click.UsageError("--trace and --html cannot share a file")
    wanted = [path for path in (trace_file, html_file) if path]
    exhibits = [exhibit(file) for file in files]
    for each in exhibits:
        each.injection(call)  # refuses a call that is not there before any file is made
    for path in wanted:
        outfile.claim(path)
    if trace_file:
        from harness.report.trace import trace

        outfile.write(trace_file, trace(exhibits, call))
        output.log(f"wrote {trace_file}")
    if html_file:
        from harness.report.html import page

        outfile.write(html_file, page(exhibits, call))
        output.log(f"wrote {html_file}")
    if not wanted:
        from harness.report import terminal
        from harness.report.look import look

        lines = look(exhibits, call, columns=_columns())
        output.write(terminal.styled(lines, to=sys.stdout))
    return 0


def _columns() -> int:
    from harness.report.lanes import WIDTH

    with suppress(OSError):
        if sys.stdout is not None:
            return os.get_terminal_size(sys.stdout.fileno()).columns
    return WIDTH
