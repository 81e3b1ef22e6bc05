"""Output that cannot be written is told before anything is done, whichever command writes it."""

from pathlib import Path

import pytest

from harness.cli import main
from tests.clones import commit, start
from tests.unit.cli.recordings import write

REFUSED = "/sys/nobody-may"  # root neither: sysfs has no files that are made by hand


def why_refused() -> str:
    """Return what is said of that: a container has sysfs read-only."""
    with pytest.raises(OSError, match=REFUSED) as caught:
        Path(REFUSED).touch()
    return str(caught.value.strerror)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str]:
    assert main(list(map(str, arguments))) == 129
    out, err = capsys.readouterr()
    assert out == ""
    said, mend = err.splitlines()[-2:]
    return said, mend


@pytest.mark.parametrize(
    ("place", "why", "mend"),
    [
        (REFUSED, why_refused(), "give another name"),
        ("{}", "Is a directory", "give the name of a file in it"),
        ("{}/no/file", "No such file or directory", "mkdir -p {}/no"),
        ("{}/r/file", "Not a directory", "give another name"),
        ("/dev/full", "No space left on device", "df -h /dev; or give another name"),
    ],
)
@pytest.mark.parametrize("option", ["--html", "--trace"])
def test_reports(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    option: str,
    place: str,
    why: str,
    mend: str,
) -> None:
    file, place = write(tmp_path / "r", "m"), place.format(tmp_path)
    assert refused(capsys, "show", option, place, file) == (
        f"error: cannot write {place}: {why}",
        f"mend: {mend.format(tmp_path)}",
    )


@pytest.mark.parametrize("place", [REFUSED, "/sys"])
def test_the_recordings_of_a_matrix(capsys: pytest.CaptureFixture[str], place: str) -> None:
    said, mend = refused(capsys, "matrix", "--go", "/missing", "--record", place)
    assert said.startswith(f"error: cannot write to {place}: ")
    assert mend == "mend: give a folder that can be written to"


@pytest.mark.parametrize("place", [REFUSED, "/sys"])
def test_what_a_bisection_keeps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, place: str
) -> None:
    clone = start(tmp_path / "clone")
    old, new = (commit(clone, name, src__runtime__proc_DOT_go=name) for name in ("old", "new"))
    ends = ("--repo", clone, "--old", old, "--new", new)
    said, mend = refused(capsys, "bisect", *ends, "--out", place)
    assert said.startswith(f"error: cannot write to {place}: ")
    assert mend == "mend: give a folder that can be written to"


def test_the_cache(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", REFUSED)
    assert main(["toolchains", "list"]) == 132
    said, mend = capsys.readouterr().err.splitlines()[-2:]
    assert said.startswith(f"error: cannot write to the cache {REFUSED}/debugcall-harness: ")
    assert mend.startswith("mend: make it writable, or set XDG_CACHE_HOME")
