from collections.abc import Sequence

import pytest
from hypothesis import given

from harness.recording import AnyEvent, Exited, HandBack, Lost, Report, Restored, Trap
from harness.report.lanes import WIDTH, lanes, plain
from harness.report.story import printable, steps
from tests.any_recording import disorder
from tests.recordings import INJECTING, altered, altered_trap, migrated, natural, refused, rejected


def drawn(events: Sequence[AnyEvent]) -> str:
    return "\n".join(plain(list(lanes(list(steps(events))))))


def test_a_migration() -> None:
    assert drawn(migrated()) == (
        "       ms   101       102                                            lock\n"
        "    0.000     ●                 inject main.add(2, 3)\n"
        "    0.010     ✗                 the call goroutine begins            NOT LOCKED\n"
        "    0.020     ●                 asked to yield, by harness\n"
        "    0.030     ●                 held: any thread may take the call\n"
        "              ╚═════════▶       THE CALL MOVES to 102\n"
        "    0.040               ✗       dispatch, on the WRONG thread        NOT LOCKED\n"
        "    0.050               ●       return: 5\n"
        "    0.060               ●       restore\n"
        "    0.070               ●       all registers restored"
    )


def test_a_refused_theft() -> None:
    assert drawn(refused()) == (
        "       ms   101       102                                            lock\n"
        "    0.000     ●                 inject main.add(2, 3)\n"
        "    0.010     ●                 the call goroutine begins            locked\n"
        "    0.020     ●                 asked to yield, by harness\n"
        "    0.030     ●                 held: any thread may take the call\n"
        "              └╌╌╌╌╌╌╌╌╌▶       a thread takes the call\n"
        "    0.040     ┊         ○       finds it locked and hands it back\n"
        "              ◀╌╌╌╌╌╌╌╌╌┘       handed back\n"
        "    0.050     ●                 goes on: handed back\n"
        "    0.060     ●                 dispatch                             locked\n"
        "    0.070     ●                 return: 5\n"
        "    0.080     ●                 restore\n"
        "    0.090     ●                 all registers restored"
    )


def test_a_thread_has_a_lane_only_if_it_plays_a_part() -> None:
    assert drawn(natural()).splitlines()[0].split() == ["ms", "101", "lock"]


def test_a_refusal_says_why() -> None:
    assert 'refusal: "call not at safe point"' in drawn(rejected())


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Lost(t=99, call=0, why="killed"), "the call never ended: killed"),
        (Report(t=99, rounds=7, mismatches=3), "3 of 7 rounds of its computation came out wrong"),
        (Exited(t=99, signal=11), "the target ended by signal 11, SIGSEGV"),
    ],
)
def test_what_no_thread_did_has_no_lane(event: AnyEvent, said: str) -> None:
    *_, last = plain(
        list(
            lanes(
                list(steps([*natural(), event])),
            )
        )
    )
    assert said in " ".join(drawn([*natural(), event]).replace("│", " ").split())
    assert "●" not in last
    assert "✗" not in last


def test_a_call_that_moves_after_its_dispatch() -> None:
    moved = altered_trap(natural(), 16, tid=103)
    assert "THE CALL MOVES to 103" in drawn(moved)
    assert "restore, on another thread" in drawn(moved)
    assert "WRONG" not in drawn(moved)
    assert "✗       restore" in drawn(moved)


def test_registers_that_would_be_changed_are_named() -> None:
    events = altered(natural(), Restored, changed=("rbx", "r12"))
    assert "✗" in drawn(events)
    assert "the runtime would have\n" in drawn(events)
    assert "changed rbx, r12" in drawn(events)


def test_the_longest_thread_ids_fit() -> None:
    events = altered(refused(), HandBack, tid=4194303)
    assert max(map(len, drawn(events).splitlines())) <= WIDTH


def test_many_threads_share_the_last_lane() -> None:
    traps = [
        Trap(t=n, call=0, tid=200 + n, status=1, g=1, function="main.add", results=(2**63, -1))
        for n in range(9)
    ]
    picture = drawn([*refused(), *traps])
    assert picture.splitlines()[0].split() == ["ms", "101", "102", "200", "others", "lock"]
    assert "208: return:" in picture
    assert max(map(len, picture.splitlines())) <= WIDTH


def test_nothing_of_a_recording_reaches_the_terminal_as_a_command() -> None:
    hostile = "\x1b]0;title\x07\r\n\u202e\u0085\x9b31m"
    events: list[AnyEvent] = [
        *altered_trap(rejected(), 8, text=hostile),
        Lost(t=1, call=0, why=hostile),
    ]
    assert all(c.isprintable() or c == "\n" for c in drawn(events))
    assert printable("main.Größe()\x1b") == "main.Größe()\\x1b"


@given(disorder())
def test_any_events_can_be_drawn(events: Sequence[AnyEvent]) -> None:
    told = list(steps(events))
    lines = plain(list(lanes(told)))
    assert len(lines) >= len(told)
    assert all(c.isprintable() for line in lines for c in line)


def test_the_thread_that_injects_comes_first() -> None:
    assert drawn(migrated()).splitlines()[0].split()[1] == str(INJECTING)
