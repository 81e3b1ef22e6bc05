"""The option that says who does the checks."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.fleet import Local
    from harness.fleet.cluster import Cluster

cluster = click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Have a Dask cluster do the checks; the address of its scheduler is like tcp://host:8786.",
)


def executor(
    address: str | None, jobs: int, hear: Callable[[str], None] = lambda _: None
) -> "Local | Cluster":
    """Return a cluster, or processes of this machine; `hear` is told what these are doing."""
    if address is None:
        from harness.fleet import Local

        return Local(jobs, lambda _, said: hear(said))
    from harness.fleet.cluster import Cluster

    return Cluster(address)
