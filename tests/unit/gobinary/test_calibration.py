import struct
from collections.abc import Callable, Mapping

import pytest

from harness.gobinary import GLayout, Layout, LayoutError, MLayout, PLayout, calibrate, is_locked

G, M, TID = 0xC000004000, 0x5A0000, 4711
LAYOUT = Layout(
    g=GLayout(stack_lo=0, stack_hi=8, stackguard0=16, m=48, atomicstatus=144, lockedm=208),
    m=MLayout(procid=72, curg=192, locks=264),
    p=PLayout(status=4),
)


def process() -> dict[int, int]:
    """Words of memory round one goroutine."""
    return {
        G: 0xC000100000,
        G + 8: 0xC000102000,
        G + 48: M,
        G + 208: 0,
        M: 0xC000000000,
        M + 72: TID,
        M + 192: G,
    }


def reader(words: Mapping[int, int]) -> Callable[[int, int], bytes]:
    def read(address: int, size: int) -> bytes:
        inside = any(start <= address < start + 0x1000 for start in (G, M))
        return struct.pack("<Q", words.get(address, 0))[:size] if inside else b""

    return read


def test_a_layout_that_fits() -> None:
    calibrate(LAYOUT, TID, G, reader(process()))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        pytest.param(M + 72, 1, r"procid of thread 4711 .* offset 72 there is 0x1$", id="procid"),
        pytest.param(M + 192, 0, r"curg of thread 4711 .* offset 192", id="curg"),
        pytest.param(G + 48, 0xDEAD0000, "leads nowhere: 0xdead0048", id="m"),
        pytest.param(G, 0, "has no stack", id="stack"),
        pytest.param(G + 8, 5, "has no stack", id="stack upside down"),
    ],
)
def test_a_layout_that_does_not(place: int, value: int, message: str) -> None:
    words = process() | {place: value}
    with pytest.raises(LayoutError, match=message):
        calibrate(LAYOUT, TID, G, reader(words))


def test_the_right_offset_is_named() -> None:
    words = process() | {M + 72: 0, M + 64: TID}
    with pytest.raises(LayoutError, match=r"\(it is at 64\)"):
        calibrate(LAYOUT, TID, G, reader(words))


def test_memory_that_cannot_be_read() -> None:
    def read(address: int, size: int) -> bytes:
        del address, size
        raise OSError(5, "Input/output error")

    with pytest.raises(LayoutError, match="Input/output error"):
        calibrate(LAYOUT, TID, G, read)


def test_locked_and_not_locked() -> None:
    assert is_locked(LAYOUT, G, reader(process() | {G + 208: M}))
    assert not is_locked(LAYOUT, G, reader(process()))
    assert not is_locked(LAYOUT, G, reader(process() | {G + 208: M + 0x800}))


@pytest.mark.parametrize("place", [184, 200, 216, 232])
def test_a_lock_in_another_place_is_no_missing_lock(place: int) -> None:
    with pytest.raises(LayoutError, match=rf"named at offset {place}$"):
        is_locked(LAYOUT, G, reader(process() | {G + place: M}))
