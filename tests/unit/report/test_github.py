import re
from urllib.parse import unquote

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.verdict import judge
from harness.recording import Recording
from harness.report.github import Named, annotations, summary
from harness.verdict import Check, Conclusion, Failure
from tests.recordings import migrated, recording, refused, uncontested

COMMAND = re.compile(r"::(error|warning) title=([^:,\r\n]*)::([^\r\n]*)")


def check_of(made: Recording, toolchain: str = "go1.21.1") -> Check:
    verdict = judge(made)
    return Check(toolchain, verdict.result, verdict.reason, verdict)


def named(*conclusions: Conclusion) -> list[Named]:
    return [(conclusion.toolchain, conclusion) for conclusion in conclusions]


def test_a_violation_is_an_error_with_its_story() -> None:
    (line,) = annotations(named(check_of(recording(migrated()))))
    found = COMMAND.fullmatch(line)
    assert found
    level, title, message = found.groups()
    assert (level, unquote(title)) == ("error", "debugcall go1.21.1: fail")
    assert "%0A              ╚═════════▶       THE CALL MOVES to 102%0A" in message


def test_what_cannot_be_told_is_a_warning_and_a_pass_nothing() -> None:
    doubtful, passed = check_of(recording(uncontested())), check_of(recording(refused()))
    (line,) = annotations(named(passed, doubtful, passed))
    assert line.startswith("::warning title=debugcall go1.21.1%3A inconclusive::only 0 of 1")


def test_an_error_tells_its_mend() -> None:
    (line,) = annotations(named(Failure("go9,x", 129, "100 % wrong:\r\nno go9", "give another")))
    assert line == (
        "::error title=debugcall go9%2Cx%3A error 129::100 %25 wrong:\\r\\nno go9%0A"
        "mend: give another"
    )


@given(st.text(), st.text())
def test_no_text_ends_a_command_or_begins_another(toolchain: str, error: str) -> None:
    (line,) = annotations(named(Failure(toolchain, 129, error, "")))
    assert COMMAND.fullmatch(line)
    assert len(line.splitlines()) == 1


def test_the_summary_is_a_table_and_the_first_violation() -> None:
    checks: list[Conclusion] = [
        check_of(recording(refused()), "go1.22.0"),
        Failure("go9", 129, "there is no go9", "give another"),
        check_of(recording(migrated()), "go1.21.1"),
    ]
    text = summary(named(*checks), "debugcall check --go `x`")
    head, table, title, story, again, command = text.rstrip("\n").split("\n\n")
    assert (head, title, again) == ("### debugcall", "**go1.21.1**", "Again:")
    rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert [row[:2] for row in rows[2:]] == [
        ["go1.22.0", "pass"],
        ["go9", "error 129"],
        ["go1.21.1", "fail"],
    ]
    assert story.startswith("```text\na call is dispatched on the thread")
    assert "THE CALL MOVES to 102" in story
    assert command == "```text\ndebugcall check --go `x`\n```"


def test_nothing_of_a_name_is_markdown() -> None:
    hostile = "x|y<img src=//e>`[a](b)`\n# head"
    text = summary(named(Failure(hostile, 129, "````\n```js", "")), "again")
    row = text.split("\n\n")[1].splitlines()[2]
    assert r"x\|y\<img src=//e\>\`\[a\]\(b\)\`\\n\# head" in row
    assert "`````text\n````" in text, "the fence can be closed from inside"


def test_a_pass_has_no_story() -> None:
    check = msgspec.structs.replace(check_of(recording(refused())), recording="r")
    assert summary(named(check), "again").count("```") == 2
