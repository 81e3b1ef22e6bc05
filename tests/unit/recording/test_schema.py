import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.recording import AnyEvent
from harness.recording.events import FORMAT
from harness.recording.schema import schema
from tests import recordings
from tests.any_recording import EVENT_TYPES, events

FILE = Path(__file__).parents[3] / "docs" / "recording.schema.json"


VALIDATOR = Draft202012Validator(json.loads(FILE.read_bytes()))
is_valid = VALIDATOR.is_valid


def test_the_file_is_up_to_date() -> None:
    assert FILE.read_bytes() == schema(), "run scripts/schema"


@given(event=events())
def test_each_line_that_is_written_is_valid(event: AnyEvent) -> None:
    assert is_valid(json.loads(msgspec.json.encode(event)))


@given(data=st.data(), kind=st.sampled_from(EVENT_TYPES))
def test_a_line_with_a_field_that_is_wrong_is_not(data: st.DataObject, kind: type[Any]) -> None:
    line = json.loads(msgspec.json.encode(data.draw(events(kind))))
    broken = line | {data.draw(st.sampled_from(sorted(line))): {"no": "value"}}
    assert not is_valid(broken)
    del line["event"]
    assert not is_valid(line)


def test_what_is_missing_or_unknown_is_told() -> None:
    line = json.loads(msgspec.json.encode(recordings.migrated()[0]))
    assert is_valid(line | {"new": "field"}), "fields may be added"
    for name in line:
        assert not is_valid({k: v for k, v in line.items() if k != name})


def test_a_newer_format_is_none_of_its_own() -> None:
    header = json.loads(msgspec.json.encode(recordings.HEADER))
    assert is_valid(header)
    assert not is_valid(header | {"format": FORMAT + 1})


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)
