"""A target's memory made of bytes."""


class BytesMemory:
    """`size` bytes from `start` on, and nothing mapped around them; see `harness.arch.Memory`."""

    def __init__(self, start: int, size: int) -> None:
        self._start = start
        self._data = bytearray(size)

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes; OSError where they are not all mapped."""
        at = self._at(address, size)
        return bytes(self._data[at : at + size])

    def write(self, address: int, data: bytes) -> None:
        """Change bytes; OSError where they are not all mapped."""
        at = self._at(address, len(data))
        self._data[at : at + len(data)] = data

    def word(self, address: int) -> int:
        """Return the unsigned 8-byte number at `address`."""
        return int.from_bytes(self.read(address, 8), "little")

    def _at(self, address: int, size: int) -> int:
        at = address - self._start
        if at < 0 or at + size > len(self._data):
            raise OSError(f"{address:#x} is not mapped for {size} bytes")
        return at
