"""`debugcall bisect`: which commit, or release, changed the answer to a check?"""

import sys
from pathlib import Path

import click

from harness.cli import executors, options, places


def _ends(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, str] | None:  # noqa: ARG001 - click's signature
    if value is None:
        return None
    first, dots, last = value.partition("..")
    if not (first and dots and last):
        raise click.BadParameter("give two releases, as in go1.20..go1.22")
    return first, last


def _folder(out: Path | None, ends: tuple[str, str], *, one_of_two: bool) -> Path:
    """Return where to keep a bisection: two cannot share a folder."""
    short = "-".join(end[:12] for end in ends)
    if out is None:
        return Path(f"debugcall-bisect-{short}")
    return out / short if one_of_two else out


@click.command(
    "bisect",
    epilog="Example: debugcall bisect --repo ~/go --old go1.21.1 --new go1.21.2 --find fix",
)
@click.option(
    "--repo",
    type=click.Path(),
    callback=options.file_name,
    metavar="CLONE",
    help="A clone of Go's repository. It is only read.",
)
@click.option("--old", metavar="REV", help="A commit before the change.")
@click.option("--new", metavar="REV", help="A commit after it.")
@click.option(
    "--releases",
    callback=_ends,
    metavar="A..B",
    help="Releases to look between; with --repo the commits between two of them come next.",
)
@click.option(
    "--find",
    type=click.Choice(["fix", "regression"]),
    help="What is expected: the check fails at the old end, or at the new one.  "
    "[default: as it turns out]",
)
@options.check
@click.option(
    "-n",
    "--number",
    type=options.WholeNumber(),
    metavar="N",
    default=40,
    show_default=True,
    help="How many calls to inject at each step; the proof has 200 at least.",
)
@places.goarch
@places.vm
@places.cpu
@click.option(
    "--jobs",
    type=options.WholeNumber(),
    metavar="K",
    default=1,
    show_default=True,
    help="How many points to test at the same time.",
)
@executors.cluster
@click.option(
    "--out",
    type=click.Path(),
    callback=options.file_name,
    metavar="DIR",
    help="Where to keep recordings, and what is needed to go on after an interruption.  "
    "With --releases and --repo each of the two bisections has a folder in it.  "
    "[default: debugcall-bisect-OLD-NEW]",
)
@click.option(
    "--full-build",
    is_flag=True,
    help="Build the culprit and its parents by make.bash, too, and check these.",
)
@options.json_of("bisections")
def command(  # noqa: PLR0913 - an option each
    *,
    repo: Path | None,
    old: str | None,
    new: str | None,
    releases: tuple[str, str] | None,
    find: str | None,
    check: str,
    number: int,
    goarches: list[str],
    vm: bool,
    cpus: list[str],
    jobs: int,
    cluster: str | None,
    out: Path | None,
    full_build: bool,
    as_json: bool,
) -> int:
    """Find the commit that fixed or broke debug calls.

    Both ends are tested first. Then commits between them, each built for a small part of what
    make.bash costs; what does not build is passed over. The culprit and its parents are built with
    their own compilers and checked once more, with more injections.

    The same command goes on where it was interrupted. Exit code 0: found and proven. 125: only
    some commits are left of which none can be judged.
    """
    from harness.bisected import Change, Question
    from harness.cli import output
    from harness.experiment.bisect import Bisection
    from harness.experiment.journal import Journal
    from harness.report import bisection as report
    from harness.report.progress import LiveProgress
    from harness.toolchain.find import releases_between
    from harness.toolchain.repository import Repository

    if releases is None and not (repo and old and new):
        raise click.UsageError("give --repo, --old and --new; or --releases")
    if releases is not None and (old or new):
        raise click.UsageError("--releases names the ends; leave out --old and --new")
    wanted = Change(find) if find else None
    goarch, cpu = places.place(goarches, cpus, vm=vm)
    with LiveProgress(sys.stderr) as progress:

        def hear(what: str) -> None:
            progress(what, ())

        def bisection(ends: tuple[str, str], repository: str | None) -> Bisection:
            folder = _folder(out, ends, one_of_two=bool(releases and repo))
            asked = Question(repository, *ends, check, number, goarch, cpu)
            return Bisection(asked, Journal(folder, asked), executor, jobs, full_build, hear)

        with executors.executor(cluster, jobs, hear) as executor:
            results = []
            if releases is not None:
                names = releases_between(*releases)
                results.append(bisection((names[0], names[-1]), None).releases(names, wanted))
            if repo is not None and (not results or results[0].proven):
                repository = Repository.open(repo)
                ends = (str(old), str(new))
                if results:  # the last release with the old answer, and the first with the new one
                    ends = (results[0].proof[1].point, results[0].proof[0].point)
                first, last = (repository.resolve(end) for end in ends)
                first = repository.beginning(first, last)
                results.append(bisection((first, last), str(repository.folder)).commits(wanted))
    code = 0 if results[-1].proven else 125
    if as_json:
        output.write_json({"exit_code": code, "bisections": results})
    else:
        for result in results:
            output.write("\n".join(report.account(result, options.again())))
    return code
