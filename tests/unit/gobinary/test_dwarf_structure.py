"""The reader of one structure, held against pyelftools."""

import struct
from collections.abc import Mapping, Sequence
from inspect import signature
from io import BytesIO

import pytest
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo
from hypothesis import given
from hypothesis import strategies as st

from harness.gobinary.dwarf_structure import Unit, members
from tests.unit.gobinary.synthetic_table import varint

#: Form -> an example of what an attribute of it is written as.
FORMS = {
    0x01: b"\1\2\3\4\5\6\7\x08", 0x05: b"\1\2", 0x06: b"\1\2\3\4", 0x07: b"\1\2\3\4\5\6\7\x08",
    0x08: b"text\0", 0x0B: b"\3", 0x0C: b"\1", 0x0D: b"\xff\x7e", 0x0F: b"\xff\x7e",
    0x0E: b"\0\0\0\0", 0x11: b"\1", 0x12: b"\1\0", 0x13: b"\1\0\0\0", 0x14: b"\1\0\0\0\0\0\0\0",
    0x15: b"\x81\1", 0x17: b"\0\0\0\0", 0x19: b"",
}  # fmt: skip
NAME, OFFSET, OTHERS = 0x03, 0x38, (0x0B, 0x2900, 0x2904)

Attributes = Sequence[tuple[int, int]]


def abbreviation(code: int, tag: int, children: int, attributes: Attributes) -> bytes:
    pairs = b"".join(varint(attribute) + varint(form) for attribute, form in attributes)
    return varint(code) + varint(tag) + bytes([children]) + pairs + b"\0\0"


def entry(code: int, attributes: Attributes, name: str, offset: bytes, version: int) -> bytes:
    written = varint(code)
    for attribute, form in attributes:
        if attribute == NAME:
            written += name.encode() + b"\0"
        elif attribute == OFFSET:
            written += offset
        elif form == 0x10:
            written += bytes(8 if version == 2 else 4)
        else:
            written += FORMS[form]
    return written


def as_pyelftools_reads_it(die: bytes, table: bytes, version: int) -> Mapping[str, int]:
    header = struct.pack("<IHBBI", 0x1000, version, 1, 8, 0)
    if version < 5:
        header = struct.pack("<IHIB", 0x1000, version, 0, 8)

    def section(content: bytes) -> DebugSectionDescriptor:
        return DebugSectionDescriptor(BytesIO(content), "", 0, len(content), 0)

    # All the sections that a release of pyelftools knows must be given, None for "not there".
    sections = dict.fromkeys(name for name in signature(DWARFInfo).parameters if "_sec" in name)
    sections["debug_info_sec"] = info = section(header + die)
    sections["debug_abbrev_sec"] = section(table)
    sections["debug_str_sec"] = section(b"\0")
    config = DwarfConfig(little_endian=True, machine_arch="x64", default_address_size=8)
    unit = DWARFInfo(config, **sections).get_CU_at(0)
    return {
        child.attributes["DW_AT_name"].value.decode(): child.attributes[
            "DW_AT_data_member_location"
        ].value
        for child in unit.iter_DIE_children(DIE(unit, info.stream, len(header)))
    }


@st.composite
def structures(draw: st.DrawFn) -> tuple[int, bytes, bytes, Mapping[str, int]]:
    """A version of DWARF, the table of abbreviations, the entries, and what they say."""
    version = draw(st.integers(2, 5))
    other = st.tuples(st.sampled_from(OTHERS), st.sampled_from([*FORMS, 0x10]))
    form, size = draw(st.sampled_from([(0x0F, 0), (0x0B, 1), (0x05, 2), (0x06, 4), (0x07, 8)]))
    places = draw(st.lists(st.integers(0, 255), max_size=8))

    def shuffled(*needed: tuple[int, int]) -> Attributes:
        others = draw(st.lists(other, max_size=3, unique_by=lambda pair: pair[0]))
        return draw(st.permutations([*needed, *others]))

    structure, member = shuffled((NAME, 0x08)), shuffled((NAME, 0x08), (OFFSET, form))
    code = draw(st.integers(2, 1000))
    table = abbreviation(1, 0x2E, 1, shuffled()) + abbreviation(code, 0x13, 1, structure)
    table += abbreviation(code + 1, 0x0D, 0, member) + b"\0"
    die = entry(code, structure, "runtime.g", b"", version)
    said = {}
    for number, place in enumerate(places):
        raw = place.to_bytes(size, "little") if size else varint(place)
        die += entry(code + 1, member, f"field{number}", raw, version)
        said[f"field{number}"] = place
    return version, table, die + b"\0", said


@given(structures(), st.binary(max_size=8))
def test_as_pyelftools_reads_it(
    structure: tuple[int, bytes, bytes, Mapping[str, int]], behind: bytes
) -> None:
    version, table, die, said = structure
    assert as_pyelftools_reads_it(die + behind, table, version) == said
    assert members(b"runtime.g", die + behind, table, Unit(version, 0)) == said


@given(structures(), st.data())
def test_half_a_structure_says_nothing(
    structure: tuple[int, bytes, bytes, Mapping[str, int]], data: st.DataObject
) -> None:
    version, table, die, _ = structure
    cut = die[: data.draw(st.integers(0, len(die) - 1))]
    assert members(b"runtime.g", cut, table, Unit(version, 0)) == {}


MEMBER = [(NAME, 0x08), (OFFSET, 0x0F)]
GOOD = abbreviation(1, 0x13, 1, [(NAME, 0x08)]) + abbreviation(2, 0x0D, 0, MEMBER) + b"\0"
ENTRIES = b"\x01runtime.g\0" + b"\x02m\0\x30" + b"\0\0"


@pytest.mark.parametrize(
    ("table", "die"),
    [
        pytest.param(GOOD, ENTRIES.replace(b"runtime.g", b"runtime.p"), id="another name"),
        pytest.param(GOOD.replace(b"\x13", b"\x16"), ENTRIES, id="no structure"),
        pytest.param(GOOD.replace(b"\x0d\0", b"\x1c\0"), ENTRIES, id="not a member"),
        pytest.param(GOOD.replace(b"\x38\x0f", b"\x38\x08"), ENTRIES, id="a place that is text"),
        pytest.param(GOOD.replace(b"\x38\x0f", b"\x38\x18"), ENTRIES, id="a form Go does not use"),
        pytest.param(GOOD.replace(b"\x0f", b"\x0f\x0b\x21"), ENTRIES, id="a value in the table"),
        pytest.param(GOOD, ENTRIES.replace(b"\x02m", b"\x03m"), id="no such abbreviation"),
        pytest.param(GOOD[:-1], ENTRIES, id="no end of the abbreviations"),
        pytest.param(b"", ENTRIES, id="no abbreviations"),
        pytest.param(GOOD, ENTRIES.replace(b"m\0", b"\xff\0"), id="a name that is no text"),
    ],
)
def test_what_is_no_such_structure_says_nothing(table: bytes, die: bytes) -> None:
    assert members(b"runtime.g", ENTRIES, GOOD, Unit(4, 0)) == {"m": 0x30}
    assert members(b"runtime.g", die, table, Unit(4, 0)) == {}
