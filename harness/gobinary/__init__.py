"""What a Go executable tells about itself, stripped or not: functions, tables, offsets in g and m."""

from harness.gobinary.binary import GoBinary, open_binary
from harness.gobinary.layout import GLayout, Layout, MLayout, PLayout
from harness.gobinary.loadbias import load_bias
from harness.gobinary.pclntab import Function
from harness.gobinary.traps import trap_sites

__all__ = [
    "Function",
    "GLayout",
    "GoBinary",
    "Layout",
    "MLayout",
    "PLayout",
    "load_bias",
    "open_binary",
    "trap_sites",
]
