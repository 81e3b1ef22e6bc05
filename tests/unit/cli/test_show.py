import re
from pathlib import Path

import msgspec
import pytest

from harness.cli import main
from harness.recording import Hold, Preempt, Recorder, Release
from tests import recordings
from tests.unit.cli.conftest import Script
from tests.unit.cli.recordings import WHOLE, write


def show(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["show", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_first_call_with_a_finding_is_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = show(capsys, write(tmp_path / "r", "rrmr"))
    assert (code, err) == (0, "")
    assert out.startswith(f"FAIL  go1.27.3  {tmp_path / 'r'}\n")
    assert "\ncall 2 of 4, delay: MIGRATED\n" in out
    assert "main.add(2, 3), injected into goroutine 7 at main.round\n" in out
    assert "THE CALL MOVES to 102" in out
    assert "Thread 102 took the call goroutine and ran it." in out
    assert "✗ thread-until-dispatch: injected into thread 101, dispatched on thread 102\n" in out
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_else_the_first_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, out, _ = show(capsys, write(tmp_path / "r", "rr"))
    assert out.startswith("PASS  go1.27.3")
    assert "\ncall 0 of 2, delay: REFUSED\n" in out
    assert "handed it back: the call stayed" in out
    assert "✗" not in out


def test_a_call_can_be_chosen(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = write(tmp_path / "r", "rrmr")
    _, out, _ = show(capsys, "--call", 3, file)
    assert "\ncall 3 of 4, delay: REFUSED\n" in out
    assert "✗" not in out
    page = tmp_path / "p.html"
    code, out, err = show(capsys, "--call", 4, "--html", page, file)
    assert (code, out, page.exists()) == (129, "", False)
    assert err == f"error: {file} has no call 4\nmend: give --call a number up to 3\n"


def test_a_call_beyond_the_findings_of_a_verdict_keeps_its_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, out, _ = show(capsys, "--call", 8, write(tmp_path / "r", "m" * 9))
    assert "✗ thread-until-dispatch: injected into thread 101" in out


def test_several_are_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, out, _ = show(capsys, write(tmp_path / "a", "mm"), write(tmp_path / "b", "rr"))
    assert out.index("MIGRATED") < out.index("REFUSED")
    *_, head, broken, fixed = out.splitlines()
    told = [" ".join(line.split()) for line in (head, broken, fixed)]
    assert told == [
        "call goroutine another thread dispatched on moved",
        "go1.27.3 NOT LOCKED 102 ran it 102, NOT on 101 2 of 2",
        "go1.27.3 locked 102 handed it back 101, as injected 0 of 2",
    ]


def test_no_line_is_longer_than_80(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    highest = 1 << 22  # what Linux gives at most (PID_MAX_LIMIT)
    files = []
    for name, call in (("a", recordings.migrated()), ("b", recordings.refused())):
        call[3:3] = [Preempt(t=15, call=0, tid=tid, by="sysmon") for tid in (103, 104)]
        files.append(tmp_path / name)
        with Recorder(files[-1]) as recorder:
            recorder.add(recordings.HEADER)
            for event in call:
                tid = highest - event.tid  # type: ignore[union-attr]
                recorder.add(msgspec.structs.replace(event, tid=tid))
            recorder.add_all(WHOLE)
    _, out, _ = show(capsys, *files)
    lines = [line for line in out.splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) <= 80
    assert sum(f"THE CALL MOVES to {highest - 102}" in line for line in lines) == 1
    told = " ".join(" ".join(lines[-4:]).split())
    assert f"{highest - 102} ran it {highest - 102}, NOT on 1 of 1 {highest - 101}" in told


def test_what_breaks_off_is_shown_as_far_as_it_goes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write(tmp_path / "r", "r", end=())
    whole = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(whole[:4]) + whole[4][:9])
    code, out, _ = show(capsys, file)
    assert code == 0
    assert "the recording breaks off after 0 whole injections" in out
    assert "asked to yield" in out
    assert "\nhere the recording breaks off\n" in out
    assert "held" not in out


def test_a_recording_without_calls(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file, other = write(tmp_path / "r", ""), write(tmp_path / "s", "r")
    code, out, _ = show(capsys, file)
    assert code == 0
    assert out.splitlines()[1:] == ["nothing could be injected"]
    code, out, _ = show(capsys, file, other)
    assert (code, out.splitlines()[-2].split()) == (0, ["go1.27.3", "0", "of", "0"])
    assert show(capsys, "--call", 0, file)[0] == 129


def test_a_page_is_not_written_over_by_a_trace(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, both = write(tmp_path / "r", "r"), tmp_path / "both"
    assert show(capsys, "--trace", both, "--html", tmp_path / "." / "both", file)[0] == 129
    assert not both.exists()


@pytest.mark.parametrize("files", [[], [""], ["missing"], ["."]])
def test_wrong_input(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = show(capsys, *files)
    assert (code, out) == (129, "")
    assert err.startswith("error: ")
    assert "\nmend: " in err


def test_a_newer_format(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b'{"event":"header","format":999}\n')
    code, _, err = show(capsys, tmp_path / "r")
    assert code == 129
    assert "\nmend: install a newer debugcall-harness" in err


def test_hostile_names_are_spelt_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    header = recordings.altered([recordings.HEADER], type(recordings.HEADER), command=("\x1b[2J",))
    target = recordings.HEADER.target.__class__(
        (), 1, "", "", "", launched=False, toolchain="\x1b[H"
    )
    header = recordings.altered(header, type(recordings.HEADER), target=target)
    with Recorder(tmp_path / "r") as recorder:
        recorder.add_all([*header, *recordings.migrated()])
    for command in ("show", "verify"):
        main([command, str(tmp_path / "r")])
        assert "\x1b" not in capsys.readouterr().out


TERMINAL = """
import os, pty, sys, fcntl, struct, termios
from harness.cli import main
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
os.dup2(slave, 1)
sys.stdout = open(1, "w", closefd=False)
code = main(["show", *sys.argv[2:]])
sys.stderr.write(os.read(master, 100000).decode())
"""


def test_a_wide_terminal_has_two_side_by_side(tmp_path: Path, python: Script) -> None:
    files = [str(write(tmp_path / "a", "m")), str(write(tmp_path / "b", "r"))]
    for columns, abreast in (("163", False), ("164", True)):
        out = python(TERMINAL, columns, *files, NO_COLOR="1").stderr
        assert any("MIGRATED" in line and "REFUSED" in line for line in out.splitlines()) is abreast


@pytest.mark.parametrize("no_colour", [False, True])
def test_colour_is_for_terminals(tmp_path: Path, python: Script, *, no_colour: bool) -> None:
    environ = {"NO_COLOR": "1"} if no_colour else {}
    out = python(TERMINAL, "80", str(write(tmp_path / "r", "m")), **environ).stderr
    assert ("\x1b[1;31mTHE CALL MOVES" in out) is not no_colour
    assert "THE CALL MOVES to 102" in out


@pytest.mark.parametrize("command", ["show", "verify"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_signs_that_an_encoding_lacks_are_replaced(
    tmp_path: Path, python: Script, command: str, encoding: str
) -> None:
    source = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    done = python(source, command, str(write(tmp_path / "r", "m")), PYTHONIOENCODING=encoding)
    assert done.returncode == (0 if command == "show" else 1)
    assert "+=========>       THE CALL MOVES to 102\n" in done.stdout


DOCUMENT = Path(__file__).parents[3] / "docs" / "show.md"


def masked(line: str) -> str:
    """Return a line without its numbers, and without the width of columns."""
    return " ".join(re.sub(r"[0-9]+(\.[0-9]+)*", "N", line).split())


def test_the_pictures_in_the_documentation_are_those_that_are_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    moved = recordings.migrated()
    moved.insert(6, Release(t=45, call=0, tid=recordings.INJECTING, why="dispatched"))
    kept = [event for event in recordings.refused() if not isinstance(event, Hold | Release)]
    for name, call in (("go1.21.1.jsonl", moved), ("go1.22.0.jsonl", kept)):
        with Recorder(tmp_path / name) as recorder:
            recorder.add_all(recordings.recording(call).events)
    _, out, _ = show(capsys, *sorted(tmp_path.iterdir()))
    drawn = {masked(line.replace(f"{tmp_path}/", "")) for line in out.splitlines()}
    blocks = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("    ")]
    pictures = [masked(line) for line in blocks if not line.strip().startswith("debugcall ")]
    # These tell how many calls there were, and break where their numbers are longer.
    loose = re.compile(r"in N cases$|were refused$|^Thread N took|^thread N|^another one")
    assert {line for line in pictures if not loose.search(line)} <= drawn
    assert len(pictures) > 35
