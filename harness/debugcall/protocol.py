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


_ACTIONS = {
    0: Action.CALL,
    1: Action.READ_RESULTS,
    2: Action.READ_PANIC,
    8: Action.READ_REFUSAL,
    16: Action.RESTORE,
}
_LEGAL = {
    (State.INJECTED, 0): State.CALLING,
    (State.INJECTED, 8): State.LEAVING,
    (State.CALLING, 1): State.LEAVING,
    (State.CALLING, 2): State.LEAVING,
    (State.LEAVING, 16): State.ENDED,
}


def advance(state: State, status: int) -> tuple[State, Action]:
    """Return the state after a trap with this status, and what to do at it.

    A status that may not come now leads to `ILLEGAL`, and there the protocol stays; the action
    still follows the status, so that a target which breaks the order gets out of its call.
    """
    return _LEGAL.get((state, status), State.ILLEGAL), _ACTIONS.get(status, Action.IGNORE)
