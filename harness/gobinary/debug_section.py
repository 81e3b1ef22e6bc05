"""A section of debug information, which may be compressed."""

import zlib
from collections.abc import Iterator

from harness.gobinary.image import ElfImage, Section

_COMPRESSED = 0x800  # SHF_COMPRESSED, elf(5)
_ZLIB = 1  # ELFCOMPRESS_ZLIB
_PIECE = 1 << 14  # bytes that are inflated at once; they become 16 MB at the most
_LIMIT = 1 << 28  # what stands further back in a section is not read


class DebugSection:
    """The content of `.debug_NAME`, read and inflated only as far as it is asked for.

    It is empty where there is no such section, and ends where it cannot be inflated.
    """

    def __init__(self, image: ElfImage, name: str) -> None:
        section = image.sections.get(f".debug_{name}") or image.sections.get(f".zdebug_{name}")
        self._pieces = iter(()) if section is None else _pieces(image, section)
        self._content = bytearray()

    def find(self, wanted: bytes, start: int) -> int:
        """The first place of `wanted` at or behind `start`; -1 if there is none."""
        while (at := self._content.find(wanted, start)) < 0:
            start = max(start, len(self._content) - len(wanted) + 1)
            if not self._read_on():
                break
        return at

    def read(self, start: int, size: int) -> bytes:
        """The bytes there; fewer at the section's end."""
        while len(self._content) < start + size and self._read_on():
            pass
        return bytes(self._content[start : start + size])

    def _read_on(self) -> bool:
        piece = next(self._pieces, None) if len(self._content) < _LIMIT else None
        self._content += piece or b""
        return piece is not None


def _pieces(image: ElfImage, section: Section) -> Iterator[bytes]:
    start, end = section.offset, section.offset + section.size
    compressed = True
    if section.name.startswith(".z"):  # up to Go 1.18: "ZLIB" and the size in 8 bytes
        start += 12
    elif section.flags & _COMPRESSED:  # Elf64_Chdr
        if int.from_bytes(image.data[start : start + 4], "little") != _ZLIB:
            return
        start += 24
    else:
        compressed = False
    inflater = zlib.decompressobj()
    for at in range(start, end, _PIECE):
        piece = image.data[at : min(at + _PIECE, end)]
        try:
            yield inflater.decompress(piece) if compressed else piece
        except zlib.error:
            return
