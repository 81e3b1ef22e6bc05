"""Builds what the benchmarks run: the target, the yardsticks in C, and dlv."""

import os
import subprocess
from pathlib import Path

from harness.cache import built_once, cache_folder
from harness.gobinary import open_binary
from harness.toolchain import Toolchain, build_target

HERE = Path(__file__).resolve().parent
UNOPTIMISED = ("-gcflags=all=-N -l",)  # as Delve's documentation asks for
DELVE = "v1.27.2"  # knows Go 1.25 to 1.27, and needs 1.25 to be built


def target(toolchain: Toolchain) -> Path:
    """Return gotargets/caller, built."""
    return build_target(toolchain, "caller")


def unoptimised_target(toolchain: Toolchain) -> Path:
    """Return the same without optimisation."""
    return build_target(toolchain, "caller", flags=UNOPTIMISED)


def addresses(binary: Path) -> tuple[str, ...]:
    """Return, in hexadecimal: debugCallV2, main.add, main.round and the end of main.round."""
    program = open_binary(binary)
    stop = program.function("main.round")
    found = (
        program.function("runtime.debugCallV2").entry,
        program.function("main.add").entry,
        stop.entry,
        stop.end,
    )
    return tuple(f"{address:x}" for address in found)


def yardstick(name: str) -> Path:
    """Compile one of the programs in C."""
    binary = cache_folder("bench") / name
    warnings = ("-Wall", "-Wextra", "-Werror")
    subprocess.run(["gcc", "-O2", *warnings, "-o", binary, HERE / f"{name}.c"], check=True)  # noqa: S607
    return binary


def delve(toolchain: Toolchain) -> Path:
    """Install dlv from its Go module, which takes the network once."""

    def install(folder: Path) -> None:
        subprocess.run(
            [toolchain.go, "install", f"github.com/go-delve/delve/cmd/dlv@{DELVE}"],
            env={**os.environ, "GOBIN": str(folder), "GOFLAGS": ""},
            check=True,
        )

    return built_once("bench", f"delve-{DELVE}", build=install) / "dlv"
