import os
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import BuildError, HarnessError, InputError, Unsupported
from harness.toolchain import Toolchain, build_target, go_command
from harness.toolchain.sources import content_of, gotargets_folder, target_names


def failing_toolchain(goroot: Path, says: str) -> Toolchain:
    """Return an installation whose go command fails with these words."""
    go = goroot / "bin" / "go"
    go.parent.mkdir(parents=True)
    (goroot / "src").mkdir()
    go.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{says}\nEND\nexit 1\n")
    go.chmod(0o755)
    return Toolchain(goroot, "go1.21.1", go)


def test_a_build_error_has_the_compilers_words_but_not_all_of_them(
    tmp_path: Path, empty_cache: Path
) -> None:
    says = "\n".join(f"main.go:{line}: undefined: x" for line in range(1, 101))
    with pytest.raises(BuildError) as caught:
        build_target(failing_toolchain(tmp_path / "go", says), "caller")
    message = caught.value.message
    assert "caller does not build with go1.21.1" in message
    assert "main.go:20: undefined: x" in message
    assert "main.go:21:" not in message
    assert "80 more lines" in message
    assert caught.value.mend.endswith(
        f"/gotargets/caller && {tmp_path}/go/bin/go build -o /dev/null ."
    )
    assert not list(empty_cache.glob("targets/*/build-*")), "a folder was left behind"


def test_a_full_disk_is_not_the_targets_fault(tmp_path: Path, empty_cache: Path) -> None:
    says = "link: writing output: no space left on device"
    with pytest.raises(HarnessError, match="disk is full") as caught:
        build_target(failing_toolchain(tmp_path / "go", says), "caller")
    assert caught.value.exit_code == 132
    assert "XDG_CACHE_HOME" in caught.value.mend
    assert empty_cache.is_dir()


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(HarnessError, match="cannot write to the cache") as caught:
        build_target(failing_toolchain(tmp_path / "go", ""), "caller")
    assert "XDG_CACHE_HOME" in caught.value.mend


def test_a_go_command_that_does_not_run(tmp_path: Path, empty_cache: Path) -> None:
    toolchain = failing_toolchain(tmp_path / "go", "")
    toolchain.go.chmod(0o644)
    with pytest.raises(BuildError, match="does not run: Permission denied"):
        build_target(toolchain, "caller")
    assert not list(empty_cache.glob("targets/*/build-*"))


def test_a_library_that_cannot_be_read(tmp_path: Path, empty_cache: Path) -> None:
    toolchain = failing_toolchain(tmp_path / "go", "")
    shutil.rmtree(toolchain.goroot / "src")
    with pytest.raises(InputError, match=r"cannot read .*/go/src: No such file"):
        build_target(toolchain, "caller")
    assert not empty_cache.exists()


@pytest.mark.parametrize("stubborn", ["", "trap '' INT"])
def test_an_interrupted_build_leaves_no_process_behind(
    tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch, stubborn: str
) -> None:
    monkeypatch.setattr(go_command, "_END_LIMIT", 0.5)
    toolchain = failing_toolchain(tmp_path / "go", "")
    # What a shell starts in the background ignores SIGINT. A FIFO is read to its end when the
    # last writer has ended.
    os.mkfifo(tmp_path / "alive")
    toolchain.go.write_text(
        f"#!/bin/sh\n{stubborn}\nexec >{tmp_path}/alive\n(sleep 30; echo left) &\necho up\nwait\n"
    )
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_interrupt_and_read, tmp_path / "alive")
        with pytest.raises(KeyboardInterrupt):
            build_target(toolchain, "caller")
        assert reading.result() == ""
    assert not list(empty_cache.glob("targets/*/build-*"))


def test_one_more_interrupt_ends_a_stubborn_build_at_once(
    tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go_command, "_END_LIMIT", 600.0)
    toolchain = failing_toolchain(tmp_path / "go", "")
    os.mkfifo(tmp_path / "alive")
    toolchain.go.write_text(
        f"#!/bin/sh\nexec >{tmp_path}/alive\ntrap 'echo no' INT\nrounds=$(seq 300)\necho up\n"
        "for n in $rounds; do sleep 0.1; done\necho left\n"
    )
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_interrupt_twice_and_read, tmp_path / "alive")
        with pytest.raises(KeyboardInterrupt):
            build_target(toolchain, "caller")
        assert reading.result() == ""
    assert not list(empty_cache.glob("targets/*/build-*"))


def _interrupt_twice_and_read(fifo: Path) -> str:
    with fifo.open() as reader:
        for said in ("up\n", "no\n"):
            assert reader.readline() == said
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return reader.read()


def _interrupt_and_read(fifo: Path) -> str:
    with fifo.open() as reader:
        assert reader.readline() == "up\n"
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return reader.read()


def test_an_editors_lock_in_the_toolchain_does_not_matter(
    tmp_path: Path, empty_cache: Path
) -> None:
    toolchain = failing_toolchain(tmp_path / "go", "the compiler was reached")
    (toolchain.goroot / "src" / ".#proc.go").symlink_to("nobody@nowhere.1234")
    with pytest.raises(BuildError, match="the compiler was reached"):
        build_target(toolchain, "caller")
    assert empty_cache.is_dir()


def test_arm64_has_debug_calls_one_release_later() -> None:
    old = Toolchain(Path("/nowhere"), "go1.17.13", Path("/nowhere/bin/go"))
    with pytest.raises(Unsupported, match=r"linux/arm64; it came with Go 1\.18"):
        build_target(old, "caller", goarch="arm64")


def test_an_unknown_target_is_refused_with_the_names_of_the_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Go package") as caught:
        build_target(failing_toolchain(tmp_path / "go", ""), "nonesuch")
    assert "caller" in caught.value.mend


def test_every_target_is_found() -> None:
    assert {"caller", "flags", "crash", "exit", "silent"} <= set(target_names())


def test_content_follows_sources_and_module(tmp_path: Path) -> None:
    shutil.copytree(gotargets_folder(), tmp_path / "module")
    package = tmp_path / "module" / "exit"
    contents = {content_of(package)}
    assert contents == {content_of(gotargets_folder() / "exit")}
    (package / "main.go").write_text("package main\n\nfunc main() {}\n")
    contents.add(content_of(package))
    (package / "more.go").write_text("package main\n")
    contents.add(content_of(package))
    (tmp_path / "module" / "go.mod").write_text("module gotargets\n\ngo 1.21\n")
    contents.add(content_of(package))
    assert len(contents) == 4
