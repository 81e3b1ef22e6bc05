"""Fixtures that hand out the image."""

import subprocess
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from harness.toolchain import Toolchain, build_target
from tests.docker.containers import (
    Done,
    Image,
    built,
    compose,
    container,
    docker,
    must,
    unique,
)


@pytest.fixture(scope="session")
def volume() -> Iterator[str]:
    """Return the name of a volume for the cache."""
    name = must(docker("volume", "create", unique()))
    yield name
    docker("volume", "rm", name)


@pytest.fixture(scope="session")
def image(volume: str) -> Iterator[Image]:
    """Return the image as the classic builder makes it."""
    with built(buildkit=False) as name:
        yield Image(name, volume)


@pytest.fixture(scope="session")
def fleet_image(volume: str) -> Iterator[Image]:
    """Return the image for a cluster, made by what Compose builds with: BuildKit from 2 on."""
    with built("--build-arg=EXTRAS=fleet", buildkit=compose()[0] == "docker") as name:
        yield Image(name, volume)


@pytest.fixture(scope="session")
def checked(image: Image) -> Callable[[str], Done]:
    """Return a function from a release to what `check` says of it, with a network."""
    return cache(lambda release: image.run("check", "--go", release, online=True))


@pytest.fixture(scope="session")
def server(toolchain: Callable[[str], Toolchain]) -> Iterator[str]:
    """Return an image that has a Go program in it, and nothing else."""
    binary = build_target(toolchain("1.22.0"), "server")
    name = unique()
    tar = subprocess.run(
        ["tar", "--create", "--directory", binary.parent, binary.name],  # noqa: S607
        stdout=subprocess.PIPE,
        check=True,
    )
    subprocess.run(
        ["docker", "import", f'--change=ENTRYPOINT ["/{binary.name}"]', "-", name],  # noqa: S607
        input=tar.stdout,
        check=True,
    )
    yield name
    docker("image", "rm", name)


@pytest.fixture(scope="session")
def target(server: str) -> Iterator[str]:
    """Return the name of a container in which the program runs as a user of its own."""
    options = ("--detach", "--interactive", "--network=none", "--user=77:77")
    with container("run", *options, server) as name:
        yield name
