"""The page of all commands and options. `scripts/commands` writes it."""

from collections.abc import Iterator
from inspect import cleandoc

import click

from harness.cli.group import debugcall

HEAD = """# Commands

What `--help` says, of all commands; `scripts/commands` writes this page. The
[README](../README.md#commands) has them in a table, and says which exit code means what.
"""


def page() -> str:
    """Return the page."""
    return HEAD + "".join(_sections(debugcall, click.Context(debugcall, info_name="debugcall")))


def _sections(group: click.Group, parent: click.Context) -> Iterator[str]:
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command
        context = click.Context(command, parent, name, help_option_names=["-h", "--help"])
        yield "\n".join(_section(command, context)) + "\n"
        if isinstance(command, click.Group):
            yield from _sections(command, context)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("", f"## {context.command_path}", "", f"Usage: {context.command_path} {usage}", "")
    yield cleandoc(command.help or "")
    options = [param for param in command.params if isinstance(param, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    if records:
        yield from ("", "| option | |", "| --- | --- |")
        for name, text in records:
            yield f"| `{_cell(name)}` | {_cell(text)} |"
    if command.epilog:
        first, *others = cleandoc(command.epilog).split("\n\n")
        yield from ("", f"Example: `{first.removeprefix('Example: ')}`")
        for more in others:
            yield from ("", more)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
