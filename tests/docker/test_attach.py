"""Attaching from one container to a program in another."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.tracer.permission import yama_scope
from tests.docker.containers import Image, docker, must

SECCOMP = """{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
    [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}"""


def attach(image: Image, target: str, *options: str) -> tuple[int, str]:
    shared = (f"--pid=container:{target}", f"--network=container:{target}")
    words = ("attach", "1", "--number=20", "--wake")
    done = docker("run", "--rm", *shared, *options, image.name, *words)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("who", [("--user=77:77",), ("--user=0", "--cap-add=SYS_PTRACE")])
def test_the_same_user_may_unless_yama_forbids_it_and_root_with_the_capability(
    image: Image, target: str, who: Sequence[str]
) -> None:
    code, said = attach(image, target, *who)
    assert must(docker("inspect", "--format={{.State.Running}}", target)) == "true"
    if yama_scope() and "--user=0" not in who:
        assert (code, "yama" in said) == (131, True), said
        return
    assert code == 0, said
    assert "20 thefts of the call goroutine were tried, all were refused" in said


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (["--user=1000:1000"], "process 1 belongs to user 77, you are 1000"),
        (["--user=1000:1000", "--cap-add=SYS_PTRACE"], "process 1 belongs to user 77"),
        (["--user=0"], "process 1 belongs to user 77, you are 0"),
        (["--user=77:78"], "process 1 belongs to group 77, you to 78"),
    ],
)
def test_nobody_else_may(image: Image, target: str, who: Sequence[str], why: str) -> None:
    code, said = attach(image, target, *who)
    assert code == 131, said
    assert why in said
    assert "--user=0 --cap-add=SYS_PTRACE" in said


def test_a_profile_that_forbids_to_trace(image: Image, tmp_path: Path) -> None:
    profile = tmp_path / "seccomp.json"
    profile.write_text(SECCOMP)
    done = image.run("doctor", options=[f"--security-opt=seccomp={profile}"])
    assert done.returncode == 131
    assert "a seccomp filter of this container forbids ptrace" in done.stdout
    assert "mend: start the container with --cap-add=SYS_PTRACE" in done.stdout
