"""Offsets of fields from DWARF, where a program has it.

The Go linker writes all types into a few units, with their names inline
(cmd/link/internal/ld/dwarf.go), so a search for a name finds a type and nothing is walked.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from inspect import signature
from io import BytesIO
from itertools import islice
from types import MappingProxyType

from harness.gobinary.evidence import Evidence
from harness.gobinary.image import Image, Section

#: Field of Layout -> type and member in the runtime's source (runtime/runtime2.go).
MEMBERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "g.stackguard0": ("runtime.g", "stackguard0"),
        "g.m": ("runtime.g", "m"),
        "g.atomicstatus": ("runtime.g", "atomicstatus"),
        "g.goid": ("runtime.g", "goid"),
        "g.lockedm": ("runtime.g", "lockedm"),
        "g.parent_goid": ("runtime.g", "parentGoid"),
        "g.stack_lo": ("runtime.g", "stack"),
        "m.procid": ("runtime.m", "procid"),
        "m.curg": ("runtime.m", "curg"),
        "m.p": ("runtime.m", "p"),
        "m.mallocing": ("runtime.m", "mallocing"),
        "m.preemptoff": ("runtime.m", "preemptoff"),
        "m.locks": ("runtime.m", "locks"),
        "m.lockedg": ("runtime.m", "lockedg"),
        "m.locked_ext": ("runtime.m", "lockedExt"),
        "m.locked_int": ("runtime.m", "lockedInt"),
        "p.status": ("runtime.p", "status"),
    }
)

_COMPRESSED = 0x800  # SHF_COMPRESSED, elf(5)
_ZLIB = 1
_LIMIT = 1 << 28  # programs with more debug information than this are not cross-checked
_UNITS = 1 << 17
_HITS = 64
_WINDOW = 1 << 14  # the largest of the types takes 3 KB
_MEMBER_LIMIT = 512


def dwarf_evidence(image: Image) -> Iterator[Evidence]:
    """What DWARF says; nothing if there is none, or none that can be read."""
    info, abbreviations = _section(image, "debug_info"), _section(image, "debug_abbrev")
    if not info or not abbreviations:
        return
    for type_name in ("runtime.g", "runtime.m", "runtime.p"):
        members = _members(info, abbreviations, type_name)
        for field, (owner, member) in MEMBERS.items():
            if owner == type_name and member in members:
                yield Evidence(field, members[member], f"DWARF, {owner}.{member}")


def _members(info: bytes, abbreviations: bytes, type_name: str) -> Mapping[str, int]:
    name = type_name.encode() + b"\0"
    at = -1
    for _ in range(_HITS):
        at = info.find(name, at + 1)
        if at < 0:
            break
        header = _unit_header(info, at) if info[at - 1] < 0x80 else b""
        if header:
            # A small copy: so no damaged tree can keep the parser busy.
            members = _structure(header, info[at - 1 : at + _WINDOW], abbreviations, type_name)
            if members:
                return members
    return {}


def _structure(header: bytes, die: bytes, abbreviations: bytes, name: str) -> dict[str, int]:
    from elftools.dwarf.die import DIE
    from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

    def section(content: bytes) -> DebugSectionDescriptor:
        return DebugSectionDescriptor(BytesIO(content), "", 0, len(content), 0)

    # Each release of pyelftools knows more sections; all must be given, None for "not there".
    sections: dict[str, DebugSectionDescriptor | None] = dict.fromkeys(
        name for name in signature(DWARFInfo).parameters if name.endswith("_sec")
    )
    sections["debug_info_sec"] = info = section(header + die)
    sections["debug_abbrev_sec"] = section(abbreviations)
    config = DwarfConfig(little_endian=True, machine_arch="x64", default_address_size=8)
    try:
        unit = DWARFInfo(config, **sections).get_CU_at(0)
        top = DIE(unit, info.stream, len(header))
        if (
            top.tag != "DW_TAG_structure_type"
            or top.attributes["DW_AT_name"].value != name.encode()
        ):
            return {}
        return {
            child.attributes["DW_AT_name"].value.decode(): int(
                child.attributes["DW_AT_data_member_location"].value
            )
            for child in islice(unit.iter_DIE_children(top), _MEMBER_LIMIT)
            if child.tag == "DW_TAG_member"
        }
    except Exception:  # noqa: BLE001 - pyelftools raises many kinds on damaged input; then DWARF does not speak
        return {}


def _unit_header(info: bytes, place: int) -> bytes:
    """The header of the unit round `place`; empty if there is none of a known form."""
    at = 0
    for _ in range(_UNITS):
        if at + 12 > len(info):
            break
        length, version = struct.unpack_from("<IH", info, at)
        if length < 8 or length >= 0xFFFFFFF0:
            break
        if place < at + 4 + length:
            return info[at : at + (12 if version >= 5 else 11)] if 2 <= version <= 5 else b""
        at += 4 + length
    return b""


def _section(image: Image, name: str) -> bytes:
    section = image.sections.get(f".{name}") or image.sections.get(f".z{name}")
    if section is None:
        return b""
    content = image.data[section.offset : section.offset + section.size]
    if section.name.startswith(".z"):  # up to Go 1.18
        return _inflated(content[12:], int.from_bytes(content[4:12], "big"))
    if section.flags & _COMPRESSED:
        return _from_compressed(section, content)
    return content if len(content) <= _LIMIT else b""


def _from_compressed(section: Section, content: bytes) -> bytes:
    if section.size < 24:
        return b""
    kind, _, size = struct.unpack_from("<IIQ", content)
    return _inflated(content[24:], size) if kind == _ZLIB else b""


def _inflated(content: bytes, size: int) -> bytes:
    if size > _LIMIT:
        return b""
    try:
        return zlib.decompressobj().decompress(content, max(size, 1))
    except zlib.error:
        return b""
