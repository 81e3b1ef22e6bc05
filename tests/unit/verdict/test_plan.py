"""How many injections a plan makes under which schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.exercise import Plan
from harness.recording import Schedule

DELAY, STEAL = Schedule.DELAY, Schedule.STEAL


@given(st.sampled_from(Schedule), st.integers(1, 10**6))
def test_one_schedule_gets_all(schedule: Schedule, number: int) -> None:
    assert Plan.of(schedule, number).steps == ((schedule, number),)
    assert Plan.of(schedule, number).total == number


@given(st.integers(1, 10**6))
def test_without_a_schedule_delays_come_first_and_the_number_is_kept(number: int) -> None:
    plan = Plan.of(None, number)
    assert plan.steps[0][0] is DELAY
    assert plan.total == number
    assert all(count >= 0 for _, count in plan.steps)


@pytest.mark.parametrize(
    ("number", "delays", "steals"), [(1, 1, 0), (2, 1, 1), (19, 1, 18), (20, 2, 18), (200, 20, 180)]
)
def test_a_tenth_is_by_delay_alone(number: int, delays: int, steals: int) -> None:
    assert Plan.of(None, number).steps == ((DELAY, delays), (STEAL, steals))
