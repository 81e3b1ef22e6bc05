"""Whatever does tasks: processes here (local.py), or a cluster (cluster.py)."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Protocol


class Executor(Protocol):
    """An executor of `concurrent.futures` to which tasks are given by one call."""

    def submit(
        self, fn: Callable[..., bytes], task: bytes, /, *, needs: Iterable[str] = ()
    ) -> Future[bytes]:
        """Have `fn` do a task, where there is one of each resource in `needs`."""
