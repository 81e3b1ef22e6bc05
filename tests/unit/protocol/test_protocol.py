"""The state machine, over every sequence of statuses."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.debugcall.protocol import Action, State, advance

STATUSES = (0, 1, 2, 8, 16)
ACTIONS = {
    0: Action.CALL,
    1: Action.READ_RESULTS,
    2: Action.READ_PANIC,
    8: Action.READ_REFUSAL,
    16: Action.RESTORE,
}
LEGAL = re.compile(r"|0 |0 [12] |0 [12] 16 |8 |8 16 ")
"""All the legal beginnings, each status followed by a space."""


def states(statuses: tuple[int, ...]) -> list[State]:
    found = [State.INJECTED]
    for status in statuses:
        found.append(advance(found[-1], status)[0])
    return found


@pytest.mark.parametrize("length", range(6))
def test_a_sequence_is_legal_if_it_is_the_beginning_of_a_whole_one(length: int) -> None:
    for statuses in product((*STATUSES, 3), repeat=length):
        text = "".join(f"{status} " for status in statuses)
        legal = LEGAL.fullmatch(text) is not None
        assert (states(statuses)[-1] is not State.ILLEGAL) is legal, text


@given(st.lists(st.sampled_from(STATUSES) | st.integers()).map(tuple))
def test_nothing_leads_out_of_illegal(statuses: tuple[int, ...]) -> None:
    found = states(statuses)
    if State.ILLEGAL in found:
        assert set(found[found.index(State.ILLEGAL) :]) == {State.ILLEGAL}
    assert len(set(found) - {State.ILLEGAL}) <= 4


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((0, 1, 16), [State.INJECTED, State.CALLING, State.LEAVING, State.ENDED]),
        ((0, 2, 16), [State.INJECTED, State.CALLING, State.LEAVING, State.ENDED]),
        ((8, 16), [State.INJECTED, State.LEAVING, State.ENDED]),
    ],
)
def test_a_whole_protocol_ends(statuses: tuple[int, ...], expected: list[State]) -> None:
    assert states(statuses) == expected


@given(st.sampled_from(State), st.sampled_from(STATUSES) | st.integers())
def test_the_action_follows_the_status_whatever_the_state(state: State, status: int) -> None:
    assert advance(state, status)[1] is ACTIONS.get(status, Action.IGNORE)
