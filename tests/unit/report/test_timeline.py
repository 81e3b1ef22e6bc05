from collections.abc import Iterator

from harness.recording import AnyEvent, Lost, Preempt, Restored, Trap
from harness.report.timeline import timeline
from tests.recordings import CALL_G, INJECTING, migrated, refused


def with_more() -> Iterator[AnyEvent]:
    inject, entry, *_ = refused(0)
    yield inject
    yield entry
    yield Preempt(t=150, call=0, tid=INJECTING, by="sysmon")
    yield Trap(
        t=200,
        call=0,
        tid=INJECTING,
        status=8,
        g=CALL_G,
        function="runtime.debugCallV2",
        text="call not at safe point",
    )
    yield Restored(t=300, call=0, tid=INJECTING, changed=("rbx",))
    yield Lost(t=400, call=0, why="the target ended during the call")


def test_a_timeline_tells_each_event_once() -> None:
    assert "\n".join(timeline(list(with_more()))) == (
        "    0.000 ms  thread 101: goroutine 7 is stopped in main.round; a call of main.add(2, 3) "
        "is injected, schedule steal\n"
        "    0.010 ms  thread 101: the call goroutine begins, locked to its thread\n"
        "    0.150 ms  thread 101: the call goroutine is asked to yield, by the sysmon\n"
        '    0.200 ms  thread 101: trap 8, refusal; "call not at safe point"\n'
        "    0.300 ms  thread 101: the caller's registers are restored; the runtime would have "
        "changed rbx\n"
        "    0.400 ms  the target: the call never ended: the target ended during the call"
    )


def test_each_event_of_a_call_has_its_line() -> None:
    events = [*refused(0), *migrated(1)]
    assert len(list(timeline(events))) == len(events)
