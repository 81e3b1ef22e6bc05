import struct
import zlib
from collections.abc import Callable, Mapping

import pytest

from harness.gobinary import GoBinary, LayoutError, static_layout
from harness.gobinary.debug_section import DebugSection
from tests.unit.gobinary.synthetic import RUNTIME
from tests.unit.gobinary.synthetic_elf import Named
from tests.unit.gobinary.synthetic_table import Fn, varint

Opened = Callable[..., GoBinary]


def code(*instructions: str) -> bytes:
    return bytes.fromhex("".join(instructions)) + b"\xc3"


def load_m(offset: int = 48) -> str:
    return f"498b4e{offset:02x}"  # mov rcx, [r14 + offset]


def runtime(
    *, curg: int = 192, lockedm: int = 208, unlocked: int = 208, status: int = 144
) -> list[Fn]:
    """The functions that show required fields, with the offsets that they show."""

    def u32(offset: int) -> str:
        return struct.pack("<I", offset).hex()

    return [
        *RUNTIME,
        Fn("runtime.debugCallWrap1", code("493b6610", "7600")),  # cmp rsp, [r14 + 16]; jbe
        # mov rdx, r14; cmp [rcx + curg], rdx
        Fn("runtime.debugCallCheck", code(load_m(), "4c89f2", "483991", u32(curg))),
        Fn("runtime.minit", code(load_m(), "8b0424", "48894148")),  # mov [rcx + 72], rax
        Fn("runtime.casgstatus", code("f00fb188", u32(status))),  # lock cmpxchg [rax + status], ecx
        Fn(
            "runtime.debugCallWrap1.func1",
            code(
                "4883b8" + u32(lockedm) + "00",  # cmp qword [rax + lockedm], 0
                "7400",
                "48c780" + u32(lockedm) + "00000000",  # mov qword [rax + lockedm], 0
                "488b4830",  # mov rcx, [rax + 48]
                "48c781" + u32(352) + "00000000",  # mov qword [rcx + 352], 0
            ),
        ),
        Fn(
            "runtime.unlockOSThread",
            code(
                load_m(),
                "83b9" + u32(620) + "00",  # cmp dword [rcx + 620], 0
                "7500",
                "83b9" + u32(616) + "00",
                "7500",
                "48c781" + u32(352) + "00000000",
                "49c786" + u32(unlocked) + "00000000",  # mov qword [r14 + lockedm], 0
            ),
        ),
        Fn(
            "runtime.newstack",
            code(
                "83ba" + u32(264) + "00",  # cmp dword [rdx + 264], 0
                "7500",
                "90",
                "83ba" + u32(240) + "00",
                "7500",
                "4883ba" + u32(256) + "00",
                "7500",
                "488b92" + u32(208),  # mov rdx, [rdx + 208]
                "837a0401",  # cmp dword [rdx + 4], 1
            ),
        ),
    ]


def test_code_alone_is_enough(opened: Opened) -> None:
    layout = static_layout(opened(runtime()))
    g, m = layout.g, layout.m
    assert (g.stack_lo, g.stack_hi, g.stackguard0, g.m) == (0, 8, 16, 48)
    assert (g.atomicstatus, g.lockedm, g.goid, g.parent_goid) == (144, 208, None, None)
    assert (m.procid, m.curg, m.locks, m.mallocing, m.preemptoff, m.p) == (
        72,
        192,
        264,
        240,
        248,
        208,
    )
    assert layout.p.status == 4


def test_two_functions_that_disagree(opened: Opened) -> None:
    with pytest.raises(LayoutError) as caught:
        static_layout(opened(runtime(lockedm=208, unlocked=216)))
    assert "the offset of g.lockedm is 208 according to the code of" in caught.value.message
    assert "runtime.debugCallWrap1.func1" in caught.value.message
    assert "but 216 according to the code of runtime.unlockOSThread" in caught.value.message
    assert caught.value.exit_code == 125
    assert "go version -m" in caught.value.mend


@pytest.mark.parametrize(
    ("function", "field"),
    [
        ("runtime.debugCallCheck", "m.curg"),
        ("runtime.minit", "m.procid"),
        ("runtime.casgstatus", "g.atomicstatus"),
        ("runtime.newstack", "m.locks"),
    ],
)
def test_a_required_field_that_nothing_shows(opened: Opened, function: str, field: str) -> None:
    rest = [written for written in runtime() if written.name != function]
    with pytest.raises(LayoutError, match=f"nothing tells the offsets of {field}") as caught:
        static_layout(opened(rest))
    assert "without -s and -w" in caught.value.mend


def test_g_m_elsewhere_than_ever_before(opened: Opened) -> None:
    functions = [written for written in runtime() if written.name != "runtime.minit"]
    moved = Fn("runtime.minit", code(load_m(56), "8b0424", "48894148"))
    with pytest.raises(LayoutError, match=r"g\.m is 48 according to all releases .* but 56"):
        static_layout(opened([*functions, moved]))


# DWARF: abbreviation 1 is a unit, 2 a structure with a name, 3 a member with name and place.
ABBREVIATIONS = bytes([1, 0x11, 1, 0, 0, 2, 0x13, 1, 3, 8, 0, 0, 3, 0x0D, 0, 3, 8, 56, 15, 0, 0, 0])


def dwarf(types: Mapping[str, Mapping[str, int]], version: int = 4, before: bytes = b"") -> bytes:
    tree = b"\x01" + before
    for name, members in types.items():
        tree += b"\x02" + name.encode() + b"\0"
        for member, offset in members.items():
            tree += b"\x03" + member.encode() + b"\0" + varint(offset)
        tree += b"\0"
    tree += b"\0"
    if version >= 5:
        header = struct.pack("<HBBI", version, 1, 8, 0)
    else:
        header = struct.pack("<HIB", version, 0, 8)
    unit = header + tree
    other = struct.pack("<HIB", 4, 0, 8) + b"\x01\0"
    return struct.pack("<I", len(other)) + other + struct.pack("<I", len(unit)) + unit


def sections(info: bytes, how: str = "plain") -> list[Named]:
    packed = zlib.compress(info)
    if how == "plain":
        found = Named(".debug_info", 0, info)
    elif how == "compressed":
        head = struct.pack("<IIQQ", 1, 0, len(info), 1)
        found = Named(".debug_info", 0, head + packed, flags=0x800)
    else:
        found = Named(".zdebug_info", 0, b"ZLIB" + struct.pack(">Q", len(info)) + packed)
    return [found, Named(".debug_abbrev", 0, ABBREVIATIONS)]


TYPES = {
    "runtime.g": {"stack": 0, "stackguard0": 16, "m": 48, "goid": 152, "parentGoid": 272},
    "runtime.m": {"curg": 192, "procid": 72, "unrelated": 5},
    "runtime.p": {"status": 4},
}


@pytest.mark.parametrize("version", [2, 4, 5])
@pytest.mark.parametrize("how", ["plain", "compressed", "old compressed"])
def test_dwarf_that_agrees_adds_what_it_knows(opened: Opened, version: int, how: str) -> None:
    layout = static_layout(opened(runtime(), more=sections(dwarf(TYPES, version), how)))
    assert (layout.g.goid, layout.g.parent_goid) == (152, 272)


def test_dwarf_that_disagrees(opened: Opened) -> None:
    wrong = TYPES | {"runtime.m": {"curg": 184}}
    with pytest.raises(
        LayoutError,
        match=r"m\.curg is 192 .*\.debugCallCheck but 184 according to DWARF, runtime\.m\.curg",
    ):
        static_layout(opened(runtime(), more=sections(dwarf(wrong))))


def test_a_name_that_is_no_type_is_passed_over(opened: Opened) -> None:
    decoy = b"\x03runtime.g\0\x07"  # a member of that name
    info = dwarf(TYPES, before=decoy)
    assert static_layout(opened(runtime(), more=sections(info))).g.goid == 152


def test_many_units_are_walked_once_for_a_type(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = struct.pack("<IHIB", 8, 4, 0, 8) + b"\0"
    number = 1000
    decoys = b"".join(b"\x03" + name.encode() + b"\0" for name in TYPES) * 50
    info = unit * number + dwarf({}, before=decoys)
    reads = 0

    def counted(section: DebugSection, start: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        return read(section, start, size)

    read = DebugSection.read
    monkeypatch.setattr(DebugSection, "read", counted)
    static_layout(opened(runtime(), more=sections(info)))
    assert reads >= number
    assert reads < len(TYPES) * (number + 200)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([], id="none"),
        pytest.param(sections(b""), id="empty"),
        pytest.param(sections(b"runtime.g\0runtime.m\0"), id="no unit"),
        pytest.param(sections(dwarf(TYPES)[:60]), id="cut off"),
        pytest.param(sections(dwarf(TYPES, version=77)), id="another version"),
        pytest.param(sections(dwarf(TYPES).replace(b"\x02runtime", b"\x7fruntime")), id="no tag"),
        pytest.param([Named(".debug_info", 0, b"\1" * 30, flags=0x800)], id="no abbreviations"),
        pytest.param(
            [
                Named(".debug_info", 0, struct.pack("<IIQQ", 1, 0, 99, 1) + b"?", flags=0x800),
                Named(".debug_abbrev", 0, ABBREVIATIONS),
            ],
            id="not compressed at all",
        ),
    ],
)
def test_dwarf_that_cannot_be_read_says_nothing(opened: Opened, more: list[Named]) -> None:
    assert static_layout(opened(runtime(), more=more)).g.goid is None


def test_arm64_needs_dwarf(opened: Opened) -> None:
    everything = {
        "runtime.g": {"atomicstatus": 144, "lockedm": 208},
        "runtime.m": {"curg": 192, "procid": 72, "locks": 264},
    }
    aligned = [Fn(written.name, b"\x1f\x20\x03\xd5" * 2) for written in runtime()]
    with pytest.raises(LayoutError, match=r"arm64\): nothing tells"):
        static_layout(opened(aligned, machine=183))
    layout = static_layout(opened(aligned, machine=183, more=sections(dwarf(everything))))
    assert layout.m.curg == 192
