"""`ser evaluate --model --scaler --label-encoder`: files that lie anywhere are tested."""

from __future__ import annotations

import shutil
from pathlib import Path

import fake
import joblib
import numpy as np
import pytest
import soundfile
from command import Result, ser, succeed

from ser_cli.data import identity
from ser_cli.model import artifacts
from ser_cli.sound.frontend import Column

LOUDNESS = {"loud": (0.9, 0.8, 0.02), "quiet": (0.01, 0.02)}  # the third is quiet and says loud


@pytest.fixture(autouse=True)
def _at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.register(monkeypatch)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of five clips of a second, labelled by their sub-folders."""
    at = np.arange(fake.RATE) / fake.RATE
    for label, levels in LOUDNESS.items():
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number, level in enumerate(levels):
            wave = level * np.sin(2 * np.pi * 440 * at)
            soundfile.write(tmp_path / "clips" / label / f"{number}.wav", wave, fake.RATE)
    return tmp_path / "clips"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The files of a trained system under other names, in a folder that is none of `ser`'s."""
    trained = fake.folder(tmp_path / "trained")
    (tmp_path / "files").mkdir()
    for old, new in (("model.onnx", "m.onnx"), ("scaler.pkl", "s.pkl"),
                     ("label_encoder.pkl", "e.pkl"), ("max_len.npy", "l.npy")):  # fmt: skip
        shutil.copy(trained / old, tmp_path / "files" / new)
    return tmp_path / "files"


def arguments(clips: Path, files: Path, model: str = "m.onnx") -> list[object]:
    named = {"model": model, "scaler": "s.pkl", "label-encoder": "e.pkl", "max-len": "l.npy"}
    options = [part for name, file in named.items() for part in (f"--{name}", files / file)]
    return ["evaluate", "--recipe", "fake", "--data", clips, *options]


def without(words: list[object], *names: str) -> list[object]:
    """Return a command line without some options and their values."""
    dropped = [words.index(name) for name in names]
    return [w for k, w in enumerate(words) if k not in dropped and k - 1 not in dropped]


def expect_scores(out: Path) -> None:
    lines = (out / "test_metrics.txt").read_text(encoding="utf-8").splitlines()
    assert "Clips: 5" in lines
    assert any(line.startswith("Overall accuracy: 0.8000") for line in lines)
    assert {"  quiet: 0.8000", "  loud: 0.8000", "  loud: 0.6667", "  quiet: 1.0000"} <= set(lines)
    text = (out / "test_confusion_matrix.txt").read_text(encoding="utf-8")
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["quiet", "loud"],
        ["quiet", "2", "0"],
        ["loud", "1", "2"],
    ]


def test_the_two_files_are_written_here(clips: Path, files: Path, tmp_path: Path) -> None:
    done = succeed(*arguments(clips, files))
    expect_scores(tmp_path / "here")
    assert "80.0" in done.out and "written: test_metrics.txt" in done.err
    assert "it is not known which clips" in done.err and "not calibrated" in done.err
    assert len(list((tmp_path / "here").iterdir())) == 3  # with evaluate.toml


def test_a_report_and_a_folder_can_be_asked_for(clips: Path, files: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    succeed(*arguments(clips, files), "--out", out, "--report")
    expect_scores(out)
    assert (out / "report.html").is_file()


def keras_model(path: Path, *, frames: int = fake.MAX_LEN) -> None:
    """Write the fake network as Keras has it."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((frames, 2)),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.layers[-1].set_weights([np.array([[0, 40], [0, -4]], "f4"), np.zeros(2, "f4")])
    model.save(path)


def test_a_keras_file_says_the_same(clips: Path, files: Path, tmp_path: Path) -> None:
    keras_model(files / "m.keras")
    for name in ("m.onnx", "m.keras"):
        succeed(*arguments(clips, files, name), "--out", tmp_path / name)
        expect_scores(tmp_path / name)
    texts = [(tmp_path / name / "test_metrics.txt").read_text() for name in ("m.onnx", "m.keras")]
    assert texts[0] == texts[1]
    keras_model(files / "short.keras", frames=7)
    expect_failure(ser(*arguments(clips, files, "short.keras")), "maps 7 frames to 2 classes, but")


def test_a_keras_file_brings_no_code(clips: Path, files: Path) -> None:
    import keras

    model = keras.Sequential(
        [
            keras.Input((fake.MAX_LEN, 2)),
            keras.layers.Lambda(lambda x: [Path("sung").write_text("la"), x][1]),
            keras.layers.Flatten(),
        ]
    )
    model.save(files / "evil.keras")
    Path("sung").unlink()  # it sings when it is built
    expect_failure(ser(*arguments(clips, files, "evil.keras")), "cannot be loaded")
    assert not Path("sung").exists()


def expect_failure(done: Result, says: str, code: int = 1) -> None:
    assert done.code == code and says in done.err and "Traceback" not in done.err, done.err
    assert "try: " in done.err


def test_other_spellings_are_understood(clips: Path, files: Path, tmp_path: Path) -> None:
    (clips / "quiet").rename(clips / "fearful")
    encoder = joblib.load(files / "e.pkl")
    encoder.classes_ = np.array(["fear", "loud"])
    joblib.dump(encoder, files / "e.pkl")
    succeed(*arguments(clips, files), "--out", tmp_path)
    assert "  fearful: 1.0000" in (tmp_path / "test_metrics.txt").read_text()


def test_the_recipe_may_fix_the_length(
    clips: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = without(arguments(clips, files), "--max-len")
    expect_failure(ser(*words), "--max-len FOLDER/max_len.npy", 2)
    fake.register(monkeypatch, fake.recipe(frames=fake.MAX_LEN))
    succeed(*words, "--out", tmp_path)
    expect_scores(tmp_path)


def test_training_clips_are_counted_where_they_are_known(
    clips: Path, files: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    learned = identity.content(clips / "loud" / "0.wav")
    fake.unseal(trained)
    (trained / "split.csv").write_text(f"split,recording\ntrain,{learned}\n", encoding="utf-8")
    artifacts.seal(trained, facts={"recipe": "fake"})
    words = [
        trained / "model.onnx" if w == files / "m.onnx" else w for w in arguments(clips, files)
    ]
    done = succeed(*words, "--out", tmp_path)
    assert "1 of 5 clips was training data of this model" in done.err
    assert "LEAKY" in done.out and "is not known" not in done.err


@pytest.mark.parametrize(
    ("option", "content", "says"),
    [
        ("--scaler", b"cos\nsystem\n", "cannot be trusted as a StandardScaler"),
        ("--label-encoder", b"cos\nsystem\n", "cannot be trusted as a LabelEncoder"),
        ("--max-len", b"cos\nsystem\n", "holds no number of frames"),
        ("--model", b"no network", "cannot be loaded"),
        ("--model", None, "no such file"),
    ],
)
def test_files_are_not_trusted(
    clips: Path, files: Path, option: str, content: bytes | None, says: str
) -> None:
    words = arguments(clips, files)
    path = words[words.index(option) + 1]
    assert isinstance(path, Path)
    path.unlink()
    if content:
        path.write_bytes(content)
    done = ser(*words)
    expect_failure(done, says)
    assert str(path) in done.err


def test_files_that_do_not_belong_together_are_refused(
    clips: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaler = joblib.load(files / "s.pkl")
    for n in (3, 200):
        scaler.mean_ = scaler.scale_ = np.ones(n)
        joblib.dump(scaler, files / "s.pkl")
        expect_failure(ser(*arguments(clips, files)), f"scales {n} values, but fake has 2")
    five = tuple(Column("x", number) for number in range(5))
    fake.register(monkeypatch, fake.recipe(scale="none", columns=five))
    scaler.mean_ = scaler.scale_ = None
    joblib.dump(scaler, files / "s.pkl")
    expect_failure(
        ser(*arguments(clips, files)), "takes 2 features per frame, but the recipe makes 5"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda words: without(words, "--scaler"), "belong together"),
        (lambda words: without(words, "--model"), "belong together"),
        (lambda words: without(words, "--data"), "--model needs --data"),
        (lambda words: [*words, "--protocol", "random70"], "--model needs --data"),
        (lambda words: [*words, "--artifacts", "x"], "--model needs --data"),
        (lambda words: [*words, "--model", "m.pth"], "is not a network that can be run here"),
    ],
)
def test_options_that_make_no_sense(clips: Path, files: Path, change: object, says: str) -> None:
    assert callable(change)
    expect_failure(ser(*change(arguments(clips, files))), says, 2)


def test_a_broken_clip_is_named(clips: Path, files: Path, tmp_path: Path) -> None:
    (clips / "loud" / "9.wav").write_bytes(b"RIFF")
    done = ser(*arguments(clips, files), "--out", tmp_path)
    assert done.code == 3 and "9.wav" in done.err
    expect_scores(tmp_path)
