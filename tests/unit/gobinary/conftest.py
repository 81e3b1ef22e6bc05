"""Where unit tests put the programs that they make."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.gobinary import GoBinary, open_binary
from tests.unit.gobinary.synthetic import program


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    """Return a function that writes a file and returns its path."""

    def write(content: bytes) -> Path:
        path = tmp_path / "program"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def opened(written: Callable[[bytes], Path]) -> Callable[..., GoBinary]:
    """Return a function that writes a program as `synthetic.program` makes it, and opens it."""
    return lambda *args, **options: open_binary(written(program(*args, **options)))
