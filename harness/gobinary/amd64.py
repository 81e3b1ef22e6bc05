"""Where amd64 code of the runtime shows the offsets of fields.

Each witness is a function of the runtime and the shape of the instructions that one statement in it
compiles to, in capstone's syntax and without NOPs. Named groups are fields (`m_curg` is `m.curg`);
what they hold are offsets. Checked against DWARF on releases from 1.17 to 1.27, with optimisation
and inlining and without.
"""

from harness.gobinary.evidence import Witness, witness

_ANY = r"(?:0x[0-9a-f]{1,4}|\d)"


def _offset(field: str) -> str:
    return rf"(?P<{field}>{_ANY})"


_WORD = r"qword ptr "
_HALF = r"dword ptr "
_IF_NOT = r"(?:jne|je) \w+\n"  # a branch whose sense does not matter
_LOAD_M = rf"mov (?P<m>\w+), {_WORD}\[r14 \+ {_offset('g_m')}\]\n"

# mp.locks == 0 && mp.mallocing == 0 && mp.preemptoff == "" && mp.p.ptr().status == _Prunning
_CAN_PREEMPT = (
    rf"cmp {_HALF}\[(?P<m>\w+) \+ {_offset('m_locks')}\], 0\n{_IF_NOT}"
    rf"cmp {_HALF}\[(?P=m) \+ {_offset('m_mallocing')}\], 0\n{_IF_NOT}"
    rf"cmp {_WORD}\[(?P=m) \+ {_offset('m_preemptoff_len')}\], 0\n{_IF_NOT}"
)
_LOAD_P = rf"mov \w+, {_WORD}\[(?P=m) \+ {_offset('m_p')}\]\n"
_IS_RUNNING = rf"cmp {_HALF}\[\w+ \+ {_offset('p_status')}\], 1\n"

# if gp.m.lockedInt != 0 || gp.m.lockedExt != 0 { return }; gp.m.lockedg = 0; gp.lockedm = 0
_UNLOCK = (
    rf"{_LOAD_M}cmp {_HALF}\[(?P=m) \+ {_ANY}\], 0\n{_IF_NOT}"
    rf"cmp {_HALF}\[(?P=m) \+ {_ANY}\], 0\n{_IF_NOT}(?:ret \n)?"
    rf"mov {_WORD}\[(?P=m) \+ {_ANY}\], 0\n"
    rf"mov {_WORD}\[r14 \+ {_offset('g_lockedm')}\], 0\n"
)

WITNESSES = (
    # The check for stack growth at each function's entry.
    witness("debugCallWrap1", rf"^cmp rsp, {_WORD}\[r14 \+ {_offset('g_stackguard0')}\]\n"),
    # is this g its m.curg?
    witness(
        "debugCallCheck",
        rf"{_LOAD_M}(?:mov \w+, r14\n)?",
        rf"(?:cmp|mov \w+,) {_WORD}\[(?P=m) \+ {_offset('m_curg')}\]",
    ),
    # what gettid returns goes to m.procid
    witness(
        "minit",
        rf"{_LOAD_M}(?:mov \w+, {_HALF}\[rsp\]\n)?",
        rf"mov {_WORD}\[(?P=m) \+ {_offset('m_procid')}\], \w+\n",
    ),
    # the compare-and-swap of gp.atomicstatus
    witness(
        "casgstatus",
        rf"lock cmpxchg {_HALF}\[(?!rip|rsp)\w+ \+ {_offset('g_atomicstatus')}\], \w+\n",
    ),
    # there only without inlining: the address of gp.atomicstatus goes to its Load method
    witness("readgstatus", rf"add rax, {_offset('g_atomicstatus')}\ncall \w+\n"),
    # if gp.lockedm != 0 { gp.lockedm = 0; gp.m.lockedg = 0 }
    witness(
        "debugCallWrap1.func1",
        rf"cmp {_WORD}\[(?P<g>\w+) \+ {_offset('g_lockedm')}\], 0\n{_IF_NOT}",
        rf"mov {_WORD}\[(?P=g) \+ (?P=g_lockedm)\], 0\n",
        rf"mov (?P<m>\w+), {_WORD}\[(?P=g) \+ {_offset('g_m')}\]\n",
        rf"mov {_WORD}\[(?P=m) \+ {_ANY}\], 0\n",
    ),
    witness("unlockOSThread", _UNLOCK),
    witness("dounlockOSThread", _UNLOCK),  # without inlining
    witness("newstack", _CAN_PREEMPT, _LOAD_P, _IS_RUNNING),
    # mp.p == 0 || !canPreemptM(mp)
    witness(
        "isAsyncSafePoint",
        rf"mov (?P<p>\w+), {_WORD}\[\w+ \+ {_offset('m_p')}\]\ntest (?P=p), (?P=p)\n{_IF_NOT}",
        _CAN_PREEMPT,
        _IS_RUNNING,
    ),
    # without inlining
    witness(
        "canPreemptM",
        rf"{_CAN_PREEMPT}(?:xor \w+, \w+\njmp \w+\n)?(?:mov {_WORD}\[rsp \+ \w+\], \w+\n)?",
        rf"{_LOAD_P}call \w+\n{_IS_RUNNING}",
    ),
)


def goid_witnesses(goid: int) -> tuple[Witness, ...]:
    """What to look for when goid is thought to be at this offset.

    newg.goid = ...; and since Go 1.21 newg.parentGoid = callergp.goid
    """
    at = f"0x{goid:x}"
    return (
        witness("newproc1", rf"mov {_WORD}\[\w+ \+ (?P<g_goid>{at})\], \w+\n"),
        witness(
            "newproc1",
            rf"mov (?P<r>\w+), {_WORD}\[\w+ \+ {at}\]\n(?:mov (?!(?P=r),)\w+, .*\n)?",
            rf"mov {_WORD}\[(?!rsp)\w+ \+ {_offset('g_parent_goid')}\], (?P=r)\n",
        ),
    )
