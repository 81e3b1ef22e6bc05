"""The JSON Schema of a line of a recording. `scripts/schema` writes it to docs/."""

from typing import Any

import msgspec

from harness.recording.events import FORMAT, AnyEvent


def schema() -> bytes:
    """Return the schema as a JSON document (draft 2020-12), made from the types of the events."""
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of a recording of debugcall-harness, format {FORMAT}",
        **msgspec.json.schema(AnyEvent),
    }
    for kind in document["$defs"].values():
        if "properties" in kind:  # of those with a default msgspec says that they may be missing
            kind["required"] = list(kind["properties"])
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
