"""The manifest of a folder: which files belong to it, each with its size and SHA-256."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ser_cli.data.store import write_text
from ser_cli.errors import ArtifactsError
from ser_cli.sound import fingerprint

FORMAT = 1
TRAIN = "train one: ser train"

# What a manifest holds, and what stands for the facts that not every one has.
_KINDS: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "recipe": str,
    "files": dict,
    "temperature": (int, float),
    "frontend_files": list,
    "settings": dict,
    "encoder": str,
    "data": (str, list),
}
_ABSENT: dict[str, Any] = {"frontend_files": [], "settings": {}, "encoder": "", "data": ""}


def write(path: Path, names: Collection[str], facts: Mapping[str, Any]) -> None:
    """Write facts, and what the files of these names beside the manifest are now."""
    files = {
        name: {
            "bytes": (path.parent / name).stat().st_size,
            "sha256": fingerprint.of_file(path.parent / name),
        }
        for name in names
    }
    manifest = {"temperature": 1.0, **facts, "format": FORMAT, "files": files}
    write_text(path, json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        ArtifactsError: It is missing, no manifest, or of a newer format.
    """
    folder = path.parent
    if not folder.is_dir():
        raise ArtifactsError(f"{folder}: no such artifacts folder", hint=TRAIN)
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactsError(
            f"{folder} holds no finished training: {path.name} is missing", hint=TRAIN
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactsError(f"{path} cannot be read: {error}", hint=TRAIN) from error
    if reason := wrong(manifest):
        raise ArtifactsError(f"{path} is not a manifest: {reason}", hint=TRAIN)
    if manifest["format"] > FORMAT:
        raise ArtifactsError(
            f"{folder} was written by a newer version of ser (format {manifest['format']})",
            hint="update ser to the newest version",
        )
    return manifest


def wrong(manifest: object) -> str:
    """Return what no manifest of `seal` has, or "": a stranger can write one too."""
    if not isinstance(manifest, dict):
        return "it is no object"
    for name, kind in _KINDS.items():
        value = manifest.get(name, _ABSENT.get(name))
        if not isinstance(value, kind) or isinstance(value, bool):
            return f"{name!r} is {value!r}"
    if not 0 < manifest["temperature"] < float("inf"):
        return f"'temperature' is {manifest['temperature']}, no positive number"
    described = all(isinstance(stated, dict) for stated in manifest["files"].values())
    named = all(isinstance(name, str) for name in manifest.get("frontend_files", ()))
    return "" if described and named else "its files are not described"


def check(
    folder: Path, manifest: Mapping[str, Any], names: Collection[str], *, verify: Collection[str]
) -> None:
    """Compare files of a folder with what its manifest states of them.

    Args:
        folder: Where they lie.
        manifest: From `read`.
        names: Of the files.
        verify: Those whose content is compared too, and not their size alone.

    Raises:
        ArtifactsError: A file is missing, or another than was sealed.
    """
    for name in names:
        if found := fault(folder, manifest, name, verify=name in verify):
            raise ArtifactsError(found, hint=TRAIN)


def fault(folder: Path, manifest: Mapping[str, Any], name: str, *, verify: bool = False) -> str:
    """Return what is wrong with a file, or ""; its content counts only where that is asked."""
    path, stated = folder / Path(name).name, manifest["files"].get(name)
    if not isinstance(stated, Mapping) or not path.is_file():
        return f"{path} is missing"
    same = path.stat().st_size == stated.get("bytes")
    if not same or (verify and fingerprint.of_file(path) != stated.get("sha256")):
        return f"{path} is not the file that was sealed"
    return ""
