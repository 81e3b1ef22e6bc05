"""One Go installation."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from harness.arch import FIRST_GO, arch_for
from harness.environment import neutral
from harness.errors import InputError, Unsupported


@dataclass(frozen=True)
class Toolchain:
    """A Go installation, known by its GOROOT.

    `version` is what `go version` says: `go1.21.1`, or `devel go1.22-...` when built from a commit.
    `go` is the installation's own command, `bin/go` in its GOROOT.
    """

    goroot: Path
    version: str
    go: Path

    @property
    def language(self) -> tuple[int, int]:
        """The language version, such as (1, 21)."""
        return language_of(self.version)


def language_of(version: str) -> tuple[int, int]:
    """Return the language version in `go1.21.1`, `go1.22rc1` or `devel go1.22-...`."""
    found = re.search(r"\bgo(\d+)\.(\d+)", version)
    if found is None:
        raise Unsupported(
            f"cannot read the Go version {version!r}", mend="use a released Go: --go go1.21.1"
        )
    return int(found[1]), int(found[2])


def require_debug_calls(version: str, goarch: str | None = None) -> None:
    """Raise Unsupported if this Go has no debugCallV2 for an architecture; None: for none."""
    first, where = (arch_for(goarch).first_go, f" on linux/{goarch}") if goarch else (FIRST_GO, "")
    if language_of(version) < first:
        needed = ".".join(map(str, first))
        raise Unsupported(
            f"{version} has no debugCallV2{where}; it came with Go {needed}",
            mend=f"use Go {needed} or newer",
        )


def inspect(go: Path, goroot: Path | None = None) -> Toolchain:
    """Ask a `go` command which installation it is, without letting it become another release."""
    environ = neutral()
    if goroot is not None:
        environ["GOROOT"] = str(goroot)
    mend = "give a Go release (go1.21.1), a GOROOT or a go binary"
    try:
        answer = subprocess.run(
            [go, "env", "GOROOT", "GOVERSION"],
            env=environ,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
        ).stdout.splitlines()
    except OSError as error:
        raise InputError(f"{go} cannot be run: {error.strerror}", mend=mend) from error
    except subprocess.CalledProcessError as error:
        said = last_line(error.stderr) or f"it ends with exit code {error.returncode}"
        raise InputError(f"{go} is no Go command that works here: {said}", mend=mend) from error
    match answer:
        case [root_answer, version] if version:
            root = Path(root_answer)
        case [_, ""]:  # Go before 1.16 does not know GOVERSION
            raise Unsupported(
                f"{go} is older than Go 1.17: its runtime has no debugCallV2", mend="use a newer Go"
            )
        case _:
            raise InputError(f"{go} is no Go command", mend=mend)
    own = root / "bin" / "go"
    if not own.is_file() or not (root / "src" / "runtime").is_dir():
        raise InputError(
            f"the GOROOT {root} is not complete", mend="install Go anew: https://go.dev/doc/install"
        )
    require_debug_calls(version)
    return Toolchain(root, version, own)


def unreadable(error: OSError) -> InputError:
    """Return the error for a file of a toolchain, or of a target's sources, that cannot be read."""
    path = error.filename
    return InputError(
        f"cannot read {path}: {error.strerror}",
        mend=f"let this user read it: ls -ld {quote(os.fspath(path))}" if path else "",
    )


def last_line(output: str) -> str:
    """Return the last line that is not empty: there the Go command says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else ""
