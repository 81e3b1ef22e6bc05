"""Who notices that the fix is gone: Go's own tests, Delve, or this harness.

    scripts/bench/peers [--runs N] [--calls N]

Takes go1.21.3 as it is, and with the fix reverted: with runtime/debugcall.go of go1.21.1, which
differs by the fix only. Each runs the tests of Go's runtime package that are about debug calls,
makes calls through Delve, and is checked.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.arch import host_goarch
from harness.cache import cache_folder
from harness.errors import HarnessError
from harness.experiment.check import Settings, verdict_on
from harness.experiment.exercise import Plan
from harness.experiment.job import TARGET, Job
from harness.toolchain import Toolchain, build_target, find_toolchain
from harness.toolchain.environment import for_build
from scripts.bench import programs
from scripts.bench.delve import Delve
from scripts.bench.ending import at_least_one, ended

FIXED, BEFORE = "go1.21.3", "go1.21.1"
LIMIT = 60  # seconds for one run of Go's tests, which take one or two
Overlay = Mapping[Path, Path]


def go_tests(toolchain: Toolchain, overlay: Overlay, runs: int) -> str:
    """Run the runtime's own tests of debug calls, each run in a process of its own."""
    runtime = toolchain.goroot / "src" / "runtime"
    with tempfile.TemporaryDirectory() as name:
        tests, replacing = f"{name}/tests", f"{name}/overlay"
        replaced = {str(old): str(new) for old, new in overlay.items()}
        Path(replacing).write_text(json.dumps({"Replace": replaced}))
        build = ("test", "-c", "-o", tests, "-overlay", replacing, "runtime")
        environ = for_build(
            toolchain.goroot,
            goarch=host_goarch(),
            gocache=cache_folder("bench", "gocache"),
            scratch=Path(name),
        )
        subprocess.run([toolchain.go, *build], env=environ, check=True)
        command = [tests, "-test.run", "^TestDebugCall"]
        failed = 0
        for _ in range(runs):
            done = subprocess.run(
                command, cwd=runtime, check=False, capture_output=True, timeout=LIMIT
            )
            if b"no tests to run" in done.stdout + done.stderr:
                raise HarnessError(f"{toolchain.version} has no TestDebugCall")
            failed += done.returncode != 0
    return f"{failed} of {runs} runs failed"


def delve_calls(toolchain: Toolchain, overlay: Overlay, calls: int) -> str:
    """Call main.add(2, 3) through Delve, from one breakpoint."""
    binary = build_target(toolchain, TARGET, overlay=overlay, flags=programs.UNOPTIMISED)
    with Delve(programs.delve(find_toolchain()), binary) as dlv:
        dlv.stop_at("main.round")
        wrong = sum(dlv.call("main.add(2, 3)") != ["5"] for _ in range(calls))
    return f"{wrong} of {calls} calls went wrong"


def harness_check(toolchain: Toolchain, overlay: Overlay) -> str:
    """Check as `debugcall check` does."""
    settings = Settings()
    plan = Plan.of(settings.schedule, settings.number)
    binary = build_target(toolchain, TARGET, overlay=overlay)
    verdict = verdict_on(Job(str(binary), plan, toolchain.version), settings)
    return f"{verdict.result}: {verdict.reason}"


def main() -> int:
    """Ask each of them, of each runtime; return 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=at_least_one, default=50, help="of Go's own tests")
    parser.add_argument("--calls", type=at_least_one, default=500, help="through Delve")
    given = parser.parse_args()
    fixed, before = find_toolchain(FIXED), find_toolchain(BEFORE)
    changed = Path("src", "runtime", "debugcall.go")
    reverted = {fixed.goroot / changed: before.goroot / changed}
    for name, overlay in ((FIXED, {}), (f"{FIXED}, the fix reverted", reverted)):
        print(name)
        print("  Go's own tests ", go_tests(fixed, overlay, given.runs), flush=True)
        print("  Delve          ", delve_calls(fixed, overlay, given.calls), flush=True)
        print("  this harness   ", harness_check(fixed, overlay), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
