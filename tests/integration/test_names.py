"""Programs whose names are not UTF-8, as file names on Linux need not be."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.debugcall.session import Session
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
