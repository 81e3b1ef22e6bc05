"""Invariants are pure functions of any recording that can be read."""

from collections.abc import Sequence

from hypothesis import given, settings

from harness.invariants import INVARIANTS
from harness.recording import AnyEvent, Recording
from tests import any_recording


@given(any_recording.acceptable())
@settings(max_examples=60)
def test_the_same_recording_has_the_same_findings(events: Sequence[AnyEvent]) -> None:
    before = list(events)
    recording = Recording(tuple(events))
    for name, invariant in INVARIANTS.items():
        findings = list(invariant.check(recording))
        assert findings == list(invariant.check(recording))
        assert findings == list(invariant.check(Recording(tuple(events))))
        for finding in findings:
            assert finding.invariant == name
            assert finding.text
            assert finding.events
            assert all(event in before for event in finding.events)
    assert list(recording.events) == before


def test_each_invariant_stands_under_its_own_name_with_its_promise() -> None:
    for name, invariant in INVARIANTS.items():
        assert invariant.name == name
        assert invariant.promise
    assert next(iter(INVARIANTS)) == "thread-until-dispatch"
