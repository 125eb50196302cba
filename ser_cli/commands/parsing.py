"""A job's dataclass -> a Typer command, whose options are the dataclass's fields."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer

from ser_cli.commands import console
from ser_cli.commands.places import flag, is_place, placed_all
from ser_cli.commands.reading import SHARED, Command
from ser_cli.jobs import Option, Shared

Job = TypeVar("Job")
_WORDS = {int: "N", float: "NUMBER", Path: "PATH", str: "TEXT"}  # for what an option takes


@dataclass(frozen=True, slots=True)
class Declared:
    """A command: what runs it, what its help ends with, and what its process is to be ready for."""

    run: Callable[..., None]
    name: str
    epilog: str
    trains: bool
    hidden: bool

    def register(self, app: typer.Typer) -> None:
        """Add the command to the program."""
        app.command(self.name, cls=Command, epilog=self.epilog, hidden=self.hidden)(self.run)


def command(
    job: type[Job], *examples: str, trains: bool = False, hidden: bool = False
) -> Callable[[Callable[[Job], None]], Declared]:
    """Return a decorator that makes a command of a function of one job.

    Args:
        job: Its fields become the options.
        examples: Command lines to copy, for the help.
        trains: Whether the process is to be prepared for training.
        hidden: Whether the list of commands leaves it out.
    """
    hints = get_type_hints(job, include_extras=True)
    parameters = [
        _parameter(field, known[field.name])
        for of, known in ((job, hints), (Shared, SHARED))
        for field in fields(of)  # type: ignore[arg-type]
    ]

    def decorate(function: Callable[[Job], None]) -> Declared:
        def run(**values: Any) -> None:
            own = {name: values[name] for name in hints}
            given = {n: tuple(v) if isinstance(v, list) else v for n, v in own.items()}
            given = placed_all(given, hints)
            with console.until_enough():
                function(job(**{n: v for n, v in given.items() if v is not None}))

        run.__name__, run.__doc__ = function.__name__, function.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        name = function.__name__.replace("_", "-")
        return Declared(run, name, "\n\n".join(["Examples:", *examples]), trains, hidden)

    return decorate


def _parameter(field: Any, hint: Any) -> inspect.Parameter:
    kind, option = get_args(hint)
    assert isinstance(option, Option)
    many = get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis
    required = field.default is MISSING
    if many:
        item = get_args(kind)[0]
        kind = list[item] if required else list[item] | None  # type: ignore[valid-type]
    default = (
        inspect.Parameter.empty if required else (field.default or None if many else field.default)
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, _declared(field.name, kind, option)],
    )


def _declared(name: str, kind: Any, option: Option) -> Any:
    checks: dict[str, Any] = {}
    if option.choices:
        names = option.choices
        checks["callback"] = lambda value: _one_of(value, names())
    if offered := option.choices or option.offered:
        checks["autocompletion"] = lambda: list(offered())
    if float in (kind, *get_args(kind)):
        checks["callback"] = _finite
    shared = {"help": option.help, "metavar": option.metavar, "hidden": option.hidden, **checks}
    if is_place(kind):
        shared["path_type"] = str  # a path would make one slash of the two of an address
    if option.argument:
        return typer.Argument(**shared)
    shared["metavar"] = option.metavar or _metavar(kind)
    written = flag(name, option)
    if kind is bool and not option.flag:
        written = f"{written}/--no-{written[2:]}"
    flags = (written, option.short) if option.short else (written,)
    return typer.Option(*flags, min=option.low, max=option.high, **shared)


def _metavar(kind: Any) -> str | None:
    """Return the word for what an option takes; of a choice, Typer lists the words."""
    return next((word for known, word in _WORDS.items() if known in (kind, *get_args(kind))), None)


def _finite(value: float | None) -> float | None:
    if value is not None and math.isinf(value):
        raise typer.BadParameter("Input should be a finite number")
    return value


def _one_of(value: str | None, names: Any) -> str | None:
    if value is not None and value not in names:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(map(repr, names))}.")
    return value
