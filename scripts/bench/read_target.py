"""Times how long it takes to read Go programs, each time in a new process.

`imports` is what Python loads for it, its standard library included; `functions` is to open the
file and find every function that the harness needs; `traps` and `offsets` read code, and DWARF
where there is some. Nothing is left out: all cross-checks are in it.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from harness.gobinary import open_binary
from scripts.bench.ending import ended

ONCE = Path(__file__).with_name("read_once.py")
ROUNDS = 20
COLUMNS = ("imports", "functions", "traps", "offsets", "all")


def main() -> int:
    """Print a line a program: the least and the median of all rounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("programs", nargs="+", type=Path, metavar="PROGRAM")
    programs: list[Path] = parser.parse_args().programs
    for program in programs:
        open_binary(program)  # one that cannot be read is told before anything is measured
    print(f"ms, least and median of {ROUNDS} processes")
    print("     MB", *(f"{name:>12}" for name in COLUMNS))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for program in programs:
        command = [sys.executable, str(ONCE), str(program)]
        runs = []
        for _ in range(ROUNDS + 1):
            asked = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment
            )
            parts = [float(part) for part in asked.stdout.split()]
            runs.append((*parts, sum(parts)))
        del runs[0]  # it compiled the harness
        cells = (
            f"{min(column):5.1f} {statistics.median(column):6.1f}"
            for column in zip(*runs, strict=True)
        )
        print(f"{program.stat().st_size / 1e6:7.1f}", *cells, f"  {program}")
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
