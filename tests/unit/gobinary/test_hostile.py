"""Whatever a file holds, it is read or refused: no other exception, no endless loop."""

from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BinaryError, Unsupported
from harness.gobinary import load_bias
from tests.unit.gobinary import test_layout
from tests.unit.gobinary.exercise import exercise
from tests.unit.gobinary.synthetic import program
from tests.unit.gobinary.synthetic_elf import Elf
from tests.unit.gobinary.synthetic_table import TEXT, Fn

INTERESTING = [0, 1, 7, 0x7F, 0x80, 0xFF, 0xFFFF, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, 1 << 63]


@cache
def programs() -> tuple[bytes, ...]:
    functions = [
        *test_layout.runtime(),
        Fn("debugCall32", b"\x90\xcc\xc3", frame=[(1, 0), (2, 8)], unsafe=[(1, -2), (2, -1)]),
    ]
    debug = test_layout.sections(test_layout.dwarf(test_layout.TYPES), "compressed")
    return (
        program(functions, more=debug),
        program(functions, more=test_layout.sections(test_layout.dwarf(test_layout.TYPES, 5))),
        program(functions, with_sections=False, text_start=0),
        program(functions, since="1.16", version="go1.17.1"),
        program(functions, since="1.16", relocated=True, elf=Elf(kind=3), with_sections=False),
        program(functions, since="1.18", relocated=True, elf=Elf(kind=3)),
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A program with a few words or bytes changed, or with its end missing."""
    content = bytearray(draw(st.sampled_from(programs())))
    # Most of a program is zeros between its parts: damage something that is there.
    places = [at for at in range(0, len(content), 4) if any(content[at : at + 4])]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.sampled_from(places)) + draw(st.integers(0, 3))
        size = draw(st.sampled_from([1, 2, 4, 8]))
        value = draw(st.sampled_from(INTERESTING) | st.integers(0, (1 << 64) - 1))
        content[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content)


@settings(deadline=None, max_examples=500)
@given(damaged())
def test_a_damaged_program_is_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(content)
        exercise(path)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_behind_an_elf_header_are_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(b"\x7fELF\x02\x01\x01" + content)
        exercise(path)


@settings(deadline=None)
@given(
    st.text()
    | st.lists(st.from_regex(r"[0-9a-f]{1,20}-[0-9a-f]{1,20} r-xp [0-9a-f]+ 0:1 \d+ /.*")).map(
        "\n".join
    )
)
def test_any_maps_give_a_bias_or_are_refused(maps: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(program(elf=Elf(kind=3)))
        binary = exercise(path)
        assert binary is not None
        assert TEXT in binary.text
        with suppress(BinaryError, Unsupported):
            load_bias(binary, maps)
