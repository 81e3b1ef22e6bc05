"""Offsets of fields from DWARF, where a program has it.

The Go linker writes all types into a few units, with their names inline
(cmd/link/internal/ld/dwarf.go), so a search for a name finds a type and nothing is walked.
"""

import struct
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from harness.gobinary.debug_section import DebugSection
from harness.gobinary.dwarf_structure import Unit, members
from harness.gobinary.evidence import Evidence
from harness.gobinary.image import ElfImage

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
        "p.status": ("runtime.p", "status"),
    }
)

_UNITS = 1 << 17
_HITS = 64
_WINDOW = 1 << 14  # the largest of the types takes 3 KB
_TABLE = 1 << 13  # Go's abbreviations take less than 1 KB


def dwarf_evidence(image: ElfImage) -> Iterator[Evidence]:
    """What DWARF says; nothing if there is none, or none that can be read."""
    info, abbreviations = DebugSection(image, "info"), DebugSection(image, "abbrev")
    for type_name in ("runtime.g", "runtime.m", "runtime.p"):
        offsets = _offsets(info, abbreviations, type_name)
        for field, (owner, member) in MEMBERS.items():
            if owner == type_name and member in offsets:
                yield Evidence(field, offsets[member], f"DWARF, {owner}.{member}")


def _offsets(info: DebugSection, abbreviations: DebugSection, type_name: str) -> Mapping[str, int]:
    name = type_name.encode()
    at = end = 0
    unit, units = None, _units(info)
    for _ in range(_HITS):
        at = info.find(name + b"\0", at + 1)
        while at >= end:
            end, unit = next(units, (sys.maxsize, None))
        if at < 0:
            break
        if unit is not None:
            # Copies of a bounded size: so no damaged tree can keep the reader busy.
            table = abbreviations.read(unit.abbreviations, _TABLE)
            # The number of the abbreviation stands before the name, in one byte.
            found = members(name, info.read(at - 1, _WINDOW), table, unit)
            if found:
                return found
    return {}


def _units(info: DebugSection) -> Iterator[tuple[int, Unit | None]]:
    """Yield where each unit ends, and the unit; None if it is of no known form."""
    at = 0
    for _ in range(_UNITS):
        header = info.read(at, 12)
        if len(header) < 12:
            break
        length, version = struct.unpack_from("<IH", header)
        if length < 8 or length >= 0xFFFFFFF0:
            break
        at += 4 + length
        abbreviations = struct.unpack_from("<I", header, 8 if version >= 5 else 6)[0]
        yield at, Unit(version, abbreviations) if 2 <= version <= 5 else None
