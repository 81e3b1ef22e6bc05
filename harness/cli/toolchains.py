"""`debugcall toolchains`: what was built and is kept."""

import time

import click

from harness.cli import options

_DAY = 24 * 3600


@click.group(
    "toolchains",
    no_args_is_help=False,
    epilog="Example: debugcall toolchains prune --older-than 30",
)
def command() -> None:
    """Show or remove what was built and is kept.

    That is compilers, targets, guests, build caches of Go.

    Whatever is removed is built anew when it is needed.
    """


@command.command("list")
@options.json_of("kept")
def show(*, as_json: bool) -> int:
    """Show what is kept, how large it is, and when it was last used."""
    from harness.cache import kept
    from harness.cli import output

    found = kept()
    if as_json:
        output.write_json({"exit_code": 0, "kept": found})
        return 0
    output.write("        size  last used  what       where")
    for one in found:
        days = (time.time() - one.used) / _DAY
        output.write(f"{one.size / 1e6:9.1f} MB  {days:4.0f} days  {one.kind:<10} {one.path}")
    output.write(f"{sum(one.size for one in found) / 1e6:9.1f} MB  in all")
    return 0


@command.command("prune")
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    metavar="DAYS",
    default=30,
    show_default=True,
    help="Remove what was not used for so long; 0: everything.",
)
def prune(*, older_than: int) -> int:
    """Remove what was not used for some time."""
    from harness import cache
    from harness.cli import output

    limit = time.time() - older_than * _DAY
    old = [one for one in cache.kept() if one.used <= limit]
    cache.prune(old)
    output.write(f"removed {len(old)}, {sum(one.size for one in old) / 1e6:.1f} MB")
    return 0
