"""The environment of each Go command: nothing of the user's own Go settings gets through by chance."""

import os
from collections.abc import Mapping
from pathlib import Path

from harness.toolchain.cache import cache_folder

# Every variable that the Go command reads for itself begins so (`go help environment`).
_GO_PREFIXES = ("GO", "CGO_")


def neutral(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without one setting for Go, and with those off that have no variable.

    PATH, HOME, proxies and certificates stay. `GOENV=off` keeps out what `go env -w` stored, such as
    flags that an old release does not know; `GOTOOLCHAIN=local` keeps a command from becoming another
    release; `GOWORK=off` keeps workspaces out.
    """
    kept = {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if not name.startswith(_GO_PREFIXES)
    }
    return kept | {"GOENV": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def for_build(goroot: Path, *, goarch: str, gocache: Path, scratch: Path) -> dict[str, str]:
    """Return the environment of a build: offline, for Linux, without C.

    - GOMODCACHE is an empty folder: a release fetched by the Go command lives in the module cache, and
      `go build -overlay` refuses to replace files there.
    - GOCACHE is the harness's own, see `build._tools_identity`.
    - XDG_CONFIG_HOME keeps Go's telemetry counters out of the user's folder.
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
        "XDG_CONFIG_HOME": str(cache_folder("config")),
    }
