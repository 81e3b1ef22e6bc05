"""The group of all commands. It imports a command's module when that command is asked for."""

from importlib import import_module

import click

NAMES = (
    "check",
    "run",
    "attach",
    "matrix",
    "bisect",
    "bisect-step",
    "toolchains",
    "verify",
    "show",
    "doctor",
)
"""The commands, in the order of the help text. Each is `command` in the module of its name."""


class Commands(click.Group):
    """Commands that are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of the help text."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command; None if there is none of this name."""
        if cmd_name not in NAMES:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = import_module(f"harness.cli.{module}").command
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    epilog="""Example: debugcall check --go go1.21.1

    Exit codes: 0 pass, 1 violation, 125 cannot tell, 129 wrong usage or input, 130 interrupted,
    131 no permission to trace, 132 something that it takes failed (network, cache, disk, guest,
    cluster), or the harness itself.

    On a slow machine DEBUGCALL_TIME_SCALE=4 in the environment makes each time limit four times as
    long.
    """,
)
@click.version_option(package_name="debugcall-harness", message="%(prog)s %(version)s")
def debugcall() -> None:
    """Test Go's debug calls (runtime.debugCallV2) as a debugger uses them.

    The harness injects calls into a compiled Go program, delays threads until another one tries to
    take the call away, and judges what it saw.
    """
