"""Speech emotion recognition.

>>> import ser_cli
>>> model = ser_cli.load()  # doctest: +SKIP
>>> model.predict("clip.wav")[0].emotion  # doctest: +SKIP
'happy'
"""

from __future__ import annotations

from ser_cli.first import no_telemetry

TYPE_CHECKING = False  # typing's would have to be loaded, and nothing is to be before `first`
if TYPE_CHECKING:
    from pathlib import Path

    from ser_cli.model.trained import Model

    __version__: str

__all__ = ["__version__", "load"]

no_telemetry()  # every way in leads through this file: commands, pages, workers, Python


def load(artifacts: Path | str | None = None, *, hear_all: bool = False) -> Model:
    """Load a trained model.

    Args:
        artifacts: Its folder, or the address of one (s3://...). None takes what was
            trained last in ./artifacts, of the default recipes (cnn-bilstm, voice), else the model
            that comes with the package.
        hear_all: Whether windows without speech have a vote, too: laughter, sobs.

    Returns:
        An object with `predict(paths or waveforms, sample_rate=None)` and `classes`.

    Raises:
        ArtifactsError: The folder is missing, unfinished or damaged.
    """
    from ser_cli.data import mirror
    from ser_cli.model import artifacts as store
    from ser_cli.model.trained import Hearing, Model

    chosen = None if artifacts is None else mirror.local(str(artifacts))
    return Model(store.load(store.resolve(chosen, recipe=None)), Hearing(hear_all=hear_all))


def __getattr__(name: str) -> str:
    # Reading the installed metadata costs more than all of `import ser_cli`: on demand.
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ser_cli import distribution

    return distribution.version()
