"""The jobs of docs/ci.md for GitLab and Jenkins, run as their runners run them."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import parse

import pytest
import yaml

from tests.docker.containers import ROOT, Done, Image, container, docker

PAGE = (ROOT / "docs" / "ci.md").read_text()
RELEASE = "go1.22.0"
Checked = Callable[[str], Done]


def block(kind: str, beginning: str) -> str:
    (text,) = re.findall(rf"```{kind}\n({beginning}.*?)```", PAGE, re.DOTALL)
    assert isinstance(text, str)
    return text


GITLAB: dict[str, Any] = yaml.safe_load(block("yaml", "debugcall:"))["debugcall"]
JENKINS = block("groovy", "pipeline")


def holds(folder: Path, release: str, *, failures: bool) -> bool:
    """Tell whether the job left in a folder what the server collects."""
    root = parse(folder / "results.xml").getroot()  # noqa: S314 - our own
    return (folder / f"{release}.jsonl").exists() and (root.get("failures") != "0") is failures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that anybody may write to, as both servers give one to a job."""
    tmp_path.chmod(0o777)
    return tmp_path


@pytest.mark.parametrize(("release", "code"), [(RELEASE, 0), ("go1.21.1", 1)])
def test_gitlab(checked: Checked, image: Image, folder: Path, release: str, code: int) -> None:
    checked(release)
    script = "\n".join(GITLAB["script"]).replace(RELEASE, release)
    (entrypoint,) = GITLAB["image"]["entrypoint"]
    mount = (f"--volume={folder}:/builds/it", "--workdir=/builds/it")
    words = ("--rm", "--interactive", f"--entrypoint={entrypoint}", *mount, *image.where())
    # Its executor hands the script to a shell's stdin: gitlab-runner, shells/bash.go.
    done = subprocess.run(
        ["docker", "run", *words, image.name, "sh", "-e"],  # noqa: S607
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert holds(folder, release, failures=bool(code))
    assert GITLAB["artifacts"] == {
        "when": "always",
        "paths": ["*.jsonl"],
        "reports": {"junit": "results.xml"},
    }


@pytest.mark.parametrize(("release", "code"), [(RELEASE, 0), ("go1.21.1", 1)])
def test_jenkins(checked: Checked, image: Image, folder: Path, release: str, code: int) -> None:
    checked(release)
    (script,) = re.findall(r"sh '(.*)'", JENKINS)
    (args,) = re.findall(r"args '(.*)'", JENKINS)
    mount = (f"--volume={folder}:/job", "--workdir=/job")
    # It keeps a container with `cat`, as the agent's user: docker-workflow, DockerClient.java.
    words = ("--tty", "--detach", "--user=4321:4321", args, *mount, *image.where())
    with container("run", *words, image.name, "cat") as name:
        done = docker("exec", name, "sh", "-e", "-c", script.replace(RELEASE, release))
    assert done.returncode == code, done.stderr
    assert holds(folder, release, failures=bool(code))
    assert "junit 'results.xml'" in JENKINS
    assert "archiveArtifacts '*.jsonl'" in JENKINS
