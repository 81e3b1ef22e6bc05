from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BinaryError
from harness.gobinary import GoBinary, open_binary
from tests.unit.gobinary.synthetic import BRK, RUNTIME, program
from tests.unit.gobinary.synthetic_elf import Elf
from tests.unit.gobinary.synthetic_table import TEXT, Fn

Opened = Callable[..., GoBinary]

NAMES = st.text("ab.*()[]·/", min_size=1, max_size=6)


@st.composite
def functions(draw: st.DrawFn, quantum: int) -> tuple[Fn, ...]:
    def function(name: str) -> Fn:
        size = draw(st.integers(1, 40)) * quantum
        values = st.sampled_from([-1, -2, -3])
        return Fn(
            name,
            draw(st.binary(min_size=size, max_size=size)),
            asm=draw(st.booleans()),
            spwrite=draw(st.booleans()),
            func_id=draw(st.integers(0, 23)),
            frame=draw(split(size, quantum, st.sampled_from([0, 8, 24]))),
            lines=draw(split(size, quantum, st.integers(1, 500))),
            unsafe=draw(st.none() | split(size, quantum, values)),
            locals_map=draw(st.booleans()),
        )

    return (*RUNTIME, *map(function, draw(st.lists(NAMES, max_size=6))))


@st.composite
def split(
    draw: st.DrawFn, size: int, quantum: int, values: st.SearchStrategy[int]
) -> list[tuple[int, int]]:
    """`size` bytes as runs of values, no two neighbours alike."""
    marks = draw(st.sets(st.integers(1, max(size // quantum - 1, 1)), max_size=3))
    edges = sorted({0, size, *(mark * quantum for mark in marks if mark * quantum < size)})
    runs: list[tuple[int, int]] = []
    for lo, hi in pairwise(edges):
        value = draw(values.filter(lambda value: not runs or runs[-1][1] != value))
        runs.append((hi - lo, value))
    return runs


def value_at(runs: Sequence[tuple[int, int]], offset: int) -> int | None:
    for size, value in runs:
        if offset < size:
            return value
        offset -= size
    return None


FORMATS = [
    pytest.param("1.16", 62, None, id="1.17"),
    pytest.param("1.18", 62, None, id="1.18"),
    pytest.param("1.20", 62, None, id="1.20"),
    pytest.param("1.20", 62, 0, id="1.26, text only in moduledata"),
    pytest.param("1.20", 183, None, id="arm64"),
]


@pytest.mark.parametrize(("since", "machine", "text_start"), FORMATS)
@settings(deadline=None, max_examples=40)
@given(data=st.data(), with_sections=st.booleans(), relocated=st.booleans())
def test_a_table_comes_back(
    *,
    since: str,
    machine: int,
    text_start: int | None,
    with_sections: bool,
    relocated: bool,
    data: st.DataObject,
) -> None:
    quantum = 1 if machine == 62 else 4
    written = data.draw(functions(quantum))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(
            program(
                written,
                since=since,
                machine=machine,
                text_start=text_start,
                with_sections=with_sections,
                relocated=relocated,
                elf=Elf(machine=machine, kind=3) if relocated else None,
            )
        )
        binary = open_binary(path)

    entry = TEXT
    for wanted in written:
        found = binary.find(entry + len(wanted.code) // 2)
        assert found is not None
        assert (found.name, found.entry, found.end) == (wanted.name, entry, entry + wanted.size)
        assert (found.asm, found.spwrite, found.func_id) == (
            wanted.asm,
            wanted.spwrite,
            wanted.func_id,
        )
        assert found in binary.functions(wanted.name)
        assert binary.code(found) == wanted.code
        assert binary.has_locals_map(found) == wanted.locals_map
        for offset in range(len(wanted.code)):
            looked_up = max(offset - 1, 0)
            expected = -1 if wanted.unsafe is None else value_at(wanted.unsafe, looked_up)
            assert binary.unsafe_point(found, entry + offset) == expected
        entry = found.end
    assert binary.text == range(TEXT, entry)
    assert binary.find(TEXT - 1) is None
    assert binary.find(entry) is None
    for name in {function.name for function in written}:
        twins = [function.name for function in written if function.name == name]
        assert len(binary.functions(name)) == len(twins)
    assert binary.functions("no such function") == ()


def prologue(*, unsafe: list[tuple[int, int]], lines: list[tuple[int, int]]) -> Fn:
    return Fn("main.f", b"\x90" * 40, frame=[(10, 0), (4, 8), (26, 32)], unsafe=unsafe, lines=lines)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(
            prologue(unsafe=[(9, -2), (31, -1)], lines=[(20, 7), (10, 8), (10, 9)]),
            20,
            id="the first boundary behind it",
        ),
        pytest.param(
            prologue(unsafe=[(9, -2), (31, -1)], lines=[(14, 7), (26, 8)]),
            14,
            id="a boundary where the frame is just complete",
        ),
        pytest.param(
            prologue(unsafe=[(25, -2), (15, -1)], lines=[(20, 7), (10, 8), (10, 9)]),
            30,
            id="the first one is unsafe",
        ),
        pytest.param(
            prologue(unsafe=[(9, -2), (31, -1)], lines=[(40, 7)]), 14, id="all on one line"
        ),
        pytest.param(Fn("main.f", unsafe=[(16, -2)]), 0, id="no frame"),
    ],
)
def test_after_prologue(opened: Opened, function: Fn, expected: int) -> None:
    binary = opened([*RUNTIME, function])
    found = binary.function("main.f")
    assert binary.after_prologue(found) == found.entry + expected


def test_a_function_without_a_safe_point_is_an_error(opened: Opened) -> None:
    function = prologue(unsafe=[(40, -2)], lines=[(20, 7), (20, 8)])
    binary = opened([*RUNTIME, function])
    with pytest.raises(BinaryError, match=r"main\.f .* no point where a debug call is accepted"):
        binary.after_prologue(binary.function("main.f"))


def test_of_twins_the_one_that_is_no_wrapper_is_meant(opened: Opened) -> None:
    wrapper = Fn("runtime.osyield", b"\x90" * 90, func_id=22)
    itself = Fn("runtime.osyield", b"\x90" * 8, asm=True)
    for order in ([itself, wrapper], [wrapper, itself]):
        binary = opened([*RUNTIME, *order])
        assert binary.function("runtime.osyield").asm
        assert len(binary.functions("runtime.osyield")) == 2


@pytest.mark.parametrize("since", ["1.16", "1.18", "1.20"])
def test_a_c_function_that_the_go_linker_linked_in(opened: Opened, since: str) -> None:
    binary = opened([Fn("__tsan_init", is_c=True), *RUNTIME], since=since)
    function = binary.function("__tsan_init")
    assert not function.asm
    assert not binary.has_locals_map(function)
    assert binary.code(function)[:2] == b"\x90\x90"
    assert len(binary.code(function)) == 32  # nothing tells where it ends
    assert binary.after_prologue(function) == function.entry


def test_a_name_that_another_begins_or_ends_with(opened: Opened) -> None:
    names = ("main.f", "main.f.func1", "x/main.f", "main.ff")
    binary = opened([*RUNTIME, *map(Fn, names)])
    for name in names:
        assert [function.name for function in binary.functions(name)] == [name]


def test_a_name_offset_that_shows_up_out_of_step(opened: Opened) -> None:
    # The offsets 0x10000 and 0x10400 side by side: 00 00 01 00 00 04 01 00 hold 0x100 at byte 1.
    runtime = sum(len(function.name) + 1 for function in RUNTIME)
    before = [Fn("a" * (0x100 - runtime - 1)), Fn("main.f"), Fn("b" * (0x300 - 8))]
    binary = opened([*RUNTIME, *before, *[Fn("c" * 1023)] * 66])
    (found,) = binary.functions("main.f")
    assert found.name == "main.f"


def test_padding_is_no_code(opened: Opened) -> None:
    binary = opened([*RUNTIME, Fn("main.f", BRK + b"\x90")])
    function = binary.function("main.f")
    assert function.end - function.entry == 32
    assert binary.code(function) == BRK + b"\x90"
