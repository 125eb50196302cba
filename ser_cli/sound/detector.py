"""Whether and when somebody speaks: Silero's voice activity detector, a share for every 26 ms.

Silero (MIT, `encoders/silero-vad.LICENSE`) hears frames in order and remembers. Two things are done
before it, since as published it passes over acted shouts and quiet recordings
(`python tests/benchmarks/detectors.py`; artifacts/EXPERIMENTS.md): it hears everything played a
fifth slower, which brings shouts and high voices down to the pitch of talk, and what is quiet is
made louder.

A recording may come whole or in pieces, and gives the same shares to the last bit.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from ser_cli import onnx_session
from ser_cli.sound.encoder import FOLDER
from ser_cli.sound.speech import speech_part

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ser_cli.types import Floats

SILERO = FOLDER / "silero-vad.onnx"
SAMPLE_RATE = 16_000  # Hz of a waveform, unless told otherwise
HOP = 512  # samples of a frame, at _RATE
_RATE = 20_000  # Hz; Silero takes it for 16,000, so that all is a fifth slower and lower
HOP_S = HOP / _RATE  # .0256
_CONTEXT = 64  # samples before a frame that Silero hears again
_BLOCK = 256  # frames at once (7 s), so that ten hours need no more memory than a minute
_WIDTH = 128  # of what it remembers

# The level that quiet speech is brought to, as RMS of its loudest frames: -20 dB of full scale.
_LEVEL = 0.1
_FAINTEST = 1e-4  # what is below -80 dB is not brought up to it
# Of the level that a loud frame leaves behind, by 6 dB a second: after a shout, a voice 40 dB below
# it is heard a second or two later.
_FADING = 10 ** (-6 / 20 * HOP_S)

# Silero's own defaults: speech begins at a share of .5, ends .15 below, and lasts .25 s at least.
BEGIN, END = 0.5, 0.35
LEAST = 10  # frames
PAUSE = 12  # frames, .3 s, that speech goes on through; with Silero's .1 s sentences fall apart
LEAD_S, STEP_S = 0.2, 0.5  # of a window: heard before it is loud, and at a time
MARGIN = 1  # frames added before and after


def has_speech(shares: Floats) -> bool:
    """Tell whether somebody speaks in a recording or a window of it.

    In frames that add up to .25 s, or in half of a sound shorter than .5 s.

    Args:
        shares: (t,) of its frames, from 0 to 1.
    """
    needed = min(LEAST, -(-len(shares) // 2))
    return bool(np.count_nonzero(shares >= BEGIN) >= max(1, needed))


def speaks(waveform: Floats, *, sample_rate: int = SAMPLE_RATE) -> bool:
    """Tell whether somebody speaks in a window, by as little of it as tells.

    It is heard from where it is loud enough for speech, and no further than speech is sure: a
    sentence takes a second of it, and noise all.

    Args:
        waveform: (n,).
        sample_rate: Its rate in Hz.
    """
    loud = speech_part(waveform)
    lead, step = round(LEAD_S * sample_rate), round(STEP_S * sample_rate)
    sound = waveform[max(0, loud.start - lead) : loud.stop + lead]
    detector, found = Detector(sample_rate=sample_rate), np.zeros(0, np.float32)
    for at in range(0, len(sound), step):
        found = np.concatenate([found, detector.hear(sound[at : at + step])])
        if np.count_nonzero(found >= BEGIN) >= LEAST:
            return True
    return has_speech(np.concatenate([found, detector.finish()]))


def shares(waveform: Floats, *, sample_rate: int = SAMPLE_RATE) -> Floats:
    """Return how much each frame of a recording sounds like speech.

    Args:
        waveform: (n,).
        sample_rate: Its rate in Hz.

    Returns:
        (t,), from 0 to 1, a frame every 25.6 ms from the start; the last may be partly empty.
    """
    detector = Detector(sample_rate=sample_rate)
    return np.concatenate([detector.hear(waveform), detector.finish()])


def spans(shares: Iterable[float], *, seconds: float) -> list[tuple[float, float]]:
    """Return when somebody speaks: start and end of each stretch, in seconds.

    Args:
        shares: (t,) of the frames of a recording.
        seconds: Its length.
    """
    finder = Spans()
    return [*finder.add(shares), *finder.finish(seconds=seconds)]


class Detector:
    """Hears a recording that comes in pieces, in constant memory.

    Args:
        sample_rate: Of the pieces, in Hz.
    """

    def __init__(self, *, sample_rate: int = SAMPLE_RATE) -> None:
        import soxr

        self._stream = soxr.ResampleStream(sample_rate, _RATE, 1, dtype="float32")
        self._waiting = np.zeros(_CONTEXT, np.float32)  # what follows the last frame, and its end
        self._level = _FAINTEST
        self._memory = dict.fromkeys("hc", np.zeros((1, 1, _WIDTH), np.float32))

    def hear(self, waveform: Floats) -> Floats:
        """Take the next piece (n,) and return the shares (t,) of the frames that it completes."""
        return self._shares(self._stream.resample_chunk(waveform.astype(np.float32, copy=False)))

    def finish(self) -> Floats:
        """Return the shares of what is left, (0,) or more; nothing may follow."""
        last = self._shares(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))
        missing = -(len(self._waiting) - _CONTEXT) % HOP
        return np.concatenate([last, self._shares(np.zeros(missing, np.float32))])

    def _shares(self, waveform: Floats) -> Floats:
        found = [np.zeros(0, np.float32)]
        size = _BLOCK * HOP
        for at in range(0, len(waveform), size):
            sound = np.concatenate([self._waiting, waveform[at : at + size]])
            n_frames = (len(sound) - _CONTEXT) // HOP
            self._waiting = sound[n_frames * HOP :]
            if n_frames:
                found.append(self._run(sound[: n_frames * HOP + _CONTEXT]))
        return np.concatenate(found)

    def _run(self, sound: Floats) -> Floats:
        """Return the shares (t,) of t frames, given with the context of the first."""
        frames = np.lib.stride_tricks.sliding_window_view(sound, _CONTEXT + HOP)[::HOP]
        inputs: dict[str, Any] = {"input": frames * self._gains(frames), **self._memory}
        session = onnx_session.kept(SILERO)
        outputs = onnx_session.execute(session, inputs, name=SILERO.name)
        found, self._memory["h"], self._memory["c"] = outputs
        return np.asarray(found, np.float32)

    def _gains(self, frames: Floats) -> Floats:
        """Return how much louder each frame is made, (t, 1), or less loud if beyond full scale."""
        heard = np.sqrt(np.square(frames[:, _CONTEXT:], dtype=np.float64).mean(axis=1)).tolist()
        levels = accumulate(
            heard, lambda level, rms: max(level * _FADING, rms, _FAINTEST), initial=self._level
        )
        _, *followed = levels
        self._level = followed[-1]
        level = np.array(followed)[:, None]
        gains: Floats = np.maximum(_LEVEL / level, np.minimum(1, 1 / level)).astype(np.float32)
        return gains


class Spans:
    """Finds stretches of speech in shares that come in pieces.

    Args:
        pause_s: Seconds without speech that end a stretch.
        longest_s: Seconds after which one is ended, where another begins.
    """

    def __init__(self, *, pause_s: float = PAUSE * HOP_S, longest_s: float = math.inf) -> None:
        self._pause, self._longest_s = max(1, round(pause_s / HOP_S)), longest_s
        self._at = 0  # frames seen
        self._first: int | None = None  # frame that the present stretch began with
        self._behind = 0  # the frame after its last

    def add(self, shares: Iterable[float]) -> list[tuple[float, float]]:
        """Take the next shares and return the stretches that are over: start and end in seconds."""
        over = []
        for share in shares:
            if share >= BEGIN or (self._first is not None and share >= END):
                self._first = self._at if self._first is None else self._first
                self._behind = self._at + 1
            self._at += 1
            if self._at - self._behind >= self._pause:
                over += self._close()
            elif (
                self._first is not None and _seconds(self._behind - self._first) >= self._longest_s
            ):
                over.append((_seconds(max(0, self._first - MARGIN)), _seconds(self._behind)))
                self._first = self._behind
        return over

    def finish(self, *, seconds: float) -> list[tuple[float, float]]:
        """Return the last stretch, if speech goes on to the end of a recording of this length."""
        return [(start, min(end, seconds)) for start, end in self._close()]

    @property
    def since_s(self) -> float:
        """Where the present stretch began, or the next may begin."""
        return _seconds(max(0, (self._at if self._first is None else self._first) - MARGIN))

    def _close(self) -> list[tuple[float, float]]:
        first, self._first = self._first, None
        if first is None or self._behind - first < LEAST:
            return []
        return [(_seconds(max(0, first - MARGIN)), _seconds(self._behind + MARGIN))]


def _seconds(frame: int) -> float:
    return frame * HOP / _RATE
