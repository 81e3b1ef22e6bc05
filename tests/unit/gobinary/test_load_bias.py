from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import BinaryError
from harness.gobinary import GoBinary, load_bias, open_binary
from tests.unit.gobinary.synthetic import program
from tests.unit.gobinary.synthetic_elf import PAGE, Elf
from tests.unit.gobinary.synthetic_table import TEXT

BASE = 0x7F5500000000


@pytest.fixture
def pie(written: Callable[[bytes], Path]) -> GoBinary:
    return open_binary(written(program(elf=Elf(kind=3))))


def line(lo: int, size: int, access: str, offset: int, inode: int, path: str) -> str:
    return f"{lo:x}-{lo + size:x} {access} {offset:08x} 08:01 {inode} {path:>30}\n"


def test_a_program_that_is_not_pie(written: Callable[[bytes], Path]) -> None:
    assert load_bias(open_binary(written(program())), "") == 0


def test_its_mapping_is_found_among_others(pie: GoBinary) -> None:
    inode = pie.path.stat().st_ino
    maps = (
        line(BASE, PAGE, "r--p", PAGE, inode, str(pie.path))
        + line(BASE + PAGE, PAGE, "r-xp", PAGE, inode, str(pie.path))
        + line(BASE + 9 * PAGE, PAGE, "r-xp", PAGE, 77, "/usr/lib/libc.so.6")
        + line(BASE + 20 * PAGE, 9 * PAGE, "r-xp", PAGE, inode, str(pie.path))
        + line(BASE + 30 * PAGE, PAGE, "r-xp", 0, 0, "[vdso]")
    )
    assert load_bias(pie, maps) == BASE + PAGE - TEXT


@pytest.mark.parametrize(
    ("inode", "path"),
    [
        pytest.param(True, "/elsewhere/in/a/container", id="same inode"),
        pytest.param(False, None, id="same path"),
        pytest.param(True, "/gone (deleted)", id="deleted"),
    ],
)
def test_either_name_or_inode_tells(pie: GoBinary, *, inode: bool, path: str | None) -> None:
    maps = line(BASE, PAGE, "r-xp", PAGE, 77, "/usr/lib/libc.so.6") + line(
        BASE + 9 * PAGE,
        PAGE,
        "r-xp",
        PAGE,
        pie.path.stat().st_ino if inode else 1,
        path or str(pie.path),
    )
    assert load_bias(pie, maps) == BASE + 9 * PAGE - TEXT


def test_the_only_one_of_its_shape(pie: GoBinary) -> None:
    assert load_bias(pie, line(BASE, PAGE, "r-xp", PAGE, 1, "/x")) == BASE - TEXT


@pytest.mark.parametrize(
    "maps",
    [
        pytest.param("", id="nothing"),
        pytest.param("no such lines\n\0\n", id="no maps"),
        pytest.param(line(BASE, PAGE, "rw-p", PAGE, 1, "/x"), id="no code"),
        pytest.param(line(BASE, 2 * PAGE, "r-xp", PAGE, 1, "/x"), id="another size"),
        pytest.param(line(BASE, PAGE, "r-xp", PAGE, 0, ""), id="anonymous"),
        pytest.param(
            line(BASE, PAGE, "r-xp", PAGE, 1, "/x") + line(0x1000, PAGE, "r-xp", PAGE, 2, "/y"),
            id="two that could be it",
        ),
    ],
)
def test_another_program(pie: GoBinary, maps: str) -> None:
    with pytest.raises(BinaryError, match="no mapping of the code") as caught:
        load_bias(pie, maps)
    assert "/proc/PID/exe" in caught.value.mend
