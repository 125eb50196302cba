"""The commands of `ser`: each parses its options, calls one stage and prints."""

# Name of a command -> its file in commands/.
COMMANDS = {
    "download": "download",
    "download-ravdess": "download",
    "eda": "eda",
    "extract": "extract",
    "tune": "tune",
    "train": "train",
    "evaluate": "evaluate",
    "predict": "predict",
    "export": "export",
    "recipes": "recipes",
    "app": "app",
    "doctor": "doctor",
}
# Those that resume when they are given again; `ser predict` says itself what is done.
RESUME = frozenset({"download", "download-ravdess", "extract", "tune", "train", "evaluate"})


def resuming(command: str = "") -> str:
    """Return what is said of a command that is interrupted, beside that it was."""
    return "; the same command resumes" if command in RESUME else ""
