"""Offsets of fields from the runtime's machine code, which no stripping removes."""

import re
from collections.abc import Iterator
from functools import cache

from harness.gobinary import amd64, arm64
from harness.gobinary.binary import GoBinary
from harness.gobinary.disassembly import disassemble
from harness.gobinary.evidence import Evidence, Witness

_CODE = {"amd64": amd64, "arm64": arm64}
_STATUS_TO_GOID = 8  # only stackLock, another uint32, lies between: type g in runtime/runtime2.go
_LENGTH = 8  # offset of a string's length in the string


def code_evidence(binary: GoBinary) -> Iterator[Evidence]:
    """What the instructions say."""
    code = _CODE[binary.goarch]
    listing = cache(lambda name: _listing(binary, name))

    def seen(witnesses: tuple[Witness, ...]) -> Iterator[Evidence]:
        for function, shape in witnesses:
            for match in _matches(shape, listing(function)):
                for group, text in match.groupdict().items():
                    if "_" in group:
                        yield _evidence(group, int(text, 0), function)

    status = None
    for evidence in seen(code.WITNESSES):
        if evidence.field == "g.atomicstatus":
            status = evidence.offset
        yield evidence
    if status is not None:
        yield from seen(code.goid_witnesses(status + _STATUS_TO_GOID))


def _matches(shape: str, listing: str) -> Iterator[re.Match[str]]:
    return re.finditer(shape, listing, re.MULTILINE) if listing else iter(())


def _evidence(group: str, offset: int, function: str) -> Evidence:
    owner, _, field = group.partition("_")
    if field == "preemptoff_len":
        field, offset = "preemptoff", offset - _LENGTH
    return Evidence(f"{owner}.{field}", offset, f"the code of {function}")


def _listing(binary: GoBinary, name: str) -> str:
    if not binary.functions(name):
        return ""
    function = binary.function(name)
    return "".join(
        f"{instruction.mnemonic} {instruction.operands}\n"
        for instruction in disassemble(binary.goarch, binary.code(function), function.entry)
        if instruction.mnemonic != "nop"
    )
