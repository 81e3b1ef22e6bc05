"""Why the kernel refused a PTRACE_SEIZE: ptrace(2), "Ptrace access mode checking"."""

import os
from pathlib import Path

from harness.errors import TargetError, TracePermissionError
from harness.tracer.procfs import status

_CAP_SYS_PTRACE = 1 << 19


def explain(pid: int) -> TracePermissionError | TargetError:
    """Return the error that says which rule forbids tracing `pid`, and what mends it."""
    target, own = status(pid), status("self")
    if not target:
        return TargetError(f"process {pid} ended before it could be attached to")
    if tracer := int(target["TracerPid"]):
        name = status(tracer).get("Name", "ended meanwhile")
        return TracePermissionError(
            f"process {pid} is already traced, by process {tracer} ({name})",
            mend=f"end that debugger first: kill {tracer}",
        )
    capable = bool(int(own["CapEff"], 16) & _CAP_SYS_PTRACE)
    user = target["Uid"].split()[0]
    if user != str(os.geteuid()) and not capable:
        return TracePermissionError(
            f"process {pid} belongs to user {user}, you are {os.geteuid()}",
            mend="run the command as that user, or as root: sudo debugcall ...",
        )
    if (scope := yama_scope()) and not capable:
        return TracePermissionError(
            f"the kernel's yama module forbids it (ptrace_scope is {scope})",
            mend="sudo sysctl kernel.yama.ptrace_scope=0, or run as root; in a container add "
            "--cap-add=SYS_PTRACE",
        )
    if own.get("Seccomp", "0") != "0":
        return TracePermissionError(
            "a seccomp filter of this container forbids ptrace",
            mend="start the container with --cap-add=SYS_PTRACE",
        )
    return TracePermissionError(
        f"the kernel refuses to trace process {pid} (it may hold privileges that you lack, or be "
        "marked not dumpable)",
        mend="run as root: sudo debugcall ...; in a container add --cap-add=SYS_PTRACE",
    )


def yama_scope() -> int:
    """Return kernel.yama.ptrace_scope, 0 where the kernel has no yama."""
    try:
        return int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text())
    except OSError:
        return 0
