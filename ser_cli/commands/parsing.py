"""A job's dataclass -> a Typer command, whose values are converted here where that is simple.

Typer converts with pydantic, which takes longer to load than a prediction takes: a valid number,
path, name or text needs none of it. Whatever is not simple or not valid goes Typer's way, so its
messages are Typer's.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand

from ser_cli.addresses import checked, is_url
from ser_cli.commands.console import listen
from ser_cli.errors import UsageError
from ser_cli.jobs import NAMES, Option, Shared

Job = TypeVar("Job")
_SHARED = get_type_hints(Shared, include_extras=True)
_NUMBERS = (int, float)
_WORDS = {int: "N", float: "NUMBER", Path: "PATH", str: "TEXT"}  # for what an option takes


class Command(TyperCommand):
    """A command that loads pydantic only to report what is wrong."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command line into ctx.params; return what is left of them."""
        values = None if ctx.resilient_parsing else self._simple(ctx, args)
        if values is None:
            return super().parse_args(ctx, args)
        ctx.params.update(values)
        return []

    def _simple(self, ctx: Any, args: list[str]) -> dict[str, Any] | None:
        """Return the value of each parameter; None where any is not simple, or not valid."""
        given, rest, order = self.make_parser(ctx).parse_args(args=list(args))
        if named := given.get("config"):
            from ser_cli.commands import config

            path = _placed_all({"config": named}, _SHARED)["config"]
            ctx.default_map = config.read(path, str(self.name), self.params)
        if rest or any(param.is_eager for param in order):  # such as --help
            return None
        try:
            return {
                str(param.name): _converted(param, ctx, param.consume_value(ctx, given)[0])
                for param in self.get_params(ctx)
                if param.expose_value
            }
        except (_NotSimple, typer.BadParameter):
            return None

    def invoke(self, ctx: Any) -> Any:
        """Run it, with what all commands have in common done before."""
        own = Shared(**_placed_all({name: ctx.params.pop(name) for name in _SHARED}, _SHARED))
        listen(quiet=own.quiet, verbose=own.verbose, log_file=own.log_file)
        if own.save_config:
            from ser_cli.commands import config

            config.write(own.save_config, str(self.name), self.params, ctx.params)
        return super().invoke(ctx)

    def state_names(self, ctx: Any) -> None:
        """Put the names that options take into their help texts: they are looked for only now."""
        for param in self.params:
            text = getattr(param, "help", None) or ""
            if NAMES in text:
                names = [item.value for item in param.shell_complete(ctx, "")]
                param.help = text.replace(NAMES, ", ".join(names))  # type: ignore[attr-defined]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help."""
        self.state_names(ctx)
        for param in self.params:
            if isinstance(param, TyperArgument):  # its name says what it takes
                param.display_type_rich = lambda ctx: ""  # type: ignore[method-assign]
        # In the boxes of rich, 80 columns cut off the ends of long options and names.
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)


class _NotSimple(Exception):  # noqa: N818 - no error: Typer takes over the value
    pass


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
        for of, known in ((job, hints), (Shared, _SHARED))
        for field in fields(of)  # type: ignore[arg-type]
    ]

    def decorate(function: Callable[[Job], None]) -> Declared:
        def run(**values: Any) -> None:
            own = {name: values[name] for name in hints}
            given = {n: tuple(v) if isinstance(v, list) else v for n, v in own.items()}
            given = _placed_all(given, hints)
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
        checks["autocompletion"] = lambda: list(names())
    if float in (kind, *get_args(kind)):
        checks["callback"] = _finite
    shared = {"help": option.help, "metavar": option.metavar, "hidden": option.hidden, **checks}
    if _is_place(kind):
        shared["path_type"] = str  # a path would make one slash of the two of an address
    if option.argument:
        return typer.Argument(**shared)
    shared["metavar"] = option.metavar or _metavar(kind)
    flag = _flag(name, option)
    if kind is bool and not option.flag:
        flag = f"{flag}/--no-{flag[2:]}"
    flags = (flag, option.short) if option.short else (flag,)
    return typer.Option(*flags, min=option.low, max=option.high, **shared)


def _metavar(kind: Any) -> str | None:
    """Return the word for what an option takes; of a choice, Typer lists the words."""
    return next((word for known, word in _WORDS.items() if known in (kind, *get_args(kind))), None)


def _flag(name: str, option: Option) -> str:
    return option.flag or "--" + name.replace("_", "-")


def _is_place(kind: Any) -> bool:
    """Tell whether a type is that of a file or folder, or of several."""
    return kind is Path or any(map(_is_place, get_args(kind)))


def _placed_all(given: dict[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of options with what names a place as a path; see `_placed`."""
    kinds = {name: get_args(hints[name]) for name in given}
    return {
        name: _placed(value, kinds[name][1], _flag(name, kinds[name][1]))
        if _is_place(kinds[name][0])
        else value
        for name, value in given.items()
    }


def _placed(value: Any, option: Option, flag: str) -> Any:
    """Return what is named as a path; an address only where the option takes one.

    Raises:
        UsageError: It does not.
        SerError: What is there cannot be had.
    """
    if isinstance(value, tuple):
        return tuple(_placed(item, option, flag) for item in value)
    if not isinstance(value, str):  # by default
        return value
    if option.elsewhere and is_url(value):
        return option.elsewhere(value)
    if is_url(named := checked(value)):
        raise UsageError(
            f"{flag} names a place on this machine, and {named} is none",
            hint="give a path, and copy what is written there afterwards",
        )
    return Path(named)


def _finite(value: float | None) -> float | None:
    if value is not None and math.isinf(value):
        raise typer.BadParameter("Input should be a finite number")
    return value


def _one_of(value: str | None, names: Any) -> str | None:
    if value is not None and value not in names:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(map(repr, names))}.")
    return value


def _converted(param: Any, ctx: Any, value: Any) -> Any:
    """Return a value as its parameter's type.

    Raises:
        _NotSimple: It is missing, or not surely what Typer would make of it.
        typer.BadParameter: It is none of the names that the parameter takes.
    """
    many = param.multiple or param.nargs == -1
    if value is None or (many and not value):
        if param.required:
            raise _NotSimple
        converted: Any = () if many else None
    else:
        kind = param.type_descriptor.annotation
        item = get_args(kind)[0] if many else kind
        converted = [_one(item, part, param) for part in (value if many else [value])]
        converted = converted if many else converted[0]
    return param.callback(ctx, param, converted) if param.callback else converted


def _one(kind: Any, value: Any, param: Any) -> Any:
    """Return one value as a number, path, choice, text or yes and no."""
    if kind in (bool, str) and isinstance(value, kind):
        return value
    try:
        if kind in _NUMBERS and str(value).isascii():  # Python knows digits that Typer does not
            number = kind(value)
            low, high = (getattr(param.type_descriptor.parameter_info, n) for n in ("min", "max"))
            if (low is None or number >= low) and (high is None or number <= high):
                return number
        elif kind is Path:
            return str(value)
        elif isinstance(kind, type) and issubclass(kind, Enum):
            return kind(value)
    except (TypeError, ValueError):
        pass
    raise _NotSimple
