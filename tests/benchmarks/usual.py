"""The usual script, as the reference systems have it: features and network, file by file.

    python usual.py FILE_OR_FOLDER --model FOLDER

The folder holds model.keras, scaler.pkl, label_encoder.pkl and max_len.npy. Imports stand at the
top as people write them. Beside emotion and confidence it prints all probabilities, which cost
nothing and show that `ser` computes the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import joblib
import librosa
import numpy as np
import tensorflow as tf

SAMPLE_RATE = 16_000


def extract_features(y: Any, sr: float = SAMPLE_RATE) -> Any:
    """Return 40 MFCC, delta, delta-delta, 12 chroma and 7 contrasts a frame, (t, 139)."""
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40)
    delta = librosa.feature.delta(mfcc)
    delta2 = librosa.feature.delta(mfcc, order=2)
    chroma = librosa.feature.chroma_stft(y=y, sr=sr)
    contrast = librosa.feature.spectral_contrast(y=y, sr=sr)
    return np.vstack([mfcc, delta, delta2, chroma, contrast]).T


class Predictor:
    """The trained network and the files that belong to it."""

    def __init__(self, folder: Path) -> None:
        self.model = tf.keras.models.load_model(folder / "model.keras")
        self.scaler = joblib.load(folder / "scaler.pkl")
        self.encoder = joblib.load(folder / "label_encoder.pkl")
        self.max_len = int(np.load(folder / "max_len.npy"))

    def predict(self, path: Path) -> tuple[str, Any]:
        """Return the emotion of a file and its probabilities."""
        y, sr = librosa.load(path, sr=SAMPLE_RATE)
        features = extract_features(y, sr)[: self.max_len]
        padded = np.pad(features, ((0, self.max_len - len(features)), (0, 0)))
        scaled = self.scaler.transform(padded)
        probabilities = self.model.predict(scaled[np.newaxis], verbose=0)[0]
        emotion = self.encoder.inverse_transform([np.argmax(probabilities)])[0]
        return str(emotion), probabilities


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    predictor = Predictor(args.model)
    files = sorted(args.path.glob("*.wav")) if args.path.is_dir() else [args.path]
    for file in files:
        emotion, probabilities = predictor.predict(file)
        shares = ",".join(f"{share:.8f}" for share in probabilities)
        print(f"{file.name}\t{emotion}\t{max(probabilities):.2%}\t{shares}")


if __name__ == "__main__":
    main()
