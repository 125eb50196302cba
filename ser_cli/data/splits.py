"""From clips to train, dev and test: random, by speaker, from a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ser_cli.data import corpora, dealing, parts
from ser_cli.data.corpora import has_speakers
from ser_cli.errors import DataError
from ser_cli.remarks import counted, listed, plural

if TYPE_CHECKING:
    from ser_cli.types import Clip

    Clips = tuple[Clip, ...]


MORE_SPEAKERS = "clips of more speakers, or --split random"
MORE_CLIPS = "more clips (each emotion needs about 7)"
FEWER_FOLDS = "fewer --folds, or --split random"
MARK_DEV = "mark clips dev in the column split, or --split random"


@dataclass(frozen=True, slots=True)
class Split:
    """Three parts of a corpus.

    Attributes:
        train: Clips to learn from.
        dev: Clips to choose by.
        test: Clips to be judged on.
        leaky: Speakers are shared with test on purpose, or may be.
        named: The corpus itself names its parts, so it may leave an emotion out of one.
    """

    train: Clips
    dev: Clips
    test: Clips
    leaky: bool
    named: bool = False

    @property
    def dev_leaky(self) -> bool:
        """Whether dev's speakers are, or may be, in training."""
        everyone = all(clip.speaker for clip in self.train + self.dev)
        shared = {clip.speaker for clip in self.train} & {clip.speaker for clip in self.dev}
        return bool(self.dev) and (not everyone or bool(shared))


def by_speaker(clips: Clips, seed: int) -> Split:
    """Put a sixth of the speakers into test and a sixth into dev; one each at least.

    Speakers of one recording, as of a dialogue, stay together, where that leaves three parties.

    Every emotion is in every part, in its share as nearly as whole speakers allow; where a sixth
    of them cannot do that, there are more.

    Raises:
        DataError: There are fewer than three speakers, or a part would lack an emotion.
    """
    speakers = _speakers(clips)
    if len(speakers) < 3:
        raise DataError(
            f"a split by speaker needs every clip's speaker, at least 3; "
            f"{counted(len(speakers), 'is', 'are')} known",
            hint="name them in a CSV with the columns file,emotion,speaker, or use --split random",
        )
    test, dev, _ = _dealt(clips, 2, seed)
    return parts.checked(speaker_split(clips, dev=dev, test=test), MORE_SPEAKERS)


def random_split(clips: Clips, seed: int) -> Split:
    """Split 70 / 15 / 15, stratified by emotion, whoever speaks; parts of a file stay together.

    Raises:
        DataError: An emotion has too few clips to be in every part.
    """
    train, rest = stratified(clips, 0.3, seed)
    dev, test = stratified(rest, 0.5, seed)
    return parts.checked(Split(train, dev, test, leaky=True), MORE_CLIPS)


def from_table(clips: Clips) -> Split:
    """Take the parts that the corpus itself names; without dev, its training part is split.

    By speaker, if two or more are known.

    Raises:
        DataError: No clip is marked train, a clip is in no part, or train and the dev taken from
            it would not have the same emotions.
    """
    train, dev, test = (tuple(c for c in clips if c.split == s) for s in parts.PARTS)
    if not train:
        raise DataError("no clip is marked train", hint="fill the column split of the table")
    if unmarked := [clip for clip in clips if not clip.split]:
        are = plural(len(unmarked), "is", "are")
        raise DataError(
            f"{len(unmarked)} of {counted(len(clips), 'clip')} {are} in no part (the first is "
            f"{unmarked[0].path}, of {unmarked[0].corpus})",
            hint="fill the column split, remove those rows, or use --split speaker",
        )
    if not dev:
        train, dev = _dev_of(train)
    shared = {c.speaker for c in train + dev} & {c.speaker for c in test}
    unknown = not has_speakers(train + dev + test)
    leaky = bool(test) and (bool(shared) or unknown)
    return Split(train, dev, test, leaky=leaky, named=True)


def default_split(clips: Clips, seed: int) -> Split:
    """Choose as a careful user would: the table's own parts, else by speaker, else at random.

    A corpus that has a usual protocol is split as that states, so that its held-out speakers stay
    unseen. Joined corpora are split each in its own way, and their parts joined.

    Raises:
        DataError: A part would lack an emotion.
    """
    homes = dict.fromkeys(clip.corpus for clip in clips)
    own = [_own_split(tuple(c for c in clips if c.corpus == home), home, seed) for home in homes]
    if len(own) == 1:
        return parts.checked(own[0])
    joined = Split(
        train=tuple(clip for split in own for clip in split.train),
        dev=tuple(clip for split in own for clip in split.dev),
        test=tuple(clip for split in own for clip in split.test),
        leaky=any(split.leaky for split in own),
        named=all(split.named for split in own),
    )
    return parts.checked(joined)


def _own_split(clips: Clips, home: str, seed: int) -> Split:
    if any(clip.split for clip in clips):
        return from_table(clips)
    usual = corpora.get(home).usual(clips) if home in corpora.names() else None
    if usual:
        split = usual.folds(clips, seed)[0]
        if split.train and split.dev and split.test:
            return split
    return by_speaker(clips, seed) if len(_speakers(clips)) >= 3 else random_split(clips, seed)


def tuning_folds(clips: Clips, n_folds: int) -> tuple[Split, ...]:
    """Return speaker-independent folds without a test part, to choose settings by.

    Speakers that their corpus holds out are left out: they are the check that no choice has seen.
    The others are dealt to the folds in turn (which balances corpora whose speakers alternate in
    sex), if every fold has every emotion then; else they are dealt by what they say.

    Raises:
        DataError: There are fewer speakers than folds, or a fold would lack an emotion.
    """
    clips = tunable(clips)
    speakers = _speakers(clips)
    if len(speakers) < n_folds:
        raise DataError(
            f"{n_folds} folds need every clip's speaker, {n_folds} or more; {len(speakers)} known",
            hint="name them in a CSV with a column speaker, or use --split random",
        )
    dealt = _in_turn(speakers, n_folds)
    folds = [speaker_split(clips, dev=fold, test=()) for fold in dealt]
    if any(map(parts.missing, folds)):
        dealt = dealing.deal(clips, [len(fold) for fold in dealt], seed=0)
        folds = [speaker_split(clips, dev=fold, test=()) for fold in dealt]
    return tuple(parts.checked(fold, FEWER_FOLDS) for fold in folds)


def dealt_in_turn(folds: Sequence[Clips]) -> bool:
    """Tell whether these are the dev parts of folds that speakers were dealt to in turn."""
    own = [sorted({clip.speaker for clip in fold}) for fold in folds]
    return own == list(_in_turn(sorted(who for fold in own for who in fold), len(own)))


def tunable(clips: Clips) -> Clips:
    """Return the clips that settings may be chosen on."""
    held_out = corpora.held_out(clips)
    return tuple(clip for clip in clips if clip.speaker not in held_out)


def speaker_split(clips: Clips, *, dev: Sequence[str], test: Sequence[str]) -> Split:
    """Put these speakers into dev and test, and all others into train."""
    held_out = {*dev, *test}
    return Split(
        train=tuple(c for c in clips if c.speaker not in held_out),
        dev=tuple(c for c in clips if c.speaker in dev),
        test=tuple(c for c in clips if c.speaker in test),
        leaky=False,
    )


def stratified(clips: Clips, share: float, seed: int) -> tuple[Clips, Clips]:
    """Return clips in two, the second holding this share of each emotion.

    Parts of one file stay together: they share its speaker and its room.

    Raises:
        DataError: An emotion has too few clips, or all are parts of one file.
    """
    if len({clip.path for clip in clips}) < len(clips):
        return _by_file(clips, share, seed)
    from sklearn.model_selection import train_test_split

    labels = [clip.emotion for clip in clips]
    if rare := sorted(label for label, count in Counter(labels).items() if count < 2):
        raise DataError(
            f"too few clips of {', '.join(rare)} to be on both sides of a split",
            hint=f"each emotion needs about 7 clips, or {parts.excluding(rare)}",
        )
    try:
        kept, taken = train_test_split(
            list(clips), test_size=share, stratify=labels, random_state=seed
        )
    except ValueError as error:
        counts = Counter(labels)
        few = [f"{emotion} {counts[emotion]}" for emotion in sorted(counts, key=counts.__getitem__)]
        raise DataError(
            f"these clips are too few to split so that each part has every emotion: {listed(few)}",
            hint="each emotion needs about 7 clips or more; add some, or leave it out: --exclude",
        ) from error
    return tuple(kept), tuple(taken)


def _by_file(clips: Clips, share: float, seed: int) -> tuple[Clips, Clips]:
    files = {clip.path: str(clip.path) for clip in clips}
    if len(files) < 2:
        raise DataError(
            "all clips are parts of one recording, which cannot be on both sides",
            hint="clips of more recordings, or a column split",
        )
    named = [replace(clip, speaker=files[clip.path]) for clip in clips]
    size = min(max(1, round(share * len(files))), len(files) - 1)
    chosen, _ = dealing.deal(named, (size, len(files) - size), seed=seed)
    taken = {*chosen}
    kept = tuple(clip for clip in clips if files[clip.path] not in taken)
    return kept, tuple(clip for clip in clips if files[clip.path] in taken)


def _speakers(clips: Sequence[Clip]) -> list[str]:
    """Return all speakers; none where a clip does not name its own, who may be any of them."""
    return sorted({clip.speaker for clip in clips}) if has_speakers(clips) else []


def _dealt(clips: Clips, held_out: int, seed: int) -> tuple[list[str], ...]:
    """Return the speakers of parts that are held out, a sixth each, and those of the rest.

    Who share recordings stay together, where that leaves enough to deal.
    """
    company = dealing.companies(clips)
    if len({*company.values()}) <= held_out:
        company = {who: who for who in company}
    named = [replace(clip, speaker=company[clip.speaker]) for clip in clips]
    count = len({*company.values()})
    share = max(1, round(count / 6))
    sizes = (*[share] * held_out, count - held_out * share)
    dealt = dealing.deal(named, sizes, seed=seed)
    return tuple([who for who in company if company[who] in part] for part in dealt)


def _in_turn(speakers: Sequence[str], n_folds: int) -> tuple[list[str], ...]:
    return tuple(list(speakers[k::n_folds]) for k in range(n_folds))


def _dev_of(clips: Clips) -> tuple[Clips, Clips]:
    """Return training clips in train and dev: by speaker if two are known, else at random."""
    speakers = _speakers(clips)
    if len(speakers) < 2:
        split = Split(*stratified(clips, 0.15, 0), (), leaky=True)
    else:
        dev, _ = _dealt(clips, 1, 0)
        split = speaker_split(clips, dev=dev, test=())
    parts.checked(split, MARK_DEV)
    return split.train, split.dev
