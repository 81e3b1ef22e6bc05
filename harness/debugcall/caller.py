"""The stop from which calls are injected: a thread, and the state that must come back."""

from dataclasses import dataclass

from harness.arch import Registers, RegisterSet
from harness.tracer import Thread


@dataclass(slots=True)
class Caller:
    """A thread that is stopped where it can take debug calls, and runs the calling goroutine.

    `saved` and `vector` are its registers before the first call. They stay true from call to
    call, since nothing runs between them. `thread` changes when a runtime lets a call end on
    another thread, `saved` when the goroutine's stack was moved.
    """

    thread: Thread
    saved: Registers
    vector: RegisterSet
    g: int
    goid: int | None
    function: str
