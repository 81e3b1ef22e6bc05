"""The environment of each Go command: no Go setting of the user gets through by chance."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from harness.cache import cache_folder

# What the Go command and runtime read for themselves (`go help environment`), not GOENV_ROOT.
_GO_SETTING = re.compile(r"GO[A-Z0-9]+|GO_EXTLINK_ENABLED|GCCGO\w*|CGO_\w+")


def neutral(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without one setting for Go, and with those off that have no variable.

    PATH, HOME, proxies and certificates stay. `GOENV=off` keeps out what `go env -w` stored, such
    as flags that an old release does not know; `GOTOOLCHAIN=local` keeps a command from becoming
    another release; `GOWORK=off` keeps workspaces out. XDG_CONFIG_HOME is no folder, so that Go's
    telemetry counts nothing in the user's.
    """
    kept = {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if not _GO_SETTING.fullmatch(name)
    }
    return kept | {
        "GOENV": "off",
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "XDG_CONFIG_HOME": os.devnull,
    }


def for_build(goroot: Path, *, goarch: str, gocache: Path, scratch: Path) -> dict[str, str]:
    """Return the environment of a build: offline, for Linux, without C.

    - GOMODCACHE is an empty folder: a release fetched by the Go command lives in the module cache,
      and `go build -overlay` refuses to replace files there.
    - GOCACHE is the harness's own, see `build._tools_identity`.
    - GOTMPDIR is the caller's, who removes it whatever happens.
    """
    return neutral() | {
        "GOROOT": str(goroot),
        "GOOS": "linux",
        "GOARCH": goarch,
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOPROXY": "off",
        "GOCACHE": str(gocache),
        "GOPATH": str(cache_folder("gopath")),
        "GOMODCACHE": str(cache_folder("modules")),
        "GOTMPDIR": str(scratch),
    }
