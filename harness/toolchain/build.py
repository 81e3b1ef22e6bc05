"""Build a target once, and keep it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote

from filelock import FileLock

from harness.arch import host_goarch
from harness.cache import cache_folder, no_room, writing
from harness.errors import BuildError, HarnessError
from harness.toolchain.environment import for_build
from harness.toolchain.installation import Toolchain, require_debug_calls, unreadable
from harness.toolchain.sources import content_of, package_folder

_FIRST_WITH_BUILDVCS = (1, 18)
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END_LIMIT = 5.0  # seconds that a Go command has to end when it is interrupted
_LEAST_FREE = 1 << 20  # bytes: a disk with less is full
_SHOWN_LINES = 20  # of a compiler's output in an error


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
        key = _digest(
            _standard_library_identity(toolchain),
            _tools_identity(toolchain),
            content_of(folder),
            *(f"{old}={_file_digest(overlay[old])}" for old in sorted(overlay)),
            *flags,
            goarch,
        )
    except OSError as error:
        raise unreadable(error) from error
    home = cache_folder("targets", key)
    binary = home / folder.name
    if binary.is_file():
        return binary
    with writing(home), FileLock(home / "lock"):
        if not binary.is_file():
            with tempfile.TemporaryDirectory(prefix="build-", dir=home) as scratch:
                built = _build(toolchain, folder, overlay, flags, goarch, Path(scratch))
                built.replace(binary)
    return binary


def _build(
    toolchain: Toolchain,
    folder: Path,
    overlay: Mapping[Path, Path],
    flags: Sequence[str],
    goarch: str,
    scratch: Path,
) -> Path:
    binary = scratch / "target"
    # -trimpath: the executable does not depend on where toolchain and sources lie, so two copies of
    # a release give the same build id, and recordings carry no path of somebody's machine.
    command = [str(toolchain.go), "build", "-trimpath", "-o", str(binary)]
    if toolchain.language >= _FIRST_WITH_BUILDVCS:
        command.append("-buildvcs=false")
    if overlay:
        replace = {"Replace": {str(old): str(new) for old, new in overlay.items()}}
        mapping = scratch / "overlay.json"
        mapping.write_text(json.dumps(replace))
        command += ["-overlay", str(mapping)]
    environ = for_build(
        toolchain.goroot,
        goarch=goarch,
        gocache=cache_folder("gocache", _tools_identity(toolchain)),
        scratch=scratch,
    )
    code, output = _run([*command, *flags, "."], environ, folder)
    if code != 0:
        raise _failure(folder, toolchain, output, scratch)
    return binary


def _run(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """Run a Go command; return its exit code and what it said. What it started ends with it."""
    # No interrupt comes between the start and the `try`: nobody would end the command.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        with subprocess.Popen(
            command,
            env=environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),  # noqa: PLW1509 - there are no threads
        ) as process:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                output, _ = process.communicate()
            except BaseException:
                _end_group(process)
                raise
    except OSError as error:
        raise BuildError(
            f"{command[0]} does not run: {error.strerror}", mend="install this Go anew"
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return process.returncode, output


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a Go command and its compilers; it waits for them and removes what it has written."""
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(_END_LIMIT)
    finally:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)


def _failure(folder: Path, toolchain: Toolchain, output: str, scratch: Path) -> HarnessError:
    # A Go command that cannot write to its caches does not always say so.
    full = shutil.disk_usage(scratch).free < _LEAST_FREE
    if full or "no space left on device" in output or "disk quota exceeded" in output:
        return no_room(scratch)
    lines = output.strip().splitlines()
    left_out = len(lines) - _SHOWN_LINES
    if left_out > 0:
        lines = [*lines[:_SHOWN_LINES], f"... {left_out} more lines"]
    said = "\n".join(lines) or "the Go command said nothing"
    return BuildError(
        f"{folder.name} does not build with {toolchain.version}:\n{said}",
        mend="see whether this Go builds it by hand: "
        f"cd {quote(str(folder))} && {quote(str(toolchain.go))} build -o /dev/null .",
    )


def _tools_identity(toolchain: Toolchain) -> str:
    """Return what tells this toolchain's commands from all others.

    It names GOCACHE too. Go's build cache tells released compilers apart by their version only, and
    those of a bootstrap not at all (cmd/go/internal/work/buildid.go, toolID): in the user's cache
    the objects of a changed compiler would get into other builds, and others' into ours.
    """
    tools = sorted((toolchain.goroot / "pkg" / "tool").glob("*/*"))
    return _digest(toolchain.version, *(_stamp(path) for path in [toolchain.go, *tools]))


def _standard_library_identity(toolchain: Toolchain) -> str:
    """Return a digest over path, size and time of change of the library's sources.

    Times stand for contents here: that takes 20 ms. A copy of a toolchain is built anew, once.
    """
    return _digest(*sorted(_stamps_below(str(toolchain.goroot / "src"))))


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


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
