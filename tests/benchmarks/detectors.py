"""Compare detectors of speech: `python tests/benchmarks/detectors.py [--sounds FOLDER]`.

    silero         what `ser_cli/sound/detector.py` does
    as published   the same network without slowing down and making louder
    webrtc         WebRTC's detector, mode 3, frames of 30 ms (pip install webrtcvad-wheels)
    encoder        logistic regression on the statistics that `voice` takes of its encoder

The last two call speech what scores more than the lowest hundredth of the tuning clips: of every
second speaker, unchanged or through Opus. The encoder's regression has learned from the same clips
under all conditions and from 300 sounds of `ser_cli/sound/nothing.py`. The tables are of the other
speakers, of sounds that tests/unspoken.py makes otherwise, and of recordings in FOLDER/KIND/*, cut
into 4 s. In artifacts/EXPERIMENTS.md these are ESC-10 (github.com/karolpiczak/ESC-10 at 553c8f1, CC
BY) and, of librosa's examples (github.com/librosa/data), the animals and the music without voices.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

if __package__ != "benchmarks":  # started by its path, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import unspoken

from benchmarks.tables import markdown
from ser_cli import onnx_session
from ser_cli.data import corpora
from ser_cli.sound import audio, detector, encoder
from ser_cli.sound.conditions import CLEAN, under
from ser_cli.sound.nothing import nothing
from ser_cli.types import Copy

if TYPE_CHECKING:
    from ser_cli.types import Clip, Floats

Score = Callable[["Floats"], float]
Sounds = Iterator[tuple[str, "Floats"]]
Detectors = dict[str, tuple[Score, float]]  # by name; from which score on it is speech

RATE = detector.SAMPLE_RATE
CORPORA = ("ravdess", "nemo", "aesdd", "emovo", "ased")
OPUS = "Opus, 12 kbit/s"
CONDITIONS = ("cut to the speech", "-40 dB", "8 kHz", "white noise, 20 dB", "white noise, 10 dB")
N_TUNING, N_NOTHING, N_MADE = 10, 300, 10  # clips a corpus, sounds, sounds a kind
PIECE_S, SHORTEST_S = 4, 2
MIXED = 6  # voices of babble


def silero(waveform: Floats) -> float:
    """Return 1 where the detector finds speech."""
    return float(detector.has_speech(detector.shares(waveform)))


def published(waveform: Floats) -> float:
    """Return the seconds that Silero as published finds speech in; it needs .25."""
    frames = np.pad(waveform, (64, -len(waveform) % 512))
    frames = np.lib.stride_tricks.sliding_window_view(frames, 576)[::512]
    empty = np.zeros((1, 1, 128), np.float32)
    session = onnx_session.kept(detector.SILERO)
    shares = session.run(None, {"input": frames, "h": empty, "c": empty})[0]
    return float(np.count_nonzero(shares >= detector.BEGIN)) * 512 / RATE


def webrtc(waveform: Floats) -> float:
    """Return the share of voiced frames."""
    import webrtcvad

    vad, size = webrtcvad.Vad(3), RATE * 30 // 1000
    pcm = (np.clip(waveform, -1, 1) * 32_767).astype("<i2")
    starts = range(0, max(1, len(pcm) - size + 1), size)
    parts = (np.pad(pcm[at : at + size], (0, max(0, size - len(pcm)))) for at in starts)
    return fmean(float(vad.is_speech(part.tobytes(), RATE)) for part in parts)


def encoded(speech: list[Floats], rng: np.random.Generator) -> Score:
    """Learn to tell speech from made-up sounds by the encoder's statistics."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def statistics(waveform: Floats) -> Floats:
        path = encoder.MOONSHINE
        return encoder.statistics(waveform, path, encoder.card_of(path))

    sounds = [nothing(number, rng, sample_rate=RATE) for number in range(N_NOTHING)]
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1_000))
    rows = np.concatenate([statistics(wave) for wave in (*speech, *sounds)])
    head.fit(rows, [1] * len(speech) + [0] * N_NOTHING)
    return lambda waveform: float(head.decision_function(statistics(waveform))[0])


def chosen(clips: list[Clip], number: int, rng: np.random.Generator) -> list[Floats]:
    """Return so many waveforms, drawn among clips."""
    drawn = rng.choice(len(clips), min(number, len(clips)), replace=False)
    return [audio.load(clips[n].path, sample_rate=RATE).waveform for n in drawn]


def groups() -> dict[str, tuple[list[Clip], list[Clip]]]:
    """Return the clips of each corpus: of every second speaker, and of the others."""
    found: dict[str, tuple[list[Clip], list[Clip]]] = {}
    for corpus in CORPORA:
        clips = corpora.load(corpus)
        tuning = sorted({clip.speaker for clip in clips})[::2]
        for clip in clips:
            name = f"{corpus} {clip.facts.get('channel', '')}".strip()
            found.setdefault(name, ([], []))[clip.speaker not in tuning].append(clip)
    return found


def changed(waveform: Floats, condition: str, rng: np.random.Generator) -> Floats:
    """Return a waveform under a condition."""
    return under(condition, RATE, waveform, Copy(1, rng))


def speech(waves: dict[str, list[Floats]], rng: np.random.Generator) -> Sounds:
    """Yield rows and waveforms in which somebody speaks."""
    for condition in (CLEAN, OPUS):
        for name, group in waves.items():
            row = f"{name}, {condition}"
            yield from ((row, changed(wave, condition, rng)) for wave in group)
    for condition in CONDITIONS:
        for group in waves.values():
            yield from ((f"all, {condition}", changed(wave, condition, rng)) for wave in group)


def silence(folder: Path | None, rng: np.random.Generator) -> Sounds:
    """Yield rows and waveforms in which nobody does."""
    for kind in unspoken.KINDS:
        yield from ((f"made: {kind}", unspoken.sound(kind, rng)) for _ in range(N_MADE))
    for path in sorted(folder.glob("*/*")) if folder else ():
        wave = audio.load(path, sample_rate=RATE).waveform
        for at in range(0, max(1, len(wave) - SHORTEST_S * RATE), PIECE_S * RATE):
            yield f"real: {path.parent.name}", wave[at : at + PIECE_S * RATE]


def unclear(waves: dict[str, list[Floats]]) -> Sounds:
    """Yield voices without words: backwards, and many at once."""
    everyone = [wave for group in waves.values() for wave in group]
    yield from (("speech, backwards", wave[::-1].copy()) for wave in everyone)
    for at in range(0, len(everyone) - MIXED, MIXED):
        mixed = np.zeros(max(map(len, everyone[at : at + MIXED])), np.float32)
        for wave in everyone[at : at + MIXED]:
            mixed[: len(wave)] += wave / np.abs(wave).max() / MIXED
        yield "six voices at once", mixed


def detectors(clips: list[Floats], rng: np.random.Generator) -> Detectors:
    """Return the other detectors."""
    tuning = {name: [changed(w, name, rng) for w in clips] for name in (CLEAN, OPUS, *CONDITIONS)}
    everything = [wave for group in tuning.values() for wave in group]
    found: Detectors = {"as published": (published, 0.25)}
    scores: dict[str, Score] = {"webrtc": webrtc, "encoder": encoded(everything, rng)}
    for name, score in scores.items():
        least = np.quantile([score(wave) for wave in tuning[CLEAN] + tuning[OPUS]], 0.01)
        found[name] = (score, float(least))
    return found


def main() -> None:
    """Print what is called speech, in percent, the time it takes, and stretches found in a clip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path, help="folder of folders of recordings")
    parser.add_argument("--clips", type=int, default=25, help="of each corpus")
    parser.add_argument("--ours", action="store_true", help="only the detector that is used")
    asked = parser.parse_args()
    rng, known = np.random.default_rng(0), groups()
    tuning = [wave for own, _ in known.values() for wave in chosen(own, N_TUNING, rng)]
    ours: Detectors = {"silero": (silero, 1)}
    compared = ours if asked.ours else ours | detectors(tuning, rng)
    waves = {name: chosen(others, asked.clips, rng) for name, (_, others) in known.items()}
    print(table("kept", speech(waves, rng), compared))
    print(table("flagged", silence(asked.sounds, rng), compared))
    print(table("kept", unclear(waves), compared))
    print(markdown(("stretches in a clip", ".1 s", ".3 s"), stretches(waves)))


def stretches(waves: dict[str, list[Floats]]) -> list[tuple[str, ...]]:
    """Return how many stretches of speech a clip has, if it goes on through these pauses."""
    rows = []
    for name, group in waves.items():
        heard, row = [(detector.shares(wave), len(wave) / RATE) for wave in group], [name]
        for detector.PAUSE in (4, 12):
            found = (len(detector.spans(shares, seconds=seconds)) for shares, seconds in heard)
            row.append(f"{fmean(found):.2f}")
        rows.append(tuple(row))
    return rows


def table(what: str, sounds: Sounds, compared: Detectors) -> str:
    """Return a row for each kind of sound: how many are kept or flagged, in percent."""
    found: defaultdict[str, list[list[bool]]] = defaultdict(list)
    spent, seconds = dict.fromkeys(compared, 0.0), 0.0
    for row, wave in sounds:
        seconds += len(wave) / RATE
        said = []
        for name, (score, least) in compared.items():
            begun = time.process_time()
            said.append((score(wave) >= least) == (what == "kept"))
            spent[name] += time.process_time() - begun
        found[row].append(said)
    rows = [
        (k, str(len(v)), *(f"{100 * x:.1f}" for x in np.mean(v, axis=0))) for k, v in found.items()
    ]
    rows.append(("ms for 1 s", "", *(f"{1e3 * spent[name] / seconds:.1f}" for name in compared)))
    return markdown((f"{what}, %", "sounds", *compared), rows)


if __name__ == "__main__":
    main()
