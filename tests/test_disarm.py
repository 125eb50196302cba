"""Names, labels and errors of strangers: on terminals, in CSV, in JSON, in any encoding."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import fake
import numpy as np
import pytest
import soundfile
from command import Terminal

from ser_cli import disarm, remarks
from ser_cli.commands import console, output, tables
from ser_cli.commands.progress import progress
from ser_cli.data import store
from ser_cli.data.labels import normalise_label
from ser_cli.errors import AudioError
from ser_cli.model import sklearn_files
from ser_cli.report import plotting, spans
from ser_cli.report.rows import csv_head, csv_line, json_line
from ser_cli.sound import audio
from ser_cli.types import Prediction, Preprocessor

RED, TURNED, BYTES = "\x1b[31mred.wav", "\u202egnp.wav", "m\udcff.wav"
NAMES = [
    "plain ä 😀.wav", RED, TURNED, BYTES, "=1+1.wav", "+.wav", "-dash.wav", "@SUM(A1).wav",
    "'quoted.wav", "''twice.wav", "\ttab.wav", "\rreturn.wav", "a\rb.wav", "a\nb.wav", "\nc.wav",
    'say "so", or not.wav', "[/red] [bold].wav", "\x9b31m.wav", " blank .wav",
    "\uff1d1+1.wav", "\uff0b.wav", "\uff0ddash.wav", "\uff20SUM(A1).wav",
]  # fmt: skip
WIDE = "\uff1d\uff0b\uff0d\uff20"  # = + - @ in full width
FORMULA = tuple(f"=+-@\t\r\n{WIDE}")
CLASSES = ("=calm", "sad")


def row(file: str, error: str = "") -> Prediction:
    return Prediction(file, math.nan, math.nan, "", math.nan, None, "error", error=error or file)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (RED, "\\x1b[31mred.wav"), (TURNED, "\\u202egnp.wav"), (BYTES, "m\\xff.wav"),
        ("\t\r\n\x9b\x7f\u2028\ud800", "\\t\\r\\n\\x9b\\x7f\\u2028\\ud800"),
        ("ä 😀 \u200d שלום C:\\x", "ä 😀 \u200d שלום C:\\x"),
    ],
)  # fmt: skip
def test_a_terminal_shows_what_it_would_obey(text: str, shown: str) -> None:
    assert disarm.visible(text) == shown
    assert disarm.visible("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_whatever_is_said_is_disarmed(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    hostile = f"{RED}{TURNED}{BYTES}[/red][bold]"
    console.say(hostile)
    console.failures(((Path(hostile + "\nser: all is well"), hostile),))
    tables.table(hostile, ("", hostile), [(hostile, "[red]1[/red]")])
    remarks.remark(hostile)
    shown = capsys.readouterr()
    for text in (shown.err, shown.out, caplog.text):
        assert "\x1b[31m" not in text and "\u202e" not in text and "\udcff" not in text
        assert "\\x1b" in text and "\\u202e" in text
    assert "\\nser: all is well" in shown.err
    assert "[/red][bold]" in shown.out.replace("\n", "") and "[red]1[/red]" in shown.out


def test_the_note_of_a_bar_is_disarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress("predicting") as show:
        show(1, 2, "\x1b]0;owned\x07[/red].wav")
    assert "\\x1b]0;owned\\x07[/red].wav" in stream.getvalue()
    assert "\x1b]0" not in stream.getvalue()


def test_the_table_of_rows_is_disarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    good = Prediction(RED + "\n", 0, 1, "\x1b[0m", 0.5, np.zeros(2, "f4"))
    write = output.printer(CLASSES, as_json=False)
    write(good)
    write(row(TURNED))
    assert disarm.visible(stream.getvalue(), keep="\n") == stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_csv_is_no_formula_and_comes_back(name: str) -> None:
    text = csv_head(CLASSES) + csv_line(row(name), CLASSES)
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert len(lines) == 2 and len(lines[0]) == len(lines[1])
    named = dict(zip(*lines, strict=True))
    assert "'=calm" in named
    for cell in (named["file"], named["error"]):
        assert not cell.startswith(FORMULA)
        assert cell.removeprefix("'") == disarm.from_cell(cell) == name
    assert (named["file"] == name) == (name[0] not in ("'", *FORMULA))


def test_every_table_has_no_formula_and_gives_names_back(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    store.write_csv(table, [NAMES, NAMES, [-1.5] * len(NAMES)])
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        head, body, numbers = csv.reader(stream)
    assert not [cell for cell in (*head, *body) if cell.startswith(FORMULA)]
    assert set(numbers) == {"-1.5"}
    names, read = store.read_csv(table)
    assert list(names) == list(names.values()) == NAMES and set(read.values()) == {"-1.5"}


def test_a_label_is_visible_wherever_it_goes(tmp_path: Path) -> None:
    hostile, shown = "\x1b[31mred\u202e", "\\x1b[31mred\\u202e"
    assert normalise_label(hostile) == normalise_label(shown) == shown
    made = Preprocessor(1, np.zeros(1), np.ones(1), (hostile, "sad"))
    files = [tmp_path / name for name in ("scaler.pkl", "label_encoder.pkl", "max_len.npy")]
    sklearn_files.write(made, *files)
    assert sklearn_files.read(*files).classes == (shown, "sad")
    assert plotting.names([hostile]) == [shown]
    assert spans.line(f"a\n{hostile}") == "a [31mred\\u202e"


def test_numbers_in_a_csv_stay_numbers() -> None:
    good = Prediction("a.wav", 0, 1.5, "sad", 0.5, np.array([-0.25, 1e-7], "f4"))
    assert csv_line(good, CLASSES) == "a.wav,0,1.5,sad,0.5,-0.25,0.0,ok,,,\n"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
@pytest.mark.parametrize("name", NAMES)
def test_json_is_exact_in_any_encoding(name: str, encoding: str) -> None:
    text = json_line(row(name), CLASSES, encoding)
    read = json.loads(text.encode(encoding).decode(encoding))
    assert (read["file"], read["error"]) == (name, name)
    assert disarm.visible(text, keep="\n") == text and text.count("\n") == 1
    if sys.platform != "win32":
        assert os.fsencode(read["file"]) == os.fsencode(name)
    assert ("ä" in json_line(row("ä"), CLASSES, encoding)) == (encoding != "ascii")


def test_whatever_is_written_fails_in_no_encoding() -> None:
    for encoding, written in (
        ("utf-8", "m\udcff 😀".encode("utf-8", "surrogateescape")),
        ("cp1252", b"m\xff \\U0001f600"),
        ("ascii", b"m\xff \\U0001f600"),
    ):
        if sys.platform != "win32":
            assert "m\udcff 😀".encode(encoding, disarm.ERRORS) == written
        assert "\ud800".encode(encoding, disarm.ERRORS)


def odd_file(folder: Path, name: bytes) -> Path:
    """Write a clip under a name that is not UTF-8."""
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    try:
        with path.open("wb") as stream:
            soundfile.write(stream, np.full(fake.RATE, 0.5), fake.RATE, "PCM_16", format="WAV")
    except (OSError, ValueError):
        pytest.skip("this file system takes names in Unicode alone")
    return path


def test_a_name_that_is_not_utf_8_is_opened(tmp_path: Path) -> None:
    path = odd_file(tmp_path, b"m\xff.wav")
    assert audio.load(path, sample_rate=fake.RATE).duration == 1
    assert audio.measure(path) == (fake.RATE, 1)
    path.write_bytes(b"RIFF....")
    with pytest.raises(AudioError):  # which starts the process of the decoders
        audio.load(path, sample_rate=fake.RATE)
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0
    for _ in range(3):
        with pytest.raises(AudioError):
            audio.load(path, sample_rate=fake.RATE)
    assert before == (len(list(descriptors.iterdir())) if descriptors.exists() else 0)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_no_name_ends_a_run(tmp_path: Path, encoding: str) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    odd = odd_file(clips, b"m\xff.wav")
    odd.with_name("😀.wav").write_bytes(odd.read_bytes())
    folder = fake.folder(tmp_path / "artifacts")
    code = (
        "import fake, pytest, sys; fake.register(pytest.MonkeyPatch()); sys.argv[0] = 'ser';"
        "from ser_cli.__main__ import main; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "predict", "clips", "--artifacts", str(folder)],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": encoding},
    )
    assert run.returncode == 0, run.stderr
    emoji = "😀".encode() if encoding == "utf-8" else b"\\U0001f600"
    lines = run.stdout.splitlines()[1:]
    assert [line.split(b",")[0] for line in lines] == [
        b"clips/m\xff.wav",
        b"clips/" + emoji + b".wav",
    ]
    assert b"Traceback" not in run.stderr
