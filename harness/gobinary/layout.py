"""Offsets in the runtime's g, m and p: they differ between releases, and patch releases move them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GLayout:
    """Offsets in runtime.g, in bytes; None where an optional one could not be had."""

    stack_lo: int = 0
    stack_hi: int = 8
    stackguard0: int = 16
    m: int = 48
    atomicstatus: int | None = None
    goid: int | None = None
    lockedm: int | None = None
    parent_goid: int | None = None  # Go 1.21 and later


@dataclass(frozen=True, slots=True)
class MLayout:
    """Offsets in runtime.m. `preemptoff` is a string: its length is 8 bytes further on."""

    procid: int | None = None
    curg: int | None = None
    p: int | None = None
    mallocing: int | None = None
    preemptoff: int | None = None
    locks: int | None = None
    lockedg: int | None = None
    locked_ext: int | None = None
    locked_int: int | None = None


@dataclass(frozen=True, slots=True)
class PLayout:
    """Offsets in runtime.p."""

    status: int = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the runtime keeps what the harness reads and writes."""

    g: GLayout = field(default_factory=GLayout)
    m: MLayout = field(default_factory=MLayout)
    p: PLayout = field(default_factory=PLayout)
