"""Several checks, one after another: a line each as it comes, a table at the end."""

import sys
from collections.abc import Callable, Sequence

from harness.cli import output
from harness.experiment.attempt import attempt, exit_code, is_hopeless
from harness.report import terminal
from harness.report.progress import LiveProgress
from harness.report.story import printable
from harness.verdict import Check, Conclusion, Failure


def several(
    specs: Sequence[str],
    check: Callable[[str, LiveProgress], Check],
    *,
    as_json: bool,
    publish: Callable[[Sequence[Conclusion]], None] | None = None,
) -> int:
    """Check each of `specs`, print what comes of them, and return the exit code of them all.

    `publish` tells others than the reader of stdout.
    """
    conclusions: list[Conclusion] = []
    for spec in specs:
        with LiveProgress(sys.stderr) as progress:
            conclusion = attempt(spec, lambda: check(spec, progress))  # noqa: B023 - called now
        conclusions.append(conclusion)
        if isinstance(conclusion, Failure):
            output.complain(conclusion.error, conclusion.mend)
        if not as_json:
            output.write(terminal.render(terminal.headline(conclusion), to=sys.stdout))
            if isinstance(conclusion, Check) and conclusion.recording:
                output.write(f"  recording: {printable(conclusion.recording)}")
        if is_hopeless(conclusion):
            break
    code = exit_code(conclusions)
    if as_json:
        output.write_json({"exit_code": code, "checks": conclusions})
    else:
        output.write("\n" + terminal.render(terminal.table(conclusions), to=sys.stdout))
    if publish:
        publish(conclusions)
    return code
