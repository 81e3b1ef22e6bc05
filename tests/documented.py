"""The commands that README and the docs show, and those of them that no test runs as they stand."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
_PROGRAMS = r"\./|\.venv/bin/|scripts/|(?:debugcall|docker|git|dask|pip|sudo|kubectl) "
_COMMAND = re.compile(rf" {{4,}}((?:{_PROGRAMS}).*?)(?: {{2,}}#.*)?")
_INLINE = re.compile(r"`((?:\.venv/bin/)?debugcall [a-z][^`]*|(?:\./)?(?:scripts|\.ci)/[^`]*)`")

_GUEST = "boots a guest: tests/arm64/test_command.py does so with another release"
_HISTORY = "takes a clone of Go: tests/integration/test_bisect.py has a small one"
_ITSELF = "it runs the tests, of which this is one"
_CLUSTER = "tests/integration/on_workers.py has a port of its own"
LEFT_OUT = {
    "./scripts/check --go go1.21.1 --goarch arm64 --vm": _GUEST,
    "debugcall check --go go1.21.1 --goarch arm64 --vm [--cpu cortex-a72]": _GUEST,
    ".venv/bin/debugcall bisect --repo ~/go --old ad943066f63c --new d9a4b24a1775": _HISTORY,
    "debugcall bisect --repo CLONE --old go1.21.0 --new d9a4b24a1775": _HISTORY,
    "git bisect run debugcall bisect-step": _HISTORY,
    "debugcall matrix --repo CLONE --go go1.21.1,d9a4b24a1775,master": _HISTORY,
    "debugcall bisect --releases go1.20..go1.22 [--repo CLONE]": "fetches a dozen releases: "
    "tests/integration/test_bisect.py looks between four",
    "sudo apt-get install qemu-system-arm": ".ci/run does so, with other packages",
    "pip install 'debugcall-harness[fleet]'": "no index has it yet; the Dockerfile has the like",
    "dask scheduler": _CLUSTER,
    "dask worker tcp://HOST:8786 --nthreads 2 --memory-limit 0 --resources 'ptrace=2 amd64=2'": (
        _CLUSTER
    ),
    "scripts/bench/peers --runs 20 --calls 100": "takes minutes: it builds Delve and the tests of "
    "Go's runtime",
    "./scripts/test tests/unit": _ITSELF,
    "./scripts/test tests/integration/test_cli.py -k attach": _ITSELF,
    "docker build --tag debugcall .": "tests/docker/containers.py builds it under another name",
}
"""Commands that are left out, each with the reason."""


def commands(page: Path) -> Sequence[str]:
    """Return the lines of a page's indented blocks that are commands, in their order."""
    return list(_commands(page.read_text().splitlines()))


def mentioned(page: Path) -> Sequence[str]:
    """Return the commands and scripts that stand in a page's sentences and tables."""
    return _INLINE.findall(page.read_text())


def _commands(lines: Sequence[str]) -> Iterator[str]:
    fenced = False  # a file's contents
    for line in lines:
        fenced ^= line.startswith("```")
        if not fenced and (found := _COMMAND.fullmatch(line)):
            yield found[1]
