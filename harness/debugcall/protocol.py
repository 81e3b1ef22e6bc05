"""The debug call protocol as a pure state machine: a status in, a state and an action out.

Source: the comment before debugCallV2 in Go's runtime/asm_amd64.s and runtime/asm_arm64.s.

    injected ── 0 dispatch ──> calling ── 1 return, 2 panic ──> leaving ── 16 restore ──> ended
        └────── 8 refusal ────────────────────────────────────────^
"""

import enum


class State(enum.Enum):
    """Where one injection is in the protocol."""

    INJECTED = "injected"
    CALLING = "calling"
    LEAVING = "leaving"
    ENDED = "ended"
    ILLEGAL = "illegal"


class Action(enum.Enum):
    """What the debugger has to do at a trap before it lets the thread go on."""

    CALL = "set up the call"
    READ_RESULTS = "read the results"
    READ_PANIC = "read the panic value"
    READ_REFUSAL = "read the reason"
    RESTORE = "restore the registers"
    IGNORE = "go on"


_STEPS = {
    0: (State.INJECTED, State.CALLING, Action.CALL),
    1: (State.CALLING, State.LEAVING, Action.READ_RESULTS),
    2: (State.CALLING, State.LEAVING, Action.READ_PANIC),
    8: (State.INJECTED, State.LEAVING, Action.READ_REFUSAL),
    16: (State.LEAVING, State.ENDED, Action.RESTORE),
}
"""By status: the only state in which it may come, the state after it, what to do."""
_UNKNOWN = (None, State.ILLEGAL, Action.IGNORE)


def advance(state: State, status: int) -> tuple[State, Action]:
    """Return the state after a trap with this status, and what to do at it.

    A status that may not come now leads to `ILLEGAL`, and there the protocol stays; the action
    still follows the status, so that a target which breaks the order gets out of its call.
    """
    before, after, action = _STEPS.get(status, _UNKNOWN)
    return (after if state is before else State.ILLEGAL), action
