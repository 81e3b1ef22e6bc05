"""Measures debug calls a second, the ways in turns, because the machine is never quiet.

    scripts/bench/run [--rounds N] [--go V] [--one-core] [--json]

A ratio is the median of the ratios within a round, not that of the medians. With --one-core all
programs and their targets share one core: then a stop costs a context switch, not the wake-up of
an idle core, which may be five times slower and is up to the kernel's scheduler.

`classic` damages the target, since debugCallV2's tail destroys the flags: that is said on stderr.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from harness.toolchain import Toolchain, find_toolchain
from scripts.bench import programs
from scripts.bench.ending import at_least_one, ended

HERE = Path(__file__).resolve().parent
PRODUCT = "product"
COUNTS = {
    "classic": 1000,
    "classic --breakpoint": 2000,
    "onestop": 3000,
    PRODUCT: 2000,
    "delve": 100,
}


def commands(toolchain: Toolchain) -> dict[str, list[str]]:
    """Return the command line of each way, with everything that it needs built."""
    target = programs.target(toolchain)
    programs.unoptimised_target(toolchain)
    programs.delve(find_toolchain())
    where = programs.addresses(target)
    found = {}
    for way, count in COUNTS.items():
        name, *options = way.split()
        if name in (PRODUCT, "delve"):
            go = str(toolchain.go)
            found[way] = [sys.executable, str(HERE / f"{name}.py"), str(count), go]
        else:
            yardstick = str(programs.yardstick(name))
            found[way] = [yardstick, *options, *where, str(count), str(target)]
    return found


def rate(command: list[str]) -> float:
    """Run one way once; return its calls a second."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120)
    found = json.loads(done.stdout)
    if found.get("target_exit"):
        print("  the target found its computation damaged by the calls", file=sys.stderr)
    return float(found["per_second"])


def measure(toolchain: Toolchain, rounds: int) -> dict[str, list[float]]:
    """Return the rates of each way, a value a round."""
    ways = commands(toolchain)
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for way, command in ways.items():
            print(f"  {way}", file=sys.stderr)
            rates[way].append(rate(command))
    return rates


def table(rates: dict[str, list[float]]) -> list[dict[str, object]]:
    """Return a row for each way: its rates, and the product's over them."""
    return [
        {
            "way": way,
            "median": statistics.median(values),
            "lowest": min(values),
            "highest": max(values),
            "product_ratio": statistics.median(
                mine / other for mine, other in zip(rates[PRODUCT], values, strict=True)
            ),
        }
        for way, values in rates.items()
    ]


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=at_least_one, default=5)
    parser.add_argument("--go", help="a release, a GOROOT or a go command")
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    toolchain = find_toolchain(given.go)
    if given.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = table(measure(toolchain, given.rounds))
    if given.json:
        print(json.dumps({"go": toolchain.version, "one_core": given.one_core, "rows": rows}))
        return 0
    place = "on one core" if given.one_core else "on any core"
    print(f"calls a second, {toolchain.version}, {given.rounds} rounds, {place}")
    print(f"{'':22}{'median':>8}{'lowest':>8}{'highest':>8}   product is")
    for row in rows:
        print(
            f"{row['way']:22}{row['median']:8.0f}{row['lowest']:8.0f}{row['highest']:8.0f}"
            f"   {row['product_ratio']:.2f} times it"
        )
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
