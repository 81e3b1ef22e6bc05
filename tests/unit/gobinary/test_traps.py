from collections.abc import Callable

import pytest

from harness.errors import BinaryError
from harness.gobinary import GoBinary, trap_sites
from tests.unit.gobinary.synthetic import BRK
from tests.unit.gobinary.synthetic_table import TEXT, Fn

Opened = Callable[..., GoBinary]

NOP = b"\x90"
MOV = bytes.fromhex("41bccccccccc")  # mov r12d, 0xcccccccc: four bytes that are no instructions
RET = b"\xc3"
SIZES = tuple(f"debugCall{size}" for size in (32, 64, 128, 256, 512, 1024, 2048, 4096))
LARGE = ("debugCall8192", "debugCall16384", "debugCall32768", "debugCall65536")


def protocol(v2: bytes, sized: bytes, panicked: bytes, *, align: int = 32) -> list[Fn]:
    sizes = [Fn(name, sized, asm=True, align=align) for name in (*SIZES, *LARGE)]
    return [
        *sizes,
        Fn("runtime.debugCallV2", v2, asm=True, align=align),
        Fn("runtime.debugCallPanicked", panicked, asm=True, align=align),
        Fn("runtime.main", align=align),
    ]


def test_int3_as_an_instruction_and_nowhere_else(opened: Opened) -> None:
    functions = protocol(
        MOV + b"\xcc" + MOV + b"\xcc" + RET, NOP + b"\xcc" + RET, MOV + b"\xcc" + RET
    )
    sites = trap_sites(opened(functions))
    expected = {TEXT + 32 * n + 1: name for n, name in enumerate((*SIZES, *LARGE))}
    expected |= {TEXT + 32 * 12 + at: "runtime.debugCallV2" for at in (6, 13)}
    expected[TEXT + 32 * 13 + 6] = "runtime.debugCallPanicked"
    assert dict(sites) == expected


def test_brk_on_arm64(opened: Opened) -> None:
    nop, other = bytes.fromhex("1f2003d5"), bytes.fromhex("200020d4")  # BRK #1 is not ours
    functions = protocol(nop + BRK + other, BRK + nop, nop + nop + BRK)
    sites = trap_sites(opened(functions, machine=183))
    assert len(sites) == 14
    assert sites[TEXT] == "debugCall32"
    assert sites[TEXT + 32 * 12 + 4] == "runtime.debugCallV2"
    assert sites[TEXT + 32 * 13 + 8] == "runtime.debugCallPanicked"


def test_a_wrapper_has_no_trap_of_its_own(opened: Opened) -> None:
    functions = protocol(b"\xcc", b"\xcc", b"\xcc")
    wrapper = Fn("runtime.debugCallPanicked", NOP + RET, func_id=22)
    assert len(trap_sites(opened([*functions, wrapper]))) == 14


def test_a_function_whose_trap_was_taken_out(opened: Opened) -> None:
    functions = protocol(b"\xcc", NOP + RET, b"\xcc")
    with pytest.raises(BinaryError, match=r"debugCall32 .* has no breakpoint"):
        trap_sites(opened(functions))


def test_a_runtime_without_one_of_the_functions(opened: Opened) -> None:
    functions = protocol(b"\xcc", b"\xcc", b"\xcc")
    with pytest.raises(BinaryError, match="no function debugCall4096"):
        trap_sites(opened([fn for fn in functions if fn.name != "debugCall4096"]))
