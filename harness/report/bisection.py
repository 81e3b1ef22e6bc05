"""What came of a bisection, as text: for whoever asked, and for a bug report."""

from collections.abc import Iterator

from harness.bisected import Bisected, Change, Tested
from harness.verdict import Result, counted

_VERBS: dict[Result | None, str] = {Result.PASS: "passes", Result.FAIL: "fails"}


def account(found: Bisected, again: str) -> Iterator[str]:
    """Return what was found, what proves it and what it took; `again` is the command."""
    yield _headline(found)
    if commit := found.culprit:
        yield f"  author  {commit.author}, {commit.date}"
        yield from _listed("files", commit.files)
    if len(found.suspects) > 1:
        yield from _listed("one of", found.suspects)
    if found.proof:
        yield from _listed("proof", [_told(found, test) for test in found.proof])
        yield from _listed("see", [test.recording for test in found.proof if test.recording])
    yield f"  stated  {_stated(found)}"
    yield f"  range   {_range(found)}"
    yield f"  cost    {_cost(found)}"
    yield f"again: {again}"
    if found.culprit and found.proven:
        yield ""
        yield "For a bug report:"
        yield ""
        yield from _report(found, again)


def _headline(found: Bisected) -> str:
    if len(found.suspects) > 1:
        return (
            f"not found: one of {len(found.suspects)} made the {found.change}, none can be judged"
        )
    name = found.suspects[0]
    what = f"{name[:12]} {found.culprit.subject}" if found.culprit else name
    return f"{found.change if found.proven else f'{found.change}, NOT PROVEN'}: {what}"


def _told(found: Bisected, test: Tested) -> str:
    """Return what came of one test, and what built it."""
    verb = _VERBS.get(test.result, "cannot be judged")
    tools = "" if found.culprit is None else f" (built by {test.tools or 'its own compiler'})"
    return f"{test.point[:12]} {verb}{tools}: {test.reason}"


def _stated(found: Bisected) -> str:
    if len(found.suspects) > 1:
        return "what lies between them did not build, or its verdict was inconclusive"
    if not found.proven and any(test.result not in _VERBS for test in found.proof):
        return "the last test of it, or of what comes before it, could not be judged; try again"
    if not found.proven:
        return "the last test of it, or of what comes before it, does not agree with the search"
    number = min(test.number for test in found.proof)
    each = f"each in {counted(number, 'injection')}"
    if found.culprit is None:
        return f"{found.question.check} changes from one release to the next, {each}"
    return f"{found.question.check} changes from its parent to this commit, {each}"


def _range(found: Bisected) -> str:
    if found.culprit is None and found.question.repository is None:
        return counted(found.points, "release")
    what = "the compiler or " if found.own_tools else ""
    return (
        f"{counted(found.points, 'commit')}, of which {found.candidates} may have changed {what}"
        "what the target links"
    )


def _cost(found: Bisected) -> str:
    cpu = sum(test.cpu_seconds for test in found.tested)
    seconds = sum(test.seconds for test in found.tested)
    return f"{counted(len(found.tested), 'test')}, {cpu:.0f} CPU s, {seconds:.0f} s of work"


def _listed(name: str, lines: "tuple[str, ...] | list[str]") -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"  {name if number == 0 else '':<8}{line}"


def _report(found: Bisected, again: str) -> Iterator[str]:
    commit = found.culprit
    assert commit is not None
    made = "fixed" if found.change is Change.FIX else "broken"
    yield f"Debug calls (runtime.debugCallV2) were {made} on linux/{found.question.goarch} by"
    yield f"{commit.commit[:12]} ({commit.subject}; {commit.author}, {commit.date[:10]})."
    yield ""
    for test in found.proof:
        yield f"- {_told(found, test)}"
    yield ""
    yield f"Found with debugcall-harness among {_range(found)}:"
    yield ""
    yield f"    {again}"
