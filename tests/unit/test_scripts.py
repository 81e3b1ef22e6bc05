"""What scripts say where they cannot do their work."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def refused(env: Mapping[str, str]) -> str:
    done = subprocess.run(
        [SCRIPTS / "test-docker"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 77
    return done.stderr


def test_a_docker_daemon_that_does_not_answer_is_told(tmp_path: Path) -> None:
    said = refused(os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/nobody"})
    assert said.startswith(f"error: no Docker daemon answers at unix://{tmp_path}/nobody\nmend: ")


def test_a_machine_without_docker_is_told(tmp_path: Path) -> None:
    for name in ("dirname", "id", "mktemp", "readlink", "rm"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    said = refused({"PATH": str(tmp_path)})
    why, mend = (
        ("there is none to start", "apt-get install docker.io")
        if os.getuid() == 0
        else ("only root can start one", "sudo systemctl start docker")
    )
    assert f"error: no Docker daemon answers, and {why}\nmend: {mend}" in said
