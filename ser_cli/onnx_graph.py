"""What a network's file asks for, read before ONNX Runtime sees it: networks come from strangers.

A graph of plain operators ends, and computes from its own numbers alone. Refused is what could
do otherwise: numbers in other files (they may name any file of the machine), operators that only
another library has, loops (which may never end) and functions (small ones that call each other
grow without bound). The file is Protocol Buffers; the few fields that matter are read here, since
prediction does without the package onnx: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ser_cli.errors import ArtifactsError

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # whose operators ONNX Runtime brings
LOOPS = ("Loop", "Scan", "SequenceMap")
BRANCHES = ("If",)  # the only operators that may hold graphs: one of the two is computed once
DEEPEST = 8  # branches in branches
MOST_FIELDS = 1_000_000  # the largest encoders have a tenth; more would only be slow to read

# Numbers of the fields, by message.
_GRAPH, _FUNCTION = 7, 25  # of a model
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15  # of a graph
_OP_TYPE, _ATTRIBUTE, _DOMAIN = 4, 5, 7  # of a node
_TENSORS, _SUBGRAPHS, _SPARSE = (5, 10), (6, 11), (22, 23)  # of an attribute
_VALUES, _INDICES = 1, 2  # of a sparse tensor
_EXTERNAL, _LOCATION = 13, 14  # of a tensor

_ONE_FILE = 'write it as one file: onnx.save(onnx.load("OLD.onnx"), "NEW.onnx")'
_PLAIN = "take a network of standard operators without loops; `ser train` makes one"


class _Refused(Exception):  # noqa: N818 - the reason, on its way to the user
    def __init__(self, reason: str, hint: str = _PLAIN) -> None:
        super().__init__(reason)
        self.hint = hint


class _Field(NamedTuple):
    """A field: its number, the value of a short one, and where the bytes of a long one lie."""

    number: int
    is_long: bool  # a message or a text
    value: int
    start: int
    end: int


def check(path: Path) -> None:
    """Make sure that a network can do nothing but compute.

    Raises:
        ArtifactsError: It is refused, or is no ONNX file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
            _Reader(held).model()
    except _Refused as error:
        raise ArtifactsError(f"{path} is refused: {error}", hint=error.hint) from None
    except (OSError, ValueError, IndexError) as error:
        raise ArtifactsError(
            f"{path} cannot be loaded as an ONNX network: {error}", hint="train again: ser train"
        ) from error


class _Reader:
    """One pass over the fields of a file."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._left = MOST_FIELDS

    def model(self) -> None:
        whole = _Field(0, True, 0, 0, len(self._content))
        for field in self._messages(whole):
            if field.number == _GRAPH:
                self._graph(field, depth=0)
            elif field.number == _FUNCTION:
                raise _Refused("it defines functions of its own")

    def _graph(self, graph: _Field, depth: int) -> None:
        if depth > DEEPEST:
            raise _Refused("its branches lie too deep in each other")
        for field in self._messages(graph):
            if field.number == _NODE:
                self._node(field, depth)
            elif field.number == _INITIALIZER:
                self._tensor(field)
            elif field.number == _SPARSE_INITIALIZER:
                self._sparse(field)

    def _node(self, node: _Field, depth: int) -> None:
        operator, domain, attributes = "", "", []
        for field in self._messages(node):
            if field.number == _OP_TYPE:
                operator = self._text(field)
            elif field.number == _DOMAIN:
                domain = self._text(field)
            elif field.number == _ATTRIBUTE:
                attributes.append(field)
        if domain not in DOMAINS:
            raise _Refused(f"it needs the operator {operator!r} of {domain!r}, a library's own")
        if operator in LOOPS:
            raise _Refused(f"it holds a {operator}, which may never end")
        for attribute in attributes:
            self._attribute(attribute, depth, branches=operator in BRANCHES)

    def _attribute(self, attribute: _Field, depth: int, *, branches: bool) -> None:
        for field in self._messages(attribute):
            if field.number in _TENSORS:
                self._tensor(field)
            elif field.number in _SPARSE:
                self._sparse(field)
            elif field.number in _SUBGRAPHS:
                if not branches:
                    raise _Refused("an operator holds a graph, and is no branch")
                self._graph(field, depth + 1)

    def _sparse(self, sparse: _Field) -> None:
        for field in self._messages(sparse):
            if field.number in (_VALUES, _INDICES):
                self._tensor(field)

    def _tensor(self, tensor: _Field) -> None:
        for field in self._fields(tensor):
            if field.number == _EXTERNAL or (field.number == _LOCATION and field.value):
                raise _Refused("its numbers lie in another file (external data)", _ONE_FILE)

    def _text(self, field: _Field) -> str:
        return self._content[field.start : field.end].decode("utf-8")

    def _messages(self, field: _Field) -> Iterator[_Field]:
        """Yield the messages and texts in a message; a number in their place counts for nothing."""
        return (found for found in self._fields(field) if found.is_long)

    def _fields(self, message: _Field) -> Iterator[_Field]:
        at, end = message.start, message.end
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise _Refused("it has more parts than any network")
            key, at = self._varint(at)
            number, kind = key >> 3, key & 7
            value, size = 0, 0
            if kind == 0:
                value, at = self._varint(at)
            elif kind == 2:
                size, at = self._varint(at)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
            else:
                raise ValueError("it is something else")
            if at + size > end:
                raise ValueError("it is damaged, or something else")
            yield _Field(number, kind == 2, value, at, at + size)
            at += size

    def _varint(self, at: int) -> tuple[int, int]:
        """Return the number that begins at a place, and where the next field begins."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self._content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise ValueError("it is something else")
