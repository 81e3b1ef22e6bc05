"""JUnit's XML, as pytest writes it (its family xunit2) and as CI servers read it.

A suite is a toolchain, a case one schedule of one target. What cannot be told is skipped.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.recording import Inject, Schedule
from harness.report.lanes import lanes, plain
from harness.report.outfile import MARK
from harness.report.story import printable, printable_lines, steps
from harness.verdict import Breach, Check, Conclusion, Failure, Result, counted

_KINDS = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""What a case may end in, and the attribute of a suite that counts it."""


def junit(
    conclusions: Sequence[Conclusion], targets: Sequence[str] = (), ways: Sequence[str] = ()
) -> str:
    """Return the document.

    `targets` names what each of the conclusions is about, `ways` the schedule it was to have, which
    tells those apart that came to no verdict. Both may be longer.
    """
    root = Element("testsuites", name=MARK)
    suites: dict[str, Element] = {}
    for conclusion, target, way in zip(
        conclusions, chain(targets, repeat("")), chain(ways, repeat("")), strict=False
    ):
        suite = suites.get(conclusion.toolchain)
        if suite is None:
            suite = SubElement(root, "testsuite", name=printable(conclusion.toolchain))
            suites[conclusion.toolchain] = suite
        for name, ending in _cases(conclusion, way):
            words = ", ".join(word for word in (target, name) if word)
            case = SubElement(
                suite,
                "testcase",
                classname=printable(conclusion.toolchain),
                name=printable(words),
            )
            case.extend(ending)
        seconds = conclusion.verdict.seconds if isinstance(conclusion, Check) else 0.0
        suite.set("time", f"{float(suite.get('time', 0)) + seconds:.3f}")
    for element in (*suites.values(), root):
        _count(element)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _count(element: Element) -> None:
    element.set("tests", str(sum(1 for _ in element.iter("testcase"))))
    for kind, attribute in _KINDS.items():
        if element.tag == "testsuite" or kind != "skipped":  # the root has no such attribute
            number = sum(case.find(kind) is not None for case in element.iter("testcase"))
            element.set(attribute, str(number))


def _cases(conclusion: Conclusion, way: str) -> Iterator[tuple[str, list[Element]]]:
    if isinstance(conclusion, Failure):
        mend = f"mend: {conclusion.mend}" if conclusion.mend else ""
        yield way, [_ending("error", conclusion.error, f"exit-code-{conclusion.exit_code}", mend)]
        return
    verdict = conclusion.verdict
    skipped = []
    if conclusion.result is Result.INCONCLUSIVE:
        skipped = [_ending("skipped", conclusion.reason, "inconclusive")]
    for schedule in verdict.counts:
        failures = [
            _failure(breach, schedule, breach.under[schedule])
            for breach in verdict.breaches
            if breach.under.get(schedule)
        ]
        yield schedule.value, failures or skipped
    session = [
        _failure(breach, None, number)
        for breach in verdict.breaches
        if (number := breach.count - sum(breach.under.values()))
    ]
    if session or not verdict.counts:
        yield "the whole session", session or skipped
    if conclusion.control:
        yield "control", skipped if conclusion.control.result is not Result.FAIL else []


def _failure(breach: Breach, schedule: Schedule | None, number: int) -> Element:
    finding = next((f for f in breach.first if _schedule(f.events) is schedule), None)
    where, story = "", ""
    if finding:
        where = finding.text if finding.call is None else f"call {finding.call}: {finding.text}"
        story = "\n".join(plain(list(lanes(list(steps(finding.events))))))
    text = "\n".join([f"Not so in {counted(number, 'case')}: {breach.promise}", where, story])
    return _ending("failure", where or breach.promise, breach.invariant, text)


def _schedule(events: Sequence[object]) -> Schedule | None:
    return next((event.schedule for event in events if isinstance(event, Inject)), None)


def _ending(kind: str, message: str, type_: str, text: str = "") -> Element:
    element = Element(kind, type=type_, message=printable(message))
    element.text = printable_lines(text.rstrip()) or None
    return element
