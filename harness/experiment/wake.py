"""Waking an idle server: connecting to a port that it listens on, and closing at once."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from harness.errors import InputError

_LISTEN = "0A"
"""TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h)."""


def knock(pid: int) -> None:
    """Connect to each TCP port that a process listens on, on loopback, and close.

    Raises `InputError` if its loopback is not ours.
    """
    if not Path(f"/proc/{pid}/ns/net").samefile("/proc/self/ns/net"):
        raise InputError(
            f"process {pid} has a network of its own, so --wake cannot connect to it",
            mend=f"leave --wake out and send it a request: nsenter --target {pid} --net ...",
        )
    for family, port in _ports(pid):
        with suppress(OSError), socket.socket(family) as caller:
            caller.settimeout(0)
            caller.connect_ex(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))


def _ports(pid: int) -> Iterator[tuple[socket.AddressFamily, int]]:
    inodes = set(_socket_inodes(pid))
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and fields[9] in inodes:
                    yield family, int(fields[1].rpartition(":")[2], 16)


def _socket_inodes(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                yield target[len("socket:[") : -1]
