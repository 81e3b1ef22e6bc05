import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.recording import AnyEvent
from harness.recording.schema import schema
from tests import recordings
from tests.any_recording import EVENT_TYPES, events
from tests.json_schema import is_valid

FILE = Path(__file__).parents[3] / "docs" / "recording.schema.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_bytes())
    return found


def test_the_file_is_up_to_date() -> None:
    assert FILE.read_bytes() == schema(), "run scripts/schema"


@given(event=events())
def test_each_line_that_is_written_is_valid(document: dict[str, Any], event: AnyEvent) -> None:
    assert is_valid(json.loads(msgspec.json.encode(event)), document, document)


@given(data=st.data(), kind=st.sampled_from(EVENT_TYPES))
def test_a_line_with_a_field_that_is_wrong_is_not(
    document: dict[str, Any], data: st.DataObject, kind: type[Any]
) -> None:
    line = json.loads(msgspec.json.encode(data.draw(events(kind))))
    broken = line | {data.draw(st.sampled_from(sorted(line))): {"no": "value"}}
    assert not is_valid(broken, document, document)
    del line["event"]
    assert not is_valid(line, document, document)


def test_what_is_missing_or_unknown_is_told(document: dict[str, Any]) -> None:
    line = json.loads(msgspec.json.encode(recordings.migrated()[0]))
    assert is_valid(line | {"new": "field"}, document, document), "fields may be added"
    for name in line:
        assert not is_valid({k: v for k, v in line.items() if k != name}, document, document)
