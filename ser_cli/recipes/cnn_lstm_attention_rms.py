"""cnn-lstm-attention with one row more, the level of a frame, as its document advises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.recipes import cnn_lstm_attention as plain
from ser_cli.sound import descriptors, features
from ser_cli.sound.frontend import columns

if TYPE_CHECKING:
    from ser_cli.types import Floats


def extract(waveform: Floats) -> Floats:
    """Return the 187 features of a frame and its root mean square, (t, 188)."""
    level = descriptors.rms(features.at_least(waveform, features.SHORTEST))
    return np.hstack([plain.extract(waveform), level])


RECIPE = replace(
    plain.RECIPE,
    name="cnn-lstm-attention-rms",
    frontend=replace(
        plain.FRONTEND,
        name="cnn-lstm-attention-rms",
        columns=plain.FRONTEND.columns + columns(rms=1),
        extract=extract,
    ),
)
