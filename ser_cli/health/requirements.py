"""What `ser predict` needs: for an image that only predicts, without TensorFlow's two gigabytes.

It is asked before anything of that list is installed.
"""

from __future__ import annotations

import re
from importlib.metadata import requires

from ser_cli import distribution

PREDICTION = frozenset(
    ("typer", "rich", "platformdirs", "numpy", "soundfile", "soxr", "av", "onnxruntime")
) | {"matplotlib"}  # --out talk.png


def lines() -> list[str]:
    """Return these requirements with the bounds that the package states."""
    stated = requires(distribution.NAME) or []
    return [line for line in stated if re.match(r"[\w.-]+", line)[0] in PREDICTION]  # type: ignore[index]
