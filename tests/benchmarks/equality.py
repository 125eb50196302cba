"""Whether features equal librosa's: `python -m benchmarks.equality THEIRS.npz OURS.npz`.

Prints the largest difference of each family as JSON, and fails beyond a bound.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

# Columns, and what they may differ by: MFCC and their derivatives relative to the largest
# coefficient of the clip, chroma in its 0..1, contrast in dB.
FAMILIES = {
    "mfcc": (slice(0, 120), 1e-5),
    "chroma": (slice(120, 132), 1e-6),
    "contrast": (slice(132, 139), 1e-3),
}


def differences(theirs: Floats, ours: Floats) -> dict[str, float]:
    """Return the largest difference of each family in a clip, (t, 139) on both sides."""
    wide: NDArray[np.float64] = np.abs(ours.astype(np.float64) - theirs)
    found = {name: float(wide[:, columns].max()) for name, (columns, _) in FAMILIES.items()}
    return found | {"mfcc": found["mfcc"] / float(np.abs(theirs[:, FAMILIES["mfcc"][0]]).max())}


def largest(theirs: Path, ours: Path) -> dict[str, float]:
    """Return the largest differences over all clips."""
    with np.load(theirs) as a, np.load(ours) as b:
        found = [differences(a[name], b[name]) for name in a]
    return {name: max(clip[name] for clip in found) for name in FAMILIES}


def main() -> None:
    found = largest(*map(Path, sys.argv[1:]))
    print(json.dumps(found))
    beyond = [name for name, (_, bound) in FAMILIES.items() if not found[name] <= bound]
    if beyond:
        sys.exit(f"features are not librosa's: {', '.join(beyond)} in {found}")


if __name__ == "__main__":
    main()
