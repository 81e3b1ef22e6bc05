"""Several toolchains, one after another: a line each as it comes, a table at the end."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.cli import lines, output
from harness.cli.outcome import Failure, attempt, exit_code
from harness.report.terminal import LiveProgress

if TYPE_CHECKING:
    from harness.cli.outcome import Outcome
    from harness.experiment.verdict import Check


def several(
    specs: Sequence[str], check: "Callable[[str, LiveProgress], Check]", *, as_json: bool
) -> int:
    """Check each of `specs`, print what comes of them, and return the exit code of them all."""
    outcomes: list[Outcome] = []
    for spec in specs:
        with LiveProgress(sys.stderr) as progress:
            outcome = attempt(spec, lambda: check(spec, progress))  # noqa: B023 - it is called now
        outcomes.append(outcome)
        if isinstance(outcome, Failure):
            output.complain(outcome.error, outcome.mend)
        if not as_json:
            output.write(output.render(lines.headline(outcome)))
        if isinstance(outcome, Failure) and outcome.hopeless:
            break
    code = exit_code(outcomes)
    if as_json:
        output.write_json({"exit_code": code, "checks": outcomes})
    else:
        output.write("\n" + output.render(lines.table(outcomes)))
    return code
