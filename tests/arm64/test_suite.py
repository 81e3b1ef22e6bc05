"""The tests of sessions, schedules and damage, run by pytest inside a guest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.toolchain import Toolchain, build_target
from harness.vm import CPUS, Guest, harness_tree
from harness.vm.python import NEEDED, with_byte_code
from harness.vm.tree import from_host

TESTS = Path(__file__).parents[1]
LIMIT = 900.0
PYTEST = (
    "capstone",
    "click",
    "filelock",
    "iniconfig",
    "packaging",
    "platformdirs",
    "pluggy",
    "pygments",
    "pytest",
    "pytest-timeout",
)
BROKEN, FIXED = "1.21.1", "1.21.3"
SOURCES = ("caller", "flags", "frames", "vector")
MODULES = ("test_session", "test_damage")
# One broken and one fixed release; no test that takes a minute in a guest.
CHOSEN = f"({BROKEN} or {FIXED} or kill or fail or witness or layout) and not vector"


@pytest.fixture(scope="module")
def targets(toolchain: Callable[[str], Toolchain]) -> dict[str, Path]:
    built = {
        f"{source}-{version}": build_target(toolchain(version), source, goarch="arm64")
        for version in (BROKEN, FIXED)
        for source in SOURCES
    }
    return {f"/job/targets/{name}": path for name, path in built.items()}


@pytest.mark.parametrize("cpu", CPUS)
def test_the_suite_in_a_guest(
    arm64_guest: Callable[..., Guest], targets: dict[str, Path], cpu: str
) -> None:
    guest = arm64_guest(cpu, distributions=(*NEEDED, *PYTEST))
    tree = harness_tree(guest.image.python)
    tree |= with_byte_code(dict(from_host(TESTS, "/job/tests")), guest.image.python)
    said: list[str] = []
    status = guest.run(
        [
            *("python3", "-m", "pytest", "-p", "tests.arm64.handed_in", "-p", "no:cacheprovider"),
            *("-c", "/dev/null", "--rootdir=/job", "--import-mode=importlib", "-v", "-rs"),
            *(f"/job/tests/integration/{module}.py" for module in MODULES),
            *("-k", CHOSEN),
        ],
        limit=LIMIT,
        files=targets,
        tree=tree,
        environ={
            "DEBUGCALL_NEWEST": FIXED,
            "DEBUGCALL_TIME_SCALE": "10",
            "PYTHONPATH": "/job",
            "XDG_CACHE_HOME": "/root/cache",
        },
        hear=said.append,
    )
    assert status == 0, "\n".join(said)
    assert sum(" PASSED " in line for line in said) > 20
