"""What is said of the format here is what Google's "Trace Event Format" says."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from harness.cli import main
from harness.errors import InputError
from harness.recording import AnyEvent, Entry, Recording, Release, Schedule
from harness.report.trace import trace
from tests.any_recording import acceptable
from tests.recordings import (
    altered,
    altered_trap,
    migrated,
    natural,
    refused,
    rejected,
    uncontested,
)
from tests.unit.report.exhibits import exhibit, written

FIELDS = {
    "X": {"name", "cat", "pid", "tid", "ts", "dur", "args"},
    "M": {"name", "pid", "tid", "ts", "args"},
    "s": {"name", "cat", "pid", "tid", "ts", "id"},
    "f": {"name", "cat", "pid", "tid", "ts", "id", "bp"},
    "i": {"name", "pid", "tid", "ts", "s"},
}
Found = list[dict[str, Any]]


def checked(text: str) -> Found:
    document = json.loads(text)
    assert document["displayTimeUnit"] == "ms"
    events: Found = document["traceEvents"]
    for event in events:
        assert set(event) - {"ph"} == FIELDS[event["ph"]]
        assert all(type(event[name]) is int for name in ("pid", "tid", "ts"))
        assert event["ts"] >= 0
        assert isinstance(event["name"], str)
        assert event.get("dur", 1) > 0
        assert event.get("s", "p") == "p"
        assert event.get("bp", "e") == "e"
    arrows = defaultdict(list)
    for event in events:
        if event["ph"] in "sf":
            arrows[event["id"]].append(event)
    for ends in arrows.values():
        begin, end = ends
        assert (begin["ph"], end["ph"]) == ("s", "f")
        assert begin["ts"] <= end["ts"]
        assert (begin["name"], begin["cat"]) == (end["name"], end["cat"])
        assert begin["pid"] == end["pid"]
        assert begin["tid"] != end["tid"]
    return events


def nested(events: Found) -> None:
    """Check that slices of a thread lie in one another or apart, and hold the arrows' ends."""
    threads = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            threads[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for slices in threads.values():
        for a, b in slices:
            assert not any(a < c < b < d for c, d in slices)
    for event in events:
        if event["ph"] in "sf":
            at = threads[event["pid"], event["tid"]]
            assert sum(begin <= event["ts"] < end for begin, end in at) >= 2, event


def names(events: Found, ph: str, **fields: object) -> list[str]:
    return [
        event["name"]
        for event in events
        if event["ph"] == ph and all(event[name] == value for name, value in fields.items())
    ]


def test_a_migration(tmp_path: Path) -> None:
    events = checked(trace([exhibit(tmp_path / "r", migrated())]))
    nested(events)
    assert names(events, "X", tid=101) == [
        "call 0: migrated",
        "debugCallV2",
        "call goroutine runs",
        "yields",
        "held",
    ]
    assert names(events, "X", tid=102) == [
        "call 0: migrated",
        "call of main.add",
        "returned",
        "restoring",
        "restored",
    ]
    begin, end = (event for event in events if event["ph"] in "sf")
    assert (begin["name"], begin["tid"], begin["ts"]) == ("the call moves", 101, 30)
    assert (end["tid"], end["ts"]) == (102, 40)
    assert names(events, "X", cat="wrong") == ["call goroutine runs", "call of main.add"]


def test_a_refused_theft(tmp_path: Path) -> None:
    events = checked(trace([exhibit(tmp_path / "r", refused())]))
    nested(events)
    assert names(events, "X", tid=102) == ["call 0: refused", "hands it back"]
    ends = [(event["name"], event["tid"]) for event in events if event["ph"] in "sf"]
    assert ends == [("taken", 101), ("taken", 102), ("handed back", 102), ("handed back", 101)]
    assert names(events, "X", cat="wrong") == []


def test_threads_and_processes_have_their_numbers_and_names(tmp_path: Path) -> None:
    exhibits = [
        exhibit(tmp_path / "a", migrated(), pid=4711, toolchain="go1.21.1"),
        exhibit(tmp_path / "b", refused(), pid=4712, argv=("/srv/server", "-x")),
    ]
    events = checked(trace(exhibits))
    named = {
        (event["name"], event["pid"], event["tid"]): event["args"]["name"]
        for event in events
        if event["ph"] == "M" and event["name"] != "process_labels"
    }
    assert named == {
        ("process_name", 4711, 4711): "go1.21.1 caller: fail",
        ("thread_name", 4711, 4711): "caller 4711",
        ("thread_name", 4711, 101): "caller 101",
        ("thread_name", 4711, 102): "caller 102",
        ("process_name", 4712, 4712): "go1.27.3 server: pass",
        ("thread_name", 4712, 4712): "server 4712",
        ("thread_name", 4712, 101): "server 101",
        ("thread_name", 4712, 102): "server 102",
    }
    assert {event["pid"] for event in events} == {4711, 4712}
    ids = [event["id"] for event in events if event["ph"] == "s"]
    assert len(set(ids)) == len(ids) == 3


def test_processes_of_one_number_stay_apart(tmp_path: Path) -> None:
    twice = [exhibit(tmp_path / name, natural()) for name in "abc"]
    events = checked(trace(twice))
    assert len({event["pid"] for event in events}) == 3
    assert len(names(events, "M", pid=100)) == 4, "the first keeps its number"


CALLS: list[Callable[[int], list[AnyEvent]]] = [
    migrated,
    refused,
    uncontested,
    natural,
    rejected,
    lambda call: refused(call, Schedule.DELAY),
    lambda call: altered_trap(migrated(call), 16, tid=103),
    lambda call: altered_trap(migrated(call), 1, tid=101),
]


def test_calls_of_all_kinds_are_well_nested(tmp_path: Path) -> None:
    calls = [make(call) for call, make in enumerate(CALLS)]
    events = checked(trace([exhibit(tmp_path / "r", *calls)]))
    nested(events)
    assert len(set(names(events, "X", cat="call"))) == len(CALLS)


def test_time_that_runs_backwards_is_never_negative(tmp_path: Path) -> None:
    before = altered(migrated(), Entry, t=-5_000)
    events = checked(trace([exhibit(tmp_path / "r", before)]))
    assert min(event["ts"] for event in events if event["ph"] == "X") == 0


def test_an_arrow_begins_where_the_call_was(tmp_path: Path) -> None:
    released = migrated()
    released.insert(4, Release(t=35, call=0, tid=103, why="time limit"))
    events = checked(trace([exhibit(tmp_path / "r", released)]))
    assert [event["tid"] for event in events if event["ph"] in "sf"] == [101, 102]


def test_one_call_can_be_chosen(tmp_path: Path) -> None:
    shown = exhibit(tmp_path / "r", refused(0), migrated(1))
    events = checked(trace([shown], 1))
    assert set(names(events, "X", cat="call")) == {"call 1: migrated"}
    with pytest.raises(InputError, match="has no call 2"):
        trace([shown], 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=acceptable())
def test_any_recording_gives_a_trace(tmp_path: Path, events: Sequence[AnyEvent]) -> None:
    checked(trace([written(tmp_path / "r", Recording(tuple(events)))]))


def show(tmp_path: Path, out: Path, *files: Path) -> int:
    return main(["show", "--trace", str(out), *map(str, files or [tmp_path / "r"])])


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exhibit(tmp_path / "r", migrated())
    for _ in range(2):  # an older one is written anew
        assert show(tmp_path, tmp_path / "t.json") == 0
    checked((tmp_path / "t.json").read_text())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b'{"traceEvents": []}', None])
def test_nothing_else_is_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    exhibit(tmp_path / "r", migrated())
    out = tmp_path / ("r" if content is None else "other.json")
    if content:
        out.write_bytes(content)
    before = out.read_bytes()
    assert show(tmp_path, out) == 129
    assert "exists and is no report of debugcall\nmend: " in capsys.readouterr().err
    assert out.read_bytes() == before
