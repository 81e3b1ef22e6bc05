"""The QEMU that a process has started."""

from pathlib import Path

from harness.vm.qemu import QEMU


def children(pid: int) -> list[int]:
    """Return the processes below one that run QEMU."""
    listed = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    below = [int(child) for text in listed for child in text.split()]
    return [pid for pid in below if QEMU[:15] == Path(f"/proc/{pid}/comm").read_text().strip()]
