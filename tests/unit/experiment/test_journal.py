import zlib
from pathlib import Path

import msgspec
import pytest

from harness.bisected import Question
from harness.errors import HarnessError, InputError
from harness.experiment.journal import Journal
from harness.experiment.task import Outcome
from harness.verdict import Check, Failure, Result, Verdict

QUESTION = Question(None, "go1.21.1", "go1.21.3", "thread-until-dispatch", 40, "amd64")


def outcome(result: Result = Result.PASS) -> Outcome:
    verdict = Verdict(result, "because", {}, (), 0.0)
    return Outcome(Check("go", result, "because", verdict), None, zlib.compress(b"{}\n"), 1.5, 2.5)


def failed(code: int) -> Outcome:
    return Outcome(None, Failure("go", code, "it went wrong", "mend it"), b"", 1, 1)


def test_what_was_tested_is_known_the_next_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "out", QUESTION)
    tested = journal.add("go1.21.1", None, "key", 40, outcome(Result.FAIL))
    assert (tested.result, tested.reason, tested.cpu_seconds) == (Result.FAIL, "because", 2.5)
    assert tested.recording
    assert Path(tested.recording).read_bytes() == b"{}\n"
    journal.close()
    again = Journal(tmp_path / "out", QUESTION)
    assert again.tested == [tested]
    assert again.find("key", 40) == tested
    assert again.find("key", 20) == tested
    assert again.find("key", 200) is None
    assert again.find("other", 40) is None


def test_a_line_torn_by_a_crash_is_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path, QUESTION)
    first = journal.add("a", None, "a", 40, outcome())
    journal.add("b", None, "b", 40, outcome())
    journal.close()
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = Journal(tmp_path, QUESTION)
    assert again.tested == [first]
    third = again.add("c", None, "c", 40, outcome())
    again.close()
    assert Journal(tmp_path, QUESTION).tested == [first, third]


def test_one_that_could_not_even_begin_begins_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, QUESTION)
    journal.close()
    whole = (tmp_path / "journal.jsonl").read_bytes()
    for length in (0, 20):
        (tmp_path / "journal.jsonl").write_bytes(whole[:length])
        Journal(tmp_path, QUESTION).close()
        assert (tmp_path / "journal.jsonl").read_bytes() == whole


def test_what_was_inconclusive_is_tested_again_the_next_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path, QUESTION)
    journal.add("a", None, "a", 40, outcome(Result.INCONCLUSIVE))
    assert journal.find("a", 40), "not in the same run"
    kept = journal.add("b", None, "b", 40, outcome())
    journal.close()
    again = Journal(tmp_path, QUESTION)
    assert again.find("a", 40) is None
    assert again.tested == [kept]


def test_a_folder_of_another_question_is_left_alone(tmp_path: Path) -> None:
    Journal(tmp_path, QUESTION).close()
    before = (tmp_path / "journal.jsonl").read_bytes()
    other = msgspec.structs.replace(QUESTION, check="protocol-order")
    with pytest.raises(InputError, match="another question") as raised:
        Journal(tmp_path, other)
    assert "--out" in raised.value.mend
    for text, said in (
        ("not ours\n", "no bisection that can be read"),
        ("not ours", "another question"),
    ):
        (tmp_path / "journal.jsonl").write_text(text)
        with pytest.raises(InputError, match=said):
            Journal(tmp_path, QUESTION)
        assert (tmp_path / "journal.jsonl").read_text() == text
    (tmp_path / "journal.jsonl").write_bytes(before)
    Journal(tmp_path, QUESTION).close()


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    first = Journal(tmp_path, QUESTION)
    with pytest.raises(InputError, match="another bisection is at work"):
        Journal(tmp_path, QUESTION)
    first.close()


def test_what_cannot_be_told_is_kept_and_a_failure_of_the_machine_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path, QUESTION)
    assert journal.add("a", None, "a", 40, failed(125)).result is None
    with pytest.raises(HarnessError, match="b: it went wrong") as raised:
        journal.add("b", None, "b", 40, failed(132))
    assert raised.value.mend == "mend it"
    assert [tested.point for tested in journal.tested] == ["a"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write to"):
        Journal(tmp_path / "file" / "out", QUESTION)
