"""Where Go's tables are in an image, and the address that they count from.

Sources: moduledata in runtime/symtab.go, whose first words have not changed since Go 1.16; pclntab
and symtab in cmd/link/internal/ld.
"""

import struct
from collections.abc import Iterator

from harness.errors import BinaryError
from harness.gobinary.image import ElfImage
from harness.gobinary.pclntab import MAGICS, OLD_MAGIC, PclnTab

_SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab")
_TEXT = 176  # offset of moduledata.text; the function table's header is at offset 0
_CANDIDATES = 64  # so many false magic numbers, or pointers, are looked at

_NO_TABLE = (
    "{} carries no Go function table: it was not built by the Go compiler (gccgo and TinyGo write "
    "none), it is no Go program, or it is packed"
)


def find_pclntab(image: ElfImage) -> PclnTab:
    """The function table of the program: by its section, else by its magic number.

    Raises BinaryError if there is none that can be read.
    """
    failure: BinaryError | None = None
    for address, end in _places(image):
        try:
            table = PclnTab(image, address, end)
            if table.relative and not table.header_text:  # Go 1.26 and later
                table = PclnTab(image, address, end, _module_text(image, address))
            table.check()
        except BinaryError as error:
            failure = failure or error
        else:
            return table
    if failure is not None:
        raise failure
    raise BinaryError(
        _NO_TABLE.format(image.path),
        mend="use the program as `go build` wrote it (`upx -d` unpacks one packed by upx)",
    )


def _places(image: ElfImage) -> Iterator[tuple[int, int]]:
    for name in _SECTIONS:
        section = image.sections.get(name)
        if section is not None and section.address and section.size:
            magic = image.read(section.address, min(section.size, 4))
            if magic == struct.pack("<I", OLD_MAGIC):
                raise BinaryError(
                    f"{image.path} was built by Go 1.15 or older; debug calls as this harness "
                    "makes them came with Go 1.17",
                    mend="build it with Go 1.17 or later",
                )
            yield section.address, section.address + section.size
    # The magic numbers differ in their first byte only.
    needle = b"\xff\xff\xff\0\0" + bytes([image.quantum, 8])
    for segment in image.segments:
        at, stop = segment.offset, segment.offset + segment.size
        for _ in range(_CANDIDATES):
            at = image.data.find(needle, at, stop) + 1
            if at == 0:
                break
            start = at - 2
            if start >= segment.offset and 0xFFFFFF00 | image.data[start] in MAGICS:
                yield start - segment.offset + segment.address, segment.address + segment.size


def _module_text(image: ElfImage, pclntab: int) -> int:
    """moduledata.text of the module with this function table."""
    (names,) = struct.unpack("<Q", image.read(pclntab + 32, 8))
    for _, address in zip(range(_CANDIDATES), image.pointers_to(pclntab), strict=False):
        try:
            if image.word(address + 8) == pclntab + names:
                return image.word(address + _TEXT)
        except BinaryError:
            continue
    raise image.damaged("nothing tells where its code begins (no moduledata)")
