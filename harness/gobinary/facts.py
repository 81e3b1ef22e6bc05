"""What takes a disassembler to find out: once, wherever there is one.

As JSON (msgspec) it goes to where the program runs, such as a virtual machine in which Python is
slow and the disassembler is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from harness.gobinary.binary import GoBinary
from harness.gobinary.layout import Layout, static_layout
from harness.gobinary.traps import trap_sites


class Facts(NamedTuple):
    """About one executable: `traps` are as `trap_sites` gives them."""

    layout: Layout
    traps: Mapping[int, str]


def examine(binary: GoBinary) -> Facts:
    """Find out about an executable. Raises BinaryError and LayoutError as those two do."""
    return Facts(static_layout(binary), dict(trap_sites(binary)))
