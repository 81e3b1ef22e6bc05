"""A traced process's memory, by /proc/PID/mem: all of it, text included.

Not process_vm_readv: Docker's default seccomp profile refuses it.
"""

import os
from errno import EIO


class ProcessMemory:
    """Reads and writes at virtual addresses. The process must be traced by this one."""

    def __init__(self, pid: int) -> None:
        self._fd = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)

    def read(self, address: int, size: int) -> bytes:
        """Return exactly `size` bytes; OSError where not all of them are mapped."""
        data = os.pread(self._fd, size, address)
        if len(data) != size:
            raise OSError(EIO, f"{size} bytes at {address:#x} are not all mapped")
        return data

    def word(self, address: int) -> int:
        """Return the little-endian 8-byte word at `address`."""
        return int.from_bytes(self.read(address, 8), "little")

    def write(self, address: int, data: bytes) -> None:
        """Write all of `data`; OSError where it cannot be written."""
        if os.pwrite(self._fd, data, address) != len(data):
            raise OSError(EIO, f"{len(data)} bytes at {address:#x} are not all writable")

    def close(self) -> None:
        """Close the file behind it."""
        os.close(self._fd)
