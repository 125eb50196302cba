"""How each row of the table is measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench, ser
from benchmarks.labels import same_labels, ser_labels, usual_labels
from benchmarks.processes import Run, Server, alternate
from benchmarks.rows import Result

UAR_POINTS = 2.0  # what pruning may cost
SAME_LOSS = 1e-3  # after a few steps to some tens
STUDIES = ("study", "replay")
ANEW = ("--restart", "--force")  # or a second run has nothing to do
# What pip writes for a command; the empty program is started in the same way.
ENTRY = (
    "import sys\nfrom {module} import {name}\nif __name__ == '__main__':\n    sys.exit({name}())\n"
)


def one_clip(bench: Bench) -> list[Result]:
    """A new process labels one clip."""
    model, clip = bench.model(), bench.made("clips-100") / "00000.wav"
    a, b, notes = _predictions(bench, clip, model)
    return [
        Result("one-clip", _seconds(a), _seconds(b), notes),
        Result("one-clip-memory", _megabytes(a), _megabytes(b)),
    ]


def one_clip_csv(bench: Bench) -> list[Result]:
    """The same with an option: the rows go to a file."""
    model, clip = bench.model(), bench.made("clips-100") / "00000.wav"
    a, b, notes = _predictions(bench, clip, model, csv=bench.work / "one-clip.csv")
    return [Result("one-clip-csv", _seconds(a), _seconds(b), notes)]


def pretrained(bench: Bench) -> list[Result]:
    """A new process labels one clip by a pretrained network: theirs, and the one that ships."""
    bench.model()
    model, clip = bench.made("wav2vec2"), bench.made("clips-100") / "00000.wav"
    script = bench.script("usual_pretrained.py")
    a, b = alternate(
        lambda: bench.run(sys.executable, script, clip, "--model", model),
        lambda: bench.run(ser(), "predict", clip, "--recipe", "voice"),
        bench.repeats,
        bench.tell,
    )
    return [
        Result("pretrained", _seconds(a), _seconds(b), _cpu(a, b)),
        Result("pretrained-memory", _megabytes(a), _megabytes(b)),
    ]


def hundred_clips(bench: Bench) -> list[Result]:
    """A new process labels a folder of 100 clips."""
    model, folder = bench.model(), bench.made("clips-100")
    a, b, notes = _predictions(bench, folder, model)
    return [Result("hundred-clips", _seconds(a), _seconds(b), notes | _peaks(a, b))]


def features(bench: Bench) -> list[Result]:
    """The same waveforms through librosa's functions and through ours, on one core."""
    folder = bench.made("waves")
    files = [bench.work / f"features-{side}.npz" for side in "ab"]
    a, b = _served(
        bench,
        ("features-usual", folder / "waves.npz", files[0]),
        ("features-ser", folder / "waves.npz", files[1]),
    )
    differences = json.loads(bench.child("equality", *files).out)
    notes = {f"largest difference, {name}": value for name, value in differences.items()}
    return [Result("features", _per_clip(a, folder), _per_clip(b, folder), notes | _cpu(a, b))]


def warm(bench: Bench) -> list[Result]:
    """Files with everything loaded, one after the other, on one core."""
    model, folder = bench.model(), bench.made("clips-100")
    files = [bench.work / f"warm-{side}.json" for side in "ab"]
    a, b = _served(
        bench, ("warm-usual", folder, files[0], model), ("warm-ser", folder, files[1], model)
    )
    theirs, ours = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    notes = same_labels(theirs, ours) | _cpu(a, b)
    return [Result("warm", _per_clip(a, folder), _per_clip(b, folder), notes)]


def workers(bench: Bench) -> list[Result]:
    """The same command over 1,000 clips with one worker and with two."""
    bench.model()
    folder = bench.made("clips-1000")

    def predict(jobs: int) -> Run:
        return bench.run(ser(), "predict", folder, "--jobs", str(jobs))

    a, b = alternate(lambda: predict(1), lambda: predict(2), bench.repeats, bench.tell)
    notes = same_labels(ser_labels(a[0].out), ser_labels(b[0].out))
    return [Result("workers", _seconds(a), _seconds(b), notes | _peaks(a, b))]


def epoch(bench: Bench) -> list[Result]:
    """Epochs of the default recipe's training on noise of real size, on one core."""
    found = json.loads(bench.child("epochs", str(bench.repeats), one_core=True).out)
    return [Result("epoch", found["cpu"], found["wall"])]


def lstm(bench: Bench) -> list[Result]:
    """Steps of a training of `cnn-lstm-attention`, with Keras's loop over frames and with ours."""
    steps = ("steps", "cnn-lstm-attention", str(bench.repeats))
    found = json.loads(bench.child(*steps, one_core=True).out)
    a, b = ([1000 * s for s in found["seconds"][side]] for side in "AB")
    apart = abs(found["losses"]["A"] - found["losses"]["B"])
    problem = f"the losses differ by {apart:.2g}" if apart > SAME_LOSS else ""
    return [Result("lstm", a, b, {"losses differ by": apart}, problem=problem)]


def help_text(bench: Bench) -> list[Result]:
    """Show the help of both programs, started by scripts that differ in one name alone."""
    scripts = bench.script("empty_app.py").parent
    (ours,) = entry_points(group="console_scripts", name="ser")
    for name, entry in (("empty", ("empty_app", "main")), ("ser", (ours.module, ours.attr))):
        text = ENTRY.format(module=entry[0], name=entry[1])
        (scripts / f"{name}.py").write_text(text, encoding="utf-8")

    def show(name: str) -> Run:
        return bench.run(sys.executable, scripts / f"{name}.py", "--help")

    a, b = alternate(lambda: show("empty"), lambda: show("ser"), bench.repeats, bench.tell)
    return [Result("help", _seconds(a), _seconds(b), _cpu(a, b) | _peaks(a, b))]


def many_clips(bench: Bench) -> list[Result]:
    """One process labels few clips, and a hundred times as many; once, since it takes minutes."""
    bench.model()

    def predict(folder: Path) -> Run:
        bench.tell(folder.name)
        table = bench.work / f"{folder.name}.csv"
        return bench.run(ser(), "predict", folder, "--jobs", "1", "--csv", table, *ANEW)

    runs = [predict(bench.made(kind)) for kind in ("short-200", "short-20000")]
    notes = dict(zip(("seconds A", "seconds B"), _seconds(runs), strict=True))
    return [Result("many-clips-memory", _megabytes(runs[:1]), _megabytes(runs[1:]), notes)]


def tune(bench: Bench) -> list[Result]:
    """A study and the same trials without cache and pruning; once, since it takes minutes."""
    table, folder = bench.made("corpus") / "clips.csv", bench.work / "study"
    b, a = (json.loads(bench.child("tuning", kind, table, folder).out) for kind in STUDIES)
    points = 100 * (a["best"] - b["best"])
    notes = {
        "best dev UAR without": a["best"],
        "best dev UAR with": b["best"],
        "points lost": points,
        "trials complete": len(b["scores"]),
    }
    problem = "" if points <= UAR_POINTS else f"pruning costs {points:.1f} points of dev UAR"
    return [Result("tune", [a["seconds"]], [b["seconds"]], notes, problem)]


# Names of the rows that are measured together, and how; the dear ones last.
MEASURES: tuple[tuple[tuple[str, ...], Callable[[Bench], list[Result]]], ...] = (
    (("help",), help_text),
    (("features",), features),
    (("one-clip", "one-clip-memory"), one_clip),
    (("one-clip-csv",), one_clip_csv),
    (("pretrained", "pretrained-memory"), pretrained),
    (("hundred-clips",), hundred_clips),
    (("warm",), warm),
    (("workers",), workers),
    (("epoch",), epoch),
    (("lstm",), lstm),
    (("many-clips-memory",), many_clips),
    (("tune",), tune),
)


def _predictions(
    bench: Bench, path: Path, model: Path, csv: Path | None = None
) -> tuple[list[Run], list[Run], dict[str, float]]:
    """Run the usual script and `ser predict` in turn and compare what they say every time.

    Without `csv` the rows of `ser` go to its stdout.
    """
    script = bench.script("usual.py")
    options = ("--csv", csv, *ANEW) if csv else ()

    def predict() -> Run:
        done = bench.run(ser(), "predict", path, *options)
        return replace(done, out=csv.read_text(encoding="utf-8")) if csv else done

    a, b = alternate(
        lambda: bench.run(sys.executable, script, path, "--model", model),
        predict,
        bench.repeats,
        bench.tell,
    )
    notes: dict[str, float] = {}
    for theirs, ours in zip(a, b, strict=True):
        notes = same_labels(usual_labels(theirs.out), ser_labels(ours.out))
    return a, b, notes | _cpu(a, b)


def _served(
    bench: Bench, a: Sequence[str | Path], b: Sequence[str | Path]
) -> tuple[list[Run], list[Run]]:
    """Ask two warm processes in turn."""
    env = bench.env(one_core=True, package=True)
    with Server(*a, cwd=bench.work, env=env) as one, Server(*b, cwd=bench.work, env=env) as other:
        return alternate(one.work, other.work, bench.repeats, bench.tell)


def _seconds(runs: Sequence[Run]) -> list[float]:
    return [run.seconds for run in runs]


def _megabytes(runs: Sequence[Run]) -> list[float]:
    return [run.peak_mb for run in runs if run.peak_mb is not None]


def _per_clip(rounds: Sequence[Run], folder: Path) -> list[float]:
    clips = len(list(folder.glob("*.wav")))
    return [1000 * run.seconds / clips for run in rounds]


def _cpu(a: Sequence[Run], b: Sequence[Run]) -> dict[str, float]:
    """Return the CPU seconds of each side, where they are known: a busy machine spares them."""
    sides = {"CPU s A": a, "CPU s B": b}
    known = {name: [r.cpu_s for r in runs if r.cpu_s is not None] for name, runs in sides.items()}
    return {name: median(values) for name, values in known.items() if values}


def _peaks(a: Sequence[Run], b: Sequence[Run]) -> dict[str, float]:
    """Return the peak memory of the largest process of each side, where it is known."""
    peaks = {"peak MB A": _megabytes(a), "peak MB B": _megabytes(b)}
    return {name: max(values) for name, values in peaks.items() if values}
