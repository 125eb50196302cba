"""`ser download-ravdess` from end to end, with a small corpus in RAVDESS's manner."""

from __future__ import annotations

import hashlib
import shutil
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import ser, succeed
from corpus import write_index

from ser_cli.data import corpora, locks
from ser_cli.data.corpora import ravdess as corpus
from ser_cli.data.store import cache_dir, remembered
from ser_cli.data.verification import Archive, Source, verify
from ser_cli.errors import DataError, FetchError, SerError, UsageError
from ser_cli.jobs.clips import DownloadJob, DownloadUsualJob
from ser_cli.stages.download import DownloadResult, download
from ser_cli.types import Progress

SPEECH = ("03-01-01-01-01-01-01", "03-01-06-02-02-01-01", "03-01-03-01-01-02-02")
SONG = ("03-02-04-01-01-01-01", "03-02-05-02-02-02-02")
ZIPS = {channel: archive.name for channel, archive in corpus.SOURCE.archives.items()}


def download_ravdess(
    dest: Path | None = None,
    *,
    subset: str = "all",
    source: str | None = None,
    progress: Progress | None = None,
) -> DownloadResult:
    return download(DownloadUsualJob(dest=dest, subset=subset, source=source), progress=progress)


def change_source(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Let the corpus come from elsewhere, or be verified by another index."""
    source = replace(corpus.CORPUS.source, **changes)  # type: ignore[type-var]
    monkeypatch.setattr(corpus, "CORPUS", replace(corpus.CORPUS, source=source))


def sine(path: Path, hertz: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 9000 * np.sin(2 * np.pi * hertz * np.arange(2400) / 48_000)
    soundfile.write(path, wave.astype(np.int16), 48_000, subtype="PCM_16")


def pack(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in corpus.SOURCE.paths(folder).values():
            zipped.write(path, path.relative_to(folder))
    return archive


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of five clips, which is the whole corpus as far as the index knows."""
    folder = tmp_path / "clips"
    for number, name in enumerate(SPEECH + SONG):
        channel = "speech" if name in SPEECH else "song"
        sine(folder / channel / f"Actor_{name[-2:]}" / f"{name}.wav", 200 + number)
    change_source(monkeypatch, index=write_index(folder, tmp_path / "index.csv"))
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)
    return folder


@pytest.fixture
def zips(clips: Path, tmp_path: Path) -> Path:
    """A folder of the two archives."""
    folder = tmp_path / "zips"
    folder.mkdir()
    for channel, name in ZIPS.items():
        pack(clips / channel, folder / name)
    return folder


class Site:
    """A folder served over HTTP, and the paths that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        site = self

        class Handler(SimpleHTTPRequestHandler):
            def log_request(self, *args: object) -> None:
                site.asked.append(self.path)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site(zips: Path) -> Iterator[Site]:
    site = Site(zips)
    thread = threading.Thread(target=site.server.serve_forever, args=(0.01,))
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


@pytest.fixture
def zenodo(site: Site, zips: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site takes the publisher's place, sizes and checksums included."""
    published = {}
    for channel, name in ZIPS.items():
        content = (zips / name).read_bytes()
        md5 = hashlib.md5(content).hexdigest()
        published[channel] = Archive(name, f"{site.url}/{name}", len(content), md5)
    change_source(monkeypatch, archives=published)
    return site


def whole() -> Source:
    """The made-up corpus's source."""
    assert corpus.CORPUS.source
    return corpus.CORPUS.source


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_everything_comes_once_and_is_remembered(
    zenodo: Site, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = []
    result = download_ravdess(progress=lambda done, total, note, unit="": notes.append(note))
    assert (result.ok, result.skipped) == (5, False)
    assert result.folder == (cache_dir() / "ravdess").resolve()
    assert files(result.folder) == files(clips)
    assert "CC BY-NC-SA" in result.licence and "Livingstone" in result.citation
    assert len(corpora.load("ravdess")) == 5
    assert list(dict.fromkeys(notes)) == [
        f"fetching {ZIPS['song']}",
        f"unpacking {ZIPS['song']}",
        "verifying",
        f"fetching {ZIPS['speech']}",
        f"unpacking {ZIPS['speech']}",
    ]

    zenodo.asked.clear()
    read: list[Path] = []
    monkeypatch.setattr(Source, "digest", lambda source, path: read.append(path))
    again = download_ravdess()
    assert read == []
    assert (again.folder, again.ok, again.skipped) == (result.folder, 5, True)
    (result.folder / ".download").mkdir()  # of a process that was killed at its very end
    assert download_ravdess().skipped and not (result.folder / ".download").exists()
    assert zenodo.asked == []


def test_a_second_download_is_refused(zips: Path, tmp_path: Path) -> None:
    dest = tmp_path / "here"
    with locks.held(dest, hint=""), pytest.raises(locks.BusyError, match="in use by process"):
        download_ravdess(dest, source=str(zips))
    assert not dest.exists()
    assert download_ravdess(dest, source=str(zips)).ok == 5
    with locks.held(dest, hint=""):  # where all is there, nothing is written
        assert download_ravdess(dest).skipped


def test_any_corpus_that_has_a_source_is_fetched_by_its_name(zenodo: Site, tmp_path: Path) -> None:
    job = DownloadJob(corpus="ravdess", dest=tmp_path / "here", subset="song")
    assert download(job).ok == 2 and remembered("ravdess") == str(tmp_path / "here")
    done = succeed("download", "ravdess", "--dest", tmp_path / "here")
    assert done.out == f"5 clips verified; ravdess is ready: {tmp_path / 'here'}\n"
    assert "licence: CC BY-NC-SA" in done.err and "cite: Livingstone" in done.err
    assert "was there already" in succeed("download-ravdess", "--dest", tmp_path / "here").out
    zenodo.asked.clear()
    for job, says in (
        (DownloadJob(corpus="table"), "table cannot be fetched"),
        (DownloadJob(corpus="ravdess", subset="video"), "ravdess has no part 'video'"),
    ):
        with pytest.raises(UsageError, match=says) as raised:
            download(job)
        assert raised.value.hint
    assert "One of: ased, nemo, ravdess." in succeed("download", "--help").out
    done = ser("download", "savee")
    assert done.code == 2 and "savee cannot be fetched" in done.err and "Haq S" in done.err
    assert zenodo.asked == []


def test_a_subset_comes_alone_and_the_rest_later(zenodo: Site, tmp_path: Path) -> None:
    dest = tmp_path / "here"
    assert download_ravdess(dest, subset="song").ok == 2
    assert zenodo.asked == [f"/{ZIPS['song']}"]
    assert download_ravdess(dest).ok == 5
    assert zenodo.asked == [f"/{ZIPS['song']}", f"/{ZIPS['speech']}"]


def test_only_what_was_lost_or_changed_is_put_back(
    zenodo: Site, clips: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "flat"
    download_ravdess(dest, source=str(clips))
    lost = dest / "speech" / "Actor_01" / f"{SPEECH[0]}.wav"
    changed = dest / "speech" / "Actor_02" / f"{SPEECH[2]}.wav"
    lost.unlink()
    sine(changed, 999)
    kept = dest / "speech" / "Actor_01" / f"{SPEECH[1]}.wav"
    before = kept.stat()
    mine = dest / "speech" / "notes.txt"
    mine.write_text("mine")

    assert download_ravdess(dest).skipped is False
    assert zenodo.asked == [f"/{ZIPS['speech']}"]
    assert lost.is_file() and verify(whole(), dest).ok == 5
    assert kept.stat().st_mtime_ns == before.st_mtime_ns
    assert mine.read_text() == "mine"


def test_a_wrong_clip_is_replaced_whatever_its_format(clips: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    wrong = dest / "anywhere" / f"{SONG[0]}.flac"
    sine(wrong, 999)
    download_ravdess(dest, source=str(clips))
    assert not wrong.exists()
    assert wrong.with_suffix(".wav").is_file()


def test_a_mirror_may_pack_otherwise(site: Site, zips: Path, clips: Path, tmp_path: Path) -> None:
    for path in corpus.SOURCE.paths(clips / "song").values():
        soundfile.write(path.with_suffix(".flac"), *soundfile.read(path, dtype="int16"))
        path.unlink()
    pack(clips, zips / ZIPS["song"])
    result = download_ravdess(tmp_path / "dest", source=f"{site.url}/")
    assert result.ok == 5
    assert files(result.folder / "song")[0] == f"Actor_01/{SONG[0]}.flac"


def test_an_archive_is_taken_from_its_address(site: Site, tmp_path: Path) -> None:
    source = f"{site.url}/{ZIPS['speech']}?download=1"
    assert download_ravdess(tmp_path / "dest", subset="speech", source=source).ok == 3
    assert files(tmp_path / "dest")[0].startswith("speech/Actor_01/")


def test_a_local_archive_is_used_and_kept(zips: Path, tmp_path: Path) -> None:
    source = zips / ZIPS["song"]
    assert download_ravdess(tmp_path / "dest", subset="song", source=str(source)).ok == 2
    assert source.is_file()


def test_a_folder_of_archives_is_used_and_kept(zips: Path) -> None:
    (zips / ZIPS["song"]).rename(zips / ZIPS["song"].replace(".zip", " (1).zip"))
    before = files(zips)
    result = download_ravdess(source=str(zips))
    assert (result.ok, result.folder) == (5, (cache_dir() / "ravdess").resolve())
    assert files(zips) == before


def test_archives_may_lie_where_the_clips_shall(zips: Path) -> None:
    assert download_ravdess(zips, source=str(zips)).ok == 5
    assert len(corpus.SOURCE.paths(zips)) == 5


def test_a_folder_of_clips_is_used_in_place(clips: Path) -> None:
    before = files(clips)
    result = download_ravdess(source=str(clips))
    assert (result.folder, result.ok, result.skipped) == (clips, 5, True)
    assert files(clips) == before
    assert remembered("ravdess") == str(clips)
    assert download_ravdess().folder == clips


def test_a_folder_of_clips_is_copied_where_asked(clips: Path, tmp_path: Path) -> None:
    result = download_ravdess(tmp_path / "dest", source=str(clips))
    assert (result.folder, result.skipped) == (tmp_path / "dest", False)
    assert files(result.folder) == files(clips)


def test_an_incomplete_copy_is_not_filled_up_in_place(zenodo: Site, clips: Path) -> None:
    download_ravdess(source=str(clips))
    (clips / "song" / "Actor_01" / f"{SONG[0]}.wav").unlink()
    with pytest.raises(DataError, match=f"1 clip missing \\({SONG[0]}\\)") as raised:
        download_ravdess(source=str(clips))
    assert "without --from" in raised.value.hint
    assert "--subset speech" in raised.value.hint
    before = files(clips)
    assert download_ravdess().folder == (cache_dir() / "ravdess").resolve()
    assert files(clips) == before


def test_wrong_and_missing_clips_are_named_and_not_taken(clips: Path, tmp_path: Path) -> None:
    sine(clips / "speech" / "Actor_01" / f"{SPEECH[0]}.wav", 999)
    shutil.rmtree(clips / "song")
    dest = tmp_path / "dest"
    with pytest.raises(DataError) as raised:
        download_ravdess(dest, source=str(clips))
    said = f"2 clips missing ({', '.join(SONG)}) and 1 clip wrong ({SPEECH[0]})"
    assert said in str(raised.value)
    assert raised.value.exit_code == 1
    assert not list(dest.rglob(f"{SPEECH[0]}.*"))
    assert remembered("ravdess") is None


def test_many_names_are_cut_short(clips: Path, tmp_path: Path) -> None:
    for path in corpus.SOURCE.paths(clips).values():
        if path.stem != SONG[1]:
            path.unlink()
    with pytest.raises(DataError, match=r"4 clips missing \(03-.*, \.\.\.\)"):
        download_ravdess(source=str(clips))


def test_the_users_own_variable_is_the_default(
    zenodo: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_RAVDESS_DIR", str(tmp_path / "own"))
    assert download_ravdess().folder == tmp_path / "own"
    assert len(corpora.load("ravdess")) == 5


def test_the_publishers_archive_must_be_the_published(
    zenodo: Site, zips: Path, tmp_path: Path
) -> None:
    content = bytearray((zips / ZIPS["song"]).read_bytes())
    content[50] ^= 0xFF
    (zips / ZIPS["song"]).write_bytes(bytes(content))
    with pytest.raises(FetchError, match="MD5 differs"):
        download_ravdess(tmp_path / "dest", subset="song")
    assert zenodo.asked == [f"/{ZIPS['song']}"] * 2
    assert files(tmp_path / "dest") == []


@pytest.mark.parametrize("bad", ["unsafe", "no zip"])
def test_a_bad_archive_leaves_nothing(site: Site, zips: Path, tmp_path: Path, bad: str) -> None:
    if bad == "unsafe":
        with zipfile.ZipFile(zips / ZIPS["song"], "a") as zipped:
            zipped.writestr("../../../out.wav", b"x")
    else:
        (zips / ZIPS["song"]).write_text("<html>sign in first</html>")
    with pytest.raises(FetchError):
        download_ravdess(tmp_path / "dest", subset="song", source=site.url)
    assert files(tmp_path / "dest") == []
    assert not list(tmp_path.rglob("out.wav"))


@pytest.mark.parametrize("phase", ["fetching", "unpacking", "verifying"])
def test_an_interrupted_run_is_finished_by_the_next(
    zenodo: Site, tmp_path: Path, phase: str
) -> None:
    def stop(done: int, total: int, note: str, unit: str = "") -> None:
        if note.startswith(phase):
            raise KeyboardInterrupt

    dest = tmp_path / "dest"
    with pytest.raises(KeyboardInterrupt):
        download_ravdess(dest, subset="speech", progress=stop)
    work = dest / ".download"
    left = ".zip.part" if phase == "fetching" else ".zip"
    assert [path.name for path in work.iterdir() if path.name.endswith(left)]
    assert corpus.SOURCE.paths(dest) == {}

    zenodo.asked.clear()
    assert download_ravdess(dest, subset="speech").ok == 3
    assert not work.exists()
    # What was whole already is not asked for again; this archive fits into one piece.
    assert zenodo.asked == []


@pytest.mark.parametrize("kind", ["absent", "empty folder"])
def test_a_source_that_holds_nothing_is_told(clips: Path, tmp_path: Path, kind: str) -> None:
    source = tmp_path / kind
    if kind != "absent":
        source.mkdir()
    with pytest.raises(DataError, match="neither an archive nor a folder") as raised:
        download_ravdess(tmp_path / "dest", source=str(source))
    assert ZIPS["speech"] in raised.value.hint


def test_a_place_that_cannot_be_written_is_told(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SerError, match="file is a file, and no folder") as raised:
        download_ravdess(tmp_path / "file" / "dest", source=str(clips))
    assert "another folder" in raised.value.hint


def test_real_clips_as_published_pass_the_committed_index(
    ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)
    paths = list(corpus.SOURCE.paths(ravdess).items())[::600]
    wav = tmp_path / "wav" / "Actor_xx"
    wav.mkdir(parents=True)
    for name, path in paths:
        samples, rate = soundfile.read(path, dtype="int16")
        soundfile.write(wav / f"{name}.wav", samples, rate, subtype="PCM_16")
    rows = [f"{name},{whole().digests()[name]}\n" for name, _ in paths]
    (tmp_path / "index.csv").write_text("".join(["name,sha256\n", *rows]))
    change_source(monkeypatch, index=tmp_path / "index.csv")
    archive = pack(wav.parent, tmp_path / "clips.zip")
    assert download_ravdess(tmp_path / "dest", source=str(archive)).ok == len(paths) == 5
