import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError, Unsupported
from harness.toolchain import Toolchain, unlocked_runtime
from harness.toolchain.cut import cut_lock, is_unlocked

# A synthetic file in the shape of the real one: same names, other program.
LOCKED = """\
package runtime

func other() { lockOSThread(); mp.lockedExt = 1 }

func debugCallWrap(dispatch uintptr) {
	before() // mp and lockedm in a comment stay
	lockOSThread()
	inside(func() {
		if mp == nil {
			panic("gone with its block")
		}
		kept(dispatch)
		newg.lockedm = 1
	})
	unlockOSThread()
	after()
}

func last() { unlockOSThread() }
"""

CUT = [
    "\tlockOSThread()",
    "\t\tif mp == nil {",
    '\t\t\tpanic("gone with its block")',
    "\t\t}",
    "\t\tnewg.lockedm = 1",
    "\tunlockOSThread()",
]
DIGEST = hashlib.sha256("\n".join(CUT).encode()).hexdigest()


def test_exactly_the_locking_lines_are_cut_and_line_numbers_stay() -> None:
    expected = ["" if line in CUT else line for line in LOCKED.split("\n")]
    assert cut_lock(LOCKED, DIGEST).split("\n") == expected
    assert len([line for line in LOCKED.split("\n") if line in CUT]) == len(CUT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\tunlockOSThread()\n", ""),
        ("newg.lockedm = 1", "newg.lockedm = 2"),
        ("\tlockOSThread()\n", "\tlockOSThread()\n\tlockOSThread()\n"),
        ("gone with its block", "something else"),
        ("\tlockOSThread()\n", "\tacquirem()\n"),
    ],
)
def test_a_file_that_does_not_fit_exactly_is_refused(old: str, new: str) -> None:
    body = LOCKED.index("func debugCallWrap")
    changed = LOCKED[:body] + LOCKED[body:].replace(old, new, 1)
    assert changed != LOCKED
    with pytest.raises(Unsupported, match="not written as in Go") as caught:
        cut_lock(changed, DIGEST)
    assert caught.value.mend


def test_changes_elsewhere_in_the_file_do_not_matter() -> None:
    moved = LOCKED.replace("before()", "quite(another, thing)").replace("other()", "mp()")
    assert (
        "lockOSThread" not in cut_lock(moved, DIGEST).split("func debugCallWrap")[1].split("\n}")[0]
    )


def test_a_file_without_the_function_is_refused() -> None:
    with pytest.raises(Unsupported, match="no function debugCallWrap"):
        cut_lock(LOCKED.replace("debugCallWrap", "debugCallWrap9"), DIGEST)


@given(st.text(alphabet="\t {}\nmp/", max_size=80))
def test_any_other_body_is_refused(body: str) -> None:
    with pytest.raises(Unsupported):
        cut_lock(f"func debugCallWrap(dispatch uintptr) {{\n{body}\n}}\n", DIGEST)


def test_the_form_before_the_lock_is_known_and_no_other() -> None:
    old = LOCKED.replace("lockOSThread()", "mp.lockedInt++").replace("unmp", "mp")
    assert is_unlocked(old)
    assert not is_unlocked(LOCKED)
    assert not is_unlocked(LOCKED.replace("\tlockOSThread()\n", ""))  # some form of the future


def toolchain_with(debugcall: str | None, goroot: Path) -> Toolchain:
    runtime = goroot / "src" / "runtime"
    runtime.mkdir(parents=True)
    if debugcall is not None:
        (runtime / "debugcall.go").write_text(debugcall)
    return Toolchain(goroot, "go1.21.3", goroot / "bin" / "go")


def test_nothing_passes_silently(tmp_path: Path, empty_cache: Path) -> None:
    with pytest.raises(Unsupported, match="not written as in Go"):
        unlocked_runtime(toolchain_with(LOCKED, tmp_path / "unknown"))
    old = LOCKED.replace("unlockOSThread()", "mp.lockedInt--").replace("lockOSThread()", "")
    with pytest.raises(Unsupported, match="nothing to cut"):
        unlocked_runtime(toolchain_with(old, tmp_path / "old"))
    with pytest.raises(InputError, match="cannot read"):
        unlocked_runtime(toolchain_with(None, tmp_path / "incomplete"))
    assert not empty_cache.exists()
