"""Builds what the benchmarks run: the C yardsticks, dlv, and the target. Kept in a cache folder."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULE = HERE.parent.parent / "gotargets"
DELVE = "v1.27.2"  # for Go 1.25 to 1.27; needs Go 1.25 to build
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "debugcall-harness" / "bench"
)


@dataclass(frozen=True)
class Target:
    """A built target and the addresses, in hexadecimal, that the yardsticks take."""

    binary: Path
    debugcall: str
    add: str
    stop: str
    end: str

    def addresses(self) -> list[str]:
        return [self.debugcall, self.add, self.stop, self.end]


def yardstick(name: str) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    binary = CACHE / name
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", binary, HERE / f"{name}.c"], check=True
    )
    return binary


def target(go: str, *, optimised: bool = True) -> Target:
    """gotargets/caller, or the same without optimisation, as Delve needs it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    binary = CACHE / ("caller" if optimised else "caller-unoptimised")
    flags = [] if optimised else ["-gcflags=all=-N -l"]
    subprocess.run([go, "build", *flags, "-o", binary, "./caller"], cwd=MODULE, check=True)
    listing = subprocess.run(
        [go, "tool", "nm", "-size", binary], check=True, capture_output=True, text=True
    ).stdout
    symbols: dict[str, tuple[int, int]] = {}
    for line in listing.splitlines():
        address, size, _kind, name, *_ = line.split()
        if name in ("runtime.debugCallV2", "main.add", "main.round"):
            symbols[name] = int(address, 16), int(size)
    start, size_of_round = symbols["main.round"]
    return Target(
        binary,
        f"{symbols['runtime.debugCallV2'][0]:x}",
        f"{symbols['main.add'][0]:x}",
        f"{start:x}",
        f"{start + size_of_round:x}",
    )


def delve(go: str) -> Path:
    folder = CACHE / f"delve-{DELVE}"
    binary = folder / "dlv"
    if not binary.exists():
        subprocess.run(
            [go, "install", f"github.com/go-delve/delve/cmd/dlv@{DELVE}"],
            env={**os.environ, "GOBIN": str(folder), "GOFLAGS": ""},
            check=True,
        )
    return binary
