"""Debug sections are read as far as they are asked for, and no further."""

import struct
import zlib
from collections.abc import Callable
from hashlib import shake_128

import pytest

from harness.gobinary import GoBinary, debug_section
from harness.gobinary.debug_section import DebugSection
from tests.unit.gobinary.synthetic_elf import Named

Opened = Callable[..., GoBinary]

SIZE = 1 << 20
#: Cannot be compressed, so that it takes many pieces in each form.
CONTENT = shake_128(b"").digest(SIZE)


def plain(content: bytes) -> Named:
    return Named(".debug_info", 0, content)


def compressed(content: bytes) -> Named:
    head = struct.pack("<IIQQ", 1, 0, len(content), 1)
    return Named(".debug_info", 0, head + zlib.compress(content), flags=0x800)


def old_compressed(content: bytes) -> Named:
    head = b"ZLIB" + struct.pack(">Q", len(content))
    return Named(".zdebug_info", 0, head + zlib.compress(content))


@pytest.fixture(params=[plain, compressed, old_compressed])
def form(request: pytest.FixtureRequest) -> Callable[[bytes], Named]:
    found: Callable[[bytes], Named] = request.param
    return found


def section(opened: Opened, *written: Named) -> DebugSection:
    return DebugSection(opened(more=written).image, "info")


def test_all_of_it_can_be_read(opened: Opened, form: Callable[[bytes], Named]) -> None:
    found = section(opened, form(CONTENT))
    assert found.read(SIZE - 5, 100) == CONTENT[-5:]
    assert found.read(0, SIZE) == CONTENT
    assert found.read(SIZE, 1) == b""


def test_what_reaches_from_one_piece_into_the_next_is_found(opened: Opened) -> None:
    for place in range((1 << 14) - 12, (1 << 14) + 2):
        content = bytearray(b"." * (1 << 15))
        content[place : place + 10] = b"runtime.g\0"
        found = section(opened, plain(bytes(content)))
        assert found.find(b"runtime.g\0", 0) == place
        assert found.find(b"runtime.g\0", place + 1) == -1


def test_a_damaged_end_is_not_seen_from_the_front(opened: Opened) -> None:
    whole = compressed(CONTENT)
    half = Named(whole.name, 0, whole.content[: SIZE // 2] + b"?" * (SIZE // 2), flags=0x800)
    found = section(opened, half)
    assert found.find(CONTENT[1000:1010], 0) == 1000
    assert found.find(b"nowhere, for sure", 0) == -1
    assert len(found.read(0, SIZE)) < SIZE


def test_there_is_a_limit(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug_section, "_LIMIT", 100_000)
    bomb = compressed(bytes(1 << 26))
    assert len(bomb.content) < 1 << 17
    assert 100_000 <= len(section(opened, bomb).read(0, 1 << 26)) < 1 << 25


@pytest.mark.parametrize(
    "content",
    [
        pytest.param((), id="none"),
        pytest.param((plain(b""),), id="empty"),
        pytest.param((Named(".debug_info", 0, b"\1" * 20, flags=0x800),), id="no room"),
        pytest.param(
            (
                Named(
                    ".debug_info",
                    0,
                    struct.pack("<IIQQ", 2, 0, 9, 1) + zlib.compress(b"content"),
                    flags=0x800,
                ),
            ),
            id="another compression",
        ),
        pytest.param((Named(".zdebug_info", 0, b"ZLIB"),), id="old, no room"),
    ],
)
def test_what_cannot_be_read_is_empty(opened: Opened, content: tuple[Named, ...]) -> None:
    assert section(opened, *content).read(0, 10) == b""
