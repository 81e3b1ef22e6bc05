"""What a `Cluster` and its bridge say to each other: one JSON document a line."""

import msgspec


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A task to do by `function` (`module:name`), on a worker that has what it `needs`."""

    id: int
    function: str
    task: bytes
    needs: tuple[str, ...]


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """What came of this task is not wanted any more."""

    id: int


class Answer(msgspec.Struct, frozen=True):
    """What came of a task: an `outcome`, or else what went wrong, and what mends it.

    The `id` 0 is about all: the first answer says that the cluster is there, or why it cannot be
    used; another that it is gone.
    """

    id: int
    outcome: bytes | None = None
    message: str = ""
    mend: str = ""
