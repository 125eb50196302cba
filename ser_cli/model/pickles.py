"""Read scaler.pkl and label_encoder.pkl without trusting them.

A pickle is a program. This reader runs it with nothing in reach: every name that a scaler's or
a label encoder's pickle uses stands for an inert class of this file, and any other name is
refused. Numbers and fixed-width text are rebuilt from raw bytes by checked dtype and shape. An
array of objects, which joblib stores as a pickle in the pickle, is read in the same way, and may
hold text alone: that is what a column of a pandas table becomes.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ser_cli.errors import ArtifactsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_BYTES = 64 * 2**20  # the largest real one, 40,392 cells, has 1 MB

# What joblib's zlib, gzip, bz2, xz, lzma and lz4 files begin with.
_COMPRESSED = (b"\x78", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00", b"\x04\x22\x4d\x18")
_PLAIN_DTYPE = re.compile(r"[biufU]\d{1,4}|O8|O4|O")


def read_state(path: Path, kind: str) -> dict[str, Any]:
    """Return the attributes of the one scikit-learn object in a pickle.

    Args:
        path: Written by `joblib.dump` (uncompressed) or `pickle.dump`.
        kind: "StandardScaler" or "LabelEncoder".

    Returns:
        Plain values and numpy arrays by attribute name.

    Raises:
        ArtifactsError: The file is missing, damaged, or holds anything else.
    """
    try:
        estimator = _Reader(io.BytesIO(_content(path))).load()
        if not isinstance(estimator, _Estimator) or estimator.kind != kind:
            raise pickle.UnpicklingError(f"it holds no {kind}")
        return {name: _plain(value) for name, value in estimator.state.items()}
    except FileNotFoundError as error:
        raise ArtifactsError(f"{path} is missing", hint="train one: ser train") from error
    except Exception as error:  # a forged stream can fail in any way, and none may get through
        raise ArtifactsError(
            f"{path} cannot be trusted as a {kind}: {str(error) or 'it is no pickle'}",
            hint="use artifacts that `ser train` wrote",
        ) from error


def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_BYTES:
        raise pickle.UnpicklingError("it is larger than any scaler")
    content = path.read_bytes()
    if content.startswith(_COMPRESSED):
        raise pickle.UnpicklingError("it is compressed; write it with joblib.dump(..., compress=0)")
    return content


class _Inert:
    """Stands for a class that a pickle names: keeps what it is given, does nothing."""

    def __init__(self, *args: Any) -> None:
        self.args = args
        self.state: Any = {}


class _Estimator(_Inert):
    kind = ""


class _StandardScaler(_Estimator):
    kind = "StandardScaler"


class _LabelEncoder(_Estimator):
    kind = "LabelEncoder"


class _NDArray(_Inert):
    """Stands for the class numpy.ndarray itself, which is only ever an argument."""


class _Dtype(_Inert):
    def value(self) -> np.dtype[Any]:
        code = self.args[0]
        if not isinstance(code, str) or not _PLAIN_DTYPE.fullmatch(code):
            raise pickle.UnpicklingError(f"an array of type {code!r} is refused")
        order = self.state[1] if self.state else "|"
        return np.dtype((order if order in ("<", ">") else "") + code)


class _Array(_Inert):
    """numpy's `_reconstruct(ndarray, (0,), b"b")`, with all in the state that follows."""

    def value(self) -> NDArray[Any]:
        _, shape, dtype, fortran, content = self.state
        return _rebuild(content, dtype, shape, "F" if fortran else "C")


class _Buffer(_Inert):
    """numpy's `_frombuffer(buffer, dtype, shape, order)` of pickle protocol 5."""

    def value(self) -> NDArray[Any]:
        content, dtype, shape, order = self.args
        return _rebuild(content, dtype, shape, order)


class _Scalar(_Inert):
    def value(self) -> Any:
        dtype, content = self.args
        return _rebuild(content, dtype, (), "C")[()]


class _JoblibArray(_Inert):
    """joblib's NumpyArrayWrapper: its bytes stand in the stream right behind it."""

    content: Any = b""

    def take(self, stream: io.BytesIO) -> None:
        if _dtype(self.state["dtype"]).hasobject:
            self.content = _Reader(stream).load()
            return
        if self.state.get("numpy_array_alignment_bytes") is not None:
            stream.read(stream.read(1)[0])
        size = _dtype(self.state["dtype"]).itemsize * _count(self.state["shape"])
        self.content = stream.read(size)

    def value(self) -> NDArray[Any]:
        if isinstance(self.content, _Array):
            return self.content.value()
        state = self.state
        return _rebuild(self.content, state["dtype"], state["shape"], state["order"])


_ADMITTED: dict[tuple[str, str], type[_Inert]] = {
    ("sklearn.preprocessing._data", "StandardScaler"): _StandardScaler,
    ("sklearn.preprocessing._label", "LabelEncoder"): _LabelEncoder,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _JoblibArray,
    ("numpy", "ndarray"): _NDArray,
    ("numpy", "dtype"): _Dtype,
} | {
    (f"numpy.{core}.{module}", name): stand_in
    for core in ("core", "_core")  # before and since numpy 2
    for module, name, stand_in in (
        ("multiarray", "_reconstruct", _Array),
        ("multiarray", "scalar", _Scalar),
        ("numeric", "_frombuffer", _Buffer),
    )
}


class _Reader(pickle._Unpickler):
    """The Python unpickler, since only that lets bytes be read between two opcodes."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def __init__(self, stream: io.BytesIO) -> None:
        self.stream = stream
        super().__init__(stream)

    def find_class(self, module: str, name: str) -> type[_Inert]:
        """Return the stand-in of an admitted name."""
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ADMITTED[module, name]

    def load_build(self) -> None:
        """Keep a state as data, where pickle would call or set what it likes."""
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, _Inert):
            raise pickle.UnpicklingError(f"it gives a state to a {type(target).__name__}")
        target.state = state
        if isinstance(target, _JoblibArray):
            target.take(self.stream)

    dispatch[pickle.BUILD[0]] = load_build


def _plain(value: Any) -> Any:
    if isinstance(value, (_Array, _Buffer, _Scalar, _JoblibArray)):
        return value.value()
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    raise pickle.UnpicklingError(f"it holds a {type(value).__name__}")


def _dtype(stand_in: Any) -> np.dtype[Any]:
    if not isinstance(stand_in, _Dtype):
        raise pickle.UnpicklingError("an array without a type")
    return stand_in.value()


def _count(shape: Any) -> int:
    return math.prod(int(size) for size in shape)


def _rebuild(content: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    kind = _dtype(dtype)
    if kind.hasobject:
        return _texts(content, shape)
    if len(content) != kind.itemsize * _count(shape) or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array is not of the size it states")
    flat = np.frombuffer(bytes(content), kind)
    return flat.reshape(tuple(shape), order=order)


def _texts(content: Any, shape: Any) -> NDArray[np.str_]:
    """Return a list of texts as an array of fixed width."""
    found = [_plain(value) for value in content] if isinstance(content, list) else [None]
    values = [value for value in found if isinstance(value, str)]
    if len(values) != len(found) or len(values) != _count(shape):
        raise pickle.UnpicklingError("an array of objects that are no texts")
    longest = max(map(len, values), default=0)
    if longest * len(values) * np.dtype("U1").itemsize > LARGEST_BYTES:  # all become as wide
        raise pickle.UnpicklingError("an array of texts that are too long")
    return np.array(values, dtype=np.str_).reshape(tuple(shape))
