"""The environment of Go commands and targets: no Go setting of the user gets through by chance."""

import os
import re
from collections.abc import Mapping

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
