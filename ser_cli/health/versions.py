"""Versions: of Python, of the dependencies against their declared bounds, of what they run on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import distribution
from ser_cli.health import Check

if TYPE_CHECKING:
    from packaging.requirements import Requirement

EXTRAS = (
    "app",
    "cluster",
    "litert",
    "parquet",
)  # of users; the others are for work on `ser` itself
PROVIDER = "CPUExecutionProvider"


def python() -> Iterator[Check]:
    """Look at `ser`, Python and the operating system."""
    from packaging.specifiers import SpecifierSet

    from ser_cli import __version__

    yield Check("ser", __version__)
    version, system = platform.python_version(), platform.platform()
    wanted = "".join(_declared().get_all("Requires-Python") or ())
    text = f"{version} on {system}"
    if SpecifierSet(wanted).contains(version, prereleases=True):
        yield Check("python", text)
    else:
        hint = "make an environment with another Python: python3.11 -m venv .venv"
        yield Check("python", f"{text}; made for {wanted}", "warning", hint)


def dependencies() -> Iterator[Check]:
    """Look at every library that `ser` declares, and at those of its extras."""
    from packaging.requirements import Requirement

    declared = [Requirement(line) for line in _declared().get_all("Requires-Dist") or ()]
    if not declared:
        yield Check(
            "dependencies",
            "unknown bounds: these are sources that were never installed",
            "warning",
            "pip install -e . (in the folder of ser's sources)",
        )
    found = [_dependency(item, extra) for item in declared if (extra := _extra(item)) is not None]
    good = [f"{check.name} {check.text}" for check in found if check.level == "ok"]
    if good:
        yield Check("dependencies", ", ".join(good))
    yield from (check for check in found if check.level != "ok")


def onnxruntime() -> Iterator[Check]:
    """Look at what runs the networks."""
    import onnxruntime as runtime

    providers = runtime.get_available_providers()
    text = f"{runtime.__version__}: {', '.join(providers)}"
    if PROVIDER in providers:
        yield Check("ONNX Runtime", f"{text}; {PROVIDER} is used")
    else:
        hint = "pip install --force-reinstall onnxruntime"
        yield Check("ONNX Runtime", f"{text}; {PROVIDER} is missing", "error", hint)


def keras() -> Iterator[Check]:
    """Look at what training needs, without loading it: that takes seconds."""
    installed = [f"{name} {metadata.version(name)}" for name in ("tensorflow", "keras")]
    backend = _backend()
    text = f"{', '.join(installed)} (installed, not loaded); backend {backend}"
    if backend == "tensorflow":
        yield Check("training", text)
    else:
        yield Check("training", f"{text}; training needs tensorflow", "warning", _BACKEND)


def libraries() -> Iterator[Check]:
    """Look at the libraries that decode and resample, as they came with their Python packages."""
    import av
    import soundfile
    import soxr

    ffmpeg = getattr(av, "ffmpeg_version_info", "of an unknown version")
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    yield Check(
        "decoders",
        f"libsndfile {soundfile.__libsndfile_version__}, FFmpeg {ffmpeg} (libavcodec {codec}), "
        f"libsoxr {soxr.__libsoxr_version__}",
    )


_BACKEND = "export KERAS_BACKEND=tensorflow (Windows: set KERAS_BACKEND=tensorflow)"


def _declared() -> metadata.PackageMetadata:
    """Return what `ser` states about itself; nothing in sources that were never installed."""
    from email.message import Message

    try:
        return metadata.metadata(distribution.NAME)
    except metadata.PackageNotFoundError:
        return Message()  # type: ignore[return-value]


def _extra(requirement: Requirement) -> str | None:
    """Return the extra that needs a library, "" if all of `ser` does, None if nothing here."""
    marker = requirement.marker
    for extra in ("", *EXTRAS):
        if marker is None or marker.evaluate({"extra": extra}):
            return extra
    return None


def _dependency(requirement: Requirement, extra: str) -> Check:
    name, wanted = requirement.name, str(requirement.specifier)
    hint = f'pip install "{name}{wanted}"'
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if extra:
            return Check(name, f"not installed (extra [{extra}])")
        return Check(name, "is missing", "error", hint)
    if requirement.specifier.contains(version, prereleases=True):
        return Check(name, version)
    return Check(name, f"{version} lies outside of {wanted}", "warning", hint)


def _backend() -> str:
    """Return what Keras would run on: as its variable, else its file of settings says."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        settings = json.loads((home / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    return os.environ.get("KERAS_BACKEND") or str(settings.get("backend", "tensorflow"))
