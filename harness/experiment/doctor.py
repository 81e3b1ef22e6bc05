"""Can a check run here? Each thing that it needs is tried, and what is missing gets its mend."""

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec

from harness.arch import Arch, arch_for, host_goarch
from harness.arch.binding import PtraceError
from harness.cache import MORE_ROOM, cache_folder, writing
from harness.environment import neutral
from harness.errors import HarnessError, TracePermissionError, Unsupported
from harness.toolchain import find_toolchain
from harness.tracer import Kind, Process
from harness.tracer.permission import yama_scope
from harness.vm.image import is_made
from harness.vm.qemu import QEMU, require_qemu

PROBE_LIMIT = 5.0
"""Seconds until a child must have come by its breakpoint."""
ROOM = 300_000_000
"""Bytes in the cache for a toolchain: measured 150 MB of objects, and two executables."""

_BLOCK = 512  # bytes in a unit of st_blocks: stat(2)
_SECCOMP = {"0": "no filter", "1": "strict mode", "2": "a filter, as containers have"}
_YAMA = (  # Documentation/admin-guide/LSM/Yama.rst
    "any process of the same user may be traced",
    "only processes that are started here may be traced: `check` and `run` work, `attach` does not",
    "only a process with CAP_SYS_PTRACE may trace",
    "nothing may be traced until the next boot",
)


class Item(msgspec.Struct, frozen=True):
    """One thing that was looked at. `exit_code` is what a check without it ends in, else 0."""

    name: str
    text: str
    mend: str = ""
    exit_code: int = 0


def examine() -> Iterator[Item]:
    """Look at everything, one after another; what is missing stops nothing."""
    system = platform.uname()
    yield Item("python", platform.python_version())
    yield Item("kernel", f"{system.system} {system.release}")
    yield _tried("architecture", lambda: _arch().name)
    yield _tried("tracing", _tracing)
    yield _yama()
    yield Item("seccomp", _SECCOMP.get(_own_status("Seccomp"), "not in this kernel"))
    go = _tried("go", _go)
    yield go
    if not go.exit_code:  # the Go command knows where the others are
        yield _tried("releases", _releases)
    yield _tried("cache", _cache)
    yield msgspec.structs.replace(_tried("guest", _guest), exit_code=0)  # for --vm only


def _tried(name: str, look: Callable[[], str]) -> Item:
    try:
        return Item(name, look())
    except TracePermissionError as error:
        return Item(name, error.message, error.mend, error.exit_code)
    except HarnessError as error:
        return Item(name, error.message, error.mend, Unsupported.exit_code)


def _arch() -> Arch:
    return arch_for(host_goarch())


def _tracing() -> str:
    """Attach to a child and have it stop at a hardware breakpoint."""
    arch = _arch()
    getppid = ctypes.CDLL(None).getppid
    gate, release = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(release)
            os.read(gate, 1)
            getppid()
        finally:
            os._exit(0)
    os.close(gate)
    try:
        with Process.attach(child, arch) as process:
            _stop_at(process, ctypes.cast(getppid, ctypes.c_void_p).value, release)
    finally:
        os.close(release)
        with suppress(ChildProcessError):  # it may have been reaped while it was traced
            os.waitpid(child, 0)
    return "a child process can be attached to and stops at a hardware breakpoint"


def _stop_at(process: Process, address: int | None, release: int) -> None:
    try:
        process.set_breakpoint_everywhere(0, address)
    except PtraceError as error:
        raise _no_breakpoints(str(error)) from None
    process.resume_all()
    os.write(release, b"x")
    stop = process.wait(monotonic() + PROBE_LIMIT * process.scale)
    if stop is None or stop.kind is not Kind.BREAKPOINT:
        raise _no_breakpoints("one was set, and a thread ran over it")


def _no_breakpoints(why: str) -> Unsupported:
    return Unsupported(
        f"processes can be traced, but hardware breakpoints do not work: {why}",
        mend="use a machine, or a virtual machine, that has them; some sandboxes do not",
    )


def _yama() -> Item:
    scope = yama_scope()
    if scope is None:
        return Item("yama", "not in this kernel: it forbids nothing")
    mend = "sudo sysctl kernel.yama.ptrace_scope=0" if 0 < scope < len(_YAMA) - 1 else ""
    if not os.geteuid():
        mend = ""
    return Item("yama", f"ptrace_scope is {scope}: {_YAMA[scope]}", mend)


def _own_status(key: str) -> str:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    return ""


def _go() -> str:
    found = find_toolchain()
    return f"{found.version} in {found.goroot}"


def _releases() -> str:
    """Name the releases that the Go command has fetched: they need no network any more."""
    asked = subprocess.run(
        [find_toolchain().go, "env", "GOMODCACHE"],
        env=neutral() | {"GOENV": os.environ.get("GOENV", "")},
        capture_output=True,
        text=True,
        check=False,
    )
    folder = Path(os.environ.get("GOMODCACHE") or asked.stdout.strip() or "/nonexistent")
    pattern = f"toolchain@v0.0.1-go*.linux-{host_goarch()}"
    names = [path.name for path in (folder / "golang.org").glob(pattern)]
    versions = {name.partition("-go")[2].rpartition(".linux-")[0] for name in names}
    return " ".join(sorted(versions, key=_numbers)) or f"none is fetched yet, in {folder}"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.replace("rc", ".").replace("beta", ".").split(".")]


def _cache() -> str:
    folder = cache_folder()
    with writing(folder), tempfile.NamedTemporaryFile(dir=folder):
        free = shutil.disk_usage(folder).free
    sizes = f"{_used(folder) / 1e9:.1f} GB used, {free / 1e9:.1f} GB free"
    if free < ROOM:
        raise HarnessError(
            f"{folder}: {sizes}; what a toolchain builds takes up to {ROOM / 1e9:.1f} GB",
            mend=f"{MORE_ROOM}; all that the cache holds may be deleted",
        )
    return f"{folder}: {sizes}; it may be deleted at any time"


def _guest() -> str:
    require_qemu()
    made = "it is in the cache" if is_made() else "it is made when first used, of 40 MB to fetch"
    return f"{QEMU} can run an arm64 one (check --vm); {made}"


def _used(folder: Path) -> int:
    """Return how many bytes the files below a folder take."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):  # a command that runs meanwhile may remove it
                total += os.lstat(os.path.join(parent, name)).st_blocks * _BLOCK  # noqa: PTH118 - ten times as quick
    return total
