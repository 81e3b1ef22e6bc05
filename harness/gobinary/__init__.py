"""What a Go executable tells, stripped or not: functions, tables, offsets in g and m."""

from harness.gobinary.binary import GoBinary, open_binary
from harness.gobinary.calibration import calibrate, is_locked
from harness.gobinary.facts import Facts, examine
from harness.gobinary.layout import GLayout, Layout, LayoutError, MLayout, PLayout, static_layout
from harness.gobinary.loadbias import load_bias
from harness.gobinary.pclntab import Function
from harness.gobinary.traps import trap_sites

__all__ = [
    "Facts",
    "Function",
    "GLayout",
    "GoBinary",
    "Layout",
    "LayoutError",
    "MLayout",
    "PLayout",
    "calibrate",
    "examine",
    "is_locked",
    "load_bias",
    "open_binary",
    "static_layout",
    "trap_sites",
]
