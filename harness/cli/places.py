"""The options that say for which architecture a target is built, and where it runs."""

from collections.abc import Sequence

import click

from harness.cli import options
from harness.errors import InputError, Unsupported

CPUS = ("neoverse-n1", "cortex-a72")
"""The names of `harness.vm.CPUS`, which would be slow to import for a help text."""


def words(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> list[str]:  # noqa: ARG001 - click's signature
    """Return what is given by repeating an option, or in one with commas."""
    found = list(dict.fromkeys(word for text in value for word in text.split(",")))
    if "" in found:
        raise click.BadParameter("an empty name")
    return found


def _known(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> list[str]:
    """Return GOARCHes; one that we lack is wrong usage."""
    from harness.arch import arch_for

    names = words(ctx, param, value)
    for name in names:
        try:
            arch_for(name)
        except Unsupported as error:
            raise click.BadParameter(error.message) from None
    return names


def _cpus(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> list[str]:
    names = words(ctx, param, value)
    if unknown := [name for name in names if name not in CPUS]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(CPUS)}")
    return names


goarch = click.option(
    "--goarch",
    "goarches",
    multiple=True,
    callback=_known,
    metavar="GOARCH",
    help="Build the targets for this architecture.  [default: this machine's]",
)
vm = click.option("--vm", is_flag=True, help="Run the targets in a real arm64 Linux under QEMU.")
cpu = click.option(
    "--cpu",
    "cpus",
    multiple=True,
    callback=_cpus,
    metavar="CPU",
    help="The processor that QEMU emulates: neoverse-n1, with LSE atomics, or cortex-a72, with "
    f"load and store exclusive.  [default: {CPUS[0]}]",
)

Place = tuple[str, str | None]
"""An architecture, and the processor of the guest; None is this machine."""


def places(goarches: Sequence[str], cpus: Sequence[str], *, vm: bool) -> list[Place]:
    """Return where the targets run. Raises UsageError or InputError where they cannot."""
    from harness.arch import host_goarch
    from harness.vm import GOARCH

    if cpus and not vm:
        raise click.UsageError("--cpu is the processor that --vm emulates")
    here: list[Place] = []
    guests: list[Place] = []
    for name in goarches or ([GOARCH] if vm else [host_goarch()]):
        if vm and name == GOARCH:
            guests += [(name, cpu) for cpu in cpus or CPUS[:1]]
        elif name == host_goarch():
            here.append((name, None))
        else:
            raise InputError(
                f"this machine cannot run {name} targets",
                mend=f"{options.again()} --vm" if name == GOARCH else f"use a machine for {name}",
            )
    if vm and not guests:
        raise click.UsageError(f"--vm runs {GOARCH} targets only")
    return [*here, *guests]


def place(goarches: Sequence[str], cpus: Sequence[str], *, vm: bool) -> Place:
    """Return where targets run, of a command that has one such place."""
    found = places(goarches, cpus, vm=vm)
    if len(found) > 1:
        raise click.UsageError("give one --goarch and one --cpu; debugcall matrix takes more")
    return found[0]
