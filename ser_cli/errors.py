"""Errors a user can act on; each subclass carries the exit code of the command line."""


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
