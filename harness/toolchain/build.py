"""Build a target once, and keep it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote

from harness.arch import host_goarch
from harness.cache import built_once, cache_folder, digest
from harness.toolchain.environment import for_build
from harness.toolchain.go_command import failure, run_command
from harness.toolchain.installation import Toolchain, require_debug_calls, unreadable
from harness.toolchain.sources import content_of, package_folder

_FIRST_WITH_BUILDVCS = (1, 18)


def build_target(
    toolchain: Toolchain,
    source: Path | str,
    *,
    overlay: Mapping[Path, Path] | None = None,
    flags: Sequence[str] = (),
    goarch: str | None = None,
) -> Path:
    """Build a main package for Linux, without C; return the path of the executable.

    `source` is the name of a folder under gotargets (`caller`) or the path of one elsewhere.
    `overlay` maps files of the toolchain to those that replace them; `flags` go to `go build`;
    `goarch` is what it is to run on, None for this machine. The executable stays in the cache under
    a key of all that it is made from, so it is built once, also when several processes ask at the
    same time. Raises BuildError with what the Go command said.
    """
    goarch = goarch or host_goarch()
    require_debug_calls(toolchain.version, goarch)
    folder = package_folder(source)
    overlay = overlay or {}
    try:
        key = digest(
            _standard_library_identity(toolchain),
            _tools_identity(toolchain),
            content_of(folder),
            *(f"{old}={_file_digest(overlay[old])}" for old in sorted(overlay)),
            *flags,
            goarch,
        )
    except OSError as error:
        raise unreadable(error) from error

    def build(scratch: Path) -> Path:
        replaced = ["-overlay", str(_overlay_file(overlay, scratch))] if overlay else []
        gocache = cache_folder("gocache", _tools_identity(toolchain))
        environ = for_build(toolchain.goroot, goarch=goarch, gocache=gocache, scratch=scratch)
        return go_build(toolchain, folder, [*replaced, *flags], environ, scratch)

    return kept_target(key, folder.name, build)


def kept_target(key: str, name: str, build: Callable[[Path], Path]) -> Path:
    """Return the executable kept under a key; if there is none, `build` makes it in a folder."""

    def fill(out: Path) -> None:
        with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
            build(Path(scratch)).rename(out / name)

    return built_once("targets", key, build=fill) / name


def go_build(
    toolchain: Toolchain,
    folder: Path,
    flags: Sequence[str],
    environ: Mapping[str, str],
    scratch: Path,
) -> Path:
    """Run `go build` on the package in a folder; return the path of the executable in `scratch`."""
    binary = scratch / "target"
    # -trimpath: the executable does not depend on where toolchain and sources lie, so two copies of
    # a release give the same build id, and recordings carry no path of somebody's machine.
    command = [str(toolchain.go), "build", "-trimpath", "-o", str(binary)]
    if toolchain.language >= _FIRST_WITH_BUILDVCS:
        command.append("-buildvcs=false")
    code, output = run_command([*command, *flags, "."], environ, folder)
    if code != 0:
        raise failure(
            f"{folder.name} does not build with {toolchain.version}",
            output,
            scratch,
            "see whether this Go builds it by hand: "
            f"cd {quote(str(folder))} && {quote(str(toolchain.go))} build -o /dev/null .",
        )
    return binary


def _overlay_file(overlay: Mapping[Path, Path], scratch: Path) -> Path:
    mapping = scratch / "overlay.json"
    replace = {str(old): str(new) for old, new in overlay.items()}
    mapping.write_text(json.dumps({"Replace": replace}))
    return mapping


def _tools_identity(toolchain: Toolchain) -> str:
    """Return what tells this toolchain's commands from all others.

    It names GOCACHE too. Go's build cache tells released compilers apart by their version only, and
    those of a bootstrap not at all (cmd/go/internal/work/buildid.go, toolID): in the user's cache
    the objects of a changed compiler would get into other builds, and others' into ours.
    """
    tools = sorted((toolchain.goroot / "pkg" / "tool").glob("*/*"))
    return digest(toolchain.version, *(_stamp(path) for path in [toolchain.go, *tools]))


def _standard_library_identity(toolchain: Toolchain) -> str:
    """Return a digest over path, size and time of change of the library's sources.

    Times stand for contents here: that takes 20 ms. A copy of a toolchain is built anew, once.
    """
    return digest(*sorted(_stamps_below(str(toolchain.goroot / "src"))))


def _stamps_below(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "_")):
                continue  # the Go command ignores these, and an editor's lock is a link to nowhere
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in {"cmd", "testdata"}:
                    yield from _stamps_below(entry.path)
            elif entry.name.endswith((".go", ".s", ".h")) and not entry.name.endswith("_test.go"):
                yield _stamp(entry)


def _stamp(path: Path | os.DirEntry[str]) -> str:
    status = path.stat()
    return f"{os.fspath(path)}:{status.st_size}:{status.st_mtime_ns}"


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
