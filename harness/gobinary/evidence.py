"""One thing that one source says about the offset of a field."""

from typing import NamedTuple


class Evidence(NamedTuple):
    """`field` is a field of Layout such as `m.curg`, `offset` is in bytes."""

    field: str
    offset: int
    source: str


class Witness(NamedTuple):
    """`function` shows fields by `shape`, a regular expression for some of its lines.

    It is compiled only where there is such a function: that takes time.
    """

    function: str
    shape: str


def witness(function: str, *lines: str) -> Witness:
    """The witness that a function of the runtime is by these lines."""
    return Witness(f"runtime.{function}", "".join(lines))
