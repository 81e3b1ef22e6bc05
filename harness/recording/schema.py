"""The JSON Schema of a line of a recording. `scripts/schema` writes it to docs/."""

import msgspec

from harness.recording.events import FORMAT, AnyEvent


def schema() -> bytes:
    """Return the schema as a JSON document (draft 2020-12), made from the types of the events."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of a recording of debugcall-harness, format {FORMAT}",
        **msgspec.json.schema(AnyEvent),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
