"""A folder of what people have lying about: sound, tables, settings, models, most of it wrong."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fake
import numpy as np
from command import tone

from ser_cli.model import artifacts
from ser_cli.sound import fingerprint

TEXTS = {
    "notes.txt": "These are notes and no sound at all.\n",
    "text.wav": "These are notes and no sound at all.\n",
    "page.mp3": "<!doctype html><title>404 Not Found</title>\n",
    "pointer.flac": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "empty.csv": "",
    "header.csv": "file,emotion\n",
    "columns.csv": "name,feeling\nclip.wav,happy\n",
    "lost.csv": "file,emotion\nclip.wav,happy\nlost.wav,sad\n",
    "unlabelled.csv": "file,emotion\nclip.wav,happy\ntwo words.wav,\n",
    "one-class.csv": "file,emotion\nclip.wav,happy\ntwo words.wav,happy\n",
    "parts.csv": "file,emotion,split\nclip.wav,happy,training\ntwo words.wav,sad,half\n",
    "twice.csv": "file,emotion\nclip.wav,happy\nclip.wav,sad\n",
    "wide.csv": "file,emotion\nclip.wav,happy,very,much\n",
    "silent.csv": "file,emotion\ntext.wav,happy\npage.mp3,sad\n",
    "few.csv": "file,emotion,speaker\nclip.wav,happy,a\ntwo words.wav,sad,b\n",
    "pairs.csv": "file,emotion\n"
    + "".join(f"clips/sad/{k}.wav,{('angry', 'fear', 'happy', 'sad')[k % 4]}\n" for k in range(8)),
    "cut.json": '{"epochs": 3',
    "list.json": "[1, 2, 3]",
    "unknown.json": '{"layers": 3}',
    "words.json": '{"epochs": "many"}',
    "negative.json": '{"batch_size": -1}',
    "nan.json": '{"learning_rate": NaN}',
    "null.json": '{"lstm_units": null}',
    "notes.db": "these are notes and no database\n" * 100,
    "notes.onnx": "These are notes and no network.\n",
    "notes.keras": "These are notes and no network.\n",
    "notes.pkl": "These are notes and no pickle.\n",
    "notes.npy": "These are notes and no array.\n",
    "notes.zip": "These are notes and no archive.\n",
}


class Exploit:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("canary"),))


def build(folder: Path) -> Path:
    """Make the folder: it is only read by those who make mistakes."""
    folder.mkdir()
    tone(folder / "clip.wav", 440, seed=0)
    tone(folder / "two words.wav", 880, seed=1)
    (folder / "zero.wav").touch()
    (folder / "bytes.wav").write_bytes(np.random.default_rng(0).bytes(3_000))
    (folder / "binary.csv").write_bytes(b"PK\3\4" + bytes(range(256)) * 8)
    (folder / "evil.pkl").write_bytes(pickle.dumps(Exploit()))
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    _corpora(folder)
    _models(folder / "models")
    return folder


def _corpora(folder: Path) -> None:
    for number, emotion in enumerate(("happy", "sad")):
        for take in range(10):
            tone(folder / "clips" / emotion / f"{take}.wav", 300 + 400 * number, seed=take)
        tone(folder / "people" / f"person {number}" / "1.wav", 300, seed=number)
    tone(folder / "alone" / "happy" / "1.wav", 300, seed=0)
    tone(folder / "loose" / "1.wav", 300, seed=0)
    (folder / "empty").mkdir()
    (folder / "texts" / "happy").mkdir(parents=True)
    (folder / "texts" / "happy" / "1.txt").write_text("ha", encoding="utf-8")


def _models(folder: Path) -> None:
    shipped = artifacts.packaged() / "cnn-bilstm"
    good = folder / "good"
    good.mkdir(parents=True)
    for path in shipped.iterdir():
        if path.name in (*artifacts.FILES, artifacts.MANIFEST):
            shutil.copyfile(path, good / path.name)
    for name, files in DAMAGES.items():
        damage(good, folder / name, files)
    for name, facts in FACTS.items():
        reseal(good, folder / name, facts=facts)
    for name, files in CHANGED.items():
        reseal(good, folder / name, files=files)
    wide = folder / "wide"
    damage(good, wide, {artifacts.ONNX: None})
    fake.network(wide / artifacts.ONNX)
    _seal(wide, {})


# Name of a model -> what is wrong in it: file -> its bytes; None where it is missing.
DAMAGES: Mapping[str, Mapping[str, bytes | None]] = {
    "unfinished": {artifacts.MANIFEST: None},
    "cut-manifest": {artifacts.MANIFEST: b'{"format": 1, "rec'},
    "no-manifest": {artifacts.MANIFEST: b"[]"},
    "nothing-in-it": {artifacts.MANIFEST: b""},
    "no-network": {artifacts.ONNX: None},
    "cut-network": {artifacts.ONNX: b"\x08\x08"},
    "no-scaler": {artifacts.SCALER: None},
}
# ... and the manifest says that this is right.
CHANGED: Mapping[str, Mapping[str, bytes]] = {
    "notes-network": {artifacts.ONNX: b"These are notes and no network.\n"},
    "notes-scaler": {artifacts.SCALER: b"These are notes and no pickle.\n"},
    "evil-scaler": {artifacts.SCALER: pickle.dumps(Exploit())},
    "evil-labels": {artifacts.LABELS: pickle.dumps(Exploit())},
    "number-labels": {artifacts.LABELS: pickle.dumps(3)},
    "notes-length": {artifacts.MAX_LEN: b"These are notes and no array.\n"},
    "notes-keras": {artifacts.KERAS: b"These are notes and no network.\n"},
}
FACTS: Mapping[str, Mapping[str, Any]] = {
    "newer": {"format": 99},
    "other-recipe": {"recipe": "mfcc-mlp"},
    "unknown-recipe": {"recipe": "crnn"},
    "temperature-zero": {"temperature": 0},
    "temperature-nan": {"temperature": float("nan")},
    "temperature-negative": {"temperature": -1},
    "temperature-text": {"temperature": "warm"},
    "files-list": {"files": {"model.onnx": []}},
    "no-files": {"files": {}},
    "numbers": {"recipe": 3},
}


def damage(good: Path, folder: Path, files: Mapping[str, bytes | None]) -> Path:
    """Copy a model's folder, with some files other than its manifest says."""
    shutil.copytree(good, folder, copy_function=os.link)  # 11 MB each otherwise
    for name, content in files.items():
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


def reseal(
    good: Path, folder: Path, *, files: Mapping[str, bytes] = {}, facts: Mapping[str, Any] = {}
) -> Path:
    """Copy a model's folder with other files, or facts, and a manifest that says it is right."""
    damage(good, folder, files)
    _seal(folder, facts)
    return folder


def _seal(folder: Path, facts: Mapping[str, Any]) -> None:
    path = folder / artifacts.MANIFEST
    stated = json.loads(path.read_text(encoding="utf-8"))
    stated["files"] = {
        name: {
            "bytes": (folder / name).stat().st_size,
            "sha256": fingerprint.of_file(folder / name),
        }
        for name in stated["files"]
    }
    path.unlink()
    path.write_text(json.dumps(stated | {**facts}), encoding="utf-8")
