"""The public interface: every name is there, lazily, and has the types that users build on."""

import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import (
    Callee,
    Caller,
    Check,
    Recorder,
    Recording,
    Result,
    Session,
    Settings,
    Steal,
    Verdict,
    check_toolchain,
    find_toolchain,
    judge,
)


@pytest.mark.parametrize("name", harness.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(harness, name).__module__.startswith("harness.") or name == "Progress"


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'harness' has no attribute 'no_such_name'"):
        _ = harness.no_such_name


def test_the_package_alone_imports_next_to_nothing() -> None:
    code = "import sys, harness; print(*[m for m in sys.modules if m.startswith('harness')])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.split() == ["harness"]


# Never called: mypy checks that this is how the interface may be used.


def _use_a_session(argv: list[str]) -> tuple[tuple[int, ...], Result]:
    recorder = Recorder()
    with Session.launch(argv, recorder) as session:
        caller: Caller = session.seek([session.site("main.handle")], limit=5)
        steal = Steal(session)
        results = session.inject(caller, Callee("main.add", (2, 3), (5,)), steal).results
    recording: Recording = recorder.recording()
    verdict: Verdict = judge(recording)
    return results, verdict.result


def _use_a_check() -> Check:
    settings = Settings(number=20, record=Path("recording.jsonl"))
    return check_toolchain(find_toolchain("go1.21.1"), settings)
