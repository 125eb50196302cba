from __future__ import annotations

import pytest

from ser_cli.sound import naming


def test_rows_and_cells_are_numbered_in_order() -> None:
    rows = naming.numbered(mfcc=2, zcr=1)
    assert rows == ("mfcc_0", "mfcc_1", "zcr_0")
    assert naming.cells(rows, 2) == (
        *("mfcc_0_0", "mfcc_0_1", "mfcc_1_0", "mfcc_1_1"),
        *("zcr_0_0", "zcr_0_1"),
    )


@pytest.mark.parametrize(
    ("column", "row", "family", "unit"),
    [
        ("mfcc_3_107", "mfcc_3", "mfcc", "dB"),
        ("mfcc_3", "mfcc_3", "mfcc", "dB"),
        ("mfcc_delta2_39", "mfcc_delta2_39", "mfcc_delta2", "dB / frame²"),
        ("mfcc_delta_std_0", "mfcc_delta_std_0", "mfcc_delta_std", "dB / frame"),
        ("centroid_max_0", "centroid_max_0", "centroid_max", "Hz"),
        ("wavelet_0_1", "wavelet_0", "wavelet", ""),
    ],
)
def test_a_column_tells_its_row_and_family(column: str, row: str, family: str, unit: str) -> None:
    assert (naming.row(column), naming.family(column)) == (row, family)
    assert naming.unit(family) == unit
