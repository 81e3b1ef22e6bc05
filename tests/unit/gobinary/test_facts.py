import msgspec
from hypothesis import given
from hypothesis import strategies as st

from harness.gobinary import Facts, GLayout, Layout, MLayout, PLayout

OFFSETS = st.integers(0, 0xFFFF)
LAYOUTS = st.builds(
    Layout,
    g=st.builds(GLayout, **dict.fromkeys(GLayout.__annotations__, OFFSETS)),
    m=st.builds(MLayout, **dict.fromkeys(MLayout.__annotations__, OFFSETS)),
    p=st.builds(PLayout, status=OFFSETS),
)
TRAPS = st.dictionaries(st.integers(0, (1 << 64) - 1), st.sampled_from(["debugCall32", "ü"]))


@given(st.builds(Facts, layout=LAYOUTS, traps=TRAPS))
def test_facts_arrive_elsewhere_as_they_were(facts: Facts) -> None:
    assert msgspec.json.decode(msgspec.json.encode(facts), type=Facts) == facts


def test_a_field_that_nobody_knows_stays_unknown() -> None:
    g = GLayout(stack_lo=0, stack_hi=8, stackguard0=16, m=48, atomicstatus=144, lockedm=208)
    m = MLayout(procid=72, curg=192, locks=264)
    facts = Facts(Layout(g=g, m=m, p=PLayout(status=4)), {0x6E5E8: "debugCall32"})
    found = msgspec.json.decode(msgspec.json.encode(facts), type=Facts)
    assert found == facts
    assert found.layout.g.parent_goid is None
