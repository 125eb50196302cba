"""A Dask cluster that does the work of a command: `--scheduler`.

Dask finds the workers, hands them chunks, and repeats what a dead one had; `workers.run` does the
rest. Here is what a user must be told: that nobody answers, which versions differ, and which files
the workers do not see. A folder they need (a model, an encoder) is sent along once, from worker to
worker, and lies in each one's scratch folder until that ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ser_cli.cluster.checks import quiet, refuse_others, someone
from ser_cli.cluster.executor import Cluster, Sent
from ser_cli.cluster.schedulers import address_of, client_of, need

__all__ = ["Cluster", "Sent", "connected"]


@contextmanager
def connected(where: str | None) -> Iterator[Cluster | None]:
    """Yield the cluster that a user names, or None where none is named.

    Args:
        where: Address of a scheduler; a file in which one has written it (`dask scheduler
            --scheduler-file F.json`); "local:N" for N workers of our own; or a YAML file that tells
            how a cluster is started (see `schedulers`).

    Raises:
        SerError: There is none, nobody works for it, or its versions differ from ours.
    """
    if where is None:
        yield None
        return
    need()
    with quiet(), address_of(where) as address, client_of(address, where) as client:
        someone(client, where)
        refuse_others(client, where)
        yield Cluster(client, where)
