"""`ser eda`: its tables and pictures, of corpora that are known."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import fake
import numpy as np
import pytest
import soundfile
from command import EMOTIONS, RATE, ser, succeed, tone

from ser_cli.jobs.clips import EdaJob
from ser_cli.report import corpus_tables
from ser_cli.report.corpus import correlations
from ser_cli.sound.degrade import add_noise
from ser_cli.sound.frontend import cells, columns
from ser_cli.stages import eda

PNG = b"\x89PNG"
TABLES = (
    "eda_summary.csv",
    "label_distribution.csv",
    "mean_features_mfcc.csv",
    "clips.csv",
    "eda.toml",
)
PICTURES = (  # that there always are
    "emotion_bar_plot.png",
    "audio_duration.png",
    "acoustics.png",
    "frame_lengths.png",
    "feature_distributions.png",
    "correlation_heatmap.png",
    "spectrograms.png",
)
VECTORS = tuple(
    f"{name}.svg"
    for name in ("audio_duration", "acoustics", "frame_lengths", "feature_distributions")
)
MAP, SPEAKERS = "feature_map.png", "clips_per_speaker.png"


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def summary(folder: Path) -> dict[str, str]:
    return {measure: value for measure, value, _ in rows(folder / "eda_summary.csv")[1:]}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Of four emotions two clips of .5 s and, of all but the first, one of 1 s."""
    folder = tmp_path / "clips"
    for number, (emotion, hertz) in enumerate(EMOTIONS.items()):
        for k, seconds in enumerate((0.5, 0.5, 1.0)[: 2 if number == 0 else 3]):
            tone(folder / emotion / f"{k}.wav", hertz, seed=3 * number + k, seconds=seconds)
    return folder


def test_an_emotion_of_a_stranger_is_harmless_in_what_is_written(tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text("file,emotion\na.wav,=1+1\nb.wav,\x1b[31mred\n", encoding="utf-8")
    for name, hertz in (("a.wav", 220), ("b.wav", 330)):
        tone(tmp_path / name, hertz, seed=hertz, seconds=0.5)
    out, bars = tmp_path / "eda", tmp_path / "bars.svg"
    given = ("--data", table, "--recipe", "stats-dense", "--labels-as-given", "--jobs", 1)
    done = succeed("eda", *given, "--out", out, "--bar-plot", bars)
    for name in TABLES[1:3]:
        assert [row[0] for row in rows(out / name)] == ["emotion", "'=1+1", "\\x1b[31mred"]
    drawn = bars.read_text(encoding="utf-8")
    assert ElementTree.fromstring(drawn) is not None and "\\x1b[31mred" in drawn
    assert "\x1b" not in done.out + done.err


def test_all_outputs_are_written_under_their_names(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "eda"
    done = succeed("eda", "--data", corpus, "--out", out, "--jobs", 1)
    assert {path.name for path in out.iterdir()} == {*TABLES, *PICTURES, *VECTORS, MAP}
    for name in VECTORS:
        drawn = (out / name).read_text(encoding="utf-8")
        assert ElementTree.fromstring(drawn) is not None
        assert drawn.count("clips, 11 clips, speakers not known") == 1  # the title
    assert all((out / name).read_bytes().startswith(PNG) for name in (*PICTURES, MAP))
    assert f"speakers are not known: there is no {SPEAKERS}" in done.err
    assert rows(out / "label_distribution.csv") == [
        ["emotion", "clips", "share", "mean_duration_s"],
        ["angry", "2", "0.1818", "0.500"],
        *([emotion, "3", "0.2727", "0.667"] for emotion in ("calm", "happy", "sad")),
    ]
    found = summary(out)
    assert (found["files"], found["files_unreadable"], found["emotions"]) == ("11", "0", "4")
    assert found["files_at_16000_hz"] == "11" and found["speakers"] == "unknown"
    assert (found["duration_min"], found["duration_max"]) == ("0.5", "1.0")
    assert found["duration_total"] == "7.0" and found["duration_mean"] == "0.6364"
    assert (found["frames_min"], found["frames_max"]) == ("16.0", "32.0")  # 1 + n // 512
    assert "11 clips" in done.out and "surprised" not in done.out


def test_mean_features_are_means_of_clip_means(corpus: Path, tmp_path: Path) -> None:
    from ser_cli import recipes
    from ser_cli.data import cache, corpora

    out = tmp_path / "eda"
    succeed("eda", "--data", corpus, "--out", out, "--jobs", 1)
    head, *body = rows(out / "mean_features_mfcc.csv")
    assert head[:2] == ["emotion", "mfcc_0"] and head[-1] == "mfcc_delta2_39" and len(head) == 121
    clips = [clip for clip in corpora.load(str(corpus)) if clip.emotion == "calm"]
    made = cache.extract(clips, recipes.get("cnn-bilstm").frontend)
    expected = np.mean([features.mean(axis=0)[:120] for features in made.features], axis=0)
    calm = next(row for row in body if row[0] == "calm")
    np.testing.assert_allclose(np.array(calm[1:], float), expected, rtol=1e-4, atol=1e-4)


def test_the_bar_plot_goes_where_it_is_asked(corpus: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "eda", tmp_path / "plots" / "bars.svg"
    done = succeed("eda", "--data", corpus, "--out", out, "--bar-plot", plot, "--json")
    assert plot.read_text(encoding="utf-8").startswith("<?xml")
    assert not (out / "emotion_bar_plot.png").exists()
    record = json.loads(done.out)
    assert record["clips"] == {"angry": 2, "calm": 3, "happy": 3, "sad": 3}
    assert str(plot) in record["written"] and len(record["written"]) == 16
    refused = ser("eda", "--data", corpus, "--bar-plot", corpus / "angry" / "0.wav")
    assert refused.code == 2 and "is not a picture file name" in refused.err


def test_the_bar_plot_is_no_other_picture(corpus: Path, tmp_path: Path) -> None:
    other = tmp_path / "eda" / "audio_duration.png"
    done = ser("eda", "--data", corpus, "--out", tmp_path / "eda", "--bar-plot", other)
    assert done.code == 2 and "is already another picture" in done.err and not other.exists()
    other = other.with_suffix(".svg")
    assert ser("eda", "--data", corpus, "--out", other.parent, "--bar-plot", other).code == 2


def test_a_broken_file_is_named_and_the_others_go_on(corpus: Path, tmp_path: Path) -> None:
    broken = corpus / "calm" / "9.wav"
    broken.write_bytes(b"RIFF")
    done = ser("eda", "--data", corpus, "--out", tmp_path / "eda")
    assert done.code == 3
    assert done.err.count(str(broken)) == 1 and "no sound that can be decoded" in done.err
    assert summary(tmp_path / "eda")["files_unreadable"] == "1"
    record = json.loads(ser("eda", "--data", corpus, "--out", tmp_path / "b", "--json").out)
    assert [row["file"] for row in record["failed"]] == [str(broken)]
    for path in corpus.rglob("*.wav"):
        path.write_bytes(b"RIFF")
    done = ser("eda", "--data", corpus, "--out", tmp_path / "none")
    assert done.code == 1 and "no clip of" in done.err and not (tmp_path / "none").exists()


def test_one_emotion_is_drawn_and_said(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav", 300, seed=0)
    (tmp_path / "clips.csv").write_text("file,emotion\na.wav,sad\n", encoding="utf-8")
    done = succeed("eda", "--data", tmp_path / "clips.csv", "--out", tmp_path / "eda")
    assert "all clips are 'sad'" in done.err and "has no correlation" in done.err
    assert f"there is no {MAP}" in done.err and "1 clip without a pause" in done.err
    assert {path.name for path in (tmp_path / "eda").iterdir()} == {*TABLES, *PICTURES, *VECTORS}


def test_a_folder_without_labels_says_what_is_missing(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav", 300, seed=0)
    done = ser("eda", "--data", tmp_path)
    assert done.code == 1 and "at least two sub-folders" in done.err and "happy/x.wav" in done.err


def test_a_recipe_without_mfcc_says_so(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch)
    done = succeed("eda", "--recipe", "fake", "--data", corpus, "--out", tmp_path / "eda")
    assert "fake has no MFCC" in done.err
    assert rows(tmp_path / "eda" / "mean_features_mfcc.csv")[:2] == [["emotion"], ["angry"]]
    assert "has no correlation" in done.err  # its second column is always one


def test_rows_over_cells_are_averaged(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe of one frame may hold frames in its columns, as `mfcc-cnn1d` does."""
    flat = fake.recipe(
        columns=cells(columns(mfcc=1, zcr=1), 2),
        frames=1,
        extract=lambda waveform: np.array([[1, 3, 10, 30]], np.float32),
    )
    fake.register(monkeypatch, flat)
    found = eda.survey(EdaJob(data=(str(corpus),), recipe="fake", jobs=1))
    assert [column.row for column in found.rows] == ["mfcc_0", "zcr_0"]
    np.testing.assert_array_equal(found.means, np.tile([2.0, 20.0], (11, 1)))
    np.testing.assert_allclose(found.deviations, np.tile([1.0, 10.0], (11, 1)))


def voice(path: Path, hertz: float, *, lead: float = 0.5, snr_db: float = 20) -> None:
    """Write a second of a tone with silence before and after, in noise of a known level."""
    at = np.arange(RATE) / RATE
    clean = np.pad((0.4 * np.sin(2 * np.pi * hertz * at)).astype(np.float32), round(lead * RATE))
    noisy = add_noise(clean, np.random.default_rng(0), snr_db=snr_db)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noisy, RATE, "FLOAT")


def test_what_is_heard_of_each_clip_is_written_and_told(tmp_path: Path) -> None:
    lines = ["file,emotion,speaker"]
    for number, (emotion, hertz, snr_db) in enumerate((("sad", 110, 30), ("happy", 220, 15))):
        for speaker in "ab":
            name = f"{emotion}{speaker}.wav"
            voice(tmp_path / name, hertz, lead=0.5 * (number + 1), snr_db=snr_db)
            lines.append(f"{name},{emotion},{speaker}")
    (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "eda"
    given = ("--data", tmp_path / "clips.csv", "--recipe", "stats-dense", "--jobs", 1)
    done = succeed("eda", *given, "--out", out)
    head, *body = rows(out / "clips.csv")
    assert head[3:7] == ["emotion", "speaker", "sample_rate_hz", "duration_s"] and len(body) == 4
    for row in body:
        told = dict(zip(head, row, strict=True))
        hertz, snr_db, lead = (110, 30, 0.5) if told["emotion"] == "sad" else (220, 15, 1.0)
        assert float(told["f0_hz"]) == pytest.approx(hertz, rel=0.01)
        assert float(told["snr_db"]) == pytest.approx(snr_db, abs=1)
        assert float(told["silence_before_s"]) == pytest.approx(lead, abs=0.03)
        assert float(told["level_dbfs"]) == pytest.approx(20 * np.log10(0.4 / 2**0.5), abs=0.3)
    assert float(summary(out)["f0_max"]) == pytest.approx(220, rel=0.01)
    said = " ".join(done.out.replace("│", " ").split())
    assert "duration in all 10.0 s" in said and "sample rate 16 kHz" in said
    assert "sad 2 50.0 2.00 -11." in said and ".0 frames" not in done.out
    assert (out / SPEAKERS).read_bytes().startswith(PNG)


def test_correlations_are_pearsons() -> None:
    draws = np.random.default_rng(0).standard_normal((30, 4))
    draws[:, 1] = 2 * draws[:, 0] + 5
    draws[:, 2] -= draws[:, 0]
    found = correlations(draws)
    np.testing.assert_allclose(found, np.corrcoef(draws.T), atol=1e-12)
    draws[:, 3] = 0.1
    found = correlations(draws)
    assert np.isnan(found[3]).all() and np.isnan(found[:, 3]).all()
    assert np.isfinite(found[:3, :3]).all()


def test_lengths_and_rates_are_those_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch)
    lines = ["file,emotion"]
    for rate in (8_000, 44_100):
        soundfile.write(tmp_path / f"{rate}.wav", 0.1 * np.ones(2 * rate), rate)
        lines.append(f"{rate}.wav,sad")
    (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
    found = eda.survey(EdaJob(data=(str(tmp_path / "clips.csv"),), recipe="fake"))
    assert sorted(found.rates.tolist()) == [8_000, 44_100]
    assert found.seconds.tolist() == [2.0, 2.0]


def test_an_actor_of_ravdess(ravdess: Path, tmp_path: Path) -> None:
    lines = ["file,emotion,speaker"]
    from ser_cli.data import corpora

    clips = [clip for clip in corpora.load(str(ravdess)) if clip.speaker == "ravdess/01"]
    lines += [f"{clip.path},{clip.emotion},01" for clip in clips]
    (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
    succeed("eda", "--data", tmp_path / "clips.csv", "--out", tmp_path / "eda", "--jobs", 1)
    found = rows(tmp_path / "eda" / "label_distribution.csv")[1:]
    assert {row[0]: row[1] for row in found} == {
        **dict.fromkeys(("angry", "calm", "fearful", "happy", "sad"), "16"),
        **dict.fromkeys(("disgust", "neutral", "surprised"), "8"),
    }
    facts = summary(tmp_path / "eda")
    assert facts["files_at_48000_hz"] == "104" and facts["speakers"] == "1"
    assert 2.5 < float(facts["duration_min"]) < float(facts["duration_max"]) < 7


def test_parts_of_files_are_measured_and_files_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch)
    for name in ("a", "b"):
        tone(tmp_path / f"{name}.wav", 250, seed=0, seconds=2.0)
    rows = "a.wav,0,0.5,sad\na.wav,0.5,1.25,happy\nb.wav,1.5,,happy\n"
    (tmp_path / "clips.csv").write_text(f"file,start,end,emotion\n{rows}", encoding="utf-8")
    found = eda.survey(EdaJob(data=(str(tmp_path / "clips.csv"),), recipe="fake", jobs=1))
    assert found.seconds.tolist() == [0.5, 0.75, 0.5] and found.frames.tolist() == [50, 75, 50]
    told = {measure: value for measure, value, _ in corpus_tables.summary(found)}
    assert (told["files"], told["segments"], told["files_at_16000_hz"]) == (2, 3, 2)
