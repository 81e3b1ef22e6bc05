"""Where arm64 code of the runtime shows the offsets of fields; see amd64.py, which it mirrors.

Checked against DWARF on releases from 1.18 to 1.27, with optimisation and inlining and without.
"""

from harness.gobinary.evidence import Witness, witness

_ANY = r"#(?:0x[0-9a-f]{1,4}|\d)"


def _offset(field: str) -> str:
    return rf"#(?P<{field}>0x[0-9a-f]{{1,4}}|\d)"


_IF_NOT = r"cbn?z \w+, #\w+\n"  # a branch whose sense does not matter
_LOAD_M = rf"ldr (?P<m>x\d+), \[x28, {_offset('g_m')}\]\n"

# mp.locks == 0 && mp.mallocing == 0 && mp.preemptoff == "" && mp.p.ptr().status == _Prunning
_CAN_PREEMPT = (
    rf"ldrsw \w+, \[(?P<m>x\d+), {_offset('m_locks')}\]\n{_IF_NOT}"
    rf"ldrsw \w+, \[(?P=m), {_offset('m_mallocing')}\]\n{_IF_NOT}"
    rf"ldr \w+, \[(?P=m), {_offset('m_preemptoff_len')}\]\n{_IF_NOT}"
)
_LOAD_P = rf"ldr \w+, \[(?P=m), {_offset('m_p')}\]\n"
_IS_RUNNING = rf"ldr (?P<s>w\d+), \[\w+, {_offset('p_status')}\]\ncmp (?P=s), #1\n"

# if gp.m.lockedInt != 0 || gp.m.lockedExt != 0 { return }; gp.m.lockedg = 0; gp.lockedm = 0
_UNLOCK = (
    rf"{_LOAD_M}(?:(?:ldr \w+, \[(?P=m), {_ANY}\]\n{_IF_NOT}){{2}}|"
    rf"add x27, (?P=m), {_ANY}\nldp \w+, \w+, \[x27\]\n(?:{_IF_NOT}){{2}})(?:ret \n)?"
    rf"str xzr, \[(?P=m), {_ANY}\]\n"
    rf"str xzr, \[x28, {_offset('g_lockedm')}\]\n"
)

WITNESSES = (
    # The check for stack growth at each function's entry.
    witness(
        "debugCallWrap1",
        rf"^ldr x16, \[x28, {_offset('g_stackguard0')}\]\n(?:mov x17, sp\n)?cmp (?:sp|x17), x16\n",
    ),
    # is this g its m.curg?
    witness(
        "debugCallCheck",
        rf"{_LOAD_M}ldr (?P<r>x\d+), \[(?P=m), {_offset('m_curg')}\]\ncmp x28, (?P=r)\n",
    ),
    # what gettid returns goes to m.procid
    witness(
        "minit",
        rf"{_LOAD_M}ldr (?P<r>w\d+), \[sp, #8\]\n",
        rf"str x\d+, \[(?P=m), {_offset('m_procid')}\]\n",
    ),
    # the compare-and-swap of gp.atomicstatus
    witness(
        "casgstatus",
        rf"add (?P<r>x\d+), x\d+, {_offset('g_atomicstatus')}\n",
        r"(?:(?!bl ).*\n){1,6}?casal \w+, \w+, \[(?P=r)\]\n",
    ),
    # the address of gp.atomicstatus goes to its Load method, or is loaded from
    witness(
        "readgstatus",
        rf"add (?P<r>x\d+), x0, {_offset('g_atomicstatus')}\n(?:bl #\w+|ldar \w+, \[(?P=r)\])\n",
    ),
    # if gp.lockedm != 0 { gp.lockedm = 0; gp.m.lockedg = 0 }
    witness(
        "debugCallWrap1.func1",
        rf"ldr (?P<r>x\d+), \[(?P<g>x\d+), {_offset('g_lockedm')}\]\ncbz (?P=r), #\w+\n",
        r"str xzr, \[(?P=g), #(?P=g_lockedm)\]\n",
        rf"ldr (?P<m>x\d+), \[(?P=g), {_offset('g_m')}\]\n",
        rf"str xzr, \[(?P=m), {_ANY}\]\n",
    ),
    witness("unlockOSThread", _UNLOCK),
    witness("dounlockOSThread", _UNLOCK),  # without inlining
    witness("newstack", _CAN_PREEMPT, _LOAD_P, _IS_RUNNING),
    # mp.p == 0 || !canPreemptM(mp)
    witness(
        "isAsyncSafePoint",
        rf"ldr (?P<p>x\d+), \[\w+, {_offset('m_p')}\]\ncbz (?P=p), #\w+\n",
        _CAN_PREEMPT,
        _IS_RUNNING,
    ),
    # without inlining
    witness(
        "canPreemptM",
        rf"{_CAN_PREEMPT}(?:mov \w+, (?:#0|xzr)\nb #\w+\n)?(?:str \w+, \[sp, #\w+\]\n)?",
        rf"{_LOAD_P}bl #\w+\n{_IS_RUNNING}",
    ),
)


def goid_witnesses(goid: int) -> tuple[Witness, ...]:
    """What to look for when goid is thought to be at this offset.

    newg.goid = ...; and since Go 1.21 newg.parentGoid = callergp.goid
    """
    at = f"0x{goid:x}"
    return (
        witness("newproc1", rf"str \w+, \[x\d+, #(?P<g_goid>{at})\]\n"),
        witness(
            "newproc1",
            rf"ldr (?P<r>x\d+), \[x\d+, #{at}\]\n(?:ldr (?!(?P=r),)\w+, .*\n){{1,2}}",
            rf"(?:str (?P=r)|stp (?P=r), \w+), \[x\d+, {_offset('g_parent_goid')}\]\n",
        ),
    )
