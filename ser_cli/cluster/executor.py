"""The workers of a scheduler as an executor, and what they do with a task."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from ser_cli import process
from ser_cli.errors import SerError

SEEN = 8  # files of which every worker is asked
COUNTED_S = 2.0  # for which the number of workers is taken as known
_AGAIN = "start it again; the same command resumes"


@dataclass(frozen=True, slots=True)
class Sent:
    """Files that every worker has, in a folder of this name in its scratch folder."""

    name: str

    @property
    def folder(self) -> Path:
        """Where they lie, on the worker that asks."""
        from distributed import get_worker

        return Path(get_worker().local_directory, self.name)


class Cluster(Executor):
    """The workers of a scheduler, as an executor; they are not ended with it."""

    def __init__(self, client: Any, name: str) -> None:
        """Take what is connected, and what the user called it."""
        self._client, self._name = client, name
        self._sent = set[Sent]()
        self._counted = (0, -COUNTED_S)

    @property
    def width(self) -> int:
        """Tasks that it can do at once; it may change."""
        count, asked = self._counted
        if time.monotonic() - asked > COUNTED_S:
            with self._there():
                count = sum(self._client.nthreads().values())
            self._counted = (count, time.monotonic())
        return max(1, count)

    def submit(self, fn: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        """Have a task done somewhere.

        Raises:
            SerError: The scheduler is gone.
        """
        task = partial(_do, str(Path.cwd()), partial(fn, **named))
        with self._there():
            theirs = self._client.submit(task, *given, pure=False)
        ours = Future[Any]()
        ours.set_running_or_notify_cancel()
        theirs.add_done_callback(partial(self._settle, ours))
        return ours

    def send(self, files: Sequence[Path]) -> Sent:
        """Let every worker have copies of files, those that come later too."""
        from ser_cli.cluster.sent_files import Files

        content = {path.name: path.read_bytes() for path in sorted(files)}
        digest = sha256()
        for name, data in content.items():
            digest.update(f"{name} {len(data)} ".encode() + data)
        sent = Sent(f"ser-{digest.hexdigest()[:32]}")
        if sent not in self._sent:
            with self._there():
                self._client.register_plugin(Files(sent.name, content))
            self._sent.add(sent)
        return sent

    def must_see(self, files: Iterable[str]) -> None:
        """Refuse files, by the first of them, that a worker does not see.

        Raises:
            SerError: One does not.
        """
        first = islice((file for file in files if "://" not in file), SEEN)
        paths = [str(Path(file).absolute()) for file in first]
        with self._there():
            answers = self._client.run(_unseen, paths) if paths else {}
        for worker, unseen in answers.items():
            if unseen:
                raise SerError(
                    f"the worker {worker} does not see {unseen[0]}",
                    hint="put it on a disk they share; ser predict reads s3://... as well",
                )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the cluster is others' too."""

    def _settle(self, ours: Future[Any], theirs: Any) -> None:
        """Hand over what has become of a task."""
        try:
            if theirs.status == "finished":
                ours.set_result(theirs.result())
            elif theirs.status == "error":
                ours.set_exception(theirs.exception())
            else:
                ours.set_exception(self._gone())
        except Exception:  # the result was lost on the way
            ours.set_exception(self._gone())

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Tell of a scheduler that has gone."""
        try:
            if self._client.status != "running":
                raise self._gone()
            yield
        except (OSError, TimeoutError) as error:
            raise self._gone() from error

    def _gone(self) -> SerError:
        return SerError(f"the scheduler {self._name} has gone", hint=_AGAIN)


def _do(folder: str, task: Callable[..., Any], *given: Any) -> Any:
    """Do a task on a worker, from the folder in which names are meant, if it is there."""
    _prepare()
    if Path(folder).is_dir():
        os.chdir(folder)
    return task(*given)


@cache
def _prepare() -> None:
    """Let a worker do its tasks as fast as a process of `ser` does them.

    Products of matrices in several threads wait for each other's cores: without this, a clip took
    three times as long. And Dask has what is freed given back at once, to be fetched anew page by
    page.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)  # of libraries that are loaded
    process.one_thread_per_product()  # and of those that a task loads
    process.keep_memory()


def _unseen(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if not Path(path).exists()]
