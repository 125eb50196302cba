"""Does an exported network label as its original does? Judged on real clips, label by label."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.errors import ArtifactsError
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.model.network import Network
    from ser_cli.types import Floats

# Share of the clips whose label may change, by quantization; None is float32.
LIMITS: Mapping[str | None, float] = {None: 0.0, "fp16": 0.0, "int8": 0.02}


@dataclass(frozen=True, slots=True)
class Parity:
    """How an exported network compares with its original.

    Attributes:
        clips: How many were compared.
        flipped: How many got another label, alone or in a batch, or no finite output.
        difference: The largest of a probability.
        ms: Median milliseconds per clip, one at a time.
        source_ms: The same of the original.
    """

    clips: int
    flipped: int
    difference: float
    ms: float
    source_ms: float


def compare(source: Network, exported: Network, x: Floats) -> Parity:
    """Run both networks on scaled features (N, T, F), N > 0."""
    expected, source_ms = _one_by_one(source, x)
    alone, ms = _one_by_one(exported, x)
    found = np.stack([alone, exported.run(x)])  # also all at once: the batch size must be free
    flipped = (found.argmax(axis=-1) != expected.argmax(axis=-1)).any(axis=0)
    flipped |= ~np.isfinite(found).all(axis=(0, 2))
    difference = float(np.abs(found - expected).max())
    return Parity(len(x), int(flipped.sum()), difference, ms, source_ms)


def require(parity: Parity, name: str, quantize: str | None) -> None:
    """Refuse a network that changes more labels than its quantization may, or outputs no number.

    Args:
        parity: Of the network.
        name: Its format.
        quantize: A key of LIMITS.

    Raises:
        ArtifactsError: It does.
    """
    limit = LIMITS[quantize]
    if parity.flipped <= limit * parity.clips and math.isfinite(parity.difference):
        return
    hints = {
        None: "another --format, or train again: ser train",
        "fp16": f"ser export --format {name}",
        "int8": f"ser export --format {name} --quantize fp16",
    }
    raise ArtifactsError(
        f"{name} in {quantize or 'float32'} changes the label of {parity.flipped} of "
        f"{counted(parity.clips, 'clip')}, but "
        f"{f'at most {100 * limit:g} %' if limit else 'none'} may change "
        f"(largest probability difference {parity.difference:.2g}): nothing was written",
        hint=hints[quantize],
    )


def _one_by_one(network: Network, x: Floats) -> tuple[Floats, float]:
    """Run clip after clip; return the outputs (N, C) and the median milliseconds per clip."""
    network.run(x[:1])  # the first call prepares
    outputs, seconds = [], []
    for number in range(len(x)):
        started = time.perf_counter()
        outputs.append(network.run(x[number : number + 1]))
        seconds.append(time.perf_counter() - started)
    return np.concatenate(outputs), 1000 * float(np.median(seconds))
