"""`debugcall doctor`: can a check run here, and what mends it if not?"""

import click

from harness.cli import options


@click.command("doctor", epilog="Example: debugcall doctor")
@options.json_of("items")
def command(*, as_json: bool) -> int:
    """Find out whether a check can run here.

    Tries what a check needs. For each thing that is missing it names the command that mends it.
    Exit code 0 if a check can run, 131 if nothing can be traced, 125 if something else is missing.
    """
    from harness.cli import output
    from harness.experiment.doctor import Item, examine

    items: list[Item] = []
    for item in examine():
        items.append(item)
        if not as_json:
            state = "missing" if item.exit_code else "note" if item.mend else "ok"
            output.write(f"{state:<8}{item.name:<13}{item.text}")
            if item.mend:
                output.write(f"{'':<8}mend: {item.mend}")
    code = max(item.exit_code for item in items)
    if as_json:
        output.write_json({"exit_code": code, "items": items})
    return code
