"""Where tasks are done: by processes of this machine, or on a Dask cluster.

A task is bytes, and so is what comes of it; what they mean is not known here. Each one is done by a
process of its own, because who traces does so from one thread, and Dask has tasks in many.
"""

from harness.fleet.local import Local
from harness.fleet.worker import work

__all__ = ["Local", "work"]
