"""The cluster of compose.yaml, by the commands of docs/ci.md."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.containers import (
    NETWORK,
    PASSED,
    ROOT,
    Done,
    Image,
    compose,
    docker,
    must,
    unique,
)
from tests.documented import PAGES, commands

LISTENS = "0A"  # TCP_LISTEN: include/net/tcp_states.h, and proc_pid_net(5)
FILE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SHOWN = [c for page in PAGES for c in commands(page) if c.startswith("docker compose ")]


@pytest.fixture
def run(fleet_image: Image, tmp_path: Path) -> Callable[[str], Done]:
    """Return a function that runs a command of Compose with an image and a cache that are here."""
    build = {"network": NETWORK, "args": {name: os.environ[name] for name in PASSED}}
    services: dict[str, Any] = {name: {"build": build} for name in FILE["services"]}
    if NETWORK == "bridge":
        del build["network"]
    else:
        services["scheduler"]["network_mode"] = "none"
    cache = {"external": True, "name": fleet_image.cache}
    here = {"services": services, "volumes": {"cache": cache}}
    override = tmp_path / "override.yaml"
    override.write_text(json.dumps(here))
    name = unique()
    files = (f"--file={ROOT / 'compose.yaml'}", f"--file={override}")

    def run(command: str) -> Done:
        _, _, *words = command.split()
        return subprocess.run(
            [*compose(), f"--project-name={name}", *files, *words],
            env=os.environ | {"DEBUGCALL_IMAGE": fleet_image.name},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_commands_of_the_page_have_workers_do_the_checks(
    run: Callable[[str], Done], checked: Callable[[str], Done], fleet_image: Image
) -> None:
    build, up, matrix, down = SHOWN
    for release in ("go1.21.1", "go1.22.0"):
        checked(release)
    layers = ("image", "inspect", "--format={{json .RootFS.Layers}}", fleet_image.name)
    before = must(docker(*layers))
    done = run(build)
    assert done.returncode == 0, done.stderr
    assert must(docker(*layers)) == before, "it builds another image than the tests do"
    try:
        started = run(up)
        assert started.returncode == 0, started.stderr
        done = run(matrix)
        assert done.returncode == 1, done.stderr
        said = run("docker compose logs").stdout
        sockets = run("docker compose exec -T scheduler cat /proc/net/tcp /proc/net/tcp6").stdout
    finally:
        ended = run(down)
    assert re.search(r"^ *go1\.21\.1 +fail ", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^ *go1\.22\.0 +pass ", done.stdout, re.MULTILINE), done.stdout
    assert len(set(re.findall(r"Start worker at: +(\S+)", said))) == 2, said
    listening = {line.split()[1] for line in sockets.splitlines() if line.split()[3] == LISTENS}
    assert f"0100007F:{8786:X}" in listening
    assert all(re.match("......7F:", place) for place in listening), "others could reach it"
    assert ended.returncode == 0, ended.stderr


def test_the_image_has_the_commands_of_the_manifest_for_kubernetes(fleet_image: Image) -> None:
    manifest = (ROOT / "deploy/kubernetes/workers.yaml").read_text()
    pods = (each["spec"].get("template") for each in yaml.safe_load_all(manifest))
    containers = [one for pod in pods if pod for one in pod["spec"]["containers"]]
    found = {tuple(container["command"]) for container in containers}
    assert len(found) == 2
    for program, *words in found:
        entrypoint = ("--rm", "--network=none", f"--entrypoint={program}")
        must(docker("run", *entrypoint, fleet_image.name, *words, "--version"))
