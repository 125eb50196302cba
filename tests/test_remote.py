"""Files elsewhere: an S3 and a server on loopback, read in a stream, copied, and written to."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command import ser, succeed
from corpus import by_folder, by_table, read_rows, rows_of
from elsewhere import Web, s3

from ser_cli import addresses, remote
from ser_cli.data import corpora, mirror
from ser_cli.data.store import cache_dir
from ser_cli.errors import DataError, SerError, UsageError
from ser_cli.model import artifacts
from ser_cli.report.keeping import Kept
from ser_cli.report.outputs import targets
from ser_cli.report.upload import Upload
from ser_cli.sound import audio
from ser_cli.sound.files import Found, Passed, find
from ser_cli.types import Prediction

CLIPS = Path(__file__).with_name("clips")
CALM, HAPPY = CLIPS / "espeak-calm.flac", CLIPS / "espeak-happy.flac"
OUT = "s3://bucket/out/rows.csv"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3() as address:
        yield address


@pytest.fixture
def store(server: str) -> Iterator[Any]:
    """An S3 with one bucket, empty at first."""
    from fsspec import filesystem

    system = filesystem("s3", use_listings_cache=False)
    system.mkdir("bucket")
    yield system
    system.rm("bucket", recursive=True)


@pytest.fixture
def forgetful(store: Any) -> Iterator[None]:
    """An S3 whose library asks for credentials and address anew."""
    store.clear_instance_cache()
    yield
    store.clear_instance_cache()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.stop()


def fill(store: Any, folder: Path, place: str) -> None:
    store.put(f"{folder}/", f"bucket/{place}", recursive=True)


def rows(text: str) -> list[dict[str, str]]:
    """Return rows without the folders of their files."""
    return [{**row, "file": Path(row["file"]).name} for row in rows_of(text)]


def names(found: Iterator[Found]) -> list[str]:
    return [one.error or one.file for one in found]


def noise(path: Path, seconds: float) -> Path:
    samples = np.random.default_rng(1).normal(0, 0.1, round(seconds * 16_000))
    soundfile.write(path, samples, 16_000, "PCM_16")
    return path


def test_a_bucket_is_input_and_output_of_one_run(store: Any, tmp_path: Path) -> None:
    fill(store, CLIPS, "calls")
    succeed("predict", CLIPS, "--csv", tmp_path / "here.csv")
    done = succeed("predict", "s3://bucket/calls/", "--csv", OUT, "--jobs", "2")
    assert f"4 rows written: {OUT}" in done.err
    sent = store.cat_file("bucket/out/rows.csv").decode()
    assert [row["file"] for row in rows_of(sent)] == names(find(["s3://bucket/calls"]))
    assert rows(sent) == rows((tmp_path / "here.csv").read_text(encoding="utf-8"))
    # Nothing of the recordings is kept.
    assert not (cache_dir() / mirror.COPIES).exists()


def test_what_is_done_is_not_done_again_until_it_changes(store: Any) -> None:
    for name in ("a", "b"):
        store.put_file(str(CALM), f"bucket/calls/{name}.flac")
    succeed("predict", "s3://bucket/calls/", "--csv", OUT)
    first = store.info("bucket/out/rows.csv")
    assert "2 of 2 files were done" in succeed("predict", "s3://bucket/calls/", "--csv", OUT).err
    assert store.info("bucket/out/rows.csv")["LastModified"] == first["LastModified"]
    store.put_file(str(HAPPY), "bucket/calls/a.flac")
    assert "1 of 2 files was done" in succeed("predict", "s3://bucket/calls/", "--csv", OUT).err
    a, b = rows_of(store.cat_file("bucket/out/rows.csv").decode())
    assert a["end"] != b["end"]
    refused = ser("predict", "s3://bucket/calls/a.flac", "--csv", OUT)
    assert "there are rows of s3://bucket/calls/b.flac" in refused.err


def test_what_another_wrote_is_not_overwritten(store: Any) -> None:
    store.put_file(str(CALM), "bucket/calls/a.flac")
    store.pipe("bucket/out/rows.csv", b"precious")
    for text in (b"precious", b"edited"):
        store.pipe("bucket/out/rows.csv", text)
        refused = ser("predict", "s3://bucket/calls/", "--csv", OUT)
        assert refused.code == 2 and OUT in refused.err and "--force" in refused.err
        assert store.cat_file("bucket/out/rows.csv") == text
        succeed("predict", "s3://bucket/calls/", "--csv", OUT, "--force")
        assert store.cat_file("bucket/out/rows.csv").startswith(b"file,start")
    store.rm("bucket/out/rows.csv")  # as whoever wants to begin anew does
    assert "done before" not in succeed("predict", "s3://bucket/calls/", "--csv", OUT).err
    assert store.exists("bucket/out/rows.csv")


def label(kept: Kept, files: list[Found], stop: int) -> None:
    """Predict some recordings, and be interrupted."""
    kept.plan(files)
    for number, found in enumerate(files):
        if number == stop:
            raise KeyboardInterrupt
        made = None
        if not kept.skip(found):
            shares = np.array([0.5, 0.5], "f4")
            made = [Prediction(found.file, 0.0, 1.0, "sad", 0.5, shares)]
        kept.take(found, made)


def test_an_interrupted_run_sends_what_it_has_and_goes_on(store: Any) -> None:
    files = [Found(f"s3://bucket/{name}.wav", version=name) for name in "abc"]
    wanted = targets(mirror.outgoing(OUT), ())
    with pytest.raises(KeyboardInterrupt), Kept(wanted, ("calm", "sad"), {"model": "x"}) as kept:
        label(kept, files, stop=2)
    assert len(rows_of(store.cat_file("bucket/out/rows.csv").decode())) == 2
    with Kept(wanted, ("calm", "sad"), {"model": "x"}) as kept:
        label(kept, files, stop=9)
        assert kept.done == 2
    assert len(rows_of(store.cat_file("bucket/out/rows.csv").decode())) == 3


def test_what_a_killed_run_sent_is_known(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = mirror.outgoing(OUT)
    path.parent.mkdir(parents=True)
    path.write_text("rows", encoding="utf-8")

    def killed(path: Path, url: str) -> str:
        put(path, url)
        raise KeyboardInterrupt

    put = remote.put
    monkeypatch.setattr(remote, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        Upload(path).send()
    monkeypatch.setattr(remote, "put", put)
    assert store.cat_file("bucket/out/rows.csv") == b"rows"
    Upload(path).claim(force=False)
    store.pipe("bucket/out/rows.csv", b"another's")
    with pytest.raises(UsageError, match="by another"):
        Upload(path).claim(force=False)


def test_two_machines_do_not_overwrite_each_other(store: Any) -> None:
    path = mirror.outgoing(OUT)
    path.parent.mkdir(parents=True)
    path.write_text("rows", encoding="utf-8")
    sent = Upload(path)
    store.pipe("bucket/out/rows.csv", b"another's")
    with pytest.raises(UsageError, match="meanwhile"):
        sent.send()
    assert store.cat_file("bucket/out/rows.csv") == b"another's"


def test_a_result_that_cannot_be_sent_is_kept(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_file(str(CALM), "bucket/calls/a.flac")

    def refuse(*_: Any) -> str:
        with addresses.telling(OUT):
            raise PermissionError("Access Denied")
        raise AssertionError

    put = remote.put
    monkeypatch.setattr(remote, "put", refuse)
    failed = ser("predict", "s3://bucket/calls/", "--csv", OUT)
    assert failed.code == 1 and "access is denied (Access Denied)" in failed.err
    assert not store.exists("bucket/out/rows.csv")
    monkeypatch.setattr(remote, "put", put)
    assert "1 of 1 file was done" in succeed("predict", "s3://bucket/calls/", "--csv", OUT).err
    assert store.exists("bucket/out/rows.csv")


def test_an_output_of_one_recording_is_sent_beside_one_that_stays(
    store: Any, tmp_path: Path
) -> None:
    here = tmp_path / "rows.csv"
    words = ["predict", CALM, "--window", "1", "--csv", here, "--out", "s3://bucket/calm.srt"]
    for _ in range(2):
        succeed(*words)
        assert len(rows_of(here.read_text(encoding="utf-8"))) > 2
        assert store.cat_file("bucket/calm.srt").startswith(b"1\n00:00:00,000 --> ")


def test_what_is_sound_in_a_bucket_is_found_as_in_a_folder(store: Any) -> None:
    for name in ("b/z.flac", "b/a.flac", "c.flac", "none", "[1].flac", ".hidden.flac"):
        store.put_file(str(CALM), f"bucket/calls/{name}")
    for name in ("notes.txt", "data.bin", "empty"):
        store.pipe(f"bucket/calls/{name}", b"" if name == "empty" else b"no sound" * 99)
    store.pipe("bucket/calls/b/", b"")  # as consoles mark folders
    start = "s3://bucket/calls/"
    passed = Passed()
    found = [f"{start}{name}" for name in ("[1].flac", "c.flac", "none", "b/a.flac", "b/z.flac")]
    assert names(find([start], passed)) == found
    assert passed == {".txt": 1, ".bin": 1, "": 1}
    assert names(find([f"{start}*.flac"])) == found[:2]
    assert names(find([f"{start}**/*.flac"])) == [found[0], *found[3:], found[1]]
    assert names(find([f"{start}[1].flac"])) == found[:1]
    assert names(find([f"{start}x*"])) == ["no audio file matches this"]
    assert names(find(["s3://bucket/calls"])) == found and all(
        one.version and one.root == "s3://bucket/calls" for one in find([start])
    )


def test_a_folder_without_a_name_is_looked_into(store: Any) -> None:
    """Scripts that join names with a slash too many make them: calls//b.flac."""
    for name in ("a.flac", "/b.flac", "/.c.flac", "d//e/f.flac"):
        store.put_file(str(CALM), f"bucket/calls/{name}")
    found = [f"s3://bucket/calls/{name}" for name in ("a.flac", "/b.flac", "d//e/f.flac")]
    assert sorted(names(find(["s3://bucket/calls/"]))) == sorted(found)
    (_, row, _) = rows(succeed("predict", "s3://bucket/calls").out)
    assert row["status"] == "ok"
    with pytest.raises(DataError, match="no file here can have this name"):
        mirror.local("s3://bucket/calls")


def test_a_folder_and_a_table_are_corpora(store: Any, tmp_path: Path) -> None:
    table = by_table(tmp_path / "table")
    fill(store, table.parent, "table")
    done = succeed("extract", "--data", "s3://bucket/table/clips.csv", "--json", "--jobs", "1")
    assert json.loads(done.out)["clips"] == 48 and json.loads(done.out)["failed"] == []
    own, away = (corpora.load(name) for name in (str(table), "s3://bucket/table/clips.csv"))
    known = [(c.path.name, c.emotion, c.speaker, c.corpus) for c in own]
    assert known == [(c.path.name, c.emotion, c.speaker, c.corpus) for c in away]

    fill(store, by_folder(tmp_path / "calls"), "calls")
    clips = corpora.load("s3://bucket/calls")
    assert len(clips) == 48 and {clip.corpus for clip in clips} == {"calls"}
    times = {clip.path: clip.path.stat().st_mtime_ns for clip in clips}
    store.put_file(str(clips[0].path), "bucket/calls/angry/01.wav")
    store.put_file(str(clips[-1].path), "bucket/calls/sad/01.wav")
    store.rm("bucket/calls/happy/12.wav")
    again = corpora.load("s3://bucket/calls")
    changed = {clip.path.name for clip in again if clip.path.stat().st_mtime_ns != times[clip.path]}
    assert len(again) == 47 and changed == {"01.wav"}
    broken = next(iter(times))
    broken.write_bytes(b"")  # such as a full disk leaves
    corpora.load("s3://bucket/calls")
    assert broken.stat().st_size


def test_a_table_elsewhere_leads_to_its_own_store(store: Any, tmp_path: Path) -> None:
    store.put_file(str(CALM), "bucket/up/a.flac")
    store.pipe("bucket/t/good.csv", b"file,emotion\n../up/a.flac,sad\ns3://bucket/up/a.flac,sad\n")
    (clip,) = corpora.load("s3://bucket/t/good.csv")
    assert clip.path.read_bytes() == CALM.read_bytes()
    store.pipe("bucket/t/bad.csv", b"file,emotion\nhttp://127.0.0.1:1/a.wav,sad\n")
    with pytest.raises(DataError, match="leads elsewhere"):
        corpora.load("s3://bucket/t/bad.csv")
    store.pipe("bucket/t/lost.csv", b"file,emotion\n../../../../etc/passwd,sad\n")
    with pytest.raises(DataError, match="1 of 1 file is not there"):
        corpora.load("s3://bucket/t/lost.csv")
    here = tmp_path / "t.csv"
    here.write_text(f"file,emotion\ns3://bucket/up/a.flac,sad\n{HAPPY},happy\n", encoding="utf-8")
    assert len(corpora.load(str(here))) == 2


def test_tables_of_recordings_are_read_in_a_stream(store: Any, tmp_path: Path) -> None:
    store.put_file(str(CALM), "bucket/calls/a.flac")
    store.pipe("bucket/t.csv", b"file,start,end\ncalls/a.flac,0,1\ncalls/a.flac,1,2\ncalls/b,0,1\n")
    done = ser("predict", "s3://bucket/t.csv", "--csv", tmp_path / "out.csv")
    assert done.code == 3
    found = read_rows(tmp_path / "out.csv")
    assert [row["file"] for row in found] == [
        *["s3://bucket/calls/a.flac"] * 2,
        "s3://bucket/calls/b",
    ]
    assert [row["status"] for row in found] == ["ok", "ok", "error"]


def test_a_model_elsewhere_is_copied(store: Any, caplog: pytest.LogCaptureFixture) -> None:
    model = artifacts.packaged() / "cnn-bilstm"
    fill(store, model, "model")
    own = succeed("predict", CALM, "--artifacts", model)
    away = succeed("predict", CALM, "--artifacts", "s3://bucket/model/")
    assert own.out == away.out
    assert "files are copied" in caplog.text and "model: s3://bucket/model\n" in away.err
    caplog.clear()
    assert succeed("predict", CALM, "--artifacts", "s3://bucket/model").out == own.out
    assert not caplog.text  # nothing is copied again


def test_files_of_a_server_are_read_in_parts(web: Web) -> None:
    web.files["/calls/a.flac"] = CALM.read_bytes()
    done = succeed("predict", f"{web.url}/calls/a.flac?token=1", CALM)
    away, own = rows(done.out)
    assert {**away, "file": ""} == {**own, "file": ""}
    lost = ser("predict", f"{web.url}/none.wav", f"{web.url}/secret.wav", CALM)
    errors = [row["error"] for row in rows_of(lost.out)]
    assert lost.code == 3 and errors[2] == ""
    assert "is not there" in errors[0] and "access is denied" in errors[1]


def test_what_does_not_answer_is_not_taken_for_absent(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "SILENCE_S", 0.2)
    web.silent.add("/hangs.wav")
    web.elsewhere["/leads.wav"] = "file:///etc/passwd"
    done = ser("predict", f"{web.url}/hangs.wav", f"{web.url}/leads.wav")
    hangs, leads = (row["error"] for row in rows_of(done.out))
    assert done.code == 3 and "does not answer" in hangs
    assert "leads to what is not followed (file:///etc/passwd)" in leads


def test_a_server_that_sends_only_the_whole(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "BLOCK", 2**14)
    long = noise(tmp_path / "long.wav", 3)
    web.files["/long.wav"] = long.read_bytes()
    web.whole.add("/long.wav")
    away = audio.load(f"{web.url}/long.wav", sample_rate=16_000)
    assert np.array_equal(away.waveform, audio.load(long, sample_rate=16_000).waveform)
    monkeypatch.setattr(remote, "MOST", 2**15)
    with pytest.raises(SerError, match="larger than"):
        audio.load(f"{web.url}/long.wav", sample_rate=16_000)


@pytest.mark.parametrize("name", ["long.wav", "long.flac"])
def test_what_breaks_in_the_middle_is_an_error_of_that_file(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(remote, "BLOCK", 2**14)
    web.files[f"/{name}"] = noise(tmp_path / name, 4).read_bytes()
    web.breaks[f"/{name}"] = 2**16
    done = ser("predict", f"{web.url}/{name}", CALM)
    broken, whole = rows_of(done.out)[-2:]
    assert done.code == 3 and (broken["status"], whole["status"]) == ("error", "ok")
    assert "cannot be read" in broken["error"] and "\n" not in broken["error"]
    assert "Traceback" not in done.err


def test_a_long_recording_needs_little_memory(web: Web, tmp_path: Path) -> None:
    web.files["/long.wav"] = noise(tmp_path / "long.wav", 1800).read_bytes()  # 58 MB
    tracemalloc.start()
    try:
        reading = audio.read(f"{web.url}/long.wav", sample_rate=16_000)
        heard = sum(map(len, reading))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert heard == 1800 * 16_000 and peak < 40e6


@pytest.mark.parametrize(
    ("words", "says", "tries"),
    [
        (["predict", "s3://none/a.wav"], "there is no bucket 'none'", "check its name"),
        (["predict", "s3://bucket/a.wav", "--csv", "s3://none/o.csv"], "no bucket 'none'", "check"),
        (
            ["predict", "gs://bucket/a.wav"],
            "not installed (gcsfs)",
            '"speech-emotion[cluster]" gcsfs',
        ),
        (["predict", "hf://datasets/a/b.wav"], "(huggingface_hub)", '[cluster]" huggingface_hub'),
        (["predict", "memory://a.wav"], "not followed", "one of s3://"),
        (["predict", "zip://a.wav::s3://bucket/a.zip"], "not followed", "one of s3://"),
        (["predict", "s3://bucket/a.wav::memory://b"], "not followed", "one of s3://"),
        (["predict", "simplecache::s3://bucket/a.wav"], "not followed", "one of s3://"),
        (["predict", "https://me:secret@host/a.wav"], "its login would stand", "~/.netrc"),
        (["predict", "https://secret@host/a.wav"], "its login would stand", "~/.netrc"),
        (["predict", "s3:///a.wav"], "names no host and no bucket", "s3://NAME/"),
        (["predict", "a.wav", "--csv", "https://host/o.csv"], "a server takes no files", "s3://"),
        (["predict", "a.wav", "--csv", "s3://bucket"], "names a folder", "s3://bucket/out.csv"),
        (["predict", "a.wav", "--csv", "s3://bucket/a/"], "names a folder", "bucket/a/out.csv"),
        (["predict", "a.wav", "--out", "s3://bucket/%.srt"], "written here alone", "copy that"),
        (["predict", "a.wav", "--artifacts", "s3://bucket/none"], "is not there", "check its name"),
        (
            ["train", "--artifacts", "s3://bucket/model"],
            "--artifacts names a place on this",
            "copy",
        ),
        (["extract", "--data", "s3://bucket/none"], "is not there", "check its name"),
    ],
)
def test_mistakes_are_one_line_and_the_next_step(
    store: Any, words: list[str], says: str, tries: str
) -> None:
    done = ser(*words)
    said = [line for line in done.err.splitlines() if not line.startswith("model: ")]
    assert done.code in (1, 2) and len(said) == 2, done.err
    assert says in said[0] and tries in said[1]
    assert "secret" not in done.err.replace("/secret", "")


def test_credentials_that_are_missing(forgetful: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    done = ser("predict", "s3://bucket/a.wav")
    assert done.code == 1 and "no credentials were found" in done.err
    assert "aws configure" in done.err and "Traceback" not in done.err


def test_a_store_that_is_not_there(forgetful: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    done = ser("predict", "s3://bucket/a.wav")
    assert done.code == 1 and "cannot be reached" in done.err
    done = ser("predict", "http://127.0.0.1:9/a.wav", CALM)
    assert done.code == 3 and "cannot be reached" in done.out


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    done = ser("predict", "s3://bucket/a.wav")
    assert done.code == 1 and 'pip install "speech-emotion[cluster]"\n' in done.err


def test_no_name_leads_out_of_the_cache() -> None:
    for name in ("a/../../../x", "a//x", "..", "a\\..\\x", "./x"):
        with pytest.raises(DataError, match="no file here can have this name"):
            mirror.outgoing(f"s3://bucket/{name}")
    with pytest.raises(DataError):
        mirror.outgoing("s3://../x")
    inside = mirror.outgoing("s3://bucket/50%25/a#b?c.csv")
    assert inside.is_relative_to(cache_dir())
    assert mirror.url_of(inside) == "s3://bucket/50%25/a#b?c.csv"
    assert mirror.url_of(Path("here.csv")) == ""


def test_a_file_address_is_a_path(tmp_path: Path) -> None:
    assert names(find([CALM.as_uri()])) == [str(CALM)]
    out = tmp_path / "out.csv"
    succeed("predict", CALM.as_uri(), "--csv", out.as_uri())
    assert read_rows(out)[0]["file"] == str(CALM)


def test_who_names_no_address_loads_nothing_of_it() -> None:
    code = (
        "import sys; from ser_cli.commands import predict; from ser_cli.stages import predict as s;"
        "from ser_cli.data.inputs import inputs; list(inputs(['x.wav']));"
        "print([n for n in sys.modules if n.split('.')[0] in ('fsspec', 's3fs', 'aiohttp')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
