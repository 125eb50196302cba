"""The speech detector that ships with `ser`, taken from the wheel that publishes it.

    pip download --no-deps silero-vad==6.2.3
    python -m ser_cli.export.detector silero_vad-6.2.3-*.whl

(`nox -s detector` does both.) Of the networks in the wheel it is the one for 16 kHz that hears any
number of frames in one run; what it says equals what the one for single frames says.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ser_cli.data.store import atomic_write
from ser_cli.export.wheels import Published, take
from ser_cli.sound import detector

SILERO = Published(
    package="silero-vad==6.2.3",
    member="silero_vad/data/silero_vad_16k_sequence.onnx",
    sha256="9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
    licence="silero_vad-6.2.3.dist-info/licenses/LICENSE",
)


def copy(wheel: Path, path: Path) -> None:
    """Write the detector's network and its licence.

    Args:
        wheel: silero-vad 6.2.3.
        path: NAME.onnx; NAME.LICENSE goes beside it.

    Raises:
        DataError: The wheel is another one.
    """
    content, licence = take(SILERO, wheel)
    for file, data in ((path, content), (path.with_suffix(".LICENSE"), licence)):
        with atomic_write(file) as temporary:
            temporary.write_bytes(data)


if __name__ == "__main__":
    copy(Path(sys.argv[1]), detector.SILERO)
