"""The usual script with a pretrained network: transformers, torch and a wav2vec2 of base size.

    python usual_pretrained.py FILE --model FOLDER

Whose weights are random: what they say is worth nothing, and takes as long.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import librosa
import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    extractor = AutoFeatureExtractor.from_pretrained(args.model)
    model = AutoModelForAudioClassification.from_pretrained(args.model).eval()
    wave, rate = librosa.load(args.path, sr=extractor.sampling_rate)
    inputs = extractor(wave, sampling_rate=rate, return_tensors="pt")
    with torch.no_grad():
        shares = model(**inputs).logits.softmax(-1)[0]
    print(f"{args.path.name}: {model.config.id2label[int(shares.argmax())]} {shares.max():.3f}")


if __name__ == "__main__":
    main()
