import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from harness.cli import main
from harness.recording import AnyEvent, Exited, Inject, Lost, Recording, Restored
from harness.report import html
from harness.report.exhibit import Exhibit
from harness.report.html import page
from tests import recordings
from tests.any_recording import acceptable
from tests.recordings import altered, altered_trap, migrated, refused, rejected
from tests.unit.report.exhibits import exhibit, written

VOID = {"meta", "link"}


class Document(HTMLParser):
    """A page: each element once closed, its attributes, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(attribute))]

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def document(*exhibits: Exhibit) -> Document:
    return Document(page(exhibits))


def test_a_page_says_what_happened(tmp_path: Path) -> None:
    made = document(exhibit(tmp_path / "r", refused(0), migrated(1)))
    for said in (
        "go1.27.3 fail",
        "Call 1 of 2, steal: migrated",
        "Thread 102 took the call goroutine and ran it.",
        "thread-until-dispatch : injected into thread 101, dispatched on thread 102",
        "main.add(2, 3) , injected into goroutine 7 at main.round",
        "0.010 101 the call goroutine begins not locked",
        "THE CALL MOVES to 102",
        "0.040 102 dispatch, on the WRONG thread not locked",
        "kernel Linux 6.1",
        "processor x86_64, 2 used, load 0.50",
        "started 2023-11-14 22:13:20 UTC",
        "recorded by debugcall check",
    ):
        assert said in made.text


def test_the_most_telling_call_is_shown_and_all_can_be_picked(tmp_path: Path) -> None:
    made = document(exhibit(tmp_path / "r", refused(0), migrated(1), refused(2)))
    classes = {a["id"]: a["class"] for tag, a in made.elements if tag == "article"}
    assert classes == {"r0-call-0": "call", "r0-call-1": "call chosen", "r0-call-2": "call"}
    links = [a["href"] for tag, a in made.elements if tag == "a"]
    assert links[1:] == ["#r0-call-0", "#r0-call-1", "#r0-call-2"]
    current = [a["href"] for tag, a in made.elements if a.get("aria-current")]
    assert current == ["#r0-call-1"]


def test_several_are_compared(tmp_path: Path) -> None:
    made = document(exhibit(tmp_path / "a", migrated()), exhibit(tmp_path / "b", refused()))
    assert "call goroutine NOT LOCKED another thread 102 ran it" in made.text
    assert "call goroutine locked another thread 102 handed it back" in made.text


def test_ids_are_unique_and_links_lead_somewhere(tmp_path: Path) -> None:
    twice = [exhibit(tmp_path / name, refused(0), migrated(1)) for name in "ab"]
    made = document(*twice)
    ids = made.values("id")
    assert len(set(ids)) == len(ids)
    for link in made.values("href"):
        assert link == "data:," or link.removeprefix("#") in ids
    assert set(made.values("aria-labelledby")) <= set(ids)


def test_of_very_many_calls_only_some_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "DRAWN", 3)
    calls = [migrated(n) if n in {6, 8} else refused(n) for n in range(9)]
    made = document(exhibit(tmp_path / "r", *calls))
    drawn = [a["id"] for tag, a in made.elements if tag == "article"]
    assert drawn == ["r0-call-0", "r0-call-6", "r0-call-8"], "those with a finding come first"
    assert sum("with a finding" in label for label in made.values("aria-label")) == 2
    assert "7 ✓ steal, refused" in made.text
    assert "debugcall show --call N" in made.text


def test_what_breaks_off_says_so(tmp_path: Path) -> None:
    whole = recordings.recording(refused(0), refused(1)).events
    made = document(written(tmp_path / "r", Recording(whole[:14])))
    assert "The recording breaks off: it is shown as far as it goes." in made.text
    assert made.text.count("Here the recording breaks off.") == 1
    assert "breaks off" not in document(exhibit(tmp_path / "s", refused(0))).text


def test_a_recording_without_calls(tmp_path: Path) -> None:
    made = document(exhibit(tmp_path / "r"))
    assert "go1.27.3 inconclusive" in made.text
    assert "nav" not in made.tags


HOSTILE = (
    "</style></script><script>alert(1)</script><img src=//e onerror=x>\"'&amp;{{7*7}}\x1b\u202e"
)


def hostile(path: Path) -> Exhibit:
    events: list[AnyEvent] = [
        *altered(migrated(0), Inject, function=HOSTILE),
        *altered_trap(rejected(1), 8, text=HOSTILE),
        *altered(refused(2), Restored, changed=(HOSTILE,)),
        Lost(t=9, call=2, why=HOSTILE),
        Exited(t=10, signal=11),
    ]
    callee = msgspec.structs.replace(recordings.CALLEE, name=HOSTILE)
    changed = altered(events, Inject, callee=callee)
    target = msgspec.structs.replace(
        recordings.HEADER.target,
        **dict.fromkeys(("go_version", "goarch", "build_id", "toolchain"), HOSTILE),
        argv=(HOSTILE,),
    )
    machine = msgspec.structs.replace(recordings.HEADER.machine, kernel=HOSTILE, cpu=HOSTILE)
    header = msgspec.structs.replace(
        recordings.HEADER,
        target=target,
        machine=machine,
        harness=HOSTILE,
        python=HOSTILE,
        command=(HOSTILE,),
        started=1e300,
    )
    return written(path, Recording((header, *changed)))


def test_nothing_of_a_recording_is_markup(tmp_path: Path) -> None:
    text = page([hostile(tmp_path / "r"), exhibit(tmp_path / "s", refused())])
    made, sound = Document(text), document(exhibit(tmp_path / "t", migrated()))
    assert made.tags <= sound.tags | {"p", "div", "section"}
    assert "img" not in made.tags
    assert text.count("<script") == text.count("<style") == 1
    assert not any(name.startswith("on") for _, a in made.elements for name in a)
    assert HOSTILE.partition("\x1b")[0] in " ".join(made.texts)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "{{7*7}}" in text


def test_the_policy_allows_nothing_but_the_page_itself(tmp_path: Path) -> None:
    text = page([exhibit(tmp_path / "r", refused())])
    made = Document(text)
    (policy,) = (a["content"] for _, a in made.elements if "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not made.values("src")
    assert not made.values("style")
    assert not re.search(r"https?:|url\(|@import", text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(events=acceptable())
def test_any_recording_gives_a_page(tmp_path: Path, events: Sequence[AnyEvent]) -> None:
    document(written(tmp_path / "r", Recording(tuple(events))))


def test_the_command_writes_page_and_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exhibit(tmp_path / "r", migrated())
    out, trace, file = (str(tmp_path / name) for name in ("p.html", "t.json", "r"))
    for _ in range(2):  # older ones are written anew
        assert main(["show", "--html", out, "--trace", trace, file]) == 0
    assert "THE CALL MOVES" in Document(Path(out).read_text()).text
    assert Path(trace).read_text().startswith('{"otherData"')
    assert capsys.readouterr().out == ""


def test_somebody_elses_page_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exhibit(tmp_path / "r", migrated())
    page_ = tmp_path / "index.html"
    page_.write_text("<!DOCTYPE html><title>mine</title>")
    assert main(["show", "--html", str(page_), str(tmp_path / "r")]) == 129
    assert "exists and is no report of debugcall" in capsys.readouterr().err
    assert page_.read_text().endswith("<title>mine</title>")
