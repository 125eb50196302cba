"""`ser doctor`: what is broken is one line with the next step, and nobody is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake
import pytest
from command import Result, ser
from corpus import by_actor, write_index
from modules import printed

from ser_cli import recipes
from ser_cli.data.corpora import ravdess as corpus
from ser_cli.errors import AudioError
from ser_cli.health import Check, codecs, machine, storage
from ser_cli.model import artifacts
from ser_cli.sound import audio
from ser_cli.stages import doctor as stage

Look = Callable[[], Iterable[Check]]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, without the corpora of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)
    monkeypatch.delenv("SER_CORPORA_DIR", raising=False)


def only(monkeypatch: pytest.MonkeyPatch, subject: str, *names: str) -> None:
    """Let the report be of one subject."""
    monkeypatch.setattr(stage, "SUBJECTS", {subject: names})


def line(done: Result, name: str) -> str:
    """Return the one line of a report that is about a thing, and the hint below it."""
    lines = done.out.splitlines()
    (place,) = [n for n, text in enumerate(lines) if f"  {name}: " in f" {text}"]
    return "\n".join(
        text for text in lines[place : place + 2] if text.startswith(" ") or text == lines[place]
    )


def test_an_ordinary_machine_is_all_right() -> None:
    done = ser("doctor")
    assert done.code == 0, done.out
    for name in ("ser", "python", "dependencies", "ONNX Runtime", "training", "decoders", "CPU",
                 "memory", "GPU", "cache", "leftovers", "shipped model voice"):  # fmt: skip
        assert line(done, name).startswith(("ok ", "warning "))
    assert "14 kinds decode: WAV, " in line(done, "sound formats")
    assert "aesdd, ased, cremad" in line(done, "corpora not on this machine")
    assert "ORT_DISABLE_TELEMETRY=1" in line(done, "network")
    assert "0 errors" in done.err


def test_json_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "versions", "python", "onnxruntime")
    read = json.loads(ser("doctor", "--json").out)
    text = ser("doctor").out
    assert (read["error"], read["warning"]) == (0, 0)
    assert [check["name"] for check in read["checks"]] == ["ser", "python", "ONNX Runtime"]
    assert all(f"{c['name']}: {c['text']}" in text for c in read["checks"])


def test_it_is_quick_and_loads_nothing_large() -> None:
    code = """
import sys, time
from ser_cli.stages.doctor import doctor
began = time.process_time()
levels = [check.level for check in doctor()]
print(len(levels), time.process_time() - began)
print(*{"tensorflow", "keras", "librosa", "sklearn", "pandas", "optuna"} & sys.modules.keys())
"""
    first, heavy = printed(code).split("\n")[:2]
    count, seconds = first.split()
    assert int(count) > 15 and float(seconds) < 3 and not heavy


def test_nobody_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "homes" / "grete"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("LOGNAME", "hansel")
    monkeypatch.setenv("SER_CACHE_DIR", str(home / ".cache" / "ser"))
    (home / ".cache" / "ser" / "features").mkdir(parents=True)
    unfinished = Path("artifacts", "hansel")
    unfinished.mkdir(parents=True)
    (unfinished / "history.csv").write_text("epoch,loss\n")
    whole = {"storage": ("cache",), "holdings": ("models",)}
    monkeypatch.setattr(stage, "SUBJECTS", whole)
    for words in ((), ("--json",)):
        done = ser("doctor", *words)
        assert "grete" not in done.out and "hansel" not in done.out
        assert "~/.cache/ser" in done.out.replace("\\", "/")


def test_control_signs_of_a_name_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Check("x", "a\x1b[2Jb\u202ec", hint="rm \x9b1m")
    monkeypatch.setattr(stage, "_checker", lambda *_: lambda: [bad])
    monkeypatch.setattr(stage, "SUBJECTS", {"storage": ("any",)})
    done = ser("doctor")
    assert not {"\x1b", "\u202e", "\x9b"} & {*done.out}


def test_models_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "holdings", "models")
    known, made = recipes.get, fake.recipe()
    fake.register(monkeypatch)
    monkeypatch.setattr(
        recipes, "get", lambda name, encoder=None: made if name == "fake" else known(name, encoder)
    )
    for name in ("whole", "damaged", "unfit", "unfinished"):
        fake.folder(Path("artifacts", name))
    Path("artifacts", "empty").mkdir()
    damaged = Path("artifacts", "damaged", artifacts.LABELS)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    unfit = Path("artifacts", "unfit")
    fake.unseal(unfit)
    fake.network(unfit / artifacts.ONNX, classes=3)
    artifacts.seal(unfit, facts={"recipe": "fake"})
    fake.unseal(Path("artifacts", "unfinished"))
    done = ser("doctor")
    assert done.code == 1 and "2 errors and 1 warning" in done.err
    assert line(done, f"model {Path('artifacts', 'whole')}").startswith("ok ")
    for name, level, words in (
        ("damaged", "error", "label_encoder.pkl is not the file that was sealed"),
        ("unfit", "error", "maps 100 frames to 3 classes"),
        ("unfinished", "warning", "unfinished"),
    ):
        said = line(done, f"model {Path('artifacts', name)}")
        assert said.startswith(level) and words in said and "ser train" in said
    assert "empty" not in done.out


def test_a_package_without_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "holdings", "models")
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "nothing")
    done = ser("doctor")
    assert done.code == 1 and "try: pip install" in line(done, "shipped model")


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "storage", "cache", "disk")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "file" / "cache"))
    done = ser("doctor")
    assert done.code == 1
    assert line(done, "cache").startswith("error") and "try: export SER_CACHE_DIR" in done.out


def test_caches_with_their_sizes_and_what_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "storage", "cache")
    home = Path(os.environ["SER_CACHE_DIR"])
    for number in range(3):
        file = home / "features" / "mfcc" / "plain" / f"{number}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(500_000))
    (home / "ravdess").mkdir()
    (home / "other").mkdir()
    left = home / "features" / ".0-abcd_123.npy"
    left.write_bytes(bytes(100_000))
    done = ser("doctor")
    assert "1.6 MB in 4 files (made again when" in line(done, "cache: features")
    assert f"rm -r {home / 'features'}" in done.out or os.name == "nt"
    assert "a corpus" in line(done, "cache: ravdess")
    assert "not ser's" in line(done, "cache: other")
    assert line(done, "leftovers").startswith("ok ")  # of a process that may be at work
    old = time.time() - 2 * storage.LEFT_S
    os.utime(left, (old, old))
    done = ser("doctor")
    assert "1 temporary file of" in line(done, "leftovers") and left.name in line(done, "leftovers")
    monkeypatch.setattr(storage, "MOST_FILES", 2)
    assert "at least " in line(ser("doctor"), "cache: features")


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "storage", "disk")
    full = SimpleNamespace(free=5 * 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    done = ser("doctor")
    assert done.code == 0 and "500.0 MB free" in line(done, "disk of the cache")
    assert line(done, "disk of the working folder").startswith("warning")


def test_a_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = metadata.version

    def version(name: str) -> str:
        if name in ("soxr", "streamlit"):
            raise metadata.PackageNotFoundError(name)
        return {"numpy": "1.26.0"}.get(name) or found(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setitem(sys.modules, "soxr", None)
    some = {"versions": ("dependencies", "libraries"), "machine": ("cpu",)}
    monkeypatch.setattr(stage, "SUBJECTS", some)
    done = ser("doctor")
    assert done.code == 1
    assert line(done, "soxr").startswith("error") and 'pip install "soxr' in line(done, "soxr")
    assert line(done, "numpy").startswith("warning") and "1.26.0 lies outside" in done.out
    assert "streamlit not installed (extra [app])" in line(done, "dependencies")
    assert "try: pip install --force-reinstall soxr" in line(done, "versions: libraries")
    assert line(done, "CPU")  # the report goes on


def test_sources_that_were_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "versions", "python", "dependencies")

    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", absent)
    done = ser("doctor")
    assert done.code == 0 and "try: pip install -e ." in line(done, "dependencies")


@pytest.mark.parametrize("setting", ["variable", "file"])
def test_another_backend(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "versions", "keras")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert line(ser("doctor"), "training").startswith("ok ")
    if setting == "variable":
        monkeypatch.setenv("KERAS_BACKEND", "jax")
    else:
        (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    assert "backend jax; training needs tensorflow" in line(ser("doctor"), "training")


def test_formats_that_do_not_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "codecs", "codecs")
    load, encode = audio.load, codecs._encoded

    def deaf(source: Any, *, sample_rate: int) -> Any:
        if source.getvalue()[:4] == b"fLaC":
            raise AudioError("no sound")
        return load(source, sample_rate=sample_rate)

    def mute(kind: Any) -> bytes:
        if kind.name == "MP3":
            raise ValueError("no such encoder")
        return encode(kind)

    monkeypatch.setattr(audio, "load", deaf)
    monkeypatch.setattr(codecs, "_encoded", mute)
    done = ser("doctor")
    assert done.code == 1 and line(done, "unreadable formats").startswith("error")
    assert ": FLAC\n" in line(done, "unreadable formats") and "MP3" in line(done, "not tried")
    assert "12 kinds" in line(done, "sound formats")


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"cpu.max": "150000 100000", "memory.max": "2000000000", "memory.current": "1900000000"},
         "1.5 may be used"),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000",
          "memory/memory.limit_in_bytes": "2000000000",
          "memory/memory.usage_in_bytes": "1900000000"}, "0.5 may be used"),
    ],
)  # fmt: skip
def test_a_container_of_less_than_the_machine(
    files: dict[str, str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "machine", "cpu", "memory")
    monkeypatch.setattr(machine, "CORES", 4)
    monkeypatch.setattr(machine, "_affinity", lambda: 4)
    (tmp_path / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert "4 may be used" in line(ser("doctor"), "CPU")
    assert "8.2 GB, free 4.1 GB" in line(ser("doctor"), "memory")
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    done = ser("doctor")
    assert text in line(done, "CPU") and "--jobs 1" in line(done, "CPU")
    assert line(done, "memory").startswith("warning") and "free 100.0 MB" in line(done, "memory")


def test_a_terminal_that_cannot_show_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in ("utf-8", "UTF8"):
        monkeypatch.setattr(sys, "__stdout__", SimpleNamespace(encoding=encoding))
        assert [check.level for check in machine.terminal()] == ["ok"]
    monkeypatch.setattr(sys, "__stdout__", SimpleNamespace(encoding="cp1252"))
    (narrow,) = machine.terminal()
    assert narrow.level == "warning" and "PYTHONUTF8" in narrow.hint


def test_a_library_that_would_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    (check,) = machine.silence()
    assert check.level == "error" and "ORT_DISABLE_TELEMETRY" in check.text


def test_a_graphics_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (none,) = machine.gpu()
    if shutil.which("nvidia-smi") is None:
        assert "none seen" in none.text
    monkeypatch.setattr("ser_cli.health.machine.which", lambda _: sys.executable)
    code = "print('A card, 80 GB')"
    run = subprocess.run

    def pretend(words: list[str], **options: Any) -> Any:
        return run([words[0], "-c", code], **options)

    monkeypatch.setattr(subprocess, "run", pretend)
    assert "A card, 80 GB; predictions run on the CPU" in next(iter(machine.gpu())).text
    monkeypatch.setattr(machine, "_SHOWN_MS", 100)
    code = "import time; time.sleep(5)"
    assert "does not answer" in next(iter(machine.gpu())).text


def test_a_corpus_is_counted_and_was_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "holdings", "data")
    folder = by_actor(tmp_path / "clips")
    source = replace(corpus.SOURCE, index=write_index(folder, tmp_path / "index.csv"))
    monkeypatch.setattr(corpus, "CORPUS", replace(corpus.CORPUS, source=source))
    monkeypatch.setenv("SER_RAVDESS_DIR", str(folder))
    said = line(ser("doctor"), "corpus ravdess")
    assert "speech 48 of 48, song 48 of 48; 0 found right" in said
    assert said.startswith("warning") and "try: ser download ravdess" in said
    assert ser("download", "ravdess").code == 0
    said = line(ser("doctor"), "corpus ravdess")
    assert said.startswith("ok ") and "96 found right" in said
    clip, other = sorted(folder.rglob("*.wav"))[:2]
    clip.unlink()
    os.utime(other, (0, 0))
    said = line(ser("doctor"), "corpus ravdess")
    assert "speech 47 of 48" in said or "song 47 of 48" in said
    assert "94 found right" in said and said.startswith("warning")


def test_a_corpus_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_cli.data.store import remember

    only(monkeypatch, "holdings", "data")
    remember("nemo", str(tmp_path / "gone"))
    said = line(ser("doctor"), "corpus nemo")
    assert said.startswith("warning") and "no such folder" in said


@pytest.mark.parametrize("error", [RuntimeError("broken"), AudioError("broken", hint="mend it")])
def test_a_check_that_fails_ends_no_report(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Iterable[Check]:
        raise error

    monkeypatch.setattr(machine, "cpu", broken)
    only(monkeypatch, "machine", "cpu", "silence")
    done = ser("doctor")
    assert done.code == 1 and "Traceback" not in done.out + done.err
    said = line(done, "machine: cpu")
    assert said.startswith("error") and "broken" in said and "try: " in said
    assert line(done, "network").startswith("ok ")
