"""What is seen to before a cluster works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ser_cli import distribution
from ser_cli.errors import SerError

SAME = (distribution.NAME, "distributed", "numpy", "onnxruntime", "soxr", "soundfile", "av")
WORKERS_S = 120.0  # for the first worker, which may stand in a queue


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what Dask logs of ends that are told as errors from the terminal."""
    import logging

    known = logging.root.manager.loggerDict
    names = [name for name in known if name.partition(".")[0] in ("asyncio", "distributed")]
    before = {name: logging.getLogger(name).level for name in names}  # each has its own
    for name in before:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def someone(client: Any, where: str) -> None:
    """Wait for the first worker."""
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError as error:
        raise SerError(
            f"nobody works for {where}: waited {WORKERS_S:g} s", hint=f"dask worker {where}"
        ) from error


def refuse_others(client: Any, where: str) -> None:
    """Refuse workers on which a row could come out otherwise, or not at all."""
    from importlib.metadata import version

    ours = {package: version(package) for package in SAME}
    for worker, told in client.get_versions(packages=list(SAME))["workers"].items():
        for package, here in ours.items():
            there = told["packages"].get(package)
            if there != here:
                has = f"has {package} {there}" if there else f"lacks {package}"
                raise SerError(
                    f"the worker {worker} {has}, and here is {here}",
                    hint=f"pip install {package}=={here} on the workers of {where}",
                )
