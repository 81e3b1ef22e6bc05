import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from itertools import takewhile
from pathlib import Path

import pytest
from msgspec.json import encode as json_encode

from harness.cli import main
from harness.cli.check import recording_path
from harness.cli.group import NAMES
from harness.cli.options import SCHEDULES, called
from harness.errors import BuildError, HarnessError, Interrupted, TracePermissionError
from harness.experiment import recorded
from harness.experiment.attempt import attempt, exit_code, is_hopeless
from harness.experiment.recorded import check_recording
from harness.recording import Schedule
from harness.verdict import Failure, built_for
from tests import recordings
from tests.unit.cli.conftest import Script
from tests.unit.cli.recordings import write

VERIFY = "import sys; from harness.cli import main; sys.exit(main(['verify', *sys.argv[1:]]))"


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], *([name, "--help"] for name in NAMES)])
def test_help_imports_next_to_nothing(python: Script, arguments: list[str]) -> None:
    source = """
import sys
from harness.cli import main
code = main(sys.argv[1:])
slow = ("rich", "msgspec", "capstone", "elftools", "ptrace", "jinja2", "platformdirs", "filelock",
        "subprocess", "harness.recording", "harness.experiment.verdict", "harness.tracer")
print(*(name for name in slow if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""
    done = python(source, *arguments)
    assert done.returncode == 0
    assert done.stderr.strip() == ""
    assert done.stdout.startswith("Usage: ")
    assert "Example: debugcall " in done.stdout
    assert "..." not in done.stdout.partition("Commands:")[2], "a sentence was cut short"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "missing command"),
        (["chek"], "chek"),
        (["--wrong"], "--wrong"),
        (["check", "--wrong"], "--wrong"),
        (["check", "superfluous"], "superfluous"),
        (["check", "--schedule", "luck"], "luck"),
        (["check", "-n", "0"], "0 is not in the range"),
        (["check", "-n", "many"], "'many' is not a valid whole number"),
        (["check", "--go"], "--go"),
        (["check", "--go", "1.21.1", "--go", "1.21.3", "--record", "one"], "{go}"),
        (["check", "--go", "1.21.1,1.21.3", "--record", "one"], "{go}"),
        (["check", "--go", ""], "an empty name"),
        (["check", "--record", ""], "an empty name"),
        (["check", "--record", "-"], "results go to stdout"),
        (["run"], "BINARY"),
        (["run", ""], "an empty name"),
        (["run", "--wrong", "./server"], "--wrong"),
        (["run", "--record", "{go}.jsonl", "./server"], "{go} is filled in by `debugcall check`"),
        (["attach"], "PID"),
        (["attach", "me"], "me"),
        (["attach", "0"], "0 is not in the range"),
        (["verify"], "FILE"),
        (["verify", ""], "an empty name"),
        (["doctor", "-n", "3"], "-n"),
        (["toolchains", "prune", "--older-than", "-1"], "-1 is not in the range"),
        (["matrix", "--go", ""], "an empty name"),
        (["matrix", "--go", "1.22.0", "--target", "a,"], "an empty name"),
        (["matrix", "--go", "1.22.0", "--vm", "--target", "x"], "harness's own target only"),
    ],
)
def test_wrong_usage_is_129(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(arguments) == 129
    out, err = capsys.readouterr()
    assert out == ""
    error, mend = err.splitlines()
    assert error.startswith("error: ")
    assert said in error
    assert not error.endswith(".")
    command = takewhile({*NAMES, "prune"}.__contains__, arguments)
    assert mend == " ".join(["mend: debugcall", *command, "--help"])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("debugcall ")


def test_schedules_are_those_there_are() -> None:
    assert tuple(Schedule) == SCHEDULES


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([0], 0),
        ([0, 125], 125),
        ([125, 1, 0], 1),
        ([0, 129, 1], 129),
        ([129, 132, 125], 132),
        ([1, 130], 130),
    ],
)
def test_the_worst_decides(codes: list[int], worst: int) -> None:
    assert exit_code(Failure("go1.21.1", code, "", "") for code in codes) == worst


def test_a_verdict_counts_beside_failures(tmp_path: Path) -> None:
    passed = check_recording(write(tmp_path / "passed", "r" * 10))
    failed = check_recording(write(tmp_path / "failed", "m"))
    assert exit_code([passed]) == 0
    assert exit_code([passed, failed]) == 1
    assert exit_code([failed, Failure("go1.16", 125, "", "")]) == 1
    assert exit_code([failed, Failure("go1.99", 129, "", "")]) == 129


@pytest.mark.parametrize(
    ("error", "code", "hopeless"),
    [
        (BuildError("it does not build"), 125, False),
        (HarnessError("a call was lost"), 132, False),
        (TracePermissionError("yama"), 131, True),
        (Interrupted("by SIGTERM"), 130, True),
        (KeyboardInterrupt(), 130, True),
    ],
)
def test_an_error_is_a_conclusion(error: BaseException, code: int, *, hopeless: bool) -> None:
    def fail() -> None:
        raise error

    conclusion = attempt("go1.21.1", fail)  # type: ignore[arg-type] # it returns nothing
    assert isinstance(conclusion, Failure)
    assert (conclusion.exit_code, is_hopeless(conclusion)) == (code, hopeless)


def test_the_place_of_a_recording(tmp_path: Path) -> None:
    assert recording_path(tmp_path, "go1.21.1") == tmp_path / "go1.21.1.jsonl"
    assert recording_path(Path("out-{go}"), "go1.21.1") == Path("out-go1.21.1")
    assert recording_path(tmp_path, built_for("go1.21.1", "arm64")) == (
        tmp_path / "go1.21.1-linux-arm64.jsonl"
    )
    assert recording_path(Path("one"), "go1.21.1") == Path("one")
    assert recording_path(Path("x" * 300), "go1.21.1") == Path(
        "x" * 300
    )  # which cannot be looked at
    devel = "devel go1.22-97c8ff8d53 Tue Oct 17 23:43:31 2023 +0000"
    assert recording_path(Path("{go}"), devel).name == (
        "devel-go1.22-97c8ff8d53-Tue-Oct-17-23-43-31-2023-+0000"
    )


def test_a_fault_of_the_harness_is_132(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(recorded, "judge", broken)
    assert main(["verify", str(write(tmp_path / "r", "r"))]) == 132
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Traceback")
    assert "ZeroDivisionError: a fault" in err
    assert "error: the harness itself failed; this says nothing about the Go runtime" in err
    assert "mend: report it" in err


def waits_for_more(pid: int, pipe: int) -> bool:
    """Tell whether a process has read all that is in a pipe and sleeps until there is more.

    Python notes a signal that comes just before a system call, and looks at its notes when the call
    has returned: not before somebody writes. Only one that comes during the call ends it.
    """
    (unread,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return not unread and Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "S"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_signal_is_130(tmp_path: Path, number: signal.Signals, *, as_json: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    once_more = VERIFY.replace("sys.exit(", "code = (") + (
        "; import signal; signal.raise_signal(signal.SIGINT); sys.exit(code)"
    )
    command = [sys.executable, "-c", once_more, str(pipe), *(["--json"] if as_json else [])]
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
        pipe.open("wb", buffering=0) as writer,  # it opens when the command reads it
    ):
        writer.write(json_encode(recordings.HEADER) + b"\n")
        while not waits_for_more(process.pid, writer.fileno()):
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "error: interrupted\n"
    assert (json.loads(out)["exit_code"] == 130) if as_json else (out == "")


@pytest.mark.parametrize(("outcome", "code"), [("r", 125), ("m", 1)])
def test_a_reader_that_went_away_changes_nothing(tmp_path: Path, outcome: str, code: int) -> None:
    file = write(tmp_path / "r", outcome, end=())
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", VERIFY, str(file)],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (code, b"")


def test_help_that_cannot_be_written() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from harness.cli import main; exit(main(['-h']))"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 129
    assert done.stderr == "error: cannot write: No space left on device\nmend: df -h\n"


def test_the_command_is_given_back_as_it_can_be_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "venv" / "debugcall"
    program.parent.mkdir()
    program.touch(mode=0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("PATH", str(elsewhere))
    monkeypatch.chdir(tmp_path)
    assert called(f"{elsewhere}/../venv/debugcall") == "venv/debugcall"
    monkeypatch.chdir(elsewhere)
    assert called(str(program)) == str(program)
    (elsewhere / "debugcall").symlink_to(program)
    assert called(str(program)) == "debugcall"
    assert called("/usr/bin/pytest") == "debugcall"


def test_help_that_nobody_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from harness.cli import main; sys.exit(main(['-h']))",
            ],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_streams_that_are_closed_change_nothing(tmp_path: Path, stream: str) -> None:
    file = write(tmp_path / "r", "m")
    number = {"stdout": 1, "stderr": 2}[stream]
    shell = f'"$0" -c "$1" "$2" {number}>&-'
    done = subprocess.run(
        ["/bin/sh", "-c", shell, sys.executable, VERIFY, str(file)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1


def test_a_full_disk_is_no_verdict(tmp_path: Path) -> None:
    file = write(tmp_path / "r", "r" * 10)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", VERIFY, str(file)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 129
    assert done.stderr.startswith("error: cannot write the result to stdout: No space left")
