import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from harness.cache import built_once, kept, prune, remove_unused
from harness.errors import HarnessError, InputError
from harness.toolchain.work_tree import work_tree
from tests.integration.running import ended, until

BUILD = """
import os, sys, time
from pathlib import Path
from harness.cache import built_once, remove_unused
def build(folder):
    with open(sys.argv[1], "a") as built:
        print(os.getpid(), file=built, flush=True)
    (folder / "whole").touch()
    if sys.argv[2] == "hang":
        time.sleep(1000)
assert (built_once("x", "key", build=build) / "whole").exists()
"""


def asking(built: Path, how: str = "") -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", BUILD, str(built), how])


def test_it_is_built_once_for_all_who_ask(tmp_path: Path, empty_cache: Path) -> None:
    processes = [asking(tmp_path / "built") for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len((tmp_path / "built").read_text().splitlines()) == 1
    assert (empty_cache / "x" / "key" / "built" / "whole").exists()


def test_after_a_kill_the_next_one_builds_anew_and_clears_up(
    tmp_path: Path, empty_cache: Path
) -> None:
    killed = asking(tmp_path / "built", "hang")
    while not list(empty_cache.glob("x/key/build-*/new/whole")):
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    home = empty_cache / "x" / "key"
    assert not (home / "built").exists()
    assert asking(tmp_path / "built").wait() == 0
    assert {path.name for path in home.iterdir()} == {"built", "lock"}


def test_what_nobody_asks_for_goes(empty_cache: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "whole").touch()

    for key in ("old", "asked for", "new"):
        built_once("x", key, build=build)
    for key in ("old", "asked for"):
        os.utime(empty_cache / "x" / key, (0, 0))
    built_once("x", "asked for", build=build)
    remove_unused("x")
    assert {path.name for path in (empty_cache / "x").iterdir()} == {"asked for", "new"}


def test_what_fails_leaves_nothing(empty_cache: Path) -> None:
    def fail(folder: Path) -> NoReturn:
        (folder / "half").touch()
        raise HarnessError("as it should")

    with pytest.raises(HarnessError, match="as it should"):
        built_once("x", "key", build=fail)
    assert {path.name for path in (empty_cache / "x" / "key").iterdir()} == {"lock"}


def test_what_is_kept_is_listed_and_pruned(empty_cache: Path) -> None:
    def large(out: Path) -> None:
        (out / "a").write_bytes(b"x" * 100_000)

    built_once("tools", "small", build=lambda out: (out / "a").touch())
    built_once("tools", "large", build=large)
    read_only = empty_cache / "tools" / "small" / "built"
    read_only.chmod(0o500)  # as Go's module cache has them
    found = [one for one in kept() if one.kind == "tools"]
    assert [Path(one.path).name for one in found] == ["large", "small"]
    assert found[0].size >= 100_000
    prune(found)
    assert not list((empty_cache / "tools").iterdir())


def test_nothing_is_pruned_while_another_command_is_at_work(
    tmp_path: Path, empty_cache: Path
) -> None:
    built_once("tools", "key", build=lambda out: (out / "a").touch())
    other = asking(tmp_path / "built", "hang")
    while not list(empty_cache.glob("x/key/build-*/new/whole")):
        assert other.poll() is None
    with pytest.raises(InputError, match="another command is at work"):
        prune(kept())
    assert (empty_cache / "tools" / "key" / "built" / "a").exists()
    other.kill()
    other.wait()
    prune(kept())
    assert not (empty_cache / "tools" / "key").exists()


LENDING = """
import sys
from pathlib import Path
from harness.toolchain.go_command import run_command
from harness.toolchain.work_tree import work_tree
with work_tree() as tree:
    run_command(["/bin/sh", "-c", "echo $$ >pid; exec sleep 1000"], {}, Path(sys.argv[1]))
"""


def test_a_work_tree_is_not_lent_while_something_started_in_it_lives(
    tmp_path: Path, empty_cache: Path
) -> None:
    os.mkfifo(tmp_path / "pid")
    with subprocess.Popen([sys.executable, "-c", LENDING, str(tmp_path)]) as process:
        at_work = int((tmp_path / "pid").read_text())
        process.kill()
    try:
        with work_tree() as tree:
            assert tree.goroot == empty_cache / "trees" / "1" / "goroot"
    finally:
        os.kill(at_work, signal.SIGKILL)
    until(lambda: ended(at_work), "it has ended")
    with work_tree() as tree, work_tree() as other:
        assert tree.goroot == empty_cache / "trees" / "0" / "goroot"
        assert other.goroot == empty_cache / "trees" / "1" / "goroot"


def test_what_is_kept_is_listed_while_others_are_at_work(empty_cache: Path) -> None:
    built_once("tools", "key", build=lambda out: (out / "a").touch())
    at_work = subprocess.Popen(
        ["/bin/sh", "-c", "while :; do mkdir -p b/c; : >b/c/d; : >b/c/e; : >b/f; rm -r b; done"],
        cwd=empty_cache / "tools",
    )
    try:
        for _ in range(300):
            assert str(empty_cache / "tools" / "key") in {one.path for one in kept()}
    finally:
        at_work.kill()
        at_work.wait()
