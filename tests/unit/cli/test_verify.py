import json
import os
import re
from pathlib import Path

import pytest

from harness.cli import main
from harness.recording import Exited
from tests.unit.cli.conftest import Script
from tests.unit.cli.recordings import write


def verify(capsys: pytest.CaptureFixture[str], file: Path, *options: str) -> tuple[int, str, str]:
    code = main(["verify", *options, str(file)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_pass(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = verify(capsys, write(tmp_path / "r", "r" * 10))
    assert code == 0
    assert out.startswith("pass  go1.27.3: 10 thefts of the call goroutine were tried")
    assert "0 migrated, 10 refused, 0 uncontested (100.0 % contested)" in out
    assert "locked to its thread in 10/10 calls" in out
    assert "recorded by: debugcall check\n" in out
    assert err == ""


def test_a_migration_is_told_line_by_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write(tmp_path / "r", "rrmr")
    code, out, _ = verify(capsys, file)
    assert code == 1
    assert out.startswith("fail  go1.27.3: ")
    assert "first detection: injection 2, 2.1 ms after the first injection" in out
    assert (
        "thread-until-dispatch (once): injection 2: injected into thread 101, dispatched on "
        "thread 102\n" in out
    )
    assert "    0.000     ●                 inject main.add(2, 3)\n" in out
    assert (
        "    0.010     ✗                 the call goroutine begins            NOT LOCKED\n" in out
    )
    assert "              ╚═════════▶       THE CALL MOVES to 102\n" in out
    assert f"recording: {file}\n" in out


def test_json_is_one_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = verify(capsys, write(tmp_path / "r", "rm"), "--json")
    document = json.loads(out)
    assert code == document["exit_code"] == 1
    (check,) = document["checks"]
    assert check["toolchain"] == "go1.27.3"
    assert check["result"] == "fail"
    assert check["command"] == "debugcall check"
    assert check["verdict"]["counts"]["delay"]["migrated"] == 1
    assert check["verdict"]["breaches"][0]["first"][0]["events"][0]["event"] == "inject"
    assert err == ""


def test_of_several_the_worst_decides(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [write(tmp_path / "a", "rrm"), write(tmp_path / "b", "rr"), tmp_path / "c"]
    code = main(["verify", *map(str, files[:2])])
    said = capsys.readouterr().out
    assert code == 1
    for result, file in (("fail", files[0]), ("pass", files[1])):
        assert re.search(rf"^{result}  go1\.27\.3: .*\n  recording: {file}$", said, re.MULTILINE)
    assert main(["verify", "--json", *map(str, files)]) == 129
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 129
    assert [check.get("result") for check in document["checks"]] == ["fail", "pass", None]


@pytest.mark.parametrize("cut", ["after an injection", "in a line", "in an injection"])
@pytest.mark.parametrize("outcomes", ["rrrr", "mrrr"])
def test_what_breaks_off_is_judged_as_far_as_it_goes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, cut: str, outcomes: str
) -> None:
    file = write(tmp_path / "r", outcomes, end=())
    lines = file.read_bytes().splitlines(keepends=True)
    if cut != "after an injection":
        lines = lines[:-3]
    if cut == "in a line":
        lines[-1] = lines[-1][:10]
    file.write_bytes(b"".join(lines))
    code, out, _ = verify(capsys, file)
    seen = 4 if cut == "after an injection" else 3
    assert code == (1 if "m" in outcomes else 125)
    assert f"the recording breaks off after {seen} whole injections" in out
    assert "protocol-order" not in out, "the cut was taken for a call that never ended"


def test_a_call_that_never_ended_is_no_cut(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write(tmp_path / "r", "rr")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:-4], *lines[-2:]]))
    code, out, _ = verify(capsys, file)
    assert code == 1
    assert "protocol-order (once): injection 1" in out


def test_a_target_that_died(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = verify(capsys, write(tmp_path / "r", "r", end=(Exited(t=9, signal=11),)))
    assert code == 1
    assert "the target ended by signal 11, SIGSEGV" in out
    assert "the target ended by signal 11, SIGSEGV" in out.splitlines()[-3]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no recording"),
        (b"\n", "is no recording"),
        (b"package main\n", "is no recording"),
        (b'{"event":"exited","t":1}\n', "is no recording"),
        (b'{"event":"header","format":999}\n', "has recording format 999"),
        (b'{"event":"header","format":"1"}\n', "its format is no number"),
        (b'{"event":"header","format":1}\n', "line 1: no event of a recording"),
        (b"\x7fELF\x00\xff\xfe\n\xff\n", "is no recording"),
        (b"[" * 100_000 + b"\n", "is no recording"),
    ],
)
def test_what_is_no_recording(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "r"
    file.write_bytes(content)
    code, out, err = verify(capsys, file)
    assert (code, out) == (129, "")
    assert err.startswith(f"error: {file}")
    assert said in err
    code, out, _ = verify(capsys, file, "--json")
    document = json.loads(out)
    assert code == document["exit_code"] == 129
    assert said in document["checks"][0]["error"]


@pytest.mark.parametrize("field", ["format", "event", "toolchain"])
def test_nothing_of_a_recording_speaks_to_the_terminal_or_to_github(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, field: str
) -> None:
    file = write(tmp_path / "r", "rr")
    header, *others = file.read_text().splitlines()
    fields = json.loads(header)
    (fields["target"] if field == "toolchain" else fields)[field] = "\x1b[31m\n::error::hi"
    line = json.dumps(fields)
    # The name of an event is in the header, too, where it would be no recording at all.
    lines = [header, line, *others] if field == "event" else [line, *others]
    file.write_text("\n".join(lines) + "\n")
    main(["verify", str(file), str(file)])
    said = capsys.readouterr()
    assert "hi" in said.out + said.err or field == "format"
    assert "\x1b" not in said.out + said.err
    assert "\n::" not in said.out + said.err


def test_a_name_that_is_no_utf8_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = write(tmp_path / os.fsdecode(b"\xff.jsonl"), "rr")
    code, out, _ = verify(capsys, file, "--json")
    assert code == 0
    assert json.loads(out)["checks"][0]["recording"] == str(file)


def test_a_time_beyond_all_time_is_damage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write(tmp_path / "r", "r")
    text = file.read_text()
    file.write_text(text.replace('"event":"trap","t":', f'"event":"trap","t":1{"0" * 400}', 1))
    code, _, err = verify(capsys, file)
    assert code == 129
    assert "no event of a recording: Expected `int` <= 9007199254740991 - at `$.t`\n" in err


def test_a_path_in_the_table_costs_no_figure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / ("a" * 250)
    main(["verify", str(missing), str(write(tmp_path / "r", "rr"))])
    head, *rows = capsys.readouterr().out.splitlines()[-10:]
    table = "\n".join([head, *rows])
    assert "…" not in table
    assert "error 129" in table
    assert rows[-1].split()[:6] == ["go1.27.3", "pass", "2", "0", "2", "0"]
    assert max(map(len, rows)) < 170


def test_a_newer_format_names_its_mend(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "r"
    file.write_bytes(b'{"event":"header","format":999}\n')
    _, _, err = verify(capsys, file)
    assert "\nmend: install a newer debugcall-harness" in err


@pytest.mark.parametrize("place", ["missing", "."])
def test_a_file_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, place: str
) -> None:
    code, out, err = verify(capsys, tmp_path / place)
    assert (code, out) == (129, "")
    assert err.startswith("error: cannot read")
    assert "\nmend: ls -l" in err


def test_neither_tracer_nor_go_is_imported(python: Script, tmp_path: Path) -> None:
    source = """
import sys
from harness.cli import main
code = main(["verify", sys.argv[1]])
unwanted = ("ptrace", "harness.tracer", "harness.arch", "harness.gobinary", "harness.toolchain",
            "harness.schedule", "capstone", "elftools", "filelock", "subprocess")
print(*(name for name in unwanted if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""
    done = python(source, str(write(tmp_path / "r", "rm")))
    assert done.stderr.strip() == ""
    assert done.returncode == 1


@pytest.mark.parametrize("no_colour", [False, True])
def test_colour_is_for_terminals(tmp_path: Path, python: Script, *, no_colour: bool) -> None:
    source = """
import os, pty, sys
from harness.cli import main
master, slave = pty.openpty()
os.dup2(slave, 1)
sys.stdout = open(1, "w", closefd=False)
code = main(["verify", sys.argv[1]])
sys.stderr.write(repr(os.read(master, 20)))
"""
    file = str(write(tmp_path / "r", "m"))
    done = python(source, file, **({"NO_COLOR": "1"} if no_colour else {}))
    assert ("\\x1b[1;31mfail" in done.stderr) is not no_colour, done.stderr
    assert "fail" in done.stderr
