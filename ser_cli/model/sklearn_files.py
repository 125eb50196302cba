"""scaler.pkl, label_encoder.pkl and max_len.npy <-> a Preprocessor.

They are scikit-learn's StandardScaler and LabelEncoder, and a number of frames, as reference
scripts write and read them. Reading needs neither scikit-learn nor trust in the pickles.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.data.store import atomic_write
from ser_cli.disarm import visible
from ser_cli.errors import ArtifactsError
from ser_cli.model.pickles import read_state
from ser_cli.types import Preprocessor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRAIN = "train one: ser train"


def write(preprocessor: Preprocessor, scaler: Path, encoder: Path, max_len: Path) -> None:
    """Write the three files."""
    import joblib

    with atomic_write(scaler) as temporary:
        joblib.dump(_scaler(preprocessor), temporary)
    with atomic_write(encoder) as temporary:
        joblib.dump(_encoder(preprocessor), temporary)
    with atomic_write(max_len) as temporary:
        np.save(temporary, np.array(preprocessor.max_len, np.int64), allow_pickle=False)


def read(scaler: Path, encoder: Path, max_len: Path | int) -> Preprocessor:
    """Read the three files.

    Args:
        scaler: Holds a StandardScaler.
        encoder: Holds a LabelEncoder of text.
        max_len: Holds a number of frames; or the number itself.

    Raises:
        ArtifactsError: One is missing, damaged, or holds something else.
    """
    state = read_state(scaler, "StandardScaler")
    mean, scale = _numbers(state.get("mean_")), _numbers(state.get("scale_"))
    if mean.shape != scale.shape or not (np.isfinite(mean).all() and (scale > 0).all()):
        raise ArtifactsError(f"{scaler} holds no usable scaling", hint=_TRAIN)
    frames = _frames(max_len) if isinstance(max_len, Path) else max_len
    return Preprocessor(frames, mean, scale, _classes(encoder))


def _classes(encoder: Path) -> tuple[str, ...]:
    classes = read_state(encoder, "LabelEncoder").get("classes_")
    if not isinstance(classes, np.ndarray) or classes.dtype.kind != "U":
        raise ArtifactsError(f"{encoder} holds no class names", hint=_TRAIN)
    return tuple(visible(str(name)) for name in classes)


def _frames(path: Path) -> int:
    try:
        number = np.load(path, allow_pickle=False)
        frames = int(number)
    except OSError as error:
        raise ArtifactsError(f"{path} cannot be read: {error.strerror}", hint=_TRAIN) from error
    except (ValueError, TypeError, OverflowError, EOFError) as error:
        # NumPy's own words advise to trust the file.
        raise ArtifactsError(f"{path} holds no number of frames", hint=_TRAIN) from error
    if frames < 1 or frames != number:
        raise ArtifactsError(f"{path} holds no length", hint=_TRAIN)
    return frames


def _scaler(preprocessor: Preprocessor) -> Any:
    """Return the fitted StandardScaler; one that scales nothing has no means."""
    from sklearn.preprocessing import StandardScaler

    scaled = len(preprocessor.mean) > 0
    scaler = StandardScaler(with_mean=scaled, with_std=scaled)
    scaler.mean_ = preprocessor.mean if scaled else None
    scaler.scale_ = preprocessor.scale if scaled else None
    scaler.var_ = np.square(preprocessor.scale) if scaled else None
    scaler.n_samples_seen_ = 1
    if scaled:
        scaler.n_features_in_ = len(preprocessor.mean)
    return scaler


def _encoder(preprocessor: Preprocessor) -> Any:
    from sklearn.preprocessing import LabelEncoder

    encoder = LabelEncoder()
    # Fixed-width text: an array of objects would be stored as a pickle in the pickle.
    encoder.classes_ = np.array(preprocessor.classes, dtype=np.str_)
    return encoder


def _numbers(values: Any) -> NDArray[np.float64]:
    return np.zeros(0) if values is None else np.asarray(values, np.float64).ravel()
