"""One structure type of DWARF: where its members are.

pyelftools reads all of DWARF, but takes longer to import than everything else takes together. The
tests hold this reader against it. Format: DWARF 4 and 5, sections 7.5.3 to 7.5.6.
"""

from collections.abc import Mapping
from typing import NamedTuple

from harness.gobinary.pcvalue import DamagedTableError, varint

_STRUCTURE, _MEMBER = 0x13, 0x0D  # DW_TAG_structure_type, DW_TAG_member
_NAME, _OFFSET = 0x03, 0x38  # DW_AT_name, DW_AT_data_member_location

# DW_FORM_...: string, ref_addr; sdata, udata, ref_udata, strx, addrx, loclistx, rnglistx; and those
# of a fixed size: addr, data1 to data8, flag, strp, ref1 to ref8, sec_offset, flag_present.
_STRING, _REFERENCE, _IMPLICIT_CONST = 0x08, 0x10, 0x21
_VARINTS = frozenset((0x0D, 0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23))
_SIZES = {
    0x01: 8, 0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x0C: 1, 0x0E: 4,
    0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x17: 4, 0x19: 0,
}  # fmt: skip


class Unit(NamedTuple):
    """What is needed of a unit's header: `abbreviations` is an offset in .debug_abbrev."""

    version: int
    abbreviations: int


class _Abbreviation(NamedTuple):
    """How entries of one kind are written: pairs of an attribute and its form."""

    tag: int
    attributes: tuple[tuple[int, int], ...]


def members(name: bytes, entry: bytes, table: bytes, unit: Unit) -> Mapping[str, int]:
    """Offset of each member of the structure `name`, whose entry `entry` begins with.

    Empty if it is no such structure, is damaged, or is written in a way that Go does not use.
    """
    found: dict[str, int] = {}
    try:
        abbreviations = _abbreviations(table)
        tag, attributes, at = _entry(entry, 0, abbreviations, unit)
        if (tag, attributes[_NAME]) != (_STRUCTURE, name):
            return {}
        while entry[at]:
            tag, attributes, at = _entry(entry, at, abbreviations, unit)
            member, offset = attributes[_NAME], attributes[_OFFSET]
            if tag != _MEMBER or not isinstance(member, bytes) or not isinstance(offset, int):
                return {}
            found[member.decode()] = offset
    except (DamagedTableError, LookupError, ValueError):
        return {}
    return found


def _entry(
    data: bytes, at: int, abbreviations: Mapping[int, _Abbreviation], unit: Unit
) -> tuple[int, dict[int, int | bytes], int]:
    """The tag and the attributes of an entry, and the place behind it."""
    code, at = varint(data, at)
    values = {}
    for attribute, form in abbreviations[code].attributes:
        values[attribute], at = _value(form, data, at, unit)
    return abbreviations[code].tag, values, at


def _value(form: int, data: bytes, at: int, unit: Unit) -> tuple[int | bytes, int]:
    if form == _STRING:
        end = data.index(0, at)
        return data[at:end], end + 1
    if form in _VARINTS:
        return varint(data, at)
    size = (8 if unit.version == 2 else 4) if form == _REFERENCE else _SIZES[form]
    return int.from_bytes(data[at : at + size], "little"), at + size


def _abbreviations(table: bytes) -> dict[int, _Abbreviation]:
    found: dict[int, _Abbreviation] = {}
    code, at = varint(table, 0)
    while code:
        tag, at = varint(table, at)
        at += 1  # whether entries have children
        pairs = []
        while True:
            attribute, at = varint(table, at)
            form, at = varint(table, at)
            if not attribute and not form:
                break
            if form == _IMPLICIT_CONST:  # a value would stand here; Go writes none
                raise DamagedTableError
            pairs.append((attribute, form))
        found.setdefault(code, _Abbreviation(tag, tuple(pairs)))
        code, at = varint(table, at)
    return found
