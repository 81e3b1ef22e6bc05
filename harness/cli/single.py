"""A command that judges one thing: attempt it, show what came of it."""

import sys
from collections.abc import Callable, Sequence

from harness.cli import output
from harness.experiment.attempt import attempt, exit_code
from harness.report.progress import LiveProgress
from harness.verdict import Check, Conclusion, Failure


def single(
    subject: str,
    act: Callable[[LiveProgress], Check],
    *,
    as_json: bool,
    again: str = "",
    publish: Callable[[Sequence[Conclusion]], None] | None = None,
) -> int:
    """Do a check of `subject`, print what came of it, return the exit code; `again` repeats it.

    `publish` tells others than the reader of stdout.
    """
    with LiveProgress(sys.stderr) as progress:
        conclusion = attempt(subject, lambda: act(progress))
    code = exit_code([conclusion])
    if isinstance(conclusion, Failure):
        output.complain(conclusion.error, conclusion.mend)
    if as_json:
        output.write_json({"exit_code": code, "checks": [conclusion]})
    elif not isinstance(conclusion, Failure):
        from harness.report import terminal

        head = terminal.render(terminal.headline(conclusion), to=sys.stdout)
        output.write("\n".join([head, *terminal.account(conclusion, again)]))
    if publish:
        publish([conclusion])
    return code
