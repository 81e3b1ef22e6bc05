"""One target and what to do with it: all that another process or machine has to know."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.debugcall.session import Build
from harness.environment import neutral
from harness.errors import TargetError
from harness.experiment.exercise import Plan, exercise
from harness.experiment.gotarget import GoTarget
from harness.gobinary import Facts
from harness.recording import AnyEvent, Callee, Recorder

CALLEE = Callee("main.add", (2, 3), (5,))
SITE = "main.round"
TARGET = "caller"


class Job(msgspec.Struct, frozen=True):
    """The injections to make into a target built from gotargets/caller.

    `binary` is its file, `toolchain` what built it, `control` whether without the lock. `facts` are
    for a place where they cannot be found out, or not as fast; `command` is the command line that
    wants it done, if that is another process's.
    """

    binary: str
    plan: Plan
    toolchain: str
    control: bool = False
    facts: Facts | None = None
    command: tuple[str, ...] = ()


Runner = Callable[[Job, Recorder, Callable[[Sequence[AnyEvent]], None]], None]
"""Does a job somewhere. What is seen goes to the recorder, and to the callable as it comes."""


def run_here(
    job: Job, recorder: Recorder, progress: Callable[[Sequence[AnyEvent]], None] = lambda _: None
) -> None:
    """Do a job in this process. Raises `TargetError` if its target ends, or never gets ready."""
    build = Build(job.toolchain, job.control, job.facts, job.command)
    with GoTarget(Path(job.binary), recorder, env=neutral(), build=build) as target:
        target.await_ready()
        session = target.session
        if not exercise(session, [session.site(SITE)], lambda _: CALLEE, job.plan, progress):
            raise TargetError(f"the target never came by {SITE}")
        target.finish()
