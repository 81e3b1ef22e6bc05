"""Processes of this machine, some at a time."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any

from harness.fleet.worker import end

_numbers = count()


class Local(ThreadPoolExecutor):
    """An executor whose threads each wait for a process. Leaving it early ends them all.

    `hear` gets what a task is and what is being done for it.
    """

    def __init__(self, jobs: int, hear: Callable[[bytes, str], None] = lambda *_: None) -> None:
        super().__init__(jobs, thread_name_prefix="task")
        self._hear = hear
        self._owner = f"local-{next(_numbers)}"

    def submit(  # type: ignore[override] # `needs` is one more
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,  # noqa: ANN401 - Executor's own
        needs: Iterable[str] = (),  # noqa: ARG002 - this machine has what it has
        **kwargs: Any,  # noqa: ANN401
    ) -> Future[Any]:
        """Have `fn(task, hear, owner=...)` called in a thread."""
        (task,) = args
        hear = partial(self._hear, task)
        return super().submit(fn, task, hear, owner=self._owner, **kwargs)

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is not None:
            self.shutdown(wait=False, cancel_futures=True)
            end(self._owner)
        self.shutdown(wait=True)
