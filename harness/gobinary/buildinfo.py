"""What the Go command wrote into a program: version, settings, build id.

Format: debug/buildinfo/buildinfo.go and runtime/debug/mod.go (since Go 1.18 the strings follow the
header; before, it points to them); cmd/link/internal/ld/elf.go for the note with the build id.
"""

import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from harness.errors import BinaryError
from harness.gobinary.image import ElfImage

_MAGIC = b"\xff Go buildinf:"
_INLINE = 2
_LIMIT = 1 << 20  # no version or module list is longer
_FRAME = 16  # sentinels round the module information
_GO_NOTE = (b"Go", 4)  # ELF_NOTE_BUILDINFO_TAG of cmd/link: Go's own build id


class BuildInfo(NamedTuple):
    """`version` as runtime.Version gives it, 'unknown' if the program does not say.

    `settings` are the `build` lines (`go version -m`), empty before Go 1.18.
    """

    version: str = "unknown"
    settings: Mapping[str, str] = MappingProxyType({})


def read_build_info(image: ElfImage) -> BuildInfo:
    """The build information; an empty one if there is none that can be read."""
    for address in _headers(image):
        try:
            version, module = _strings(image, address)
        except BinaryError:
            continue
        if version:
            return BuildInfo(version, MappingProxyType(dict(_settings(module))))
    return BuildInfo()


def read_build_id(image: ElfImage) -> str:
    """Go's build id, '' if there is none."""
    for name, kind, content in image.notes():
        if (name, kind) == _GO_NOTE:
            return content.decode(errors="replace")
    return ""


def _headers(image: ElfImage) -> Iterator[int]:
    section = image.sections.get(".go.buildinfo")
    if section is not None and section.address:
        yield section.address
    for segment in image.segments:
        if segment.writable:
            at = image.data.find(_MAGIC, segment.offset, segment.offset + segment.size)
            if at >= 0:
                yield at - segment.offset + segment.address


def _strings(image: ElfImage, address: int) -> tuple[str, str]:
    header = image.read(address, 32)
    if not header.startswith(_MAGIC):
        raise image.damaged("its build information is out of place")
    if header[15] & _INLINE:
        version, behind = _inline(image, address + 32)
        return _text(version), _text(_inline(image, behind)[0][_FRAME:-_FRAME])
    pointers = (image.word(address + 16), image.word(address + 24))
    version, module = (_go_string(image, pointer) for pointer in pointers)
    return _text(version), _text(module[_FRAME:-_FRAME])


def _inline(image: ElfImage, address: int) -> tuple[bytes, int]:
    length = shift = 0
    while True:
        byte = image.read(address, 1)[0]
        address += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift > 28:
            raise image.damaged("its build information is out of bounds")
    return _bounded(image, address, length), address + length


def _go_string(image: ElfImage, address: int) -> bytes:
    if not address:
        return b""
    (length,) = struct.unpack("<Q", image.read(address + 8, 8))
    return _bounded(image, image.word(address), length)


def _bounded(image: ElfImage, address: int, length: int) -> bytes:
    if length > _LIMIT:
        raise image.damaged("its build information is out of bounds")
    return image.read(address, length) if length else b""


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _settings(module: str) -> Iterator[tuple[str, str]]:
    for line in module.split("\n"):
        kind, _, rest = line.partition("\t")
        key, equals, value = rest.partition("=")
        if kind == "build" and equals:
            yield key, _unquoted(value)


def _unquoted(value: str) -> str:
    """Go quotes values with spaces or quotes in them (strconv.Quote)."""
    if not value.startswith('"'):
        return value.strip("`") if value.startswith("`") else value
    import json

    try:
        text = json.loads(value)
    except ValueError:
        return value
    return text if isinstance(text, str) else value
