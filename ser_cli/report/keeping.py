"""Outputs and their journal: what is done is kept, and not done again."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli import remote
from ser_cli.addresses import is_url
from ser_cli.data.appending import Appending
from ser_cli.disarm import ERRORS
from ser_cli.errors import SerError, UsageError
from ser_cli.remarks import remark
from ser_cli.report import journal
from ser_cli.report.growing import Growing, digest_of, exists
from ser_cli.report.journal import Journal, Past
from ser_cli.report.outputs import Each, Joint, Target, Through, unknown
from ser_cli.report.upload import FORCE, Upload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ser_cli.sound.files import Found
    from ser_cli.types import Prediction

    Rows = Sequence[Prediction]

SYNC_S = 5.0  # seconds of work that a power cut may cost
WAIT = "wait for its end, or name another file"
WRITABLE = "make room, close it elsewhere, or name another file"


class Kept:
    """The outputs of a run, for `with`: however the block ends, what is done is done.

    Attributes:
        done: Recordings that are not predicted again, of
        total: all that are named; both 0 where there were none before.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        classes: Sequence[str],
        run: Mapping[str, Any],
        *,
        restart: bool = False,
        force: bool = False,
    ) -> None:
        """Open the journal and look at what is there; no output is changed yet.

        Args:
            targets: At least one; the journal lies beside the first.
            classes: Names of the probabilities.
            run: What the rows depend on besides the recordings, as plain values.
            restart: Whether all is predicted again.
            force: Whether files are overwritten that no such run has written.

        Raises:
            SerError: A file is there that no such run has written, one cannot be written, or
                another process writes it now.
        """
        self.done = self.total = 0
        self._run: dict[str, Any] = json.loads(json.dumps(run))
        self._classes, self._force = classes, force
        self._stamps = deque[journal.Stamp]()
        self._changed = self._added = False
        self._synced = time.monotonic()
        self._outputs: list[Joint | Each | Through] = []
        lasting = [target for target in targets if not target.through]
        self._journal = _open(lasting[0]) if lasting else None
        self._past = self._journal.past if self._journal else Past()
        try:
            self._sent = [Upload(target.path) for target in lasting if target.url]
            for sent in self._sent:
                sent.claim(force=force)
            for target in lasting if not force else ():
                self._refuse_foreign(target)
            stands = bool(lasting) and (lasting[0].each or exists(lasting[0].path))
            # Without the first output, nothing is done; what is known of the others stays.
            self._anew = restart or not stands
            if self._past.run != self._run:
                self._past = Past()
            for target in targets:
                with _writing(target.path):
                    target.path.parent.mkdir(parents=True, exist_ok=True)
                    self._outputs.append(self._output(target))
        except BaseException:
            self._close()
            raise

    def plan(self, found: Iterable[Found]) -> None:
        """Look through the recordings before any is read, where that can tell something.

        Raises:
            UsageError: Two would have one file, a file is not ours, or there are rows of recordings
                that still exist and are no longer named.
        """
        each = [output for output in self._outputs if isinstance(output, Each)]
        if not each and not self._past.done:
            return
        left = {journal.file_of(key) for key in self._past.done}
        for one in found:
            self.total += 1
            self.done += self._has(one, journal.stamp_of(one))
            left.discard(one.file)
            for output in each:
                output.plan(one, known=one.key in self._past.done)
        dropped = next((file for file in sorted(left) if _is_there(file)), None)
        if dropped and not self._force:
            raise UsageError(f"there are rows of {dropped}, which is not named now", hint=FORCE)

    def skip(self, found: Found) -> bool:
        """Tell whether a recording is done; note how one that is not looks before it is read."""
        stamp = journal.stamp_of(found)
        if done := self._has(found, stamp):
            return done
        self._stamps.append(stamp)
        return False

    def take(self, found: Found, made: Rows | None) -> Rows:
        """Hand the rows of a recording to every output, and return them.

        Args:
            found: The recording; those that are not skipped in the order of `skip`.
            made: Its rows; None for one that was skipped, whose rows are in the journal.

        Raises:
            SerError: Something cannot be written; of this recording, nothing is.
        """
        rows = self._recall(found) if made is None else self._record(found, made)
        for output in self._outputs:
            with _writing(output.target.path):
                output.write(found, rows, self._formers(found.key))
        if self._journal and time.monotonic() - self._synced > SYNC_S:
            with _writing(self._journal.path):
                self._note()
        return rows

    def __enter__(self) -> Kept:
        """Return it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the outputs, or leave them as far as they are."""
        try:
            if kind is None:
                for output in self._joint:
                    with _writing(output.target.path):
                        output.growing.finish()
                self._note(ended=True)
                for sent in self._sent:
                    sent.send()
            else:
                with suppress(OSError):  # such as the full disk that ended it
                    self._note()
                self._send_so_far()
        finally:
            self._close()

    def _send_so_far(self) -> None:
        """Send what there is of an unfinished run; whatever ended it is told, and not this."""
        for sent in self._sent:
            try:
                sent.send()
            except SerError as error:
                remark(f"{error}; the same command sends it")

    @property
    def _joint(self) -> list[Joint]:
        return [output for output in self._outputs if isinstance(output, Joint)]

    def _has(self, found: Found, stamp: journal.Stamp) -> bool:
        done = None if self._anew else self._past.done.get(found.key)
        return bool(done and done.whole and stamp and done.stamp == stamp)

    def _recall(self, found: Found) -> Rows:
        assert self._journal
        return self._journal.rows(self._past.done[found.key])

    def _record(self, found: Found, rows: Rows) -> Rows:
        stamp, self._added = self._stamps.popleft(), True
        if self._journal:
            with _writing(self._journal.path):
                if self._past.run is None:
                    self._past = self._journal.begin(self._run)
                self._journal.add(found.key, stamp, rows)
        return rows

    def _formers(self, key: str) -> Iterator[Rows]:
        """Yield the rows of a recording that an output may hold from before."""
        done = self._past.done.get(key)
        while done and self._journal:
            yield self._journal.rows(done)
            done = done.former

    def _output(self, target: Target) -> Joint | Each | Through:
        if target.through:
            return Through(target, self._classes)
        if target.each:
            return Each(target, self._classes, force=self._force)
        growing = Growing(
            Path(os.path.realpath(target.path)),  # a link to a file stays one
            target.format.head(self._classes).encode("utf-8", ERRORS),
            known=self._past.state.get(self._key(target.path), (0, ""))[0],
            anew=self._past.run is None,
            before=self._before,
        )
        return Joint(target, self._classes, growing)

    def _refuse_foreign(self, target: Target) -> None:
        past, path = self._past, target.path
        if target.each or not exists(path):
            return
        size, digest = past.state.get(self._key(path), (0, ""))
        if past.run is None or not digest:
            raise UsageError(unknown(target), hint=FORCE)
        if past.run != self._run:
            other = ", ".join(key for key in self._run if past.run.get(key) != self._run[key])
            raise UsageError(f"{target} is of another run, with another {other}", hint=FORCE)
        if digest_of(path, size) != digest or (past.ended and path.stat().st_size != size):
            raise UsageError(f"{target} was changed since it was written", hint=FORCE)

    def _before(self) -> None:
        """Before an output changes, write down what will stay of it in any case: its head."""
        if self._journal and not self._changed:
            self._changed = True
            starts = {self._key(one.target.path): one.growing.start for one in self._joint}
            self._journal.note(starts)

    def _note(self, *, ended: bool = False) -> None:
        """Wait until everything is on the disk, and write down what that is."""
        self._synced = time.monotonic()
        if self._journal and (self._changed or self._added):
            for output in self._joint:
                output.growing.sync()
            states = {self._key(one.target.path): one.growing.state for one in self._joint}
            self._journal.note(states, ended=ended)

    def _key(self, path: Path) -> str:
        """Return how the journal calls an output: a folder that moves takes both along."""
        assert self._journal
        beside = path.parent == self._journal.path.parent
        return path.name if beside else str(path.absolute())

    def _close(self) -> None:
        for output in self._outputs:
            output.close()
        if self._journal:
            self._journal.close()


def _is_there(file: str) -> bool:
    """Tell whether a recording still exists."""
    if not is_url(file):
        return Path(file).exists()
    try:
        return bool(remote.look(file))
    except FileNotFoundError:
        return False


def _open(target: Target) -> Journal:
    """Open the journal beside an output, and keep others out.

    Raises:
        SerError: It cannot be written, or another process writes it.
    """
    first = target.path
    path = first.with_name(f".{first.name}.journal")
    with _writing(first):
        first.parent.mkdir(parents=True, exist_ok=True)
        file = Appending(path)
        if not file.lock():
            file.close()
            raise SerError(f"{target} is being written by another `ser predict`", hint=WAIT)
        return Journal(path, file, journal.read(path))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into what a user can do about it."""
    try:
        yield
    except BrokenPipeError:  # whoever reads has seen enough
        raise
    except OSError as error:
        reason = error.strerror or error
        raise SerError(f"{path} cannot be written: {reason}", hint=WRITABLE) from error
