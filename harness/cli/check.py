"""`debugcall check`: do these toolchains hold the call goroutine on its thread?"""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.errors import InputError, Unsupported

if TYPE_CHECKING:
    from harness.experiment.in_guest import InGuest
    from harness.report.progress import LiveProgress
    from harness.verdict import Check


_CPUS = ("neoverse-n1", "cortex-a72")
"""The names of `harness.vm.CPUS`, which would be slow to import for a help text."""


def _known(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001 - click's signature
    """Return a GOARCH; one that we lack is wrong usage."""
    if value is not None:
        from harness.arch import arch_for

        try:
            arch_for(value)
        except Unsupported as error:
            raise click.BadParameter(error.message) from None
    return value


@click.command("check", epilog="Example: debugcall check --go go1.21.1 --go go1.27.3")
@click.option(
    "--go",
    "specs",
    multiple=True,
    metavar="TOOLCHAIN",
    help="A release (go1.21.1), a GOROOT or a go binary; may be given several times.  "
    "[default: the Go found]",
)
@options.schedule
@options.number
@options.as_json
@options.record
@click.option(
    "--goarch",
    callback=_known,
    metavar="GOARCH",
    help="Build the targets for this architecture.  [default: this machine's]",
)
@click.option("--vm", is_flag=True, help="Run the targets in a real arm64 Linux under QEMU.")
@click.option(
    "--cpu",
    type=click.Choice(_CPUS),
    help="The processor that QEMU emulates: with LSE atomics, or with load and store exclusive.  "
    f"[default: {_CPUS[0]}]",
)
@options.junit
@click.option("--no-control", is_flag=True, help="Do not check that the check can fail.")
def command(  # noqa: PLR0913 - an option each
    *,
    specs: tuple[str, ...],
    schedule: str | None,
    number: int,
    as_json: bool,
    record: Path | None,
    goarch: str | None,
    vm: bool,
    cpu: str | None,
    junit: Path | None,
    no_control: bool,
) -> int:
    """Check Go toolchains.

    A target is built with each of them, calls are injected, and what was seen is judged. A
    toolchain that passes is checked once more with the lock cut out of its runtime: this control
    must fail.

    Settings of Go in the environment (GOTOOLCHAIN, GOFLAGS, GOROOT and so on) have no influence,
    but those that say where a release is downloaded from.

    Of several toolchains the worst decides the exit code: an error (129 and above), then a
    violation (1), then "cannot tell" (125). After an error the others still have their turn, unless
    nothing can be traced or the user interrupts.
    """
    from harness.arch import host_goarch
    from harness.cli.publish import Publisher
    from harness.cli.several import several
    from harness.cli.single import single
    from harness.experiment.check import Settings, check_toolchain
    from harness.experiment.job import TARGET, run_here
    from harness.recording import Schedule
    from harness.toolchain import find_toolchain
    from harness.vm import GOARCH

    if cpu and not vm:
        raise click.UsageError("--cpu is the processor that --vm emulates")
    if vm and goarch not in {None, GOARCH}:
        raise click.UsageError(f"--vm runs {GOARCH} targets only")
    if not vm and goarch not in {None, host_goarch()}:
        raise InputError(
            f"this machine cannot run {goarch} targets",
            mend=f"{options.again()} --vm" if goarch == GOARCH else f"use a machine for {goarch}",
        )

    if len(specs) > 1 and record and not (record.is_dir() or "{go}" in str(record)):
        raise click.UsageError(
            "several toolchains cannot share one recording: put {go} into the name that --record "
            "gets, or give it a folder that exists"
        )

    publish = Publisher(junit, as_json=as_json, targets=[TARGET] * max(1, len(specs)))
    written: set[Path] = set()
    guest: InGuest | None = None

    def check(spec: str | None, progress: "LiveProgress") -> "Check":
        nonlocal guest
        progress(f"looking for {spec or 'Go'}", ())
        toolchain = find_toolchain(spec)
        path = record and recording_path(record, toolchain.version)
        if path in written:
            raise InputError(
                f"{path} holds another recording of this command already",
                mend="give each toolchain once",
            )
        if vm and not guest:
            guest = stack.enter_context(_guest(cpu, progress))
        settings = Settings(
            goarch=GOARCH if vm else goarch,
            run=guest or run_here,
            number=number,
            schedule=Schedule(schedule) if schedule else None,
            control=not no_control,
            record=path,
        )
        written.update([path] if path else ())
        return check_toolchain(toolchain, settings, progress)

    with ExitStack() as stack:
        if len(specs) > 1:
            return several(specs, check, as_json=as_json, publish=publish)
        spec, again = specs[0] if specs else None, options.again()
        return single(
            spec or "Go",
            lambda progress: check(spec, progress),
            as_json=as_json,
            again=again,
            publish=publish,
        )


def _guest(cpu: str | None, progress: "LiveProgress") -> "InGuest":
    from harness.experiment.in_guest import InGuest

    progress("looking for the arm64 guest", ())
    return InGuest(cpu or _CPUS[0], lambda line: progress(line, ()))


def recording_path(record: Path, version: str) -> Path:
    """Return the file for a toolchain: in a folder, with {go} filled in, or as it is."""
    name = re.sub(r"[^\w.+-]+", "-", version)
    return record / f"{name}.jsonl" if record.is_dir() else Path(str(record).replace("{go}", name))
