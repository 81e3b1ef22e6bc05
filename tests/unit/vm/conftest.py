"""Guests without a guest: programs of a few lines in the place of QEMU and of apt."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.vm.guest import Guest
from harness.vm.image import Image


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Return a function that puts a program of this name, with this text, first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, text: str) -> Path:
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    """Return a guest of empty files; its temporary files go to `tmp_path / "tmp"`."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for folder in ("tmp", "image"):
        (tmp_path / folder).mkdir()
    for name in ("kernel", "base", "site"):
        (tmp_path / "image" / name).touch()
    image = Image(tmp_path / "image" / "kernel", tmp_path / "image" / "base", "3.11", ())
    return Guest(image, tmp_path / "image" / "site")
