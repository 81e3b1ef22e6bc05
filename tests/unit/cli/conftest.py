import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    # Unbuffered, Python has nothing left to write to a broken stdout when it ends.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def python() -> Script:
    """Return a function that runs Python source in a process of its own, without colours set."""
    plain = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR"}}

    def run(source: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", source, *arguments],
            env=plain | {"TERM": "xterm"} | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run
