"""Where tasks are done: by processes of this machine, or on a Dask cluster.

A task is bytes, and so is what comes of it; what they mean is not known here. Each one is done by a
process of its own, because who traces does so from one thread, and Dask has tasks in many.

Dask's workers import this package, so what is imported here needs Python only; `Cluster` is in
cluster.py.
"""

from harness.fleet.executor import Executor
from harness.fleet.local import Local
from harness.fleet.worker import work

__all__ = ["Executor", "Local", "work"]
