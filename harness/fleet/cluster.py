"""A Dask cluster as an executor.

What Dask needs is Apache-2.0 in part and python-ptrace is GPL-2.0-only, so this process imports
nothing of Dask: a child does (bridge.py), and both talk in lines.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from threading import Lock, Thread
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import msgspec

from harness.errors import ClusterError, InputError
from harness.fleet.lines import Answer, Ask, Drop

PATIENCE = 30.0
"""Seconds that a scheduler may take to answer, and workers to come, times the time scale."""


class Cluster(futures.Executor):
    """An executor whose tasks workers of a cluster do. Leaving it early ends them all.

    `address` is that of the scheduler, as Dask writes it: `tcp://host:port`. Raises InputError if
    it is no address, ClusterError if the cluster cannot be used. Make it in the main thread: the
    kernel ends the bridge when the thread that made it ends.
    """

    def __init__(self, address: str) -> None:
        from harness.tracer.waiting import time_scale

        _require_address(address)
        self.address = address
        self._patience = PATIENCE * time_scale()
        self._ids = count(1)
        self._futures: dict[int, Future[bytes]] = {}
        self._lock = Lock()
        self._broken: ClusterError | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by shutdown
        self._bridge = subprocess.Popen(
            (sys.executable, "-m", "harness.fleet.bridge", address, str(self._patience)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            process_group=0,  # Ctrl-C is for this process, which ends it
        )
        try:
            self._hear()  # that it is there
        except BaseException:
            self._bridge.kill()
            self._bridge.communicate()
            self._said.close()
            raise
        self._reader = Thread(target=self._read, name="cluster", daemon=True)
        self._reader.start()

    def submit(  # type: ignore[override] # `needs` is one more
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,  # noqa: ANN401 - Executor's own
        needs: Iterable[str] = (),
    ) -> Future[Any]:
        """Have `fn(task, owner=...)` called by a worker that has one of each resource in `needs`.

        `fn` is named to the workers, which import it by that name. Raises ClusterError if the
        cluster is gone.
        """
        (task,) = args
        function = f"{fn.__module__}:{fn.__qualname__}"
        future: Future[bytes] = Future()
        with self._lock:
            if self._broken:
                raise self._broken
            number = next(self._ids)
            self._futures[number] = future
        future.add_done_callback(lambda future: self._done(number, future))
        self._say(Ask(number, function, task, tuple(sorted(needs))))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """End the bridge when all is done, or at once what is queued and what is running."""
        with self._lock:
            self._broken = self._broken or ClusterError("this cluster was shut down")
        if cancel_futures:
            for number in tuple(self._futures):
                if future := self._futures.pop(number, None):
                    future.cancel()
                    future.set_running_or_notify_cancel()
        elif wait:
            futures.wait(tuple(self._futures.values()))
        if wait or cancel_futures:
            self._leave()

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)

    def _leave(self) -> None:
        """Let the bridge end: it does when its input has, and ends what it left undone."""
        assert self._bridge.stdin is not None
        with self._lock, suppress(BrokenPipeError):
            self._bridge.stdin.close()
        try:
            self._bridge.wait(self._patience)
        except subprocess.TimeoutExpired:
            self._bridge.kill()
            self._bridge.wait()
        self._reader.join()
        for stream in (self._bridge.stdout, self._said):
            assert stream is not None
            stream.close()

    def _done(self, number: int, future: Future[bytes]) -> None:
        # Whoever takes the future out of the table is the one who settles it.
        taken = self._futures.pop(number, None) if future.cancelled() else None
        if taken:
            future.set_running_or_notify_cancel()
            self._say(Drop(number))

    def _say(self, what: Ask | Drop) -> None:
        assert self._bridge.stdin is not None
        # If the bridge has ended, the reader says so of all that was asked.
        with self._lock, suppress(BrokenPipeError, ValueError):
            self._bridge.stdin.write(msgspec.json.encode(what) + b"\n")
            self._bridge.stdin.flush()

    def _hear(self) -> Answer:
        """Return the next answer; raises ClusterError if there is none, or if the cluster fails."""
        assert self._bridge.stdout is not None
        line = self._bridge.stdout.readline()
        if not line:
            self._said.seek(0)
            last = self._said.read().decode(errors="replace").strip().splitlines()[-1:]
            raise ClusterError(
                f"the bridge to the cluster ended in {self._bridge.wait()}: {''.join(last)}",
                mend="what is finished is kept; the same command goes on",
            )
        answer = msgspec.json.decode(line, type=Answer)
        if not answer.id and answer.message:
            raise ClusterError(answer.message, mend=answer.mend)
        return answer

    def _read(self) -> None:
        while True:
            try:
                answer = self._hear()
            except ClusterError as error:
                with self._lock:
                    self._broken = self._broken or error
                for number in tuple(self._futures):
                    self._settle(number, error)
                return
            if answer.outcome is None:
                self._settle(answer.id, ClusterError(answer.message, mend=answer.mend))
            else:
                self._settle(answer.id, answer.outcome)

    def _settle(self, number: int, what: bytes | ClusterError) -> None:
        future = self._futures.pop(number, None)
        if future is None or not future.set_running_or_notify_cancel():
            return  # it was answered before, or nobody wants it
        if isinstance(what, bytes):
            future.set_result(what)
        else:
            future.set_exception(what)


def _require_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        fits = parts.scheme in {"tcp", "tls"} and parts.hostname and parts.port
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            f"{address!r} is no address of a Dask scheduler", mend="give one like tcp://host:8786"
        )
