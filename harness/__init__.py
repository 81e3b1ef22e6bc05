"""A debugger harness for Go's debug calls (runtime.debugCallV2).

    from harness import Callee, Recorder, Session, Steal, judge

    recorder = Recorder()
    with Session.launch(["./server"], recorder) as session:
        caller = session.seek([session.site("main.handle")], limit=5)
        steal = Steal(session)
        print(session.inject(caller, Callee("main.add", (2, 3), (5,)), steal).results)
    print(judge(recorder.recording()).reason)

What is named here is the public interface; the command line is made of the same.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.debugcall.caller import Caller
    from harness.debugcall.session import Session
    from harness.errors import HarnessError
    from harness.experiment.check import Progress, Settings, check_toolchain
    from harness.experiment.program import ProgramSettings, attach_program, run_program
    from harness.experiment.verdict import judge
    from harness.recording import Callee, Recorder, Recording, Schedule, load
    from harness.schedule import Delay, Natural, Steal, volley
    from harness.toolchain import Toolchain, build_target, find_toolchain
    from harness.verdict import Check, Result, Verdict
    from harness.version import __version__ as __version__

__all__ = [
    "Callee",
    "Caller",
    "Check",
    "Delay",
    "HarnessError",
    "Natural",
    "ProgramSettings",
    "Progress",
    "Recorder",
    "Recording",
    "Result",
    "Schedule",
    "Session",
    "Settings",
    "Steal",
    "Toolchain",
    "Verdict",
    "attach_program",
    "build_target",
    "check_toolchain",
    "find_toolchain",
    "judge",
    "load",
    "run_program",
    "volley",
]

_HOMES = {
    "harness.debugcall.caller": ("Caller",),
    "harness.debugcall.session": ("Session",),
    "harness.errors": ("HarnessError",),
    "harness.experiment.check": ("Progress", "Settings", "check_toolchain"),
    "harness.experiment.program": ("ProgramSettings", "attach_program", "run_program"),
    "harness.experiment.verdict": ("judge",),
    "harness.recording": ("Callee", "Recorder", "Recording", "Schedule", "load"),
    "harness.schedule": ("Delay", "Natural", "Steal", "volley"),
    "harness.toolchain": ("Toolchain", "build_target", "find_toolchain"),
    "harness.verdict": ("Check", "Result", "Verdict"),
    "harness.version": ("__version__",),
}


def __getattr__(name: str) -> object:
    # Imported when first used: `debugcall --help` and `verify` need next to nothing of it.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
