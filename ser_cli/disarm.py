"""Text from strangers (names, labels, errors), made harmless where it is shown or written."""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections.abc import Iterable

# What a terminal obeys instead of showing it, and what turns the direction of a line; a line of its
# own would pass for one of `ser`. Surrogates stand for the bytes of a name that is not UTF-8.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_BYTES = range(0xDC80, 0xDD00)  # the surrogates of bytes 0x80 to 0xff

# A spreadsheet takes a cell that begins so for a formula. The apostrophe is here since it is what
# such a cell gets: so one can be taken off again wherever one stands. The last four are = + - @ in
# full width, as Japanese and Chinese keyboards write them: Excel there takes them for the same.
_MARK = "'"
_FORMULA = ("=", "+", "-", "@", _MARK, "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

ERRORS = "ser_cli.names"  # for open(errors=...): names keep their bytes, and nothing fails


def visible(text: str, keep: str = "") -> str:
    r"""Return a text for a terminal, on which what it would obey is an escape: \x1b, \u202e.

    Args:
        text: Whatever it holds.
        keep: Such characters that stay.
    """
    return _OBEYED.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def cell(text: str) -> str:
    """Return a text as a cell of a CSV that no spreadsheet runs.

    What begins like a formula, or with an apostrophe, has an apostrophe before it: taking off one
    where there is one gives back the text, as `from_cell` does.
    """
    return _MARK + text if text.startswith(_FORMULA) else text


def from_cell(text: str) -> str:
    """Return the text that `cell` was given."""
    return text.removeprefix(_MARK)


def csv_line(values: Iterable[object]) -> str:
    """Return a line of CSV: text as cells that no spreadsheet runs, numbers as they are."""
    text = io.StringIO()
    # With this end of a line, a bare CR or LF in a name is quoted as well.
    csv.writer(text, lineterminator="\r\n").writerow(
        [cell(value) if isinstance(value, str) else value for value in values]
    )
    return text.getvalue().removesuffix("\r\n") + "\n"


def _escape(sign: str) -> str:
    code = ord(sign)
    if code in _BYTES:
        code -= 0xDC00
    return _ESCAPES.get(sign) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _as_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode a name as the bytes it has on the disk, and what the encoding lacks as an escape."""
    try:
        return codecs.lookup_error(sys.getfilesystemencodeerrors())(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


codecs.register_error(ERRORS, _as_bytes)
