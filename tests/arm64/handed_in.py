"""A pytest plugin for the guest, where no Go is: targets that the host has built and handed in."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import harness.toolchain
from harness.errors import Unsupported
from harness.toolchain import Toolchain

TARGETS = Path("/job/targets")
NEWEST = os.environ["DEBUGCALL_NEWEST"]
"""The release that stands for the Go that is found."""


def name_of(version: str, source: str, *, control: bool, flags: Sequence[str]) -> str:
    """Return the name under which a target is handed in."""
    return "-".join([source, version, *(["control"] if control else []), *flags])


def _find(spec: str | None = None, goarch: str | None = None) -> Toolchain:
    assert goarch in {None, "arm64"}
    root = Path("/nowhere") / (spec or NEWEST)
    return Toolchain(root, f"go{spec or NEWEST}", root / "bin/go")


def _build(
    toolchain: Toolchain,
    source: Path | str,
    *,
    overlay: Mapping[Path, Path] | None = None,
    flags: Sequence[str] = (),
    goarch: str | None = None,
) -> Path:
    assert goarch in {None, "arm64"}
    version = toolchain.version.removeprefix("go")
    if version.startswith("1.17"):
        raise Unsupported("no debugCallV2 on arm64 before Go 1.18")
    path = TARGETS / name_of(version, str(source), control=overlay is not None, flags=flags)
    if not path.exists():
        pytest.skip(f"{path.name} was not handed in")
    return path


harness.toolchain.find_toolchain = _find
harness.toolchain.build_target = _build
