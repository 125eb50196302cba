"""What a user calls a cluster -> a client of its scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ser_cli import distribution
from ser_cli.errors import SerError, UsageError

LOCAL = "local:"  # local:8 starts eight workers on this machine
ANSWER_S = 10.0  # for a scheduler
GREETING_S = 5.0  # for what it says first
_PROTOCOLS = ("tcp://", "tls://", "ws://", "wss://", "ucx://")
_WHERE = "--scheduler tcp://HOST:8786, local:8, scheduler.json, or cluster.yaml"


def need() -> None:
    """Raise SerError where Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise SerError(
            "--scheduler needs Dask, which is not installed", hint=distribution.install("cluster")
        ) from error


@contextmanager
def address_of(where: str) -> Iterator[Any]:
    """Yield what a client connects to: an address, or a cluster, which ends with the block."""
    if where.startswith(_PROTOCOLS):
        yield where
    elif where.startswith(LOCAL):
        from distributed import LocalCluster

        usual = {"threads_per_worker": 1, "dashboard_address": ":0"}  # any port
        with _started(where, LocalCluster, {"n_workers": _number(where), **usual}) as cluster:
            yield cluster
    elif where.endswith(".json"):
        yield _written(where)
    elif where.endswith((".yaml", ".yml")):
        kind, given, count = _spec(Path(where))
        with _started(where, kind, given) as cluster:
            cluster.scale(count)
            yield cluster
    else:
        raise UsageError(f"--scheduler {where} is no address of a scheduler", hint=_WHERE)


def _number(where: str) -> int:
    number = where.removeprefix(LOCAL)
    if not number.isdecimal() or not int(number):
        raise UsageError(f"--scheduler {where} names no number of workers", hint=f"{LOCAL}8")
    return int(number)


def _written(where: str) -> str:
    """Return the address that a scheduler has written into a file."""
    import json

    try:
        return str(json.loads(Path(where).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SerError(
            f"{where} is no file of a scheduler: {error}",
            hint="dask scheduler --scheduler-file scheduler.json",
        ) from error


def _spec(path: Path) -> tuple[Callable[..., Any], Mapping[str, Any], int]:
    """Read how a cluster is started: module, class, what it is given, and how many workers.

    As in `{module: dask_jobqueue, class: SLURMCluster, kwargs: {cores: 1, memory: 4GB}, workers:
    100}`. Only Dask's own modules are loaded.

    Raises:
        SerError: The file does not tell, or the module is not installed.
    """
    from importlib import import_module

    import yaml

    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        module, name, count = str(told["module"]), str(told["class"]), int(told["workers"])
        given = dict(told.get("kwargs") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise SerError(
            f"{path} does not tell how a cluster is started: {error}",
            hint="it states module, class, kwargs and workers",
        ) from error
    if module.split(".")[0] != "distributed" and not module.startswith("dask_"):
        raise SerError(f"{path}: {module} is no module of Dask", hint="module: dask_jobqueue")
    try:
        return getattr(import_module(module), name), given, count
    except (ImportError, AttributeError) as error:
        raise SerError(
            f"{path}: there is no {module}.{name} here",
            hint=f"pip install {module.split('.')[0].replace('_', '-')}",
        ) from error


def _started(where: str, kind: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    try:
        return kind(**given)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise SerError(f"the cluster of {where} cannot be started: {error}", hint=_WHERE) from error


@contextmanager
def client_of(address: Any, where: str) -> Iterator[Any]:
    """Yield a client of what `address_of` yields.

    Raises:
        SerError: Nobody answers.
    """
    import asyncio

    from distributed import Client

    connect: Any = Client
    try:
        if isinstance(address, str):
            asyncio.run(_greet(address))
        client = connect(address, timeout=ANSWER_S, set_as_default=False)
    # Beside what networks raise: what Dask says of TLS without certificates, or of a lack of UCX.
    except (OSError, ValueError, TypeError, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split()) or f"nothing in {ANSWER_S:g} s"
        raise SerError(
            f"no scheduler answers at {where}: {reason}",
            hint="dask scheduler, and its address here (not that of its dashboard)",
        ) from error
    with client:
        yield client


async def _greet(address: str) -> None:
    """Exchange greetings: a client of Dask's waits for ever for those of what is no scheduler."""
    import asyncio

    from distributed.comm.core import connect as reach
    from distributed.security import Security

    connect: Any = reach
    security: Any = Security
    own = security().get_connection_args("client")  # as Dask is configured
    async with asyncio.timeout(ANSWER_S + GREETING_S):
        comm = await connect(address, timeout=ANSWER_S, **own)
    await comm.close()
