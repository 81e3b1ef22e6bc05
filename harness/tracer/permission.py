"""Why the kernel refused a PTRACE_SEIZE: ptrace(2), "Ptrace access mode checking"."""

import os
from pathlib import Path

from harness.errors import TargetError, TracePermissionError
from harness.tracer.procfs import status

_CAP_SYS_PTRACE = 1 << 19
_CHOOSE = "choose a program that runs: pgrep -l ."


def explain(pid: int) -> TracePermissionError | TargetError:
    """Return the error that says which rule forbids tracing `pid`, and what mends it."""
    target = status(pid)
    if not target:
        return TargetError(f"process {pid} ended before it could be attached to")
    if target["State"][0] in "ZX":
        return TargetError(
            f"process {pid} has ended, and only its parent {target['PPid']} has not asked how",
            mend=_CHOOSE,
        )
    if "VmSize" not in target:  # it has no memory of its own: task_mem() in fs/proc/task_mmu.c
        return TargetError(f"process {pid} ({target['Name']}) is part of the kernel", mend=_CHOOSE)
    return _forbidden(pid, target)


def _forbidden(pid: int, target: dict[str, str]) -> TracePermissionError:
    own = status("self")
    if tracer := int(target["TracerPid"]):
        name = status(tracer).get("Name", "ended meanwhile")
        return TracePermissionError(
            f"process {pid} is already traced, by process {tracer} ({name})",
            # A kill can take the target along: one that it launched, or that has breakpoints in it.
            mend="detach there first (gdb: detach; dlv: quit, and leave the process running)",
        )
    capable = bool(int(own["CapEff"], 16) & _CAP_SYS_PTRACE)
    user, group = (target[kind].split()[0] for kind in ("Uid", "Gid"))
    as_root = "as root: sudo debugcall ...; in a container: --user=0 --cap-add=SYS_PTRACE"
    other = ""
    if user != str(os.geteuid()):
        other = f"user {user}, you are {os.geteuid()}"
    elif group != str(os.getegid()):
        other = f"group {group}, you to {os.getegid()}"
    if other and not capable:
        return TracePermissionError(
            f"process {pid} belongs to {other}",
            mend=f"run the command as {user}:{group} (in a container: --user={user}:{group}), or "
            f"{as_root}",
        )
    if (scope := yama_scope()) and not capable:
        return TracePermissionError(
            f"the kernel's yama module forbids it (ptrace_scope is {scope})",
            mend="sudo sysctl kernel.yama.ptrace_scope=0, or run as root; in a container add "
            "--user=0 --cap-add=SYS_PTRACE",
        )
    if own.get("Seccomp", "0") != "0":
        return TracePermissionError(
            "a seccomp filter of this container forbids ptrace",
            mend="start the container with --cap-add=SYS_PTRACE",
        )
    if capable:
        return TracePermissionError(
            f"the kernel refuses to trace process {pid}, though you may trace others: something "
            "outside of this container or sandbox may protect it",
            mend="attach to it from where it was started: on the host, or in its own container",
        )
    return TracePermissionError(
        f"the kernel refuses to trace process {pid} (it may hold privileges that you lack, or be "
        "marked not dumpable)",
        mend="in a container add --cap-add=SYS_PTRACE" if user == "0" else f"run {as_root}",
    )


def yama_scope() -> int | None:
    """Return kernel.yama.ptrace_scope, None where the kernel has no yama."""
    try:
        return int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text())
    except OSError:
        return None
