"""Errors a user can act on; each subclass carries the exit code of the command line."""

from __future__ import annotations

import errno
import re

# What a system says -> what to do about it.
_STEPS = {
    errno.EEXIST: "name a folder: this is a file",
    errno.ENOTDIR: "name a folder: this is a file",
    errno.EISDIR: "name a file: this is a folder",
    errno.ENOENT: "check the path",
    errno.ENAMETOOLONG: "take a shorter name",
    errno.ENOSPC: "make room on the disk, then run the same command again",
    errno.EDQUOT: "make room on the disk, then run the same command again",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS), "choose a place that you may write to"
    ),
}
HIDDEN = "***"  # in place of a password


class SerError(Exception):
    """State what is wrong and where, and what to do next.

    Args:
        message: What is wrong and where, in one sentence.
        hint: The next step, usually a command to type.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(SerError):
    """The request itself makes no sense: an unknown name, options that exclude each other."""

    exit_code = 2


class AudioError(SerError):
    """A file is not sound that can be read."""


class DataError(SerError):
    """A corpus, a table of clips or a split is missing or wrong."""


class FetchError(SerError):
    """A download failed, or what came is not what was promised."""


class ArtifactsError(SerError):
    """An artifacts folder is missing, incomplete, damaged or not to be trusted."""


def of_system(error: OSError | MemoryError) -> SerError:
    """Return what a system refused in one sentence, and what to do about it."""
    if isinstance(error, MemoryError):
        return SerError(
            "there is not enough memory" + (f": {error}" if str(error) else ""),
            hint="close other programs, or ask for less: fewer --jobs, a smaller --batch-size",
        )
    where = f"{error.filename}: " if error.filename else ""
    hint = _STEPS.get(error.errno or 0, "check the path and the disk")
    return SerError(f"{where}{error.strerror or error}", hint=hint)


def without_password(text: str) -> str:
    """Return a text with *** for the password of each URL in it, whatever signs it is made of."""
    login = re.sub(r"(://[^:/@\s]*:)\S*@", rf"\1{HIDDEN}@", text)
    words = r"([?&](?:ssl)?(?:password|passwd|pwd)=)[^&\s]*"
    return re.sub(words, rf"\1{HIDDEN}", login, flags=re.I)
