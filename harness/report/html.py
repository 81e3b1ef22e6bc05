"""Recordings as one HTML page that needs nothing else: no network, no script to be read.

All that comes from a recording is escaped. Should that ever fail, the page's own policy allows no
other script and style than its two, by their hashes, and no request at all.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from harness.recording import Injection, Schedule
from harness.report.exhibit import Exhibit, meaning, outcome
from harness.report.lanes import BAD, GOOD, milliseconds
from harness.report.look import COMPARED, compared
from harness.report.outfile import MARK
from harness.report.picture import Picture, picture
from harness.report.story import called, goroutine, printable, steps
from harness.verdict import Counts, Finding
from harness.version import __version__

DRAWN = 100
"""Calls of a recording that are drawn at most; of the others only the outcome is told."""
_CLASSES = {BAD: "bad", GOOD: "good", "": ""}


@dataclass(frozen=True)
class _Call:
    """A call as the page has it; `picture` is None where it is not drawn."""

    injection: Injection
    outcome: str
    findings: Sequence[Finding]
    picture: Picture | None


@dataclass(frozen=True)
class _Part:
    """A recording as the page has it."""

    exhibit: Exhibit
    chosen: Injection | None
    calls: Sequence[_Call]
    facts: Sequence[tuple[str, str]]


def page(exhibits: Sequence[Exhibit], call: int | None = None) -> str:
    """Return the page. `call` is shown first, by default the most telling of each recording.

    Raises `InputError` if a recording has no call of this number.
    """
    parts = [_part(exhibit, exhibit.injection(call)) for exhibit in exhibits]
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _environment()
        .get_template("page")
        .render(
            mark=MARK,
            version=__version__,
            parts=parts,
            heads=COMPARED,
            compared=[compared(part.exhibit, part.chosen) for part in parts],
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy="; ".join(
                [
                    "default-src 'none'",
                    "img-src data:",
                    f"style-src {_hash(style)}",
                    f"script-src {_hash(script)}",
                    "base-uri 'none'",
                    "form-action 'none'",
                ]
            ),
        )
    )


def _environment() -> Environment:
    made = Environment(
        loader=DictLoader({"page": _asset("page.html.jinja")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    made.globals.update(called=called, goroutine=goroutine, meaning=meaning)
    made.globals.update(figures=Counts.__struct_fields__, schedules=list(Schedule))
    made.filters.update(ms=milliseconds, style_class=_CLASSES.__getitem__)
    return made


def _part(exhibit: Exhibit, chosen: Injection | None) -> _Part:
    injections = exhibit.recording.injections
    by_interest = sorted(
        injections, key=lambda i: (i is not chosen, i.inject.call not in exhibit.findings)
    )
    drawn = {i.inject.call for i in by_interest[:DRAWN]}
    calls = [_call(exhibit, i, draw=i.inject.call in drawn) for i in injections]
    return _Part(exhibit, chosen, calls, list(_facts(exhibit)))


def _call(exhibit: Exhibit, injection: Injection, *, draw: bool) -> _Call:
    inject = injection.inject
    return _Call(
        injection,
        outcome(injection),
        exhibit.findings.get(inject.call, ()),
        picture(list(steps([inject, *injection.events]))) if draw else None,
    )


def _facts(exhibit: Exhibit) -> Iterator[tuple[str, str]]:
    header = exhibit.recording.header
    target, machine = header.target, header.machine
    yield "recording", exhibit.check.recording or ""
    yield "Go", f"{target.go_version} {target.goarch}"
    yield "program", " ".join(target.argv)
    yield "process", str(target.pid)
    yield "build", target.build_id
    yield "kernel", machine.kernel
    yield "processor", f"{machine.cpu}, {machine.cpus} used, load {machine.load:.2f}"
    with suppress(OverflowError, ValueError, OSError):  # a time that is none
        yield "started", f"{datetime.fromtimestamp(header.started, UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield "recorded by", exhibit.check.command or ""
    yield "harness", f"{header.harness}, Python {header.python}"


def _asset(name: str) -> str:
    return resources.files("harness.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
