"""Offsets in the runtime's g, m and p: they differ between releases, and patch releases move them.

Whatever knows an offset is asked: what the linker and the assembler rely on, the runtime's machine
code, and DWARF where there is some. One that contradicts the others makes the target unusable: a
wrong offset would make a wrong verdict. Types: runtime/runtime2.go.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from harness.errors import Unsupported
from harness.gobinary.binary import GoBinary
from harness.gobinary.code_evidence import code_evidence
from harness.gobinary.dwarf import dwarf_evidence
from harness.gobinary.evidence import Evidence


class LayoutError(Unsupported):
    """What is known about the runtime's data contradicts itself, or is not enough."""


class GLayout(NamedTuple):
    """Offsets in runtime.g, in bytes; 8-byte fields unless said otherwise. None: not known."""

    stack_lo: int
    stack_hi: int
    stackguard0: int
    m: int
    atomicstatus: int  # 4 bytes
    lockedm: int
    goid: int | None = None
    parent_goid: int | None = None  # Go 1.21 and later


class MLayout(NamedTuple):
    """Offsets in runtime.m, in bytes; 8-byte fields unless said otherwise. None: not known."""

    procid: int
    curg: int
    locks: int  # 4 bytes
    p: int | None = None
    mallocing: int | None = None  # 4 bytes
    preemptoff: int | None = None  # a string: its length is 8 bytes further on


class PLayout(NamedTuple):
    """Offsets in runtime.p, in bytes."""

    status: int  # 4 bytes


class Layout(NamedTuple):
    """Where the runtime keeps what the harness reads and writes."""

    g: GLayout
    m: MLayout
    p: PLayout


_FIXED = "Go's linker and assembler"

#: Fields whose places are known outside the runtime: type g in runtime/runtime2.go says so of the
#: stack and stackguard0; m and status have stood there since before Go 1.17.
_CONSTANTS = (
    Evidence("g.stack_lo", 0, _FIXED),
    Evidence("g.stack_hi", 8, _FIXED),
    Evidence("g.stackguard0", 16, _FIXED),
    Evidence("g.m", 48, "all releases since Go 1.17"),
    Evidence("p.status", 4, "all releases since Go 1.17"),
)

_REQUIRED = (
    "g.stack_lo", "g.stack_hi", "g.stackguard0", "g.m", "g.atomicstatus", "g.lockedm",
    "m.procid", "m.curg", "m.locks", "p.status",
)  # fmt: skip


def static_layout(binary: GoBinary) -> Layout:
    """The offsets for this program, from its file alone.

    Raises LayoutError if sources disagree, or if a field is missing that nothing works without.
    """
    evidence = (*_CONSTANTS, *code_evidence(binary), *dwarf_evidence(binary.image))
    return agree(evidence, binary)


def agree(evidence: Iterable[Evidence], binary: GoBinary) -> Layout:
    """The layout that all the evidence about `binary` speaks for; LayoutError if there is none."""
    sources: dict[str, dict[int, str]] = {}
    for field, offset, source in evidence:
        sources.setdefault(field, {}).setdefault(offset, source)
    for field, said in sources.items():
        if len(said) > 1:
            views = " but ".join(f"{offset} according to {said[offset]}" for offset in said)
            raise LayoutError(
                f"{binary.path} ({binary.go_version}): the offset of {field} is {views}",
                mend="report this with the output of `go version -m` for the program",
            )
    if missing := [field for field in _REQUIRED if field not in sources]:
        raise LayoutError(
            f"{binary.path} ({binary.go_version}, {binary.goarch}): nothing tells the offsets of "
            f"{', '.join(missing)}",
            mend="build it with its debug information: without -s and -w in -ldflags",
        )
    known = {field: offset for field, said in sources.items() for offset in said}
    return Layout(
        g=GLayout(**_of("g", known)), m=MLayout(**_of("m", known)), p=PLayout(**_of("p", known))
    )


def _of(owner: str, known: Mapping[str, int]) -> dict[str, int]:
    return {
        field.partition(".")[2]: offset
        for field, offset in known.items()
        if field.startswith(f"{owner}.")
    }
