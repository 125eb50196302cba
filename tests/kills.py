"""`python tests/kills.py`: kill the commands that write, and count what is lost by it."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import sqlite3
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from corpus import by_actor, by_table, write_index
from killing import Case, Entries, Tally, rounds, start

from ser_cli.data import arrays
from ser_cli.data.corpora import ravdess
from ser_cli.model import artifacts
from ser_cli.report import results

SER = (sys.executable, "-m", "ser_cli")
SETTINGS = ("--recipe", "stats-dense", "--params", "tiny.json")
TRAIN = ("train", "--data", "corpus/clips.csv", "--artifacts", "own", *SETTINGS)
TRIALS = 6
SLOWLY_S = 0.02  # a piece of an archive
# `ser` with a small corpus in place of RAVDESS, whose index is the first word.
ON_INDEX = """
import sys
from dataclasses import replace
from pathlib import Path
from ser_cli.data.corpora import ravdess
source = replace(ravdess.CORPUS.source, index=Path(sys.argv.pop(1)))
ravdess.CORPUS = replace(ravdess.CORPUS, source=source)
from ser_cli.__main__ import main
main()
"""


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(path: Path, names: Sequence[str]) -> Entries:
    """Return the rows of a table by some of its columns; one that stands there twice is two."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream, strict=True))
    assert all(None not in row and None not in row.values() for row in found), f"{path} is cut"
    seen: Counter[str] = Counter()
    entries = {}
    for row in found:
        key = f"{path.name}: {[row[name] for name in names]}"
        seen[key] += 1
        entries[f"{key} ({seen[key]})"] = str(sorted(row.items()))
    return entries


def kept(home: Path) -> Entries:
    """Return the arrays in the cache."""
    files = [
        path for path in (home / "cache").rglob("[!.]*.np[yz]") if path.parent.name != "checkpoints"
    ]
    assert all(map(arrays.is_whole, files)), "an array is cut"
    return {str(path.relative_to(home)): digest(path) for path in files}


def corpus(home: Path) -> None:
    by_table(home / "corpus")
    (home / "tiny.json").write_text(json.dumps({"epochs": 25, "batch_size": 4}), encoding="utf-8")


def features(home: Path) -> Entries:
    table = home / "features.csv"
    return kept(home) | ({table.name: digest(table)} if table.exists() else {})


def finished_model(home: Path) -> None:
    """Let a model be there already, which must stay in use until its successor is whole."""
    corpus(home)
    words = (*SER, *TRAIN, "--seed", "1", "--epochs", "1")
    assert start(words, home).wait() == 0, (home / "log.txt").read_text()


def model(home: Path) -> Entries:
    found = artifacts.load(home / "own", verify=artifacts.FILES)
    names = (*artifacts.NEEDED, artifacts.HISTORY, artifacts.SPLIT, artifacts.SOUNDPRINTS)
    return {name: digest(found.folder / name) for name in names}


def trials(home: Path) -> Entries:
    """Return the trials that count. Which settings a trial tries depends on those before it."""
    entries: Entries = {}
    for file in (home / "cache" / "studies").glob("*.db"):
        with closing(sqlite3.connect(file)) as study:
            assert study.execute("pragma integrity_check").fetchone() == ("ok",)
            if study.execute("select name from sqlite_master where name = 'trials'").fetchone():
                done = "select number from trials where state in ('COMPLETE', 'PRUNED')"
                entries = {f"trial {n}": "" for n, _ in enumerate(study.execute(done))}
    listed = rows(home / "own" / "trials.csv", ["number"])
    assert all(name.endswith("(1)") for name in listed), "a trial is listed twice"
    if len(entries) >= TRIALS and listed:
        entries |= {f"row {n}": "" for n, _ in enumerate(listed)}
    return entries


def actors(home: Path) -> None:
    by_actor(home / "actors")
    corpus(home)


def outcomes(home: Path) -> Entries:
    """Return the folds and the rows of results, but for how long they took."""
    names = [name for name in results.COLUMNS if name not in ("seconds", "command")]
    found = rows(home / "artifacts" / "results.csv", names)
    folds = {name: "" for name in kept(home) if "protocols" in name}
    return folds | dict.fromkeys(found, "")


class Slow(SimpleHTTPRequestHandler):
    """Serves files piece by piece, from where it is asked to."""

    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        first = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(content) - first))
        if asked:
            span = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", span)
        self.end_headers()
        size = 1 << 15
        for at in range(first, len(content), size):
            self.wfile.write(content[at : at + size])
            time.sleep(SLOWLY_S)

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(OSError):  # who asked was killed
            super().handle()


@contextmanager
def site(work: Path) -> Iterator[str]:
    """Serve two archives of clips, and yield their address; `work` gets their index, too."""
    folder = by_actor(work / "published")
    write_index(folder, work / "index.csv")
    for channel, part in (("01", "speech"), ("02", "song")):
        with zipfile.ZipFile(work / ravdess.SOURCE.archives[part].name, "w") as zipped:
            for clip in sorted(folder.rglob(f"03-{channel}-*.wav")):
                zipped.write(clip, clip.relative_to(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(work)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def clips(home: Path) -> Entries:
    files = [path for path in (home / "clips").rglob("[!.]*.wav") if ".download" not in path.parts]
    return {str(path.relative_to(home)): digest(path) for path in files}


EXTRACT = ("extract", "--data", "corpus/clips.csv", "--jobs", "2", "--copies", "1")
TUNE = ("tune", "--data", "corpus/clips.csv", "--artifacts", "own", "--recipe", "stats-dense")
STUDY = ("--folds", "2", "--epochs", "3", "--trials", str(TRIALS), "--workers", "2")
PROTOCOL = ("evaluate", "--protocol", "emobox6", "--data", "actors", "--workers", "2")
# `predict` belongs here as well, once it goes on where it was: many files in a folder, with
# `rows(home / "out.csv", ["file"])` for its entries.
CASES: Mapping[str, Case] = {
    "extract": Case(corpus, (*SER, *EXTRACT, "--table", "features.csv"), features),
    "tune": Case(corpus, (*SER, *TUNE, *STUDY), trials),
    "train": Case(finished_model, (*SER, *TRAIN), model),
    "protocol": Case(actors, (*SER, *PROTOCOL, *SETTINGS), outcomes),
}


def download(work: Path, address: str) -> Case:
    """Return the case that needs a server."""
    words = (sys.executable, "-c", ON_INDEX, str(work / "index.csv"), "download-ravdess")
    return Case(lambda _: None, (*words, "--dest", "clips", "--from", address), clips)


def run(name: str, count: int, *, seed: int, work: Path) -> Tally:
    """Kill one command so often."""
    (work / "rounds").mkdir()
    if name != "download":
        return rounds(CASES[name], count, seed=seed, work=work / "rounds")
    with site(work) as address:
        return rounds(download(work, address), count, seed=seed, work=work / "rounds")


def main(arguments: Sequence[str]) -> int:
    """Kill what is named, print the table, and return 1 if anything was lost."""
    names = [*CASES, "download"]
    parser = argparse.ArgumentParser(prog="tests/kills.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="kills of each command")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    chosen = parser.parse_args(arguments)
    heads = ("kills", "ends", "lost", "doubled", "half written", "orphans", "left")
    print(f"{'':10}" + "".join(f"{head:>14}" for head in heads), flush=True)
    clean = True
    for name in chosen.only:
        with TemporaryDirectory() as work:
            told = run(name, chosen.rounds, seed=chosen.seed, work=Path(work))
        wrong = (told.lost, told.doubled, told.half_written)
        counts = (told.kills, told.ends, *map(len, wrong), told.orphans, len(told.left))
        print(f"{name:10}" + "".join(f"{count:>14}" for count in counts), flush=True)
        for found in (*wrong, told.left):
            print("".join(f"  {one}\n" for one in sorted(found)[:5]), end="")
        clean &= told.is_clean()
    return int(not clean)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
