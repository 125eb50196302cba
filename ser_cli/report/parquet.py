r"""Rows of `ser predict` as Parquet: the columns of the CSV, typed.

Texts are exact: no spreadsheet opens Parquet and takes one for a formula. Parquet's are UTF-8,
though: of a name that is not, a byte stands as JSON Lines have it (`\udcff`). What is not known is
null; flags are one text, as in the CSV.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ser_cli import distribution
from ser_cli.errors import SerError
from ser_cli.model.rows import as_record, columns

if TYPE_CHECKING:
    from ser_cli.types import Prediction

GROUP = 2**16  # rows of a row group at most: what is held in memory
_SECONDS = ("start", "end")
_TEXTS = ("file", "emotion", "status", "flags", "error", "speaker")  # all others are shares


def need() -> None:
    """Raise SerError where pyarrow is not installed."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise SerError(
            "--parquet needs pyarrow, which is not installed",
            hint=f"{distribution.install('parquet')}, or --csv FILE.csv",
        )


def schema(classes: Sequence[str], facts: Mapping[str, str]) -> Any:
    """Return the columns of every file and their types, and what made the rows.

    Args:
        classes: Names of the probabilities.
        facts: By name; they stand in the metadata of the file.
    """
    import pyarrow as pa

    kinds = dict.fromkeys(_TEXTS, pa.string()) | dict.fromkeys(_SECONDS, pa.float64())
    named = [(name, kinds.get(name, pa.float32())) for name in columns(classes)]
    return pa.schema(named, metadata=dict(facts))


class Writer:
    """Writes a file, row group by row group."""

    def __init__(self, path: Path, classes: Sequence[str], facts: Mapping[str, str]) -> None:
        """Open it."""
        from pyarrow import parquet

        self._schema, self._classes = schema(classes, facts), classes
        self._file = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._held: list[Any] = []  # tables, of so many
        self._rows = 0

    def add(self, rows: Sequence[Prediction]) -> None:
        """Add the rows of a recording."""
        import pyarrow as pa

        for first in range(0, len(rows), GROUP):
            records = [_plain(row, self._classes) for row in rows[first : first + GROUP]]
            self.copy(pa.Table.from_pylist(records, self._schema))

    def copy(self, table: Any) -> None:
        """Add rows that a `Reader` has returned."""
        if self._rows + len(table) > GROUP:
            self._write()
        self._held.append(table)
        self._rows += len(table)

    def __enter__(self) -> Writer:
        """Return it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what is left, unless the block has failed, and end the file."""
        if kind is None:
            self._write()
        self._file.close()

    def _write(self) -> None:
        import pyarrow as pa

        if self._held:
            self._file.write_table(pa.concat_tables(self._held), row_group_size=GROUP)
        self._held, self._rows = [], 0


class Reader:
    """Reads rows of a file that was written here, of which one row group is in memory."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read its end."""
        from pyarrow import parquet

        self._file = parquet.ParquetFile(stream)
        facts = self._file.metadata
        sizes = [facts.row_group(group).num_rows for group in range(facts.num_row_groups)]
        self._ends = list(accumulate(sizes))
        self._read: tuple[int, Any] = (-1, None)

    def rows(self, first: int, count: int) -> list[Any]:
        """Return some rows as tables, in their order."""
        found, start = [], 0
        for group, end in enumerate(self._ends):
            low, high = max(first, start), min(first + count, end)
            if low < high:
                found.append(self._group(group).slice(low - start, high - low))
            start = end
        return found

    def _group(self, group: int) -> Any:
        if self._read[0] != group:
            self._read = (group, self._file.read_row_group(group))
        return self._read[1]


def _plain(row: Prediction, classes: Sequence[str]) -> dict[str, Any]:
    record = as_record(row, classes)
    texts = {name: value for name, value in record.items() if isinstance(value, str)}
    return record | {n: t.encode("utf-8", "backslashreplace").decode() for n, t in texts.items()}
