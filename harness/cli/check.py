"""`debugcall check`: do these toolchains hold the call goroutine on its thread?"""

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, places
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.experiment.in_guest import InGuest
    from harness.report.progress import LiveProgress
    from harness.verdict import Check


@click.command("check", epilog="Example: debugcall check --go go1.21.1 --go go1.27.3")
@click.option(
    "--go",
    "specs",
    multiple=True,
    callback=places.words,
    metavar="TOOLCHAIN,...",
    help="Releases (go1.21.1), GOROOTs, go binaries; may be given several times.  "
    "[default: the Go found]",
)
@options.schedule
@options.number
@options.as_json
@options.record
@places.goarch
@places.vm
@places.cpu
@options.junit
@click.option("--no-control", is_flag=True, help="Do not check that the check can fail.")
def command(  # noqa: PLR0913 - an option each
    *,
    specs: list[str],
    schedule: str | None,
    number: int,
    as_json: bool,
    record: Path | None,
    goarches: list[str],
    vm: bool,
    cpus: list[str],
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
    from harness.verdict import built_for

    goarch, cpu = places.place(goarches, cpus, vm=vm)
    if len(specs) > 1 and record and not (_is_folder(record) or "{go}" in str(record)):
        raise click.UsageError(
            "several toolchains cannot share one recording: put {go} into the name that --record "
            "gets, or give it a folder that exists"
        )

    publish = Publisher(junit, as_json=as_json, targets=[TARGET] * max(1, len(specs)))
    taken = {junit.resolve()} if junit else set()
    guest: InGuest | None = None

    def check(spec: str | None, progress: "LiveProgress") -> "Check":
        nonlocal guest
        progress(f"looking for {spec or 'Go'}", ())
        toolchain = find_toolchain(spec, goarch)
        path = record and recording_path(
            record, built_for(toolchain.version, goarch or host_goarch())
        )
        if path and path.resolve() in taken:
            raise InputError(
                f"{path} is written by this command already",
                mend="give each toolchain once, and --record and --junit different files",
            )
        if cpu and not guest:
            guest = stack.enter_context(_guest(cpu, progress))
        settings = Settings(
            goarch=goarch,
            run=guest or run_here,
            number=number,
            schedule=Schedule(schedule) if schedule else None,
            control=not no_control,
            record=path,
        )
        taken.update([path.resolve()] if path else ())
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


def _guest(cpu: str, progress: "LiveProgress") -> "InGuest":
    from harness.experiment.in_guest import InGuest

    progress("looking for the arm64 guest", ())
    return InGuest(cpu, lambda line: progress(line, ()))


def recording_path(record: Path, toolchain: str) -> Path:
    """Return the file for a toolchain: in a folder, with {go} filled in, or as it is."""
    name = re.sub(r"[^\w.+-]+", "-", toolchain)
    if _is_folder(record):
        return record / f"{name}.jsonl"
    return Path(str(record).replace("{go}", name))


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where one may not look
