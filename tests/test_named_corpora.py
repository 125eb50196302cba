"""Corpora known by their file names: what a name states, and which folders hold them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from command import succeed, tone
from corpus import touch

from ser_cli.data import corpora, indexing, naming
from ser_cli.data.duplicates import Known
from ser_cli.data.labels import EMOTIONS
from ser_cli.data.store import remember
from ser_cli.errors import DataError

# Corpus, path of a clip below its folder, and what that states; facts from the corpora's own pages.
NAMES: list[tuple[str, str, Mapping[str, str]]] = [
    ("nemo", "EB0_anger_1.wav",
     {"emotion": "angry", "speaker": "EB0", "statement": "1", "sex": "female"}),
    ("nemo", "samples/SM0_surprised_64.wav",
     {"emotion": "surprised", "speaker": "SM0", "statement": "64", "sex": "male"}),
    ("aesdd", "anger/a01 (1).wav", {"emotion": "angry", "speaker": "1", "statement": "01"}),
    ("aesdd", "disgust/d03 (01).wav", {"emotion": "disgust", "speaker": "1", "statement": "03"}),
    ("aesdd", "fear/f18 (5)b.wav", {"emotion": "fearful", "speaker": "5", "statement": "18"}),
    ("emovo", "f1/gio-f1-b1.wav",
     {"emotion": "happy", "speaker": "f1", "statement": "b1", "sex": "female"}),
    ("emovo", "m3/sor-m3-n5.wav",
     {"emotion": "surprised", "speaker": "m3", "statement": "n5", "sex": "male"}),
    ("ased", "05Angry/a5-03-01-02-50.wav",
     {"emotion": "angry", "speaker": "02-50", "statement": "03", "repetition": "01",
      "sex": "male"}),
    ("ased", "04Sad/S4-04-02-01-29.wav",
     {"emotion": "sad", "speaker": "01-29", "statement": "04", "repetition": "02",
      "sex": "female"}),
    ("tess", "OAF_Fear/OAF_food_fear.wav",
     {"emotion": "fearful", "speaker": "OAF", "statement": "food", "sex": "female"}),
    ("tess", "YAF_pleasant_surprised/YAF_back_ps.wav",
     {"emotion": "surprised", "speaker": "YAF", "statement": "back", "sex": "female"}),
    ("tess", "OA_bite_neutral.wav",
     {"emotion": "neutral", "speaker": "OAF", "statement": "bite", "sex": "female"}),
    ("savee", "DC/a01.wav", {"emotion": "angry", "speaker": "DC", "sex": "male"}),
    ("savee", "KL/sa15.wav", {"emotion": "sad", "speaker": "KL", "sex": "male"}),
    ("savee", "ALL/JK_su03.wav", {"emotion": "surprised", "speaker": "JK", "sex": "male"}),
    ("cremad", "AudioWAV/1001_IEO_ANG_HI.wav",
     {"emotion": "angry", "speaker": "1001", "statement": "IEO", "intensity": "high"}),
    ("cremad", "1091_TIE_NEU_XX.wav",
     {"emotion": "neutral", "speaker": "1091", "statement": "TIE", "intensity": "unspecified"}),
    ("cremad", "1040_ITH_SAD_X.wav",
     {"emotion": "sad", "speaker": "1040", "statement": "ITH", "intensity": "unspecified"}),
    ("emodb", "wav/03a01Fa.wav",
     {"emotion": "happy", "speaker": "03", "statement": "a01", "repetition": "a", "sex": "male"}),
    ("emodb", "08b09Lb.wav",
     {"emotion": "bored", "speaker": "08", "statement": "b09", "repetition": "b",
      "sex": "female"}),
]  # fmt: skip
OTHERS = {
    "nemo": ["EB0_joy_1", "eb0_anger_1", "EB0_anger"],
    "aesdd": ["fear/a01 (1)", "a01 (1)", "anger/a01 (7)"],
    "emovo": ["gio-x1-b1", "joy-f1-b1"],
    "ased": ["x5-03-01-02-50", "a5-08-01-02-50", "a5-03-01-03-50"],
    "tess": ["OAF_food_fearful", "ABC_food_fear"],
    "savee": ["a01", "AB/a01", "DC_x01"],
    "cremad": ["1092_IEO_ANG_HI", "1001_IEO_SUR_HI", "0999_IEO_ANG_HI"],
    "emodb": ["17a01Fa", "03a01Xa", "03c01Fa"],
}
NAMED = tuple(OTHERS)


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(naming.VARIABLE, raising=False)
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize(("corpus", "path", "stated"), NAMES)
def test_a_clip_is_what_its_name_states(
    tmp_path: Path, corpus: str, path: str, stated: Mapping[str, str]
) -> None:
    (clip,) = corpora.load(str(touch(tmp_path / "some where" / path).parents[path.count("/")]))
    assert clip.corpus == corpus
    facts = {"emotion": clip.emotion, "speaker": clip.speaker, **clip.facts}
    assert facts == {**stated, "speaker": f"{corpus}/{stated['speaker']}"}


@pytest.mark.parametrize("corpus", NAMED)
def test_other_names_are_of_no_clip(tmp_path: Path, corpus: str) -> None:
    for number, name in enumerate(OTHERS[corpus]):
        folder = tmp_path / str(number)
        touch(folder / f"{name}.wav")
        assert not corpora.get(corpus).matches(str(folder)), name


def test_every_label_has_its_usual_spelling() -> None:
    assert {stated["emotion"] for _, _, stated in NAMES} <= {*EMOTIONS, "bored"}
    assert set(NAMED) == {corpus for corpus, _, _ in NAMES}


@pytest.mark.parametrize(("corpus", "path", "stated"), NAMES)
def test_a_name_alone_tells_only_where_it_is_unmistakable(
    corpus: str, path: str, stated: Mapping[str, str]
) -> None:
    found = corpora.parse(Path(path).stem)
    if corpus == "aesdd" or path.startswith(("DC/", "KL/")):
        assert found is None  # "a01" may be anybody's
    else:
        assert found is not None
        assert (found[0].name, found[1]) == (corpus, stated)


def test_a_name_stands_for_the_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "all" / "emovo" / "f1" / "dis-f1-b1.wav")
    monkeypatch.setenv(naming.VARIABLE, str(tmp_path / "all"))
    (clip,) = corpora.load("emovo")
    assert (clip.emotion, clip.speaker) == ("disgust", "emovo/f1")
    with pytest.raises(DataError, match="nemo is not on this machine yet") as raised:
        corpora.load("nemo")
    assert naming.VARIABLE in raised.value.hint


@pytest.mark.parametrize(
    ("name", "clip"), [("savee", "DC/a01.wav"), ("ravdess", "03-01-06-01-02-01-11.wav")]
)
def test_a_name_stands_for_the_folder_here_where_no_other_is_known(
    name: str, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / name / clip)
    (found,) = corpora.load(name)
    assert (found.corpus, found.path) == (name, Path(name, clip))
    other = touch(tmp_path / "other" / clip)
    remember(name, str(tmp_path / "other"))
    assert [found.path for found in corpora.load(name)] == [other]


def test_a_copy_counts_once_and_strays_do_not_hide_a_corpus(tmp_path: Path) -> None:
    for number in range(9):
        touch(tmp_path / "a" / f"OAF_word{'abcdefghi'[number]}_sad.wav")
        touch(tmp_path / "a" / "again" / f"OAF_word{'abcdefghi'[number]}_sad.wav")
    touch(tmp_path / "a" / "readme.wav")
    clips = corpora.load(str(tmp_path / "a"))
    assert Counter(clip.corpus for clip in clips) == {"tess": 9}
    for number in range(4):
        touch(tmp_path / "a" / f"other{number}.wav")
    assert not corpora.get("tess").matches(str(tmp_path / "a"))


def test_two_speakers_who_say_one_name_are_two_clips(tmp_path: Path) -> None:
    for who in ("DC", "JE"):
        touch(tmp_path / who / "a01.wav")
    clips = corpora.load(str(tmp_path))
    assert {clip.speaker for clip in clips} == {"savee/DC", "savee/JE"}


@pytest.mark.parametrize(("name", "clips", "speakers"), [("nemo", 4_481, 9), ("ased", 2_474, 70)])
def test_a_corpus_with_an_index_can_be_fetched(name: str, clips: int, speakers: int) -> None:
    corpus = corpora.get(name)
    assert corpus.source
    digests = corpus.source.digests()
    assert len(digests) == clips and all(len(digest) == 64 for digest in digests.values())
    facts = [corpus.parse(stem) for stem in digests]
    assert len({found["speaker"] for found in facts if found}) == speakers and all(facts)
    (archive,) = corpus.source.archives.values()
    owner, commit = archive.url.removesuffix(".zip").split("/archive/")
    assert owner.startswith("https://github.com/") and len(commit) == 40
    assert archive.name == f"{owner.rpartition('/')[2]}-{commit}.zip"


def test_a_repository_is_fetched_verified_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an archive as such hosts make it: all below one folder, with other files among it."""
    for number, stem in enumerate(("EB0_anger_1", "EB0_fear_1", "MP0_neutral_2")):
        tone(tmp_path / "repository" / "samples" / f"{stem}.wav", 300 + 50 * number, seed=number)
    (tmp_path / "repository" / "data.tsv").write_text("file\n", encoding="utf-8")
    shutil.make_archive(str(tmp_path / "nEMO-66de"), "zip", tmp_path, "repository")
    module = import_module("ser_cli.data.corpora.nemo")
    source = replace(module.CORPUS.source, index=tmp_path / "index.csv")
    monkeypatch.setattr(module, "CORPUS", replace(module.CORPUS, source=source))
    indexing.index("nemo", tmp_path / "repository", sounds=True)
    assert list(source.digests()) == ["EB0_anger_1", "EB0_fear_1", "MP0_neutral_2"]
    assert len(Known.read(source.soundprints).starts) == 4

    monkeypatch.delenv(naming.VARIABLE, raising=False)
    done = succeed("download", "nemo", "--from", tmp_path / "nEMO-66de.zip")
    assert "3 clips verified; nemo is ready" in done.out and "CC BY-NC-SA 4.0" in done.err
    found = corpora.load("nemo")
    assert [clip.speaker for clip in found] == ["nemo/EB0", "nemo/EB0", "nemo/MP0"]
    # The folder that the environment names comes first.
    monkeypatch.setenv(naming.VARIABLE, str(tmp_path / "corpora"))
    done = succeed("download", "nemo", "--from", tmp_path / "nEMO-66de.zip")
    assert str(tmp_path / "corpora" / "nemo") in done.out and "is ready" in done.out
    tone(tmp_path / "corpora" / "nemo" / "EB0_fear_1.wav", 999, seed=9)
    done = succeed("download", "nemo", "--from", tmp_path / "nEMO-66de.zip")
    assert "3 clips verified" in done.out
