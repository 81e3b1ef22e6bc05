"""The process beside a `Cluster` that knows Dask: asks on stdin, answers on stdout (lines.py).

It ends when its input does, as it does when the other process dies, and ends on the cluster what
was asked and is not done.
"""

import asyncio
import ctypes
import operator
import os
import pkgutil
import signal
import sys
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from threading import Thread
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec

from harness.errors import HarnessError
from harness.fleet.lines import Answer, Ask, Drop
from harness.fleet.worker import end
from harness.version import __version__

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LOOK = 1.0  # seconds between two looks at what workers there are, while something is undone
_LOOKED_AT = 100  # workers a second: to tell of a thousand takes the scheduler some 50 ms
_AHEAD = 2
"""Tasks handed to Dask for each that can run at once. It gives tasks with resources to workers at
once, and those that wait at a worker count as its victims when it dies."""
_CALL = (operator.call, (pkgutil.resolve_name, "harness.fleet.worker:called"))
"""Both are Python's own. Dask imports what it is to call while it reads its messages; a worker that
cannot import ours would die of that, where now the task fails."""

_TOGETHER = 0.02  # seconds in which tasks gather to be handed to Dask at once, and outcomes
_FETCHED = 256  # outcomes at once; each has some 30 kB


class Lane:
    """The tasks that need the same resources."""

    def __init__(self, needs: tuple[str, ...]) -> None:
        self.needs = needs
        self.waiting: deque[Ask] = deque()
        self.handed: dict[int, Any] = {}  # futures of Dask
        self.feeding: asyncio.TimerHandle | None = None
        self.slots = 0
        self.fed = monotonic()

    def count(self, workers: Collection[Mapping[str, Any]]) -> None:
        """Count how many of its tasks these workers can do at once."""
        self.slots = int(
            sum(
                min(worker["nthreads"], *(worker["resources"].get(name, 0) for name in self.needs))
                if self.needs
                else worker["nthreads"]
                for worker in workers
            )
        )
        if self.slots:
            self.fed = monotonic()


class Bridge:
    """What was asked, and a client of Dask to have it done."""

    def __init__(self, address: str, patience: float, answers: int) -> None:
        self.address = address
        self.patience = patience
        self.answers = answers
        self.owner = f"debugcall-{uuid4().hex}"
        self.lanes: dict[tuple[str, ...], Lane] = {}
        self.finishing: set[asyncio.Task[None]] = set()
        self.ready: list[tuple[Any, asyncio.Future[bytes]]] = []
        self.lost = False
        self.heard = 0.0
        """When an outcome came last."""

    async def serve(self) -> None:
        """Answer until the input ends, or the cluster is gone."""
        self.loop = asyncio.get_running_loop()
        self.over, self.look = asyncio.Event(), asyncio.Event()
        self.loop.add_signal_handler(signal.SIGTERM, self.over.set)
        try:
            from distributed import Client
        except ImportError as error:
            self.say(
                message=f"Dask cannot be imported: {error}",
                mend="pip install 'debugcall-harness[fleet]'",
            )
            return
        try:
            connecting: Any = partial(Client, self.address, asynchronous=True)
            self.client = await connecting(timeout=self.patience)
        except (OSError, ValueError) as error:
            self.say(
                message=f"no Dask scheduler answers at {self.address}: {error}",
                mend="`dask scheduler` starts one and says its address",
            )
            return
        self.say()
        Thread(target=self.read, daemon=True).start()
        watch = asyncio.create_task(self.watch())
        await self.over.wait()
        watch.cancel()
        if not self.lost:
            await self.leave()

    def read(self) -> None:
        """Take what is asked, in a thread of its own."""
        for line in sys.stdin.buffer:
            self.loop.call_soon_threadsafe(self.take, msgspec.json.decode(line, type=Ask | Drop))
        self.loop.call_soon_threadsafe(self.over.set)

    def say(self, number: int = 0, message: str = "", mend: str = "", **outcome: bytes) -> None:
        """Write an answer."""
        line = msgspec.json.encode(Answer(number, message=message, mend=mend, **outcome)) + b"\n"
        view = memoryview(line)
        with suppress(BrokenPipeError):
            while view:
                view = view[os.write(self.answers, view) :]

    def take(self, what: Ask | Drop) -> None:
        """Take one line of what is asked."""
        if isinstance(what, Drop):
            for lane in self.lanes.values():
                if future := lane.handed.pop(what.id, None):
                    self.client.cancel([future])
                lane.waiting = deque(ask for ask in lane.waiting if ask.id != what.id)
            return
        lane = self.lanes.setdefault(what.needs, Lane(what.needs))
        if not lane.waiting and not lane.handed:
            lane.fed = monotonic()
            self.look.set()
        lane.waiting.append(what)
        self.feed(lane)

    def feed(self, lane: Lane) -> None:
        """Hand to Dask soon as many tasks as it can do soon."""
        if not lane.feeding:
            lane.feeding = self.loop.call_later(_TOGETHER, self.hand, lane)

    def hand(self, lane: Lane) -> None:
        """Hand tasks to Dask: as one graph, since each costs its scheduler milliseconds."""
        lane.feeding = None
        room = min(_AHEAD * lane.slots - len(lane.handed), len(lane.waiting))
        asks = [lane.waiting.popleft() for _ in range(room)]
        if not asks:
            return
        # Keys of its own, so that no task is done once for two that are equal.
        calls = {
            f"{self.owner}-{ask.id}": (*_CALL, ask.function, __version__, self.owner, ask.task)
            for ask in asks
        }
        resources = dict.fromkeys(lane.needs, 1)
        futures = self.client.get(calls, list(calls), resources=resources, sync=False)
        for ask, future in zip(asks, futures, strict=True):
            lane.handed[ask.id] = future
            task = asyncio.create_task(self.finish(lane, ask.id, future))
            self.finishing.add(task)
            task.add_done_callback(self.finishing.discard)

    async def finish(self, lane: Lane, number: int, future: Any) -> None:  # noqa: ANN401 - Dask's
        """Wait for a task and answer what came of it, if that is still wanted."""
        from distributed import CancelledError, KilledWorker

        answer = partial(self.say, number)
        try:
            outcome = await self.outcome_of(future)
            answer = partial(answer, outcome=outcome)
        except KilledWorker as error:
            answer = partial(
                answer,
                f"{error.args[2] + 1} workers died while they had a task, the last was "
                f"{error.args[1].address}",
                "look at what the workers say; they may need more memory",
            )
        except (CancelledError, asyncio.CancelledError):
            if number in lane.handed and not self.over.is_set():
                self.gone("it lost what it was asked")
            return
        except HarnessError as error:
            answer = partial(answer, error.message, error.mend)
        except Exception as error:  # noqa: BLE001 - whatever a worker raised is told
            answer = partial(answer, *_told(error))
        self.heard = monotonic()
        if lane.handed.pop(number, None):
            answer()
            self.feed(lane)

    async def outcome_of(self, future: Any) -> bytes:  # noqa: ANN401 - Dask's
        """Wait for a task and return its outcome; raises what the task raised."""
        import distributed

        wait: Any = distributed.wait
        await wait([future])
        outcome: asyncio.Future[bytes] = self.loop.create_future()
        self.ready.append((future, outcome))
        if len(self.ready) == 1:
            self.fetching = asyncio.create_task(self.fetch())
        return await outcome

    async def fetch(self) -> None:
        """Get outcomes, many at once: one by one, each would have a connection of its own."""
        while self.ready:
            await asyncio.sleep(_TOGETHER)
            some = self.ready[:_FETCHED]
            futures = [future for future, _ in some]
            try:
                got = await self.client.gather(futures)
            except Exception:  # noqa: BLE001 - one of them failed: which one?
                got = await asyncio.gather(
                    *(future.result() for future in futures), return_exceptions=True
                )
            del self.ready[: len(some)]
            for (_, outcome), what in zip(some, got, strict=True):
                if not isinstance(what, BaseException):
                    outcome.set_result(what)
                else:
                    outcome.set_exception(what)

    async def watch(self) -> None:
        """Look now and then what workers there are, and that there is a scheduler at all."""
        pause = _LOOK
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.look.wait(), pause)
            self.look.clear()
            lanes = [lane for lane in self.lanes.values() if lane.waiting or lane.handed]
            if not lanes:
                continue
            try:
                known = self.client.scheduler.identity(n_workers=-1)
                workers = (await asyncio.wait_for(known, self.patience))["workers"].values()
            except TimeoutError:
                if monotonic() - self.heard > self.patience:
                    self.gone("it does not answer")
                continue  # it has much to do
            except OSError as error:
                self.gone(str(error))
                return
            pause = max(_LOOK, len(workers) / _LOOKED_AT)
            for lane in lanes:
                lane.count(workers)
                self.feed(lane)
                if monotonic() - lane.fed > self.patience:
                    self.refuse(lane, workers)

    def refuse(self, lane: Lane, workers: Collection[Mapping[str, Any]]) -> None:
        """Answer all tasks of a lane that there is no worker for them."""
        have = {
            " ".join(f"{name}={n:g}" for name, n in sorted(worker["resources"].items())) or "none"
            for worker in workers
        }
        resources = " ".join(f"{name}=1" for name in lane.needs)
        message = f"no worker of {self.address} has {' and '.join(lane.needs) or 'a thread'}; " + (
            f"{len(workers)} of its workers have: {'; '.join(sorted(have))}"
            if have
            else "it has none"
        )
        mend = f"dask worker {self.address} --resources '{resources}'"
        futures, lane.handed = lane.handed, {}
        self.client.cancel(list(futures.values()))
        for number in (*futures, *(ask.id for ask in lane.waiting)):
            self.say(number, message, mend)
        lane.waiting.clear()

    def gone(self, why: str) -> None:
        """Answer that the cluster is gone, and end."""
        if not self.over.is_set():
            self.say(
                message=f"the cluster at {self.address} is gone: {why}",
                mend="what is finished is kept; with a cluster, the same command goes on",
            )
            self.lost = True
        self.over.set()

    async def leave(self) -> None:
        """End what is queued and what is running for this one, and part."""
        signal.alarm(max(1, int(self.patience / 2)))  # its default action ends this process
        undone = [future for lane in self.lanes.values() for future in lane.handed.values()]
        for lane in self.lanes.values():
            lane.waiting.clear()
        with suppress(Exception):  # the cluster may be gone
            if undone:
                self.client.cancel(undone)
                ending = partial(self.client.run, end, self.owner, on_error="ignore")
                while any((await ending()).values()):  # noqa: ASYNC110 - they are elsewhere
                    await asyncio.sleep(_LOOK)
            await self.client.close()


def _told(error: Exception) -> tuple[str, str]:
    """Return what to say of an error that is not the harness's own, and what mends it."""
    chain = [error]
    while cause := chain[-1].__cause__:
        chain.append(cause)  # type: ignore[arg-type] # an exception of a worker
    if any(isinstance(link, ImportError) for link in chain):
        return (
            f"the cluster cannot import the harness: {chain[-1]}",
            f"on the workers: pip install 'debugcall-harness[fleet]=={__version__}'",
        )
    return f"a worker failed: {type(error).__name__}: {error}", ""


def main() -> None:
    """Serve the one on stdin and stdout. Whatever else prints does so to stderr."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    answers = os.dup(1)
    os.dup2(2, 1)
    asyncio.run(Bridge(sys.argv[1], float(sys.argv[2]), answers).serve())


if __name__ == "__main__":
    main()
