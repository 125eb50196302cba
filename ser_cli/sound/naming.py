"""What features are called: "mfcc_3" is row 3 of the family "mfcc", "mfcc_3_0" its first frame."""

from __future__ import annotations

import re
from collections.abc import Sequence

# By the beginning of a family's name, longest first.
_UNITS = {
    "mfcc_delta2": "dB / frame²",
    "mfcc_delta": "dB / frame",
    "mfcc": "dB",
    "mel": "dB",
    "contrast": "dB",
    "chroma": "0 to 1",
    "zcr": "share of samples",
    "rms": "of full scale",
    "centroid": "Hz",
    "rolloff": "Hz",
}


def numbered(**counts: int) -> tuple[str, ...]:
    """Return the rows of families of features, in the order given.

    >>> numbered(mfcc=2, zcr=1)
    ('mfcc_0', 'mfcc_1', 'zcr_0')
    """
    return tuple(f"{name}_{k}" for name, count in counts.items() for k in range(count))


def cells(rows: Sequence[str], frames: int) -> tuple[str, ...]:
    """Return the names of the cells of (rows, frames), row after row.

    >>> cells(["zcr_0", "rms_0"], 2)
    ('zcr_0_0', 'zcr_0_1', 'rms_0_0', 'rms_0_1')
    """
    return tuple(f"{row}_{frame}" for row in rows for frame in range(frames))


def row(column: str) -> str:
    """Return the row that a row or a cell belongs to.

    >>> row("mfcc_3_107"), row("mfcc_3")
    ('mfcc_3', 'mfcc_3')
    """
    return re.sub(r"(_\d+)_\d+$", r"\1", column)


def family(column: str) -> str:
    """Return the family of a row or a cell.

    >>> family("mfcc_delta2_3"), family("mfcc_3_107")
    ('mfcc_delta2', 'mfcc')
    """
    return re.sub(r"(_\d+)+$", "", column)


def unit(family: str) -> str:
    """Return the unit of a family, "" where it is not known.

    >>> unit("mfcc_delta_std"), unit("wavelet")
    ('dB / frame', '')
    """
    return next((unit for name, unit in _UNITS.items() if family.startswith(name)), "")
