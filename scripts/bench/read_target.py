"""Times how long it takes to read Go programs, each time in a new process.

`functions` is what must be quick: open the file and find every function that the harness needs.
`traps` and `offsets` come on top; they load capstone, and pyelftools where there is DWARF.
"""

import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from harness.gobinary import open_binary, static_layout, trap_sites
from harness.gobinary.traps import TRAPPING

ROUNDS = 7
NEEDED = (
    *TRAPPING,
    "runtime.debugCallWrap1",
    "runtime.debugCallWrap2",
    "runtime.schedule",
    "runtime.startlockedm",
    "runtime.wakep",
    "runtime.memequal",
    "internal/poll.(*FD).Read",
    "internal/poll.(*FD).Write",
    "internal/poll.(*FD).Accept",
)


def once(path: Path) -> list[float]:
    """Milliseconds for functions, traps and offsets, one after the other."""
    marks = [time.perf_counter()]
    binary = open_binary(path)
    for name in NEEDED:
        binary.functions(name)
    marks.append(time.perf_counter())
    trap_sites(binary)
    marks.append(time.perf_counter())
    static_layout(binary)
    marks.append(time.perf_counter())
    return [1000 * (after - before) for before, after in pairwise(marks)]


def main() -> None:
    """Print one line a program, or, as the process that is measured, its numbers."""
    if sys.argv[1:2] == ["--once"]:
        print(*once(Path(sys.argv[2])))
        return
    if not sys.argv[1:]:
        sys.exit("usage: scripts/bench-read-target PROGRAM...")
    print("     MB  functions    traps  offsets   (ms, median of", ROUNDS, "processes)")
    for name in sys.argv[1:]:
        command = [sys.executable, "-m", "scripts.bench.read_target", "--once", name]
        runs = [
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            for _ in range(ROUNDS)
        ]
        functions, traps, offsets = (
            statistics.median(map(float, column)) for column in zip(*runs, strict=True)
        )
        size = Path(name).stat().st_size / 1e6
        print(f"{size:7.1f} {functions:10.1f} {traps:8.1f} {offsets:8.1f}   {name}")


if __name__ == "__main__":
    main()
