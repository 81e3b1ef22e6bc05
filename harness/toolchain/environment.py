"""The environment of a build."""

from pathlib import Path

from harness.cache import cache_folder
from harness.environment import neutral


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
