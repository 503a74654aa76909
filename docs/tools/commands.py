"""A page for the command line, from typer's own description of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer.main
from typer.core import TyperArgument, TyperOption

from docs.tools.table import code, table
from skerry.cli.main import app

if TYPE_CHECKING:
    from typer.core import TyperCommand

INTRODUCTION = """# Command line

`skerry`, which kubectl runs as `kubectl skerry` when it is on the PATH. It never writes a spec: `promote`,
`abort`, `undo` and `retry` write an annotation that names what it is about. An error is two lines on the
standard error, what and where, then what to do; the exit code is 1 (2 for a wrong option).
"""


def render() -> str:
    """Return the page."""
    group = typer.main.get_command(app)
    parts = [_command(name, command) for name, command in group.commands.items()]  # type: ignore[attr-defined]
    return INTRODUCTION + "".join(parts)


def _command(name: str, command: TyperCommand) -> str:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption)]
    words = " ".join(_word(one) for one in arguments)
    text = f"\n## {name}\n\n{command.help}\n\n`{' '.join(['skerry', name, *([words] if words else [])])}`\n\n"
    rows = [(code(_word(one)), "", _help(one)) for one in arguments]
    rows += [(", ".join(code(o) for o in one.opts), _default(one), _help(one)) for one in options]
    return text + table(("", "default", "what it is"), rows)


def _word(argument: TyperArgument | TyperOption) -> str:
    word = str(argument.name).upper()
    return word if argument.required else f"[{word}]"


def _default(option: TyperOption) -> str:
    if option.required:
        return "**required**"
    return "" if option.default is None or option.is_flag else code(str(option.default))


def _help(parameter: TyperArgument | TyperOption) -> str:
    repeated = " May be given more than once." if getattr(parameter, "multiple", False) else ""
    variable = f" Also by `{parameter.envvar}`." if parameter.envvar else ""
    return f"{parameter.help or ''}{repeated}{variable}"
