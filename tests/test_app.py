"""`ser app`: the page without a browser, and once in a real one."""

from __future__ import annotations

import asyncio
import csv
import ctypes
import io
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import soundfile
import streamlit
from command import ser, tone
from server import PAGE, answers, free_port, within
from sounds import CODECS, encode, sine
from streamlit.testing.v1 import AppTest

import ser_cli
from ser_cli import process
from ser_cli.errors import ArtifactsError
from ser_cli.jobs.trained import PredictJob
from ser_cli.model import artifacts
from ser_cli.model.rows import as_record
from ser_cli.model.trained import Model
from ser_cli.model.windows import Plan
from ser_cli.sound.sniff import ENDINGS
from ser_cli.stages.predict import predict as predict_files
from ser_cli.types import Prediction
from ser_cli.web import limits, listening, words
from ser_cli.web import server as server_of_page
from ser_cli.web import session as stage

assert ser_cli.__file__
CLIPS = Path(__file__).with_name("clips")
HEAVY = ("tensorflow", "keras", "librosa", "sklearn", "matplotlib", "optuna", "joblib", "scipy")
LIMIT_MB = 1_000  # memory of the free hosts
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An artifacts folder of the fake network, the first that a page offers."""
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "trained")
    monkeypatch.setenv(stage.FOLDERS, str(folder))
    monkeypatch.chdir(tmp_path)
    streamlit.cache_resource.clear()
    return folder


def page() -> AppTest:
    shown = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not shown.exception
    return shown


def upload(shown: AppTest, *files: Path) -> AppTest:
    for file in files:
        shown.file_uploader[0].upload(file.name, file.read_bytes())
    shown.run()
    assert not shown.exception
    return shown


def named(path: Path) -> io.BytesIO:
    """Return a file as Streamlit hands it over: bytes with a name."""
    stream = io.BytesIO(path.read_bytes())
    stream.name = path.name
    return stream


def headlines(shown: AppTest) -> list[str]:
    return [expander.label for expander in shown.expander if " · " in expander.label]


def test_the_first_sight_tells_what_this_is(trained: Path) -> None:
    shown = page()
    (notice,) = shown.info
    for word in ("infers emotions", "Art. 50(3)", "guess", "memory", "no disk"):
        assert word in notice.value
    assert not shown.error and not shown.expander
    assert shown.selectbox[0].value == str(trained)
    assert not shown.file_uploader[0].allowed_type  # all may be tried
    for told in (f"and {len(ENDINGS) - 9} other kinds", "100 MB", "ser app --max-upload"):
        assert told in shown.caption[0].value
    assert shown.file_uploader[0].accept_multiple_files


def test_two_lines_are_the_page_of_a_host(trained: Path) -> None:
    shown = AppTest.from_string(
        "from ser_cli.web.page import main\nmain()", default_timeout=60
    ).run()
    assert not shown.exception and shown.info and shown.file_uploader
    shown.run()
    assert shown.info  # a second visit runs it again


def test_uploads_become_rows(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "no_*sound*.wav").write_text("no sound")
    files = [
        tone(tmp_path / "one.wav", 440, seed=0),
        tmp_path / "no_*sound*.wav",
        tone(tmp_path / "two.wav", 440, seed=1),
    ]
    shown = upload(page(), *files)
    assert [line.split(" ")[0] for line in headlines(shown)] == ["**loud**"] * 2
    assert [line.split(" · ")[1] for line in headlines(shown)] == [r"one\.wav", r"two\.wav"]
    (error,) = shown.error
    assert r"no\_\*sound\*\.wav: no sound that can be decoded" in error.value.replace(r"\:", ":")
    table = shown.dataframe[0].value
    assert table["file"].tolist() == [file.name for file in files]
    assert table["status"].tolist() == ["ok", "error", "ok"]
    assert len(shown.get("vega_lite_chart")) == 5  # four of the open file, one of all
    assert len(shown.get("audio")) == 1
    assert len(shown.download_button) == 1


def test_a_recording_is_one_more_row(trained: Path, tmp_path: Path) -> None:
    clip = tone(tmp_path / "said.wav", 440, seed=0)
    shown = upload(page(), tone(tmp_path / "one.wav", 440, seed=0))
    shown.audio_input[0].set_value(("said.wav", clip.read_bytes(), "audio/wav")).run()
    assert [line.split(" · ")[1] for line in headlines(shown)] == [r"one\.wav", r"said\.wav"]


def test_a_file_that_browsers_do_not_play_is_played_decoded(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.aiff"
    soundfile.write(path, sine(440, 44_100, 0.6), 44_100)
    assert len(upload(page(), path).get("audio")) == 1


def test_what_is_played() -> None:
    assert stage.played_as("a.MP3", 100, 50) == "audio/mpeg"  # small: as it is
    assert stage.played_as("a.wav", 9_000_000, 3_000_000) is None  # large: as it was decoded
    assert stage.played_as("a.mp3", 9_000_000, 20_000_000) == "audio/mpeg"  # which is larger
    assert stage.played_as("a.aiff", 100, 50) is None  # no browser plays it


def test_flags_are_told_in_words(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1_600), 16_000)
    shown = upload(page(), path)
    assert [warning.value for warning in shown.warning] == [
        stage.plain("It is shorter than half a second."),
        stage.plain("It is silent: it is given no emotion."),
    ]


def test_a_model_that_is_trained_again_is_loaded_again(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "shipped")
    shown = upload(page(), tone(tmp_path / "one.wav", 440, seed=0))
    before = shown.dataframe[0].value["confidence"][0]
    fake.folder(trained, temperature=4.0)
    shown.run()
    assert shown.dataframe[0].value["confidence"][0] < before
    fake.unseal(trained)  # a training that is under way
    shown.run()
    assert not shown.exception and "no trained model" in shown.error[0].value
    with pytest.raises(ArtifactsError, match="no finished training"):
        stage.seal(trained)


def test_uploads_are_labelled_once(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    label = Model.label

    def counted(self: Model, items: Any, plan: Plan) -> Iterator[list[Prediction]]:
        calls.append(items)
        return label(self, items, plan)

    monkeypatch.setattr(Model, "label", counted)
    shown = upload(page(), tone(tmp_path / "one.wav", 440, seed=0))
    shown.run()
    shown.run()
    assert len(calls) == 1
    upload(shown, tone(tmp_path / "two.wav", 440, seed=0))
    assert len(calls) == 2


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page of the shipped model."""
    monkeypatch.delenv(stage.FOLDERS, raising=False)
    monkeypatch.chdir(tmp_path)
    return page()


def test_options_are_those_of_the_command(shipped: AppTest, tmp_path: Path) -> None:
    clips = [Path(shutil.copy(CLIPS / f"espeak-{n}.flac", tmp_path)) for n in ("calm", "happy")]
    shown = upload(shipped, *clips)
    shown.multiselect[0].select("sad").run()
    assert "name a second one" in shown.warning[0].value
    shown.multiselect[0].select("happy").run()
    shown.slider[0].set_value(95).run()
    shown.radio[1].set_value("All recordings are of one speaker").run()
    given = ("--labels", "happy,sad", "--min-confidence", "0.95", "--same-speaker")
    names = [clip.name for clip in clips]
    assert ser("predict", *names, "--csv", "out.csv", *given).code == 0
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    table = shown.dataframe[0].value
    for column in ("emotion", "happy", "sad"):
        assert table[column].astype(str).tolist() == [row[column] for row in rows]
    assert "angry" not in table and "uncertain" in table["emotion"].tolist()
    assert any(line.startswith("uncertain, at best ") for line in headlines(shown))


def test_a_timeline_is_of_the_speaker_who_is_enrolled(shipped: AppTest, tmp_path: Path) -> None:
    (first, rate), (then, _) = (
        soundfile.read(CLIPS / f"espeak-{name}.flac") for name in ("long", "statement")
    )
    soundfile.write(tmp_path / "twice.wav", np.hstack([first, np.zeros(2 * rate), then]), rate)
    shown = upload(shipped, tmp_path / "twice.wav")
    before = shown.dataframe[0].value
    shown.radio[0].set_value(listening.TIMELINE).run()
    shown.radio[1].set_value("Here are other recordings of the one speaker of all").run()
    assert "Until there are some" in shown.info[1].value
    plain = shown.dataframe[0].value
    assert len(before) == 1 < len(plain)
    other = CLIPS / "espeak-calm.flac"
    shown.file_uploader[1].upload(other.name, other.read_bytes())
    shown.file_uploader[1].upload("no.wav", b"no sound").run()
    assert not shown.exception
    assert r"Not enrolled\: no\.wav\: no sound" in shown.warning[0].value
    given = ("--timeline", "--enrol", str(other))
    assert ser("predict", "twice.wav", "--csv", "out.csv", *given).code == 0
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    enrolled = shown.dataframe[0].value
    assert enrolled["confidence"].astype(str).tolist() == [row["confidence"] for row in rows]
    assert not enrolled.equals(plain)
    (stretches,) = shown.table
    assert stretches.value["emotion"].tolist() == enrolled["emotion"].tolist()


@pytest.mark.parametrize(("bound", "format"), [("DRAWN_S", "wav"), ("DRAWN_TOGETHER_S", "aiff")])
def test_long_recordings_are_not_drawn(
    bound: str, format: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / f"a.{format}", sine(440, 16_000, 2), 16_000)
    assert len(upload(page(), tmp_path / f"a.{format}").get("vega_lite_chart")) == 4
    monkeypatch.setattr(limits, bound, 1.9)
    shown = upload(page(), tmp_path / f"a.{format}")
    assert len(shown.get("vega_lite_chart")) == 2  # bars and pie alone
    (told,) = [one.value for one in shown.caption if "minutes, or" in one.value]
    is_played = format == "wav"  # as it is; browsers cannot play an AIFF
    assert ("not played" in told) is not is_played and len(shown.get("audio")) == is_played


def test_a_sound_without_speech_has_no_emotion(shipped: AppTest, tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(48_000)
    for name in ("noise.wav", "more.wav"):
        soundfile.write(tmp_path / name, noise, 16_000)
    shown = upload(shipped, tmp_path / "noise.wav", tmp_path / "more.wav")
    assert headlines(shown) == [rf"no speech is heard · {name}\.wav" for name in ("noise", "more")]
    assert shown.warning[0].value == stage.plain(words.FLAGS["no speech"])
    assert len(shown.get("vega_lite_chart")) == 3  # waveform, spectrum, and files per emotion


def test_uploads_stay_in_memory(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.formparsers import MultiPartParser
    from starlette.requests import Request

    on_disk = []
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", lambda _: on_disk.append(1))
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\n'
    body = head + bytes(limits.UPLOAD_MB * 2**20) + b"\r\n--x--\r\n"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def arrive() -> int:
        kind = (b"content-type", b"multipart/form-data; boundary=x")
        scope = {"type": "http", "method": "PUT", "headers": [kind]}
        async with Request(scope, receive).form() as form:
            return len(await form["f"].read())  # type: ignore[union-attr]

    monkeypatch.setattr(MultiPartParser, "spool_max_size", 2**20)  # as it comes
    asyncio.run(arrive())
    assert on_disk
    on_disk.clear()
    page()
    assert asyncio.run(arrive()) == limits.UPLOAD_MB * 2**20
    assert not on_disk


def test_memory_is_returned_where_the_system_can(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process.return_memory() is (platform.libc_ver()[0] == "glibc")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # a library without the switch
    assert process.return_memory() is False


def test_no_tensorflow_is_loaded(tmp_path: Path) -> None:
    clip = CLIPS / "espeak-happy.flac"
    code = f"""
import json, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
shown = AppTest.from_file({str(PAGE)!r}, default_timeout=60).run()
clip = Path({str(clip)!r})
shown.file_uploader[0].upload(clip.name, clip.read_bytes()).run()
heavy = [name for name in {(*HEAVY, "onnxruntime")!r} if name in sys.modules]
print(json.dumps([len(shown.expander), heavy]))
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == [2, ["onnxruntime"]]


@pytest.mark.parametrize("suffix", [*CODECS, "aiff", "empty.wav", "text.mp3", "cut.flac"])
def test_an_upload_gives_the_row_of_the_file(
    suffix: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix in CODECS:
        rate = 48_000 if CODECS[suffix] == "libopus" else 44_100
        encode(path, CODECS[suffix], rate, sine(440, 44_100, 2))
    elif suffix == "aiff":
        soundfile.write(path, sine(440, 44_100, 2), 44_100)
    else:
        path.write_text("no sound" * (suffix != "empty.wav"))
    if suffix == "cut.flac":
        soundfile.write(path, sine(440, 44_100, 2), 44_100)
        path.write_bytes(path.read_bytes()[:20_000])
    monkeypatch.chdir(path.parent)
    model = ser_cli.load(trained)
    (expected,) = predict_files(PredictJob(paths=(path.name,)), model.artifacts)
    (heard,) = listening.listen([named(path)], model, listening.Work())
    (row,) = heard.rows
    assert as_record(row, model.classes) == as_record(expected, model.classes)
    if row.status != "error":
        assert stage.draw(named(path), 16_000).seconds == pytest.approx(row.end, abs=1e-4)


def test_the_choice_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(stage.FOLDERS, raising=False)
    shipped = [f"{name}, {stage.PACKAGED}" for name in ("voice", "cnn-bilstm")]
    assert [*stage.folders()] == shipped
    assert stage.folders()[shipped[0]] == (artifacts.packaged() / "voice").resolve()
    fake.folder(tmp_path / "artifacts" / "mine")
    (tmp_path / "artifacts" / "unfinished").mkdir()
    mine = str(Path("artifacts") / "mine")
    assert [*stage.folders()] == [shipped[0], mine, shipped[1]]  # packaged first
    fake.folder(tmp_path / "artifacts" / "cnn-bilstm")
    own = str(Path("artifacts") / "cnn-bilstm")
    assert [*stage.folders()] == [own, mine, *shipped]  # as `ser predict` would choose
    named_ones = [str(fake.folder(tmp_path / name)) for name in ("x", "y")]
    monkeypatch.setenv(stage.FOLDERS, os.pathsep.join([*named_ones, "nowhere"]))
    assert [*stage.folders()][:2] == named_ones and {*shipped} < {*stage.folders()}


@pytest.mark.parametrize(
    "name", ["a_*b*.wav", "[x](http://y)", "<b>", ":red[a] $x$", "`a`", "ä.wav", "中文 (ü).wav"]
)
def test_names_are_shown_as_they_are(name: str) -> None:
    shown = stage.plain(name)
    assert shown.replace("\\", "") == name
    # Markdown takes a backslash away before ASCII punctuation, and shows it before all else.
    for place, sign in enumerate(shown):
        assert (sign in "_*[]()<>`$:./") == (place > 0 and shown[place - 1] == "\\") or sign == "\\"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `ser app` hands to the server."""
    given: list[Any] = []
    monkeypatch.setattr(
        server_of_page, "serve", lambda *words, **more: given.extend([*words, more])
    )
    return given


def test_the_page_is_for_this_machine_alone(
    served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(stage.FOLDERS, raising=False)
    port = free_port()
    done = ser("app", "--port", port, "--allow-host", "a.example", "--allow-host", "b.example")
    assert (done.code, done.out) == (0, ""), done.err
    address = f"http://127.0.0.1:{port}"
    assert f"page: {address} " in done.err
    more = {"allowed": ("a.example", "b.example"), "frames": ()}
    assert served == ["127.0.0.1", port, address, more]
    assert ser("app", "--port", free_port(), "--allow-frame", "https://a.example").code == 0
    assert served[-1] == {"allowed": (), "frames": ("https://a.example",)}


def test_the_size_of_uploads_is_an_option(
    served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UPLOAD_MB", "VISITOR_MB", "SERVER_MB", "WORK_S"):
        monkeypatch.setattr(limits, name, getattr(limits, name))
    assert ser("app", "--port", free_port(), "--max-upload", 300).code == 0 and served
    assert server_of_page.settings("", 1)["server.maxUploadSize"] == limits.UPLOAD_MB == 300
    done = ser("app", "--port", free_port(), "--max-upload", 0)
    assert done.code == 2 and "--max-upload" in done.err


@pytest.mark.parametrize(
    ("flag", "wrong"),
    [
        ("--allow-frame", "a.example"),
        ("--allow-frame", "https://a.example/x"),
        ("--allow-frame", "https://a.example; script-src *"),
        ("--allow-host", "https://a.example"),
        ("--allow-host", "a.example:443"),
        ("--allow-host", "*"),
    ],
)
def test_names_of_another_form_are_told(flag: str, wrong: str, served: list[Any]) -> None:
    done = ser("app", "--port", free_port(), flag, wrong)
    assert done.code == 2 and f"try: {flag} " in done.err and not served


def test_streamlit_knows_every_option() -> None:
    from streamlit import config

    options = server_of_page.settings("127.0.0.1", 8501)
    assert all(name in config.get_config_options() for name in options)
    assert options["server.address"] == "127.0.0.1" and options["server.port"] == 8501
    assert options["server.maxUploadSize"] == limits.UPLOAD_MB


def test_the_folders_named_are_offered(
    served: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(stage.FOLDERS, "")
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "mine")
    assert ser("app", "--port", free_port(), "--artifacts", folder).code == 0
    assert os.environ[stage.FOLDERS] == str(folder.resolve())
    done = ser("app", "--port", free_port(), "--artifacts", tmp_path / "nowhere")
    assert done.code == 1 and "no such artifacts folder" in done.err


def test_without_streamlit_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "streamlit" else find(name)
    )
    done = ser("app")
    assert done.code == 1 and "Traceback" not in done.err
    assert "needs Streamlit" in done.err and 'pip install "speech-emotion[app]"' in done.err


def test_a_port_that_is_taken_is_no_traceback(served: list[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = ser("app", "--port", port)
    assert done.code == 1 and not served
    assert f"cannot listen on 127.0.0.1:{port}" in done.err
    assert f"--port {port + 1}" in done.err


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Address and process of `ser app`."""
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "STREAMLIT_SERVER_HEADLESS": "true",
    }
    run = subprocess.Popen(
        [sys.executable, "-m", "ser_cli", "app", "--port", str(port)], env=environment, cwd=tmp_path
    )
    address = f"http://127.0.0.1:{port}"
    try:
        within(60, lambda: run.poll() is None and answers(f"{address}/_stcore/health"))
        yield address, run.pid
    finally:
        run.terminate()
        assert run.wait(timeout=20) == 0


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A real Chromium that saves downloads into tmp_path / "saved"."""
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    saved = {"download.default_directory": str(tmp_path / "saved")}
    options.add_experimental_option("prefs", saved)
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield started
    finally:
        started.quit()


@pytest.fixture
def three_clips(tmp_path: Path, request: pytest.FixtureRequest) -> list[Path]:
    """Three recordings, real ones where the corpus is there, in a folder of their own."""
    try:
        found = sorted(request.getfixturevalue("ravdess").rglob("03-0*-01-2[24].*"))
        chosen = [found[0], found[len(found) // 2], found[-1]]
    except pytest.skip.Exception:
        chosen = sorted(CLIPS.glob("*.flac"))[:3]
    folder = tmp_path / "clips"
    folder.mkdir()
    return [Path(shutil.copy(clip, folder)) for clip in chosen]


def resident_mb(process: int) -> float:
    """Return the most memory a process has had so far, or 0 where nobody tells."""
    status = Path(f"/proc/{process}/status")
    if not status.is_file():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def headlines_in(browser: Any) -> list[str]:
    every = "[...document.querySelectorAll('[data-testid=stExpander] summary')]"
    lines = browser.execute_script(f"return {every}.map(line => line.innerText)")
    return [line for line in lines if " · " in line]


def test_a_long_recording_is_a_timeline(
    server: tuple[str, int], browser: Any, tmp_path: Path
) -> None:
    wave, rate = soundfile.read(CLIPS / "espeak-long.flac", dtype="float32")
    pause = np.zeros(2 * rate, np.float32)
    soundfile.write(tmp_path / "talk.flac", np.concatenate([wave, pause] * 5), rate)
    browser.get(server[0])

    def see(css: str) -> list[Any]:
        return list(browser.find_elements("css selector", css))

    within(60, lambda: see("input[type=file]"))[0].send_keys(str(tmp_path / "talk.flac"))
    headline = "timeline of 1:10 · talk.flac"  # after the name of an icon
    within(120, lambda: [line.endswith(headline) for line in headlines_in(browser)] == [True])
    within(60, lambda: see("[data-testid=stTable] tbody tr"))
    every = "[...document.querySelectorAll('[data-testid=stVegaLiteChart] svg text')]"
    names = f"return {every}.map(text => text.textContent)"
    within(60, lambda: {"no speech", "time (min:s)"} <= {*browser.execute_script(names)})
    within(60, lambda: see("[data-testid=stDownloadButton] button"))[0].click()
    saved = within(60, lambda: [*(tmp_path / "saved").glob("*.csv")])[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert ser("predict", "talk.flac", "--timeline", "--csv", "out.csv").code == 0
    assert saved.read_bytes() == (tmp_path / "out.csv").read_bytes()
    stretches = see("[data-testid=stTable] tbody tr")
    assert len(stretches) == len(saved.read_text(encoding="utf-8").splitlines()) - 1
    assert [line["message"] for line in browser.get_log("browser")] == []


def test_a_visit(
    server: tuple[str, int], browser: Any, three_clips: list[Path], tmp_path: Path
) -> None:
    from selenium.common.exceptions import StaleElementReferenceException

    address, process = server
    broken = three_clips[0].with_name("broken.wav")
    broken.write_text("no sound at all")
    files = [three_clips[0], broken, *three_clips[1:]]
    browser.get(address)

    def see(css: str, *, at_least: int = 1) -> list[Any]:
        found = browser.find_elements("css selector", css)
        return found if len(found) >= at_least else []

    # Between two questions the page may put new elements in place: all is asked at once, and what
    # is gone when it is to be pressed is looked for again.
    def said() -> list[str]:
        return headlines_in(browser)

    def press(css: str) -> None:
        def pressed() -> bool:
            try:
                see(css)[0].click()
            except (IndexError, StaleElementReferenceException):
                return False
            return True

        within(60, pressed)

    def send(*paths: Path) -> None:
        within(60, lambda: see("input[type=file]"))[0].send_keys("\n".join(map(str, paths)))

    send(*files)
    download = "[data-testid=stDownloadButton] button"
    within(60, lambda: see(download))
    assert [line.split(" · ")[1] for line in said()] == [clip.name for clip in three_clips]
    assert "broken.wav: no sound" in see("[data-testid=stAlertContentError]")[0].text
    within(60, lambda: see("[data-testid=stVegaLiteChart] svg", at_least=5))
    assert see("audio")
    # The spectrum is there as a picture, as wide as its axes.
    within(60, lambda: see("[data-testid=stVegaLiteChart] svg image"))

    press(download)
    saved = within(60, lambda: [*(tmp_path / "saved").glob("*.csv")])[0]
    expected = tmp_path / "out.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(broken.parent)
        assert ser("predict", *(file.name for file in files), "--csv", expected).code == 3
    assert len([*csv.reader(expected.open(encoding="utf-8"))]) == 5
    assert saved.read_bytes() == expected.read_bytes()

    # All of one speaker: each is heard against the others.
    before = said()
    press("[data-testid=stExpander] summary")  # the options
    speakers = "[...document.querySelectorAll('[data-testid=stRadio] label')]"
    choose = f"{speakers}.find(line => line.innerText.trim() == arguments[0]).click()"
    within(60, lambda: see("[data-testid=stRadio] label"))
    browser.execute_script(choose, "All recordings are of one speaker")
    within(60, lambda: len(before) == len(now := said()) and now != before)
    browser.execute_script(choose, "Not known")
    within(60, lambda: said() == before)

    # A phone: nothing is wider than the screen.
    size = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    main = "document.querySelector('[data-testid=stMain]')"
    within(20, lambda: browser.execute_script(f"return {main}.clientWidth") <= 400)
    assert browser.execute_script(f"return {main}.scrollWidth") <= 400

    # The page asks no other machine for anything.
    asked = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert all(name.startswith((address, "data:")) for name in browser.execute_script(asked))

    more = [Path(shutil.copy(three_clips[0], broken.with_name(f"{n}.flac"))) for n in range(7)]
    send(*more)
    within(60, lambda: len(said()) >= 10)  # a driver may send what was sent before once more
    for place in range(2, len(said()) + 1):  # behind the options
        line = f"document.querySelectorAll('[data-testid=stExpander] summary')[{place}]"
        browser.execute_script(f"{line}.click()")
        time.sleep(0.5)
    within(60, lambda: see("audio", at_least=10))
    used = resident_mb(process)
    print(f"most memory of the server with ten uploads, all open: {used:.0f} MB")
    assert used < LIMIT_MB
