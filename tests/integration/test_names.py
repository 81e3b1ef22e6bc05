"""Programs whose names are not UTF-8, as file names on Linux need not be."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.debugcall.session import Session
from harness.errors import BinaryError, InputError, TargetError
from harness.recording import Recorder, load


@pytest.fixture
def caller(tmp_path: Path, caller_binary: Callable[[str], Path]) -> Path:
    path = Path(os.fsdecode(os.fsencode(tmp_path / "caller") + b"\xff"))
    shutil.copy(caller_binary("1.21.3"), path)
    return path


def test_one_can_be_launched_and_recorded(caller: Path, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    with Recorder(file) as recorder, Session.launch([caller], recorder):
        pass
    assert load(file).header.target.argv[0].endswith("caller\N{REPLACEMENT CHARACTER}")


def test_a_name_is_no_command_line(caller: Path) -> None:
    for wrong in (str(caller), caller):
        with pytest.raises(InputError, match="a command line is a list") as caught:
            Session.launch(wrong, Recorder())  # type: ignore[arg-type]
        assert caught.value.mend == f"give [{str(caller)!r}]"


def test_a_program_that_may_not_be_executed(caller: Path) -> None:
    caller.chmod(0o644)
    with pytest.raises(TargetError, match="may not be executed") as caught:
        Session.launch([caller], Recorder())
    assert caught.value.mend.startswith("chmod +x ")


def test_the_name_is_told_of_what_runs_but_cannot_be_checked() -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as sleeper:
        try:
            real = Path("/bin/sleep").resolve()
            with pytest.raises(BinaryError, match=f"^{real} carries no Go function table"):
                Session.attach(sleeper.pid, Recorder())
        finally:
            sleeper.kill()


def test_one_can_be_attached_to(caller: Path) -> None:
    # Not as a context manager: that waits for ever for a process that was left stopped.
    process = subprocess.Popen([caller], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        with Session.attach(process.pid, Recorder()) as session:
            assert len(session.process.threads) > 1
        process.communicate()
    finally:
        process.kill()
    assert process.returncode == 0
