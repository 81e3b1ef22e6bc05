"""The HTML page in a real browser, with a mouse, with a keyboard, on a phone, read aloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.experiment.recorded import exhibit
from harness.recording import Recorder, Schedule
from harness.report.html import page
from tests import recordings
from tests.browser import Page, browse
from tests.recordings import altered_trap, migrated, rejected, uncontested

pytestmark = pytest.mark.xdist_group("browser")

CONTRAST = """
(() => {
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const [x, y, z] = [r, g, b].map(v => linear(v / 255));
    return .2126 * x + .7152 * y + .0722 * z;
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !element.getClientRects().length || element.tagName === "SCRIPT") continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) found.push(`${element.tagName} ${element.className} ${ratio.toFixed(2)}`);
  }
  return found;
})()
"""
SHOWN = """
[...document.querySelectorAll(".call")].filter(e => e.getClientRects().length).map(e => e.id)
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browse(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    kinds = [
        [
            *(migrated(n, Schedule.DELAY) for n in range(3)),
            rejected(3),
            altered_trap(migrated(4), 16, tid=4194303),
        ],
        [*(recordings.refused(n) for n in range(40)), uncontested(40)],
    ]
    exhibits = []
    for number, calls in enumerate(kinds):
        with Recorder(folder / f"{number}.jsonl") as recorder:
            recorder.add_all(recordings.recording(*calls).events)
        exhibits.append(exhibit(folder / f"{number}.jsonl"))
    made = folder / "page.html"
    made.write_text(page(exhibits))
    return made


def test_it_is_drawn_without_network_and_without_complaint(browser: Page, file: Path) -> None:
    browser.logged.clear()
    browser.requested.clear()
    browser.open(file)
    assert browser.run("document.querySelector('h1').innerText") == "go1.27.3 and go1.27.3"
    assert browser.run(SHOWN) == ["r0-call-0", "r1-call-0"]
    # The arrow really runs from the middle of one lane to that of the other, in the row's middle.
    ends = browser.run(
        """(() => {
          const row = document.querySelector("#r0-call-0 .moves");
          const box = selector => row.querySelector(selector).getBoundingClientRect();
          const [arrow, cell] = [box(".arrow"), box(".track")];
          return [arrow.left - cell.left, arrow.right - cell.left].map(x => x / cell.width);
        })()"""
    )
    assert [round(end, 2) for end in ends] == [0.25, 0.75]
    assert browser.logged == []
    assert browser.requested == [file.as_uri()]


def test_the_policy_holds(browser: Page, file: Path) -> None:
    browser.open(file)
    browser.logged.clear()
    add = "document.body.append(Object.assign(document.createElement('{}'), {{{}}}))"
    browser.run(add.format("img", "src: 'x.png'"))
    browser.run(add.format("script", "text: 'hit = 1'"))
    assert browser.run("typeof hit") == "undefined"
    browser.open(file)
    refused = [entry["entry"]["text"] for entry in browser.logged if "entry" in entry]
    assert len(refused) == 2
    assert all("Content Security Policy" in text for text in refused)


@pytest.mark.parametrize("width", [320, 360, 768, 1200, 2000])
@pytest.mark.parametrize("call", ["r0-call-0", "r0-call-4", "r1-call-40"])
def test_nothing_sticks_out(browser: Page, file: Path, width: int, call: str) -> None:
    browser.open(file, width=width)
    browser.run(f"location.hash = {call!r}")
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert call in browser.run(SHOWN)
    assert browser.run("innerWidth") == width
    assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_can_be_read(browser: Page, file: Path, *, dark: bool) -> None:
    browser.open(file, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark
    assert browser.run(CONTRAST) == []


def test_the_keyboard_reaches_each_call(browser: Page, file: Path) -> None:
    browser.open(file)
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    reached = []
    for _ in range(60):
        browser.press("Tab")
        reached.append(browser.run("document.activeElement.hash || ''"))
    calls = [f"#r0-call-{n}" for n in range(5)] + [f"#r1-call-{n}" for n in range(41)]
    assert [link for link in reached if "-call-" in link][: len(calls)] == calls
    browser.open(file)
    while browser.run("document.activeElement.hash") != "#r0-call-3":
        browser.press("Tab")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.run(
        "void (changed = new Promise(done => addEventListener('hashchange', () => done())))"
    )
    browser.follow()
    browser.run("changed")
    assert browser.run(SHOWN) == ["r0-call-3", "r1-call-0"]
    current = "[...document.querySelectorAll('[aria-current]')].map(e => e.hash)"
    assert browser.run(current) == ["#r0-call-3", "#r1-call-0"]


def test_it_works_without_script(browser: Page, file: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(file)
    while browser.run("document.activeElement.hash") != "#r0-call-2":
        browser.press("Tab")
    browser.follow()
    assert browser.run(SHOWN) == ["r0-call-2", "r1-call-0"]
    browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_screen_reader_is_told_the_same(browser: Page, file: Path) -> None:
    browser.open(file)
    tree = [n for n in browser.call("Accessibility.getFullAXTree")["nodes"] if not n["ignored"]]
    nodes = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree]
    for expected in (
        ("main", ""),
        ("navigation", "All 5 calls"),
        ("heading", "Call 0 of 5, delay: migrated"),
        ("columnheader", "what was seen"),
        ("columnheader", "thread"),
        ("link", "call 3, steal, not taken"),
        ("link", "call 4, steal, migrated, with a finding"),
    ):
        assert expected in nodes
    cells = [" ".join(name.split()) for role, name in nodes if role == "cell"]
    at = cells.index("dispatch, on the WRONG thread not locked")
    assert cells[at - 2 : at] == ["0.040", "102"]
    assert "THE CALL MOVES to 102" in cells
    assert not any("✗" in name for role, name in nodes if role == "link")
