"""The image as docs/ci.md says to use it."""

import json
import os
import pty
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docker.containers import Done, Image, built, docker, has_buildkit, must
from tests.integration.running import until

BROKEN, FIXED = "go1.21.1", "go1.22.0"
Checked = Callable[[str], Done]


def test_a_broken_release_fails(checked: Checked) -> None:
    done = checked(BROKEN)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(f"fail  {BROKEN}: ")
    assert "\x1b" not in done.stdout + done.stderr


def test_a_fixed_release_passes_and_its_control_fails(checked: Checked) -> None:
    done = checked(FIXED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"pass  {FIXED}: 200 thefts of the call goroutine were tried")
    assert "control without the lock in its runtime it fails, as it must" in done.stdout


def test_its_own_go_is_checked_without_network_privilege_or_a_root_that_can_be_written(
    image: Image,
) -> None:
    locked = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only", "--tmpfs=/tmp")
    done = image.run("check", "-n", "20", options=locked)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("who", ["1000:1000", "0:0", "4321:4321"])
def test_any_user_has_a_cache(image: Image, who: str) -> None:
    words = ("run", "--rm", "--network=none", f"--user={who}", image.name, "doctor")
    done = docker(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/cache/debugcall-harness" in done.stdout


def test_buildkit_makes_the_same(checked: Checked, image: Image) -> None:
    checked(FIXED)
    if not has_buildkit():
        pytest.skip("this client builds without BuildKit")
    with built(buildkit=True) as name:
        inspect = ("image", "inspect", "--format={{json .Config}}")
        one, other = (json.loads(must(docker(*inspect, it))) for it in (image.name, name))
        for key in ("Cmd", "Entrypoint", "Env", "User", "WorkingDir"):
            assert one[key] == other[key]
        done = Image(name, image.cache).run("check", "--go", FIXED)
    assert done.returncode == 0, done.stderr


def test_it_is_nobody_special(image: Image) -> None:
    done = docker("run", "--rm", "--network=none", "--entrypoint=id", image.name)
    assert must(done) == "uid=1000(debugcall) gid=1000(debugcall) groups=1000(debugcall)"


def test_it_is_small(image: Image) -> None:
    size = int(must(docker("image", "inspect", "--format={{.Size}}", image.name)))
    assert size < 350_000_000, "it was 300 MB"


def test_what_is_in_the_cache_needs_no_network(checked: Checked, image: Image) -> None:
    assert checked(FIXED).returncode == 0
    assert image.run("check", "--go", FIXED).returncode == 0
    done = image.run("check", "--go", "go1.20.14")
    assert done.returncode == 132
    assert "error: cannot fetch go1.20.14: " in done.stderr
    assert "mend: check the network" in done.stderr


@pytest.mark.parametrize(
    ("mode", "why"), [(0o755, "Read-only file system"), (0, "Permission denied")]
)
def test_an_output_that_cannot_be_written_is_told(
    checked: Checked, image: Image, tmp_path: Path, mode: int, why: str
) -> None:
    assert checked(FIXED).returncode == 0
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(mode)
    mount = f"--volume={out}:/out:ro"
    done = image.run("check", "--go", FIXED, "--record", "/out/x.jsonl", options=[mount])
    assert done.returncode == 129, done.stderr
    assert f"cannot write the recording /out/x.jsonl: {why}" in done.stderr


def test_a_cache_that_cannot_be_written_is_told(image: Image, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    done = docker(
        *("run", "--rm", "--network=none", f"--volume={tmp_path}:/cache:ro"), image.name, "check"
    )
    assert done.returncode == 132
    assert "cannot write to the cache /cache/debugcall-harness" in done.stderr
    assert "mend: make it writable, or set XDG_CACHE_HOME" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"), [(["check", "--nonsense"], 129), (["check", "--go", "go1.16.15"], 125)]
)
def test_exit_codes_are_those_of_the_harness(image: Image, words: Sequence[str], code: int) -> None:
    assert image.run(*words).returncode == code


@pytest.mark.parametrize("options", [(), ("--init",), ("--tty",)])
def test_docker_stop_ends_the_injection_and_lets_go(
    checked: Checked, image: Image, options: Sequence[str]
) -> None:
    assert checked(FIXED).returncode == 0
    endless = ("check", "--go", FIXED, "--no-control", "--number=1000000")
    with image.started(*endless, options=options) as name:
        until(lambda: "/caller" in must(docker("top", name)), "the target runs")
        must(docker("stop", name))
        assert must(docker("wait", name)) == "130"
        logs = docker("logs", name)
    assert "error: interrupted by SIGTERM" in logs.stdout + logs.stderr


def test_a_terminal_gets_colours(checked: Checked, image: Image) -> None:
    assert checked(FIXED).returncode == 0
    main, terminal = pty.openpty()
    words = ("run", "--rm", "--tty", *image.where(), image.name, "check", "--go", FIXED)
    with subprocess.Popen(
        ["docker", *words],  # noqa: S607
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        said = b""
        with suppress(OSError):  # EIO: nobody has the terminal open any more
            while more := os.read(main, 65536):
                said += more
    os.close(main)
    assert process.returncode == 0, said
    assert b"\x1b[" in said
