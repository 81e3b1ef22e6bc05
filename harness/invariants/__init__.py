"""What must hold in every recording: pure functions, a recording in, findings out."""

from collections.abc import Mapping

from harness.invariants import (
    call_goroutine_locked,
    computation_right,
    protocol_order,
    registers_kept,
    thread_after_dispatch,
    thread_until_dispatch,
    witnesses_agree,
)
from harness.invariants.invariant import Invariant

__all__ = ["INVARIANTS", "Invariant"]

INVARIANTS: Mapping[str, Invariant] = {
    module.INVARIANT.name: module.INVARIANT
    for module in (
        thread_until_dispatch,
        call_goroutine_locked,
        witnesses_agree,
        thread_after_dispatch,
        protocol_order,
        computation_right,
        registers_kept,
    )
}
"""All invariants by name, the one that this project began with first."""
