"""One thing that one source says about the offset of a field."""

from typing import NamedTuple


class Evidence(NamedTuple):
    """`field` is a field of Layout such as `m.curg`, `offset` is in bytes."""

    field: str
    offset: int
    source: str
