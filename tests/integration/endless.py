"""Inject calls into a running target until somebody asks to end: what the safety tests interrupt.

It prints a line when it has attached, and one after each stop. Run with `python -m` from the root.
"""

import sys

from harness.debugcall.session import Session
from harness.errors import HarnessError
from harness.experiment.exercise import Plan, exercise
from harness.recording import Callee, Recorder, Schedule


def _print_line(*_: object) -> None:
    print("stop", flush=True)  # noqa: T201 - what the test waits for


def _main(pid: int, schedule: Schedule) -> int:
    try:
        with Session.attach(pid, Recorder()) as session:
            _print_line()
            sites = [session.site("main.round")]
            add = Callee("main.add", (2, 3), (5,))
            exercise(session, sites, lambda _: add, Plan.of(schedule, 100_000, 5), _print_line)
    except HarnessError as error:
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), Schedule(sys.argv[2])))
