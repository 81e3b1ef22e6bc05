"""Reads one Go program in a new process and prints how long each part took, in milliseconds."""

# ruff: noqa: E402 - what is imported when is what is measured
import time

marks = [time.perf_counter()]

import sys
from itertools import pairwise
from pathlib import Path

from harness.gobinary import open_binary, static_layout, trap_sites
from harness.gobinary.traps import TRAPPING

marks.append(time.perf_counter())
binary = open_binary(Path(sys.argv[1]))
for name in (
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
):
    binary.functions(name)
marks.append(time.perf_counter())
trap_sites(binary)
marks.append(time.perf_counter())
static_layout(binary)
marks.append(time.perf_counter())
print(*(1000 * (after - before) for before, after in pairwise(marks)))
