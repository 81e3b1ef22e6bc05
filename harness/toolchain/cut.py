"""The control: a runtime whose debug calls are not locked to their thread any more.

Go commit d9a4b24a1775 made `debugCallWrap` (runtime/debugcall.go) lock the calling goroutine to its
thread and hand that lock to the call goroutine. Here those lines are taken out of a toolchain's own
file, and `go build -overlay` puts what is left in its place. Nothing of Go's source is kept: the
lines are known by the names they use, and what was cut must have one digest. That is the same in
all releases from 1.21.3 to 1.27.3, though the text around the lines differs.

A caller that was itself locked to its thread stays locked when the lines are gone, and its thread
cannot then go on with the call goroutine: the control speaks for callers that are not locked.
"""

import hashlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.cache import cache_folder, writing
from harness.errors import InputError, Unsupported
from harness.toolchain.installation import Toolchain

_FUNCTION = "debugCallWrap"
_LOCK = "lockOSThread"
_UNLOCKED = "lockedInt"  # only used in the form without the lock, Go 1.17 to 1.21.1
# Each line of code in the function that uses one of these goes; if it opens a block, all of that.
_NAMES = {_LOCK, "unlockOSThread", "lockedExt", "lockedg", "lockedm", "mp"}
_CUT_DIGEST = "af34d7186991d83ce27051d310e5c44857584cc598750ac275b7dfb0dc0ed158"


def unlocked_runtime(toolchain: Toolchain) -> Mapping[Path, Path]:
    """Return the overlay for `build_target` that takes the thread lock out of debug calls.

    Raises Unsupported when the runtime does not have the lock (Go 1.21.1 and older: nothing to
    cut), and when the lines that would go are not exactly the expected ones.
    """
    original = toolchain.goroot / "src" / "runtime" / "debugcall.go"
    try:
        text = original.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read {original}: {error}", mend="give a toolchain that has its sources"
        ) from error
    if is_unlocked(text):
        raise Unsupported(
            f"nothing to cut: debug calls in {toolchain.version} are not locked to their thread",
            mend="no control is needed here: this runtime is itself the broken one",
        )
    return {original: _kept(cut_lock(text, _CUT_DIGEST))}


def is_unlocked(text: str) -> bool:
    """Tell whether debugCallWrap in this text of debugcall.go is known not to lock its thread."""
    lines = text.split("\n")
    names = set().union(*(_names(lines[number]) for number in _body(lines)))
    return _UNLOCKED in names and _LOCK not in names


def cut_lock(text: str, digest: str) -> str:
    """Return the text of debugcall.go without the lines that lock and hand over the lock.

    The lines become empty, so that line numbers stay. `digest` is what the cut lines must have;
    raises Unsupported if they have another.
    """
    lines = text.split("\n")
    numbers = _lines_to_cut(lines)
    cut = "\n".join(lines[number] for number in numbers)
    found = hashlib.sha256(cut.encode()).hexdigest()
    if found != digest:
        raise Unsupported(
            f"the lock in {_FUNCTION} (runtime/debugcall.go) is not written as in Go 1.21.3 to"
            " 1.27.3, so there is no control for this toolchain; what was found"
            f" (digest {found}):\n{cut or '(nothing)'}",
            mend="check without the control (--no-control), or teach toolchain/cut.py this form",
        )
    for number in numbers:
        lines[number] = ""
    return "\n".join(lines)


def _lines_to_cut(lines: list[str]) -> list[int]:
    numbers: list[int] = []
    block_end = ""
    for number in _body(lines):
        line = lines[number]
        if block_end:
            numbers.append(number)
            if line == block_end:
                block_end = ""
        elif _names(line) & _NAMES:
            numbers.append(number)
            if line.endswith("{"):
                indent = line[: len(line) - len(line.lstrip())]
                block_end = indent + "}"
    return numbers


def _body(lines: list[str]) -> range:
    """Return the line numbers of the function's body, in the form that gofmt gives it."""
    start = next(
        (n for n, line in enumerate(lines) if line.startswith(f"func {_FUNCTION}(")), len(lines)
    )
    end = next((n for n in range(start, len(lines)) if lines[n] == "}"), start)
    if start == end:
        raise Unsupported(
            f"there is no function {_FUNCTION} in runtime/debugcall.go",
            mend="check without the control (--no-control)",
        )
    return range(start + 1, end)


def _names(line: str) -> set[str]:
    code, _, _ = line.partition("//")
    return set(re.findall(r"\w+", code))


def _kept(text: str) -> Path:
    """Keep the text in the cache, under its own digest."""
    folder = cache_folder("cuts", hashlib.sha256(text.encode()).hexdigest()[:32])
    kept = folder / "debugcall.go"
    if not kept.is_file():
        with writing(kept), tempfile.TemporaryDirectory(dir=folder) as scratch:
            new = Path(scratch, kept.name)
            new.write_text(text, encoding="utf-8")
            new.replace(kept)
    return kept
