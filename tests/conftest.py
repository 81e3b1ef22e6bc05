"""Fixtures that hand out real Go toolchains and the targets built with them."""

import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import HarnessError
from harness.toolchain import Toolchain, build_target, find_toolchain
from tests.lacking import lacking

if TYPE_CHECKING:
    from harness.vm import Guest

BROKEN_RELEASES = ("1.17.13", "1.18.10", "1.20.14", "1.21.0", "1.21.1")
FIXED_RELEASES = (
    "1.21.3",
    "1.21.13",
    "1.22.0",
    "1.23.12",
    "1.24.0",
    "1.25.0",
    "1.26.8",
    "1.27.3",
)


def pytest_configure() -> None:
    """Heed signals that ask to end, and have what tests start do so; tell GitHub nothing of it.

    What a script starts in its background, or nohup, ignores them. What the tests check, and is
    broken on purpose, is none of the findings of a job that runs them.
    """
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        os.environ.pop(name, None)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def toolchain() -> Callable[[str], Toolchain]:
    """Return a function from a release ("1.21.1") to its toolchain.

    Where it cannot be had, as without a network, the test is skipped; with CI=true it fails.
    """

    @cache
    def find(version: str) -> Toolchain:
        try:
            return find_toolchain(version)
        except HarnessError as error:
            lacking(f"Go {version} is not here: {error.message}")

    return find


@pytest.fixture(scope="session")
def caller_binary(toolchain: Callable[[str], Toolchain]) -> Callable[[str], Path]:
    """Return a function from a release to the target `caller` built with it."""
    return lambda version: build_target(toolchain(version), "caller")


@pytest.fixture(scope="session")
def arm64_guest() -> "Callable[..., Guest]":
    """Return a function from a CPU model, and distributions, to a guest that can be booted.

    Where QEMU is missing, or the guest cannot be made, the test is skipped; with CI=true it fails.
    """

    # The guest runs tests too, and is slow to import what it does not need.
    from harness.vm import CPUS, Guest
    from harness.vm.python import NEEDED
    from harness.vm.qemu import require_qemu

    @cache
    def prepare(cpu: str = CPUS[0], distributions: tuple[str, ...] = NEEDED) -> Guest:
        try:
            require_qemu()
            return Guest.prepare(cpu, distributions=distributions)
        except HarnessError as error:
            lacking(error.message, error.mend)

    return prepare


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the harness's cache into an empty folder; return that folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "debugcall-harness"
