"""What a user may point at instead of a Go program, and what it gets: a sentence and a way out."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import BinaryError, Unsupported
from harness.gobinary import open_binary
from tests.unit.gobinary.synthetic import RODATA, RUNTIME, program
from tests.unit.gobinary.synthetic_elf import PAGE, Elf, Load
from tests.unit.gobinary.synthetic_table import TEXT, Fn, PclnTab

Written = Callable[[bytes], Path]
GOARCH = {62: "amd64", 183: "arm64"}
GARBLED = (Fn("kxs9Qm1.a"), Fn("Zp0.(*b).c"))


def refused(path: Path) -> BinaryError:
    with pytest.raises(BinaryError) as caught:
        open_binary(path)
    assert str(path) in caught.value.message
    assert caught.value.mend
    assert caught.value.exit_code == 129
    return caught.value


def test_a_path_that_is_none(tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path / "absent").message
    assert "is a directory" in refused(tmp_path).message
    assert refused(tmp_path / ("x" * 300)).message.endswith("cannot be opened: File name too long")
    (tmp_path / "empty").touch()
    assert "is empty" in refused(tmp_path / "empty").message
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in refused(tmp_path / "fifo").message
    assert "not a regular file" in refused(Path("/dev/zero")).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(written: Written) -> None:
    path = written(program())
    path.chmod(0)
    assert "permission denied" in refused(path).message
    assert f"chmod +r {path}" in refused(path).mend


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"#!/bin/sh\nexec true\n" * 9, "not an ELF executable", id="script"),
        pytest.param(b"\x7fEL", "not an ELF executable", id="three bytes"),
        pytest.param(b"\x7fELF\x02\x01\x01", "header is not complete", id="seven bytes"),
        pytest.param(program(elf=Elf(ident=b"\x7fELF\x01\x01\x01")), "32-bit", id="32-bit"),
        pytest.param(program(elf=Elf(ident=b"\x7fELF\x02\x02\x01")), "big-endian", id="big-endian"),
        pytest.param(program(elf=Elf(machine=243)), "for riscv64", id="riscv64"),
        pytest.param(program(elf=Elf(machine=999)), "for ELF machine 999", id="unheard of"),
        pytest.param(program(elf=Elf(kind=1)), "object file or a core dump", id="object file"),
        pytest.param(program()[: 3 * PAGE], "damaged or cut off", id="cut off"),
        pytest.param(program()[:100], "damaged or cut off", id="cut off in its headers"),
        pytest.param(Elf([Load(TEXT, b"\xc3", 5)]).encoded(), "no Go function table", id="C"),
        pytest.param(Elf().encoded(), "no Go function table", id="no segments"),
    ],
)
def test_a_file_that_is_no_such_program(written: Written, content: bytes, message: str) -> None:
    assert message in refused(written(content)).message


@pytest.mark.parametrize(
    ("version", "machine", "first"),
    [
        ("go1.16.15", 62, "1.17"),
        ("go1.4", 62, "1.17"),
        ("devel go1.16-5a2a9a4e Tue Jan 5", 62, "1.17"),
        ("go1.17.13", 183, "1.18"),
    ],
)
def test_an_old_go(written: Written, version: str, machine: int, first: str) -> None:
    with pytest.raises(Unsupported) as caught:
        open_binary(written(program(since="1.16", version=version, machine=machine)))
    assert f"built by {version}" in caught.value.message
    assert f"no debugCallV2 on {GOARCH[machine]}" in caught.value.message
    assert f"Go {first} or later" in caught.value.mend
    assert caught.value.exit_code == 125


def test_an_old_table_without_a_version(written: Written) -> None:
    content = program(version="").replace(
        struct.pack("<I", 0xFFFFFFF1), struct.pack("<I", 0xFFFFFFFB)
    )
    assert "built by Go 1.15 or older" in refused(written(content)).message


def test_obfuscated_names(written: Written) -> None:
    error = refused(written(program(GARBLED)))
    assert "obfuscated" in error.message
    assert "garble" in error.mend


def test_a_program_without_debug_calls(written: Written) -> None:
    without = [function for function in RUNTIME if function.name == "runtime.main"]
    assert "has no function runtime.debugCallV2" in refused(written(program(without))).message


def test_a_name_that_is_missing_is_explained(written: Written) -> None:
    handlers = [Fn("main.handle"), Fn("main.handleAll"), Fn("other.quite")]
    binary = open_binary(written(program([*RUNTIME, *handlers])))
    for wrong, mend in [
        ("main.handel", "give main.handle or main.handleAll"),
        ("mian.handle", "give main.handle"),
        ("nosuch", "give its full name, such as main.(*Server).handle; or, "),
        ("handle", "give main.handle"),
    ]:
        with pytest.raises(BinaryError, match=f"has no function {wrong}$") as caught:
            binary.function(wrong)
        assert caught.value.mend.startswith(mend)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(program(elf=Elf(ident=b"\x7fELF\x02\x01\x01\x09")), id="by its header"),
        pytest.param(program(module="build\tGOOS=freebsd\n"), id="by its build information"),
    ],
)
def test_a_program_for_another_system(written: Written, content: bytes) -> None:
    error = refused(written(content))
    assert "is a program for freebsd" in error.message
    assert error.mend == "build it with GOOS=linux"


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(8, id="number of functions"),
        pytest.param(32, id="names"),
        pytest.param(40, id="units"),
        pytest.param(48, id="files"),
        pytest.param(56, id="values"),
        pytest.param(64, id="functions"),
    ],
)
@pytest.mark.parametrize("value", [0, 1 << 31, (1 << 64) - 1])
def test_a_table_whose_header_is_wrong(written: Written, place: int, value: int) -> None:
    content = bytearray(program(with_sections=False))
    at = content.index(struct.pack("<IHBB", 0xFFFFFFF1, 0, 1, 8)) + place
    content[at : at + 8] = struct.pack("<Q", value)
    assert "damaged" in refused(written(bytes(content))).message


def test_a_false_magic_number_does_not_hide_the_table(written: Written) -> None:
    false = struct.pack("<IHBB", 0xFFFFFFF1, 0, 1, 8) + b"\xff" * 64
    code, table = b"".join(fn.code.ljust(32) for fn in RUNTIME), PclnTab(RUNTIME).encoded()
    loads = [Load(TEXT, code, 5), Load(RODATA, false.ljust(128, b"\0") + table, 4)]
    binary = open_binary(written(Elf(loads).encoded()))
    assert binary.function("runtime.main").entry == TEXT


def test_neither_header_nor_moduledata_tells_where_the_code_begins(written: Written) -> None:
    whole = program(text_start=0, with_sections=False)
    at = whole.rindex(struct.pack("<Q", RODATA))
    blinded = whole[:at] + b"\0" * 8 + whole[at + 8 :]
    assert "no moduledata" in refused(written(blinded)).message
