"""Pages made from the program and its tables, so that they state what it does: `docs/made/`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ser_cli import cli

ROOT = Path(__file__).parents[1]
MADE = "made"  # folder, which git ignores
EXAMPLES = re.compile(r"^(ser .+)$", re.MULTILINE)
# Files that are pages as they are: name of the page -> file.
INCLUDED = {"changelog": "CHANGELOG.md", "security": "SECURITY.md"}


def write(docs: Path) -> None:
    """Write the pages below a folder anew."""
    made = docs / MADE
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    group: Any = typer.main.get_command(cli.build())
    for name, command in group.commands.items():
        command.state_names(command.make_context(name, [], resilient_parsing=True))
        (made / f"ser-{name}.md").write_text(page_of(name, command), encoding="utf-8")
    for name, file in INCLUDED.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        (made / f"{name}.md").write_text(text, encoding="utf-8")


def page_of(name: str, command: Any) -> str:
    """Return the page of a command: what it does, examples, arguments and options."""
    arguments = [one for one in command.params if not one.opts[0].startswith("-")]
    options = [one for one in command.params if one.opts[0].startswith("-") and not one.hidden]
    parts = [f"# ser {name}", command.help.strip()]
    if examples := EXAMPLES.findall(command.epilog or ""):
        parts.append("```sh\n" + "\n".join(examples) + "\n```")
    for title, entries in (("Arguments", arguments), ("Options", options)):
        if entries:
            parts += [f"## {title}", *map(entry, entries)]
    return "\n\n".join(parts) + "\n"


def entry(parameter: Any) -> str:
    """Return an option or argument as an entry of a list of definitions."""
    return f"{', '.join(names(parameter))}\n: {escaped(parameter.help)}{default(parameter)}"


def names(parameter: Any) -> Iterator[str]:
    """Yield the ways to write an option, with what it takes."""
    if not parameter.opts[0].startswith("-"):
        yield f"`{parameter.name.upper()}`"
        return
    takes = "" if parameter.is_flag else f" {value(parameter)}"
    yield from (f"`{name}{takes}`" for name in parameter.opts)
    yield from (f"`{name}`" for name in parameter.secondary_opts)


def value(parameter: Any) -> str:
    """Return what an option takes: a word for it, or the words to choose from."""
    choices = parameter.type_descriptor.annotation
    return parameter.metavar or "|".join(choice.value for choice in choices)


def default(parameter: Any) -> str:
    """Return a sentence about the default, where there is one to tell."""
    if (
        parameter.required
        or parameter.default in (None, False, True, (), "")
        or ("default" in parameter.help)
    ):
        return ""
    return f" Default: `{parameter.default}`."


def escaped(text: str) -> str:
    """Return plain text so that Markdown shows it as it is."""
    return re.sub(r"([\\*_<>\[\]])", r"\\\1", text)
