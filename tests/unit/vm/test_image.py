import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import GuestError, HarnessError
from harness.vm.debian import Apt, content_of
from harness.vm.image import image, in_order
from harness.vm.tree import FOLDER, file, link
from tests.integration.running import ended, until


def module(*needed: str) -> bytes:
    return b"\0license=GPL\0depends=" + ",".join(needed).encode() + b"\0name=x\0"


def test_modules_come_after_those_that_they_need_and_once() -> None:
    modules = {
        "blk": module("bus"),
        "bus": module("ring"),
        "mmio": module("bus", "ring"),
        "other": module(),
        "ring": module(),
    }
    ordered = list(in_order(modules, ["mmio", "blk"]))
    assert ordered == [modules[name] for name in ("ring", "bus", "mmio", "blk")]


def test_a_machine_without_apt(monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(GuestError, match="there is no apt-get here") as caught:
        image(print)
    assert "on Debian" in caught.value.mend
    assert not list(empty_cache.glob("vm/image/*/b*")), "a folder was left behind"


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ("E: Unable to locate package x", GuestError, "no arm64 packages.*Unable to locate"),
        ("Error writing: No space left on device", HarnessError, "disk is full"),
    ],
)
def test_apt_that_fails(
    program: Callable[[str, str], Path],
    empty_cache: Path,
    says: str,
    error: type[HarnessError],
    words: str,
) -> None:
    program("dpkg-deb", "#!/bin/sh\n")
    for name in ("apt-get", "apt-cache"):
        program(name, f"#!/bin/sh\necho '{says}'\nexit 100\n")
    with pytest.raises(error, match=words):
        image(print)
    assert not list(empty_cache.glob("vm/image/*/b*")), "a folder was left behind"


def test_ctrl_c_while_apt_works(
    program: Callable[[str, str], Path], empty_cache: Path, tmp_path: Path
) -> None:
    program("dpkg-deb", "#!/bin/sh\n")
    note = f"echo $$ >{tmp_path}/new\nmv {tmp_path}/new {tmp_path}/pid\n"
    program("apt-get", f"#!/bin/sh\n{note}exec sleep 999\n")
    code = "from harness.vm.image import image\nimage(print)"
    building = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not (tmp_path / "pid").exists():
        assert building.poll() is None
        time.sleep(0.01)
    building.send_signal(signal.SIGINT)
    building.wait()
    # It was killed; Python itself waits for a quarter of a second only (Popen.__exit__).
    until(lambda: ended(int((tmp_path / "pid").read_text())), "apt-get has ended")
    assert not list(empty_cache.glob("vm/image/*/b*")), "a folder was left behind"


def test_what_a_package_depends_on(program: Callable[[str, str], Path], tmp_path: Path) -> None:
    program("apt-get", "#!/bin/sh\n")
    program("dpkg-deb", "#!/bin/sh\n")
    program(
        "apt-cache",
        "#!/bin/sh\ncat <<'END'\nx\n  PreDepends: a\n  Depends: b3.11-c\n |Depends: d\n"
        "  Depends: <virtual>\n  Suggests: e\nEND\n",
    )
    assert Apt(tmp_path / "apt").dependencies("x") == ["a", "b3.11-c", "d"]


def test_apt_is_asked_in_the_language_in_which_it_is_read(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its "Depends" is a word that it translates."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    for name in ("apt-get", "dpkg-deb"):
        program(name, "#!/bin/sh\n")
    says = '[ "$LC_ALL" = C ] && word=Depends || word="Hängt ab von"\necho "  $word: a"\n'
    program("apt-cache", f"#!/bin/sh\n{says}")
    assert Apt(tmp_path / "apt").dependencies("x") == ["a"]


def test_a_package_is_read_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for folder in ("DEBIAN", "lib", "usr/bin"):
        (root / folder).mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
    )
    (root / "usr" / "bin" / "x").write_text("x")
    (root / "usr" / "bin" / "x").chmod(0o755)
    (root / "lib" / "y").symlink_to("z")
    deb = tmp_path / "x_1_all.deb"
    build = ["dpkg-deb", "--build", "-Znone", str(root), str(deb)]
    subprocess.run(build, check=True, capture_output=True)
    assert dict(content_of(deb)) == {
        "lib": FOLDER,
        "usr": FOLDER,
        "usr/bin": FOLDER,
        "usr/bin/x": file(b"x", executable=True),
        "usr/lib/y": link("z"),
    }


def test_a_damaged_package(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_text("no package")
    with pytest.raises(GuestError, match=r"cannot unpack x\.deb: dpkg-deb: error"):
        dict(content_of(tmp_path / "x.deb"))


def test_a_package_that_breaks_off_between_two_files(
    tmp_path: Path, program: Callable[[str, str], Path]
) -> None:
    (tmp_path / "a").write_text("a")
    script = f"#!/bin/sh\ntar -C {tmp_path} -cf - a\necho short >&2\nexit 2\n"
    program("dpkg-deb", script)
    with pytest.raises(GuestError, match=r"cannot unpack x\.deb: short"):
        dict(content_of(tmp_path / "x.deb"))
