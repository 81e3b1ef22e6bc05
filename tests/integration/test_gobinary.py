"""What is read from real programs, held against Go's own tools, DWARF and running processes."""

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.arch import arch_for
from harness.errors import BinaryError, Unsupported
from harness.gobinary import (
    Function,
    GoBinary,
    LayoutError,
    calibrate,
    load_bias,
    open_binary,
    static_layout,
    trap_sites,
)
from harness.gobinary.code_evidence import code_evidence
from harness.gobinary.dwarf import MEMBERS, dwarf_evidence
from harness.toolchain import Toolchain, build_target
from harness.tracer import Process
from tests.conftest import BROKEN_RELEASES, FIXED_RELEASES
from tests.lacking import lacking
from tests.unit.gobinary.exercise import exercise

RELEASES = ("1.17.13", "1.18.10", "1.21.1", "1.24.0", "1.27.3")
ARM64_RELEASES = ("1.18.10", "1.20.14", "1.21.1", "1.22.0", "1.24.0", "1.26.8", "1.27.3")
BUILDS = {
    "plain": (),
    "stripped": ("-ldflags=-s -w",),
    "pie": ("-buildmode=pie",),
    "stripped pie": ("-buildmode=pie", "-ldflags=-s -w"),
    "not optimised": ("-gcflags=all=-N -l",),
}
CGO = """package main

// int twice(int x) { return 2 * x; }
import "C"

func main() { println("ready", C.twice(21)) }
"""

Build = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def build(toolchain: Callable[[str], Toolchain]) -> Build:
    """Return a function from a release and a kind of build to the target `caller`."""
    return lambda version, kind: build_target(toolchain(version), "caller", flags=BUILDS[kind])


@pytest.fixture(scope="session")
def build_cgo(
    toolchain: Callable[[str], Toolchain], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Return a function from a release and flags to a program with C in it, linked by gcc."""
    if shutil.which("gcc") is None:
        lacking("there is no gcc to link C with", "apt-get install gcc libc6-dev")

    @cache
    def with_c(version: str, *flags: str) -> Path:
        folder = tmp_path_factory.mktemp("cgo")
        (folder / "go.mod").write_text("module withc\n\ngo 1.17\n")
        (folder / "main.go").write_text(CGO)
        found = toolchain(version)
        subprocess.run(
            [found.go, "build", *flags, "-o", "program", "."],
            cwd=folder,
            env=go_environment(found) | {"CGO_ENABLED": "1"},
            check=True,
        )
        return folder / "program"

    return with_c


def go_environment(toolchain: Toolchain) -> dict[str, str]:
    return os.environ | {
        "GOENV": "off",
        "GOFLAGS": "",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        "GOROOT": str(toolchain.goroot),
    }


def go_tool(toolchain: Toolchain, *command: str | Path) -> str:
    return subprocess.run(
        [toolchain.go, "tool", *command],
        env=go_environment(toolchain),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def comparable(name: str) -> str:
    """A name as both tables may have it.

    The symbol table has `.abi0` behind it, a dot for `·` in old releases, and the arguments of
    generics, for which releases up to 1.20 wrote `[...]` into the function table.
    """
    return re.sub(r"\[.*\]", "[]", re.sub(r"\.abi(0|internal)$", "", name)).replace("·", ".")


def all_functions(binary: GoBinary) -> Iterator[Function]:
    pc = binary.text.start
    while function := binary.find(pc):
        yield function
        pc = function.end


def test_a_function_that_was_inlined_everywhere_is_told_as_that(build: Build) -> None:
    binary = open_binary(build("1.21.1", "plain"))
    with pytest.raises(BinaryError, match="the compiler inlined it everywhere"):
        binary.function("internal/abi.addChecked")


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("kind", ["plain", "pie"])
def test_functions_are_those_of_the_symbol_table(
    toolchain: Callable[[str], Toolchain], build: Build, version: str, kind: str
) -> None:
    path = build(version, kind)
    binary = open_binary(path)
    symbols: dict[int, tuple[str, int]] = {}
    for line in go_tool(toolchain(version), "nm", "-size", path).splitlines():
        address, size, letter, name = line.split(maxsplit=3)
        # Symbols that begin with "go:" are the linker's, and no code.
        if letter in "Tt" and int(size) and not name.startswith("go:"):
            symbols[int(address, 16)] = comparable(name), int(size)
    found = {function.entry: function for function in all_functions(binary)}
    assert len(found) > 1000
    named = {entry: comparable(found[entry].name) for entry in found if entry in symbols}
    assert named == {entry: symbols[entry][0] for entry in named}
    assert len(named) > 0.99 * len(symbols)
    for entry in named:
        assert len(binary.code(found[entry])) == symbols[entry][1]
        assert found[entry] in binary.functions(found[entry].name)


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("kind", BUILDS)
def test_each_build_tells_what_it_is(build: Build, version: str, kind: str) -> None:
    binary = open_binary(build(version, kind))
    assert binary.go_version == f"go{version}"
    assert binary.goarch == "amd64"
    assert binary.pie == ("pie" in kind)
    assert len(binary.build_id.split("/")) == 4
    if version != "1.17.13":
        assert binary.settings["GOARCH"] == "amd64"
        assert binary.settings["CGO_ENABLED"] == "0"
    for name in ("runtime.schedule", "runtime.wakep", "runtime.startlockedm", "runtime.memequal"):
        assert binary.find(binary.function(name).entry) == binary.function(name)
    assert binary.function("runtime.memequal").asm
    assert not binary.has_locals_map(binary.function("runtime.memequal"))
    assert binary.function("runtime.systemstack").spwrite
    assert not binary.function("runtime.schedule").asm
    assert binary.has_locals_map(binary.function("runtime.schedule"))


@pytest.mark.parametrize("version", RELEASES)
def test_traps_are_those_that_go_disassembles(
    toolchain: Callable[[str], Toolchain], build: Build, version: str
) -> None:
    path = build(version, "plain")
    pattern = r"^(debugCall\d+|runtime\.debugCall(V2|Panicked))(\.abi0)?$"
    listing = go_tool(toolchain(version), "objdump", "-s", pattern, path)
    expected = {
        int(match[1], 16)
        for match in re.finditer(r"\s0x([0-9a-f]+)\s+cc\s+INT \$0x3", listing)
        if open_binary(path).find(int(match[1], 16))
    }
    sites = trap_sites(open_binary(path))
    assert set(sites) == expected
    assert len(sites) == 28  # three in debugCallV2, two for each frame size, one for a panic


@pytest.mark.parametrize("version", RELEASES)
def test_builds_of_one_release_agree_on_the_traps(build: Build, version: str) -> None:
    for kind in BUILDS:
        binary = open_binary(build(version, kind))
        sites = trap_sites(binary)
        assert len(sites) == 28
        assert all(binary.image.read(address, 1) == b"\xcc" for address in sites)


@pytest.mark.parametrize(
    ("goarch", "version"),
    [
        *(("amd64", version) for version in (*BROKEN_RELEASES, *FIXED_RELEASES)),
        *(("arm64", version) for version in ARM64_RELEASES),
    ],
)
def test_code_and_dwarf_give_the_same_offsets(
    toolchain: Callable[[str], Toolchain], version: str, goarch: str
) -> None:
    optional = {"g.parent_goid"} if version < "1.21" else set()
    layouts = []
    for kind, flags in BUILDS.items():
        if goarch == "arm64" and "pie" in kind and version != ARM64_RELEASES[-1]:
            continue  # each takes a build of the whole library
        path = build_target(toolchain(version), "caller", flags=flags, goarch=goarch)
        binary = open_binary(path)
        code = {field: offset for field, offset, _ in code_evidence(binary)}
        dwarf = {field: offset for field, offset, _ in dwarf_evidence(binary.image)}
        assert code.keys() == MEMBERS.keys() - optional - {"g.stack_lo"}
        if "stripped" in kind:
            assert not dwarf
        else:
            assert dwarf.keys() == MEMBERS.keys() - optional
            assert code == {field: dwarf[field] for field in code}
        layouts.append(static_layout(binary))
    assert len(set(layouts)) == 1


@pytest.mark.parametrize("version", ARM64_RELEASES)
@pytest.mark.parametrize("kind", ["plain", "stripped", "not optimised"])
def test_traps_of_a_program_for_arm64(
    toolchain: Callable[[str], Toolchain], version: str, kind: str
) -> None:
    path = build_target(toolchain(version), "caller", flags=BUILDS[kind], goarch="arm64")
    binary = open_binary(path)
    assert binary.goarch == "arm64"
    sites = trap_sites(binary)
    assert len(sites) == 28
    brk = struct.pack("<I", 0xD4200000)
    assert all(binary.image.read(address, 4) == brk for address in sites)


def test_a_program_for_arm64_that_is_too_old(
    toolchain: Callable[[str], Toolchain], tmp_path: Path
) -> None:
    go = toolchain("1.17.13")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
    subprocess.run(
        [go.go, "build", "-o", tmp_path / "program", tmp_path / "main.go"],
        env=go_environment(go) | {"GOARCH": "arm64"},
        check=True,
    )
    with pytest.raises(Unsupported, match=r"go1\.17\.13, .* no debugCallV2 on arm64"):
        open_binary(tmp_path / "program")


@pytest.mark.parametrize("version", RELEASES)
def test_behind_the_prologue_a_statement_begins(
    toolchain: Callable[[str], Toolchain], build: Build, version: str
) -> None:
    path = build(version, "plain")
    binary = open_binary(path)
    function = binary.function("main.main")
    place = binary.after_prologue(function)
    assert function.entry < place < function.end
    assert binary.unsafe_point(function, place) == -1
    assert binary.unsafe_point(function, function.entry) == -1
    listing = go_tool(toolchain(version), "objdump", "-s", r"^main\.main$", path)
    rows = re.findall(r"^\s+(\S+:\d+)\s+0x([0-9a-f]+)\s+\w+\s+(.*)$", listing, re.MULTILINE)
    before = [row for row in rows if int(row[1], 16) < place]
    at = next(row for row in rows if int(row[1], 16) == place)
    assert at[0] != before[-1][0]
    assert any("SUBQ" in text or "ADDQ $-0x80" in text for _, _, text in before)


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("flags", [(), ("-buildmode=pie",)])
def test_programs_with_c(
    build_cgo: Callable[..., Path], version: str, flags: tuple[str, ...]
) -> None:
    binary = open_binary(build_cgo(version, *flags))
    assert len(trap_sites(binary)) == 28
    static_layout(binary)
    section = binary.image.sections[".text"]
    assert section.address < binary.text.start  # the C runtime's start-up code stands before Go's
    assert binary.find(section.address) is None


@pytest.mark.parametrize("version", RELEASES)
def test_programs_with_the_race_detector(build_cgo: Callable[..., Path], version: str) -> None:
    binary = open_binary(build_cgo(version, "-race"))
    assert len(trap_sites(binary)) == 28
    static_layout(binary)


@pytest.mark.parametrize("version", ["1.17.13", "1.18.10", "1.27.3"])
def test_pointers_that_stand_in_relocations_only(
    build_cgo: Callable[..., Path], tmp_path: Path, version: str
) -> None:
    """lld leaves zeros where the dynamic loader will write; GNU ld, used here, does not."""
    path = build_cgo(version, "-buildmode=pie")
    content = bytearray(path.read_bytes())
    whole = open_binary(path)
    relocations = whole.image.sections[".rela.dyn"]
    zeroed = 0
    for at in range(relocations.offset, relocations.offset + relocations.size, 24):
        address, kind = struct.unpack_from("<QQ", content, at)
        if kind == 8:
            place = whole.image.offset(address)
            content[place : place + 8] = b"\0" * 8
            zeroed += 1
    assert zeroed > 1000
    (tmp_path / "program").write_bytes(content)
    bare = open_binary(tmp_path / "program")
    assert bare.text == whole.text
    assert bare.go_version == f"go{version}"
    assert trap_sites(bare) == trap_sites(whole)
    assert static_layout(bare) == static_layout(whole)
    for name in ("runtime.schedule", "runtime.memequal", "main.main"):
        function = bare.function(name)
        assert function == whole.function(name)
        assert bare.has_locals_map(function) == whole.has_locals_map(function)


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("kind", ["stripped", "stripped pie"])
def test_a_program_without_section_headers(
    build: Build, tmp_path: Path, version: str, kind: str
) -> None:
    whole = open_binary(build(version, kind))
    content = bytearray(whole.path.read_bytes())
    content[0x28:0x30] = bytes(8)  # e_shoff
    content[0x3C:0x40] = bytes(4)  # e_shnum, e_shstrndx
    (tmp_path / "program").write_bytes(content)
    bare = open_binary(tmp_path / "program")
    assert not bare.image.sections
    assert bare.text == whole.text
    assert bare.go_version == whole.go_version
    assert trap_sites(bare) == trap_sites(whole)
    assert static_layout(bare) == static_layout(whole)


def test_a_program_in_another_language() -> None:
    with pytest.raises(BinaryError, match="no Go function table"):
        open_binary(Path(sys.executable).resolve())


@contextmanager
def running(path: Path) -> Iterator[int]:
    """The pid of a target that said it is ready, and that ends with the block."""
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.communicate()


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("kind", ["stripped", "stripped pie"])
def test_a_running_program_confirms_what_its_file_said(
    build: Build, version: str, kind: str
) -> None:
    binary = open_binary(build(version, kind))
    layout = static_layout(binary)
    with (
        running(binary.path) as pid,
        Process.attach(pid, arch_for("amd64")) as process,
    ):
        bias = load_bias(binary, Path(f"/proc/{pid}/maps").read_text())
        assert bool(bias) == binary.pie
        for name in ("main.main", "runtime.schedule"):
            function = binary.function(name)
            code = binary.code(function)
            assert process.memory.read(function.entry + bias, len(code)) == code
        samples: list[tuple[int, int]] = []
        while not samples:  # the target computes nearly all the time
            for thread in process.threads.values():
                registers = process.read_registers(thread)
                function_at = binary.find(registers.pc - bias)
                if function_at and function_at.name.startswith("main."):
                    samples.append((thread.tid, registers.goroutine))
            if not samples:
                process.resume_all()
                process.stop_all()
        broken = layout._replace(m=layout.m._replace(curg=layout.m.curg + 8))
        for tid, g in samples:
            calibrate(layout, tid, g, process.memory.read)
            with pytest.raises(LayoutError, match=f"it is at .*{layout.m.curg}"):
                calibrate(broken, tid, g, process.memory.read)


@pytest.fixture(scope="session")
def stripped(build: Build) -> bytes:
    return build("1.27.3", "stripped").read_bytes()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.large_base_example])
@given(data=st.data())
def test_a_damaged_program_is_read_or_refused(stripped: bytes, data: st.DataObject) -> None:
    content = bytearray(stripped)
    table = content.index(struct.pack("<IHBB", 0xFFFFFFF1, 0, 1, 8))
    regions = st.sampled_from([(0, 0x400), (table, 0x60), (table, len(content) - table)])
    for _ in range(data.draw(st.integers(0, 8))):
        start, size = data.draw(regions)
        at = start + data.draw(st.integers(0, min(size, len(content) - start) - 1))
        junk = data.draw(st.binary(min_size=1, max_size=16))
        content[at : at + len(junk)] = junk
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(content)
        exercise(path)
