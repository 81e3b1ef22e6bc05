"""capstone called by its C interface, held against its own Python package."""

import capstone
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.gobinary import disassembly
from harness.gobinary.disassembly import disassemble

OWN = {
    "amd64": capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    "arm64": capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
}
CMPXCHG = bytes.fromhex("f0410fb18f90000000cc")


@given(st.sampled_from(sorted(OWN)), st.binary(max_size=64), st.integers(0, (1 << 64) - 1))
@example("amd64", CMPXCHG, 0x401000)
@example("arm64", bytes.fromhex("000020d41f2003d5"), 0x401000)
def test_as_capstone_itself_says(goarch: str, code: bytes, address: int) -> None:
    expected = [
        (at, mnemonic, operands)
        for at, _, mnemonic, operands in OWN[goarch].disasm_lite(code, address)
    ]
    assert [tuple(instruction) for instruction in disassemble(goarch, code, address)] == expected


def test_the_examples_are_instructions() -> None:
    assert [tuple(instruction) for instruction in disassemble("amd64", CMPXCHG, 0)] == [
        (0, "lock cmpxchg", "dword ptr [r15 + 0x90], ecx"),
        (9, "int3", ""),
    ]


def test_a_machine_without_capstone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disassembly, "find_spec", lambda _: None)
    monkeypatch.setattr(disassembly, "_MAJOR", 99)  # nor one in the system's folders
    with pytest.raises(
        HarnessError, match=r"capstone cannot be used: libcapstone\.so\.99"
    ) as raised:
        disassembly._library.__wrapped__()  # noqa: SLF001 - without its cache
    assert raised.value.mend == "pip install 'capstone>=5,<6'"


def test_another_version_of_capstone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disassembly, "_MAJOR", 4)
    with pytest.raises(HarnessError, match="capstone cannot be used: it is version 5"):
        disassembly._library.__wrapped__()  # noqa: SLF001 - without its cache
