"""Docker's command line, as the tests of the image use it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

from tests.lacking import lacking

ROOT = Path(__file__).resolve().parents[2]
NETWORK = os.environ.get("DEBUGCALL_DOCKER_NETWORK", "bridge")
"""How a container gets at the network; scripts/test-docker says where it is not as usual."""
PASSED = tuple(name for name in ("PIP_INDEX_URL",) if name in os.environ)
"""What a build is told of this machine."""
_PROXIES = tuple(f"{kind}_proxy" for kind in ("http", "https", "no"))
_FETCHED_WITH = ("GOPROXY", "GOSUMDB", "GONOSUMDB", *_PROXIES, *map(str.upper, _PROXIES))

Done = subprocess.CompletedProcess[str]


def docker(*words: str, env: dict[str, str] | None = None) -> Done:
    """Run a command to its end, whatever it is."""
    return subprocess.run(
        ["docker", *words],  # noqa: S607 - the client on PATH
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def must(done: Done) -> str:
    """Return what a command said; it must have succeeded."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def unique() -> str:
    """Return a name for something that is there for a test only."""
    return f"debugcall-test-{uuid4().hex[:12]}"


@cache
def has_buildkit() -> bool:
    """Tell whether this client builds with BuildKit: with its plugin; before 23.0, by itself."""
    major = must(docker("version", "--format", "{{.Client.Version}}")).partition(".")[0]
    return int(major) < 23 or docker("buildx", "version").returncode == 0


@cache
def compose() -> Sequence[str]:
    """Return the command of Compose: a plugin, or before version 2 a program of its own.

    Without either the test is skipped; with CI=true it fails.
    """
    if docker("compose", "version").returncode == 0:
        return ("docker", "compose")
    if not shutil.which("docker-compose"):
        lacking("there is no Compose", "apt-get install docker-compose")
    return ("docker-compose",)


@contextmanager
def built(*arguments: str, buildkit: bool) -> Iterator[str]:
    """Build the image; remove it, and what it was built in."""
    name = unique()
    passed = [f"--build-arg={name}" for name in PASSED]
    words = (f"--network={'default' if NETWORK == 'bridge' else NETWORK}", *passed, *arguments)
    env = {"DOCKER_BUILDKIT": str(int(buildkit))}
    try:
        # By a name the classic builder's stage can be removed; BuildKit has a cache, which stays.
        stages = () if buildkit else (("--target=build", f"--tag={name}-build"),)
        words += () if buildkit else ("--force-rm",)
        for stage in (*stages, (f"--tag={name}",)):
            must(docker("build", *words, *stage, str(ROOT), env=env))
        yield name
    finally:
        docker("image", "rm", name, *([] if buildkit else [f"{name}-build"]))


@dataclass(frozen=True)
class Image:
    """The image, and the volume that its containers have as their cache."""

    name: str
    cache: str

    def run(self, *words: str, options: Sequence[str] = (), online: bool = False) -> Done:
        """Run a command of the harness in a container that is gone when it ends."""
        container = unique()
        named = ("--rm", f"--name={container}")
        try:
            return docker("run", *named, *self.where(online=online), *options, self.name, *words)
        finally:  # where the client did not see its end
            docker("rm", "--force", container)

    def where(self, *, online: bool = False) -> Sequence[str]:
        """Return the options for a container's cache and network: none at all if not online."""
        passed = [f"--env={name}" for name in _FETCHED_WITH if name in os.environ]
        network = [f"--network={NETWORK}", *passed] if online else ["--network=none"]
        return (*network, f"--volume={self.cache}:/cache")

    @contextmanager
    def started(self, *words: str, options: Sequence[str] = ()) -> Iterator[str]:
        """Have a container do it meanwhile; return its name."""
        with container("run", "--detach", *self.where(), *options, self.name, *words) as name:
            yield name


@contextmanager
def container(verb: str, *words: str) -> Iterator[str]:
    """Make a container that is removed at the end; return its name."""
    name = unique()
    try:
        must(docker(verb, f"--name={name}", *words))
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)
