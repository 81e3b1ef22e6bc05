"""What /proc tells of a thread: proc_pid_status(5)."""

from pathlib import Path


def status(tid: int | str) -> dict[str, str]:
    """Return the fields of /proc/TID/status; empty where there is no such thread."""
    try:
        text = Path(f"/proc/{tid}/status").read_text(errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, _, value in lines}


def is_zombie(tid: int) -> bool:
    """Tell whether a thread has ended, reaped or not."""
    return status(tid).get("State", "X")[0] in "ZX"
