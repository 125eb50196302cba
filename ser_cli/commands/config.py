"""`--config` and `--save-config`: the options of a command as a table of a TOML file.

The names are those of the command line without their dashes; what stands there is what is typed:

    [predict]
    window = 3
    labels = "angry,happy"
    same-speaker = true
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser_cli.commands import COMMANDS
from ser_cli.data.store import write_text
from ser_cli.errors import UsageError, without_password
from ser_cli.remarks import near

OWN = frozenset({"config", "save-config", "help"})  # options that a file cannot have


def read(path: Path, command: str, parameters: Sequence[Any]) -> dict[str, Any]:
    """Return what a file says of a command's options, by the names of their parameters.

    Args:
        path: The file.
        command: Its table; others are of other commands.
        parameters: Those of the command.

    Raises:
        UsageError: It is no such file, or knows an option that the command does not.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--config {path}: {error}", hint="a TOML file: [predict]") from error
    for name, table in tables.items():
        if name not in COMMANDS or not isinstance(table, dict):
            raise UsageError(f"{path}: [{name}] is no command", hint=near(name, sorted(COMMANDS)))
    names = {flag: parameter.name for flag, parameter in _flags(parameters)}
    found = {}
    for option, value in tables.get(command, {}).items():
        if option not in names:
            raise UsageError(
                f"{path}: ser {command} has no option --{option}", hint=near(option, sorted(names))
            )
        found[names[option]] = value
    return found


def write(path: Path, command: str, parameters: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Write the values of a command's options as `read` takes them; what is not set is left out.

    So is what holds a password, or is signed; a remark in the file says so.

    Raises:
        SerError: The file cannot be written.
    """
    lines = [f"[{command}]"]
    for flag, parameter in _flags(parameters):
        value = values.get(parameter.name)
        if value in (None, (), []):
            continue
        line = f"{flag} = {json.dumps(_plain(value), ensure_ascii=False)}"
        lines.append(f"# {flag} is left out: it holds a secret" if _is_secret(line) else line)
    write_text(path, "\n".join(lines) + "\n")


def _flags(parameters: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the options of a command, by their longest names."""
    for parameter in parameters:
        flag = max(parameter.opts, key=len)
        if flag.startswith("--") and (name := flag.removeprefix("--")) not in OWN:
            yield name, parameter


def _is_secret(line: str) -> bool:
    """Tell whether a line holds a password, or the address of something with what opens it."""
    return without_password(line) != line or bool(re.search(r"https?://[^\s\"]*\?", line))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, bool | int | float):
        return value
    return str(getattr(value, "value", value))
