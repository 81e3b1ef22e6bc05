"""Fetch a Go release by the Go command's own GOTOOLCHAIN mechanism (go.dev/doc/toolchain).

It downloads from the module proxy, checks against the checksum database, and keeps the release in
the module cache, where the user's own Go finds it too.
"""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.arch import host_goarch
from harness.cache import cache_folder
from harness.environment import neutral
from harness.errors import HarnessError, InputError, NoSuchRelease
from harness.toolchain.installation import Toolchain, inspect

FIRST_WITH_PATCH_ZERO = 21  # 1.20 is a release; since Go 1.21 the first one is called 1.21.0
FIRST_FETCHING = (1, 21)  # the first release that knows GOTOOLCHAIN

# Where companies say how modules are to be had: honoured whether they stand in the environment or
# in the file of `go env -w`. Nothing else of that file is.
_DOWNLOAD_SETTINGS = (
    "GOAUTH",
    "GOINSECURE",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
)


def fetch(version: str, fetcher: Toolchain) -> Toolchain:
    """Return the release `version` (`go1.21.1`); `fetcher` downloads it if it is not here yet."""
    environ = _download_environment(fetcher) | {"GOTOOLCHAIN": version}
    done = _run([str(fetcher.go), "env", "GOROOT"], environ)
    if done.returncode != 0:
        raise _failure(version, done.stderr, environ.get("GOPROXY"))
    goroot = Path(done.stdout.strip())
    fetched = inspect(goroot / "bin" / "go", goroot)
    if fetched.version.split()[0] != version:
        raise HarnessError(
            f"asked for {version}, got {fetched.version} in {goroot}",
            mend="remove that folder and try again",
        )
    return fetched


def releases(fetcher: Toolchain) -> Sequence[str]:
    """Return the names of all releases that can be fetched for this machine, the oldest first.

    A module proxy lists what was asked for before. Go numbers its releases without gaps.
    """
    command = [str(fetcher.go), "list", "-m", "-versions", "golang.org/toolchain"]
    environ = _download_environment(fetcher) | {"GO111MODULE": "on", "GOFLAGS": "-mod=mod"}
    done = _run(command, environ)
    if done.returncode != 0:
        raise _failure("the list of releases", done.stderr, environ.get("GOPROXY"))
    form = rf"v\d[\d.]*-go1\.(\d+)(?:\.(\d+))?\.linux-{host_goarch()}"
    found = (re.fullmatch(form, word, re.ASCII) for word in done.stdout.split())
    last = dict(sorted((int(match[1]), int(match[2] or 0)) for match in found if match))
    return [_name(minor, patch) for minor in sorted(last) for patch in range(last[minor] + 1)]


def _name(minor: int, patch: int) -> str:
    bare = patch == 0 and minor < FIRST_WITH_PATCH_ZERO
    return f"go1.{minor}" if bare else f"go1.{minor}.{patch}"


def _download_environment(fetcher: Toolchain) -> dict[str, str]:
    # Credentials, and the file of `go env -w`, are found by way of the user's XDG_CONFIG_HOME.
    clean = neutral() | {
        "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", ""),
        "GOROOT": str(fetcher.goroot),
    }
    own = {name: os.environ[name] for name in (*_DOWNLOAD_SETTINGS, "GOPATH") if name in os.environ}
    asked = _run(
        [str(fetcher.go), "env", "-json", *_DOWNLOAD_SETTINGS],
        clean | own | {"GOENV": os.environ.get("GOENV", "")},
    )
    settings: dict[str, str] = json.loads(asked.stdout) if asked.returncode == 0 else own
    environ = clean | {name: value for name, value in settings.items() if value}
    if not environ.get("GOMODCACHE"):  # without HOME Go knows no place of its own
        environ["GOMODCACHE"] = str(cache_folder("releases"))
    environ.setdefault("GOPATH", str(cache_folder("gopath")))
    return environ


def _run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environ,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _failure(version: str, output: str, goproxy: str | None) -> HarnessError:
    if goproxy == "off":
        return InputError(
            f"{version} is not on this machine, and GOPROXY=off forbids to fetch it",
            mend="set GOPROXY to where Go may download from; or give a GOROOT that is here already",
        )
    # The message begins at the last line of the command's own; a server's answer may follow it.
    begin = max(output.rfind("\ngo: "), 0)
    said = "; ".join(line.strip() for line in output[begin:].splitlines() if line.strip())
    if "not available" in said or "invalid toolchain" in said:
        return NoSuchRelease(
            f"there is no Go release {version} to be had for this machine: {said}",
            mend="give one of https://go.dev/dl/, such as go1.21.1",
        )
    return HarnessError(
        f"cannot fetch {version}: {said}",
        mend="check the network and GOPROXY, then try again; or give a GOROOT that is here already",
    )
