"""The words of a command line -> the values of its options, without pydantic where that is simple.

Typer converts with pydantic, which takes longer to load than a prediction takes: a valid number,
path, name or text needs none of it. Whatever is not simple or not valid goes Typer's way, so its
messages are Typer's.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand

from ser_cli import ending
from ser_cli.commands.console import listen
from ser_cli.commands.places import placed_all
from ser_cli.jobs import NAMES, Shared
from ser_cli.remarks import near

SHARED = get_type_hints(Shared, include_extras=True)
_NUMBERS = (int, float)
_running: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []  # name, options, their values


def keep_settings(folder: Path) -> None:
    """Write the options of the command that runs beside its result, as `--config` takes them.

    Raises:
        SerError: The file cannot be written.
    """
    from ser_cli.commands import config

    for name, params, values in _running:
        config.write(folder / f"{name}.toml", name, params, values)


class Command(TyperCommand):
    """A command that loads pydantic only to report what is wrong."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command line into ctx.params; return what is left of them."""
        if ctx.resilient_parsing:  # a shell asks for completions
            return self._unconverted(ctx, args)
        if (values := self._simple(ctx, args)) is None:
            typed = list(args)
            try:
                return super().parse_args(ctx, args)
            except typer.BadParameter as error:
                error.message += self._meant(ctx, typed, error.param)
                raise
        ctx.params.update(values)
        return []

    def _unconverted(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words before one that is to be completed; they need not be valid."""
        given, ctx.args, _ = self.make_parser(ctx).parse_args(args=args)
        for param in self.get_params(ctx):
            value, source = param.consume_value(ctx, given)
            ctx.params[str(param.name)] = value
            ctx.set_parameter_source(param.name, source)
        return list(ctx.args)

    def _meant(self, ctx: Any, args: list[str], param: Any) -> str:
        """Return which name of a parameter is nearly the one that was typed; "" where none is."""
        value = self.make_parser(ctx).parse_args(args=args)[0].get(str(param and param.name))
        if not isinstance(value, str):
            return ""
        close = near(value, [item.value for item in param.shell_complete(ctx, "")])
        return f" {close.capitalize()}" if close.startswith("did") else ""

    def _simple(self, ctx: Any, args: list[str]) -> dict[str, Any] | None:
        """Return the value of each parameter; None where any is not simple, or not valid."""
        given, rest, order = self.make_parser(ctx).parse_args(args=list(args))
        if named := given.get("config"):
            from ser_cli.commands import config

            path = placed_all({"config": named}, SHARED)["config"]
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
        own = Shared(**placed_all({name: ctx.params.pop(name) for name in SHARED}, SHARED))
        listen(quiet=own.quiet, verbose=own.verbose, log_file=own.log_file)
        if own.save_config:
            from ser_cli.commands import config

            config.write(own.save_config, str(self.name), self.params, ctx.params)
        _running[:] = [(str(self.name), tuple(self.params), dict(ctx.params))]
        with ending.in_order():
            return super().invoke(ctx)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return what a shell can complete a word to: options, with the names in their texts."""
        self.state_names(ctx)
        return super().shell_complete(ctx, incomplete)

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
