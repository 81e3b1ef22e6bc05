"""The tests of the tracer, of sessions, programs and damage, run by pytest inside a guest."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.toolchain import Toolchain, build_target
from harness.vm import CPUS, Guest, harness_tree
from harness.vm.python import NEEDED, with_byte_code
from harness.vm.tree import from_host

TESTS = Path(__file__).parents[1]
TARGETS = TESTS.parent / "gotargets"
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
SOURCES = tuple(sorted(path.name for path in TARGETS.iterdir() if path.is_dir()))
STRIPPED = "-ldflags=-s -w"
BUILDS: Sequence[tuple[str, tuple[str, ...]]] = (
    *((source, ()) for source in SOURCES),
    ("server", (STRIPPED,)),
    ("caller", ("-buildmode=pie", STRIPPED)),
    ("compute", (STRIPPED, "-buildmode=pie")),
)
MODULES = {
    "neoverse-n1": ("session", "damage", "schedules", "programs", "tracer"),
    "cortex-a72": ("session", "damage"),
}
LEAST = {"neoverse-n1": 70, "cortex-a72": 25}
# One broken and one fixed release, and what has no release in its name; no test that takes half a
# minute in a guest, or needs Go.
CHOSEN = f"{BROKEN} or {FIXED} or kill or fail or witness or layout or programs or tracer"
SLOW = (
    "1.17 or control or None or while_they_come_and_go or busy_breakpoint"
    " or preempt_by_signal or at_detach or in_the_middle"
)
# The vector registers are the same on both.
ONCE = {"neoverse-n1": f"vector and {BROKEN}", "cortex-a72": "vector"}


@pytest.fixture(scope="module")
def targets(toolchain: Callable[[str], Toolchain]) -> dict[str, Path]:
    built = {
        "-".join([source, version, *flags]): build_target(
            toolchain(version), source, goarch="arm64", flags=flags
        )
        for version in (BROKEN, FIXED)
        for source, flags in BUILDS
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
            *(f"/job/tests/integration/test_{module}.py" for module in MODULES[cpu]),
            *("-k", f"({CHOSEN}) and not ({SLOW} or {ONCE[cpu]})"),
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
    assert sum(" PASSED " in line for line in said) > LEAST[cpu]
