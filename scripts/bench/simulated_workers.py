"""Many workers of Dask in one process, each with one thread: `simulated_workers.py ADDRESS N`.

They are Dask's own; only what each does to watch itself is off, as it is on ten machines a worker.
"""

import asyncio
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import dask
from distributed import Worker

_AT_ONCE = 50
_QUIET = {
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.admin.tick.interval": "10s",
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.spill": False,
}


async def main(address: str, number: int) -> None:
    """Start the workers, say `ready`, and serve until stdin ends."""
    with dask.config.set(_QUIET), tempfile.TemporaryDirectory() as folder:
        workers = [
            Worker(
                address,
                nthreads=1,
                executor=ThreadPoolExecutor(1),  # threads of Dask's own wake every second
                memory_limit=0,
                dashboard=False,
                resources={"ptrace": 1, "stub": 1},
                local_directory=f"{folder}/{each}",  # Dask looks through all that share one
            )
            for each in range(number)
        ]
        for first in range(0, number, _AT_ONCE):
            await asyncio.gather(*workers[first : first + _AT_ONCE])
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
