"""What is said of the format here is what junit-10.xsd says, of the xUnit plugin of Jenkins."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.verdict import judge
from harness.recording import AnyEvent, Recording, Restored, Schedule
from harness.report.junit import junit
from harness.verdict import Check, Conclusion, Failure, Result
from tests.recordings import altered, migrated, natural, recording, refused, uncontested

ENDS = {"failure", "error", "skipped"}
REQUIRED = {
    "testsuites": set(),
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
}
ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp"},
    "testcase": {"name", "classname", "time"},
} | {end: {"type", "message"} for end in ENDS}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": ENDS,
} | {end: set[str]() for end in ENDS}
TIME = re.compile(r"[0-9]*(\.[0-9]{0,3})?")


def check_of(made: Recording, toolchain: str = "go1.21.1", **fields: object) -> Check:
    verdict = judge(made)
    check = Check(toolchain, verdict.result, verdict.reason, verdict)
    return msgspec.structs.replace(check, **fields)


def parsed(conclusions: Sequence[Conclusion], targets: Sequence[str] = ()) -> ET.Element:
    root = ET.fromstring(junit(conclusions, targets))  # noqa: S314 - it is our own
    assert root.tag == "testsuites"
    for element in root.iter():
        assert REQUIRED.get(element.tag, set()) <= set(element.attrib) <= ALLOWED[element.tag]
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        assert TIME.fullmatch(element.get("time", ""))
        assert element.tag in ENDS or not (element.text or "").strip()
    for suite in root:
        cases = list(suite)
        assert suite.get("tests") == str(len(cases))
        for kind, attribute in (("failure", "failures"), ("error", "errors")):
            ended = sum(case.find(kind) is not None for case in cases)
            assert suite.get(attribute) == str(ended)
    return root


def cases(root: ET.Element) -> dict[str, list[str]]:
    return {case.get("name", ""): [end.tag for end in case] for case in root.iter("testcase")}


def forced(kind: type[AnyEvent] | None = None, schedule: Schedule | None = None) -> Recording:
    calls = [refused(0, Schedule.DELAY), *(refused(call) for call in (1, 2))]
    if kind:
        calls = [
            altered(call, kind, changed=("rbx",)) if call[0].schedule is schedule else call  # type: ignore[union-attr]
            for call in calls
        ]
    return recording(*calls)


def test_a_pass_has_a_case_for_each_schedule_and_the_control() -> None:
    control = judge(recording(migrated()))
    root = parsed([check_of(forced(), control=control)], ["caller"])
    assert cases(root) == {"caller, delay": [], "caller, steal": [], "caller, control": []}


def test_a_finding_is_a_failure_with_its_story() -> None:
    root = parsed([check_of(recording(refused(0), migrated(1), migrated(2)))])
    assert cases(root) == {"steal": ["failure", "failure"]}
    failure = next(root.iter("failure"))
    assert failure.get("type") == "thread-until-dispatch"
    assert failure.get("message") == ("call 1: injected into thread 101, dispatched on thread 102")
    assert failure.text is not None
    assert failure.text.startswith("Not so in 2 cases: a call is dispatched on the thread")
    assert "THE CALL MOVES to 102" in failure.text
    assert root.get("failures") == "1", "cases that fail are counted, not failures"


@pytest.mark.parametrize("schedule", [Schedule.DELAY, Schedule.STEAL])
def test_only_the_schedule_that_shows_it_fails(schedule: Schedule) -> None:
    found = cases(parsed([check_of(forced(Restored, schedule))]))
    assert found == {
        name: ["failure"] if name == schedule.value else [] for name in ("delay", "steal")
    }


def test_a_schedule_beyond_the_findings_shown_fails_too() -> None:
    calls = [migrated(call, Schedule.DELAY) for call in range(9)]
    root = parsed([check_of(recording(*calls, migrated(9)))])
    assert cases(root)["steal"] == ["failure", "failure"]
    assert "Not so in 1 case: a call is dispatched" in junit([check_of(recording(migrated(0)))])


def test_what_is_of_no_call_is_a_case_of_the_session() -> None:
    *before, _, last = recording(refused(0)).events
    crashed = Recording((*before, msgspec.structs.replace(last, signal=11, code=None)))
    root = parsed([check_of(crashed)])
    assert cases(root) == {"steal": [], "the whole session": ["failure"]}
    assert "the target ended by signal 11, SIGSEGV" in (next(root.iter("failure")).text or "")


def test_what_cannot_be_told_is_skipped_with_its_reason() -> None:
    root = parsed([check_of(recording(natural(0), uncontested(1)))])
    assert cases(root) == {"natural": ["skipped"], "steal": ["skipped"]}
    reason = next(root.iter("skipped")).get("message") or ""
    assert reason.startswith("only 0 of 1 thefts came about")
    assert root[0].get("skipped") == "2"


def test_a_control_that_does_not_fail_passes_nothing() -> None:
    check = check_of(forced(), control=judge(forced()), result=Result.INCONCLUSIVE, reason="blunt")
    assert set(map(tuple, cases(parsed([check])).values())) == {("skipped",)}


def test_nothing_injected_is_no_empty_suite() -> None:
    assert cases(parsed([check_of(recording())])) == {"the whole session": ["skipped"]}


def test_an_error_tells_its_mend() -> None:
    root = parsed([Failure("go9", 129, "there is no go9", "give another one")], ["caller"])
    assert cases(root) == {"caller": ["error"]}
    (error,) = root.iter("error")
    assert (error.get("message"), error.text) == ("there is no go9", "mend: give another one")


def test_a_toolchain_has_one_suite() -> None:
    conclusions = [check_of(forced()), check_of(forced(), "go1.22.0"), check_of(forced())]
    root = parsed(conclusions, ["a", "a", "b"])
    assert [suite.get("name") for suite in root] == ["go1.21.1", "go1.22.0"]
    assert [case.get("name") for case in root[0]] == [
        *("a, delay", "a, steal"),
        *("b, delay", "b, steal"),
    ]


@given(st.text(), st.text())
def test_no_text_breaks_it(said: str, mend: str) -> None:
    (error,) = parsed([Failure(said, 129, said, mend)]).iter("error")
    assert said.isprintable() is (error.get("message") == said)
