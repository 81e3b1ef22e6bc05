"""Forces many calls of one release into the contested schedule, and sums up.

    scripts/bench/soak [--go V] [--number N] [--chunk N] [--vm] [--json]

With --vm the targets run in an arm64 guest: see docs/arm64.md.

Ends at the first chunk that does not pass, with the exit code of its verdict.
"""

import argparse
import json
import sys
import time
from contextlib import nullcontext

from harness import Check, Settings, check_toolchain
from harness.experiment.in_guest import InGuest
from harness.experiment.job import Runner, run_here
from harness.recording import Schedule
from harness.toolchain import find_toolchain
from harness.verdict import Result
from scripts.bench.ending import at_least_one, ended

COUNTED = ("injections", "ended", "migrated", "refused", "uncontested", "locked", "unlocked")


def main() -> int:
    """Check chunk after chunk, each in a new target; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--go", help="a release, a GOROOT or a go command")
    parser.add_argument("--number", type=at_least_one, default=100_000)
    parser.add_argument(
        "--chunk", type=at_least_one, default=2000, help="injections into one target"
    )
    parser.add_argument("--vm", action="store_true", help="run arm64 targets in a guest")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with InGuest() if given.vm else nullcontext(run_here) as run:
        return soak(given, run)


def soak(given: argparse.Namespace, run: Runner) -> int:
    """Do so with jobs done by `run`."""
    toolchain, goarch = find_toolchain(given.go), "arm64" if given.vm else None
    total = dict.fromkeys(COUNTED, 0)
    begin = time.monotonic()
    check: Check | None = None
    while total["injections"] < given.number and (not check or check.result is Result.PASS):
        number = min(given.chunk, given.number - total["injections"])
        settings = Settings(
            number=number, schedule=Schedule.STEAL, control=False, goarch=goarch, run=run
        )
        check = check_toolchain(toolchain, settings, lambda *_: None)
        counts = check.verdict.counts.get(Schedule.STEAL)
        if not counts:
            break
        for name in COUNTED:
            total[name] += getattr(counts, name)
        print(f"{total['injections']} of {given.number}: {check.reason}", file=sys.stderr)
    seconds = time.monotonic() - begin
    result = check.result if check else Result.INCONCLUSIVE
    if given.json:
        print(json.dumps({"go": toolchain.version, "result": result, "seconds": seconds, **total}))
    else:
        numbers = ", ".join(f"{value} {name}" for name, value in total.items())
        print(f"{toolchain.version}: {result} in {seconds:.0f} s: {numbers}")
    return result.exit_code


if __name__ == "__main__":
    sys.exit(ended(main))
