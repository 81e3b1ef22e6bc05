"""What comes of a bisection: the question, the tests, the answer. Data only."""

import enum

import msgspec

from harness.verdict import Result


class Change(enum.StrEnum):
    """What a bisection looks for."""

    FIX = "fix"
    REGRESSION = "regression"


class Question(msgspec.Struct, frozen=True, tag="question", tag_field="line"):
    """What a bisection looks for: where the answer to `check` changes between two ends.

    `repository` is the clone; None: the ends are releases. `check` is the name of an invariant.
    """

    repository: str | None
    old: str
    new: str
    check: str
    number: int
    goarch: str
    cpu: str | None = None


class Tested(msgspec.Struct, frozen=True, tag="tested", tag_field="line"):
    """What came of one point: a commit, or a release.

    `tools` is the commit that lent its compiler, "make.bash" if that built all of it, None for the
    point's own. `result` is None if there is no verdict, and `reason` says why.
    What has the same `key` is the same program.
    """

    point: str
    tools: str | None
    key: str
    number: int
    result: Result | None
    reason: str
    recording: str | None
    seconds: float
    cpu_seconds: float


class Described(msgspec.Struct, frozen=True):
    """What a reader wants to know of a commit. `date` is the author's, as ISO 8601."""

    commit: str
    subject: str
    author: str
    date: str
    files: tuple[str, ...]


class Bisected(msgspec.Struct, frozen=True):
    """What came of a bisection.

    `suspects` are the points of which one made the change, a single one if it was found. Then
    `proof` holds what the last tests before and at it showed. `points` lie between the ends,
    `candidates` of them could have made the change. With `own_tools` each was tested as its own
    compiler builds it.
    """

    question: Question
    change: Change
    suspects: tuple[str, ...]
    culprit: Described | None
    proof: tuple[Tested, ...]
    proven: bool
    tested: tuple[Tested, ...]
    points: int
    candidates: int
    own_tools: bool
