"""Targets built with the Go of one commit, for a small part of what a full build of it costs."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.arch import host_goarch
from harness.cache import cache_folder, digest
from harness.errors import Unsupported
from harness.toolchain.build import build_target, go_build, kept_target
from harness.toolchain.environment import for_build
from harness.toolchain.full_build import full_build
from harness.toolchain.go_command import failure, run_command
from harness.toolchain.installation import Toolchain
from harness.toolchain.repository import Repository
from harness.toolchain.sources import content_of, package_folder
from harness.toolchain.tools import (
    CHEAP_GOGC,
    Tools,
    declared_experiments,
    experiments,
    unknown_flags,
)
from harness.toolchain.work_tree import WorkTree, work_tree

MAKE_BASH = "make.bash"
WHOLE = ("src/**",)
"""All folders with sources, for `folders_of`."""


class AtCommit(msgspec.Struct, frozen=True, tag="commit"):
    """The Go of a commit (full hash) in a clone: what another process has to know to build with it.

    `tools` is the commit whose compiler, assembler and linker are used, None for its own; or it is
    MAKE_BASH: all of the commit is built by make.bash, at fifty times the cost. `linked` are the
    folders of the repository that the target is made of, empty if that is not known: commits that
    are equal in all of them share one build.
    """

    repository: str
    commit: str
    tools: str | None = None
    linked: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What to call it."""
        return self.commit[:12]


def build_at_commit(
    source: AtCommit, target: str, goarch: str, hear: Callable[[str], None] = lambda _: None
) -> Path:
    """Build a target (a folder under gotargets) with the Go of a commit; return the executable.

    What was built stays in the cache under the contents that it was made of. `hear` is told what
    takes long. Raises BuildError, or Unsupported if this Go has no debug calls.
    """
    repository, tools = _opened(source, goarch)
    require_debug_calls_at(repository, source.commit, goarch)
    if source.tools == MAKE_BASH:
        return build_target(full_build(repository, tools, hear), target, goarch=goarch)
    folder = package_folder(target)

    def build(scratch: Path) -> Path:
        with work_tree() as tree:
            built = tools.built(tree, hear)
            hear(f"building the target at {source.name}")
            tree.check_out(repository, source.commit)
            tree.hide_systems_unknown_to(tools.driver)
            tree.lend(built)
            return _build(tree, tools, built, folder, scratch)

    return kept_target(content_key(source, target, goarch), folder.name, build)


def content_key(source: AtCommit, target: str, goarch: str) -> str:
    """Return a digest of all that a target at a commit is made of. Nothing is built for it."""
    if source.tools == MAKE_BASH:
        return f"full-{source.commit}-{goarch}-{content_of(package_folder(target))}"
    repository, tools = _opened(source, goarch)
    library = repository.content(source.commit, source.linked or ["src"])
    return digest(tools.key, library, content_of(package_folder(target)), goarch)


def linked_folders(source: AtCommit, target: str, goarch: str) -> tuple[str, ...]:
    """Return the folders of the repository whose packages a target is made of."""
    repository, tools = _opened(source, goarch)
    folder = package_folder(target)
    form = "{{if .Standard}}src/{{.ImportPath}}{{end}}"
    with work_tree() as tree, tempfile.TemporaryDirectory(dir=cache_folder("trees")) as scratch:
        tree.check_out(repository, source.commit)
        tree.hide_systems_unknown_to(tools.driver)
        experiments = declared_experiments(repository, tools.commit)
        toolchain, environ, tags = _driver(tree, tools, Path(scratch), experiments)
        command = [str(toolchain.go), "list", "-deps", *tags, "-f", form, "."]
        code, said = run_command(command, environ, folder)
        if code:
            what = f"the packages of {folder.name} at {source.name} cannot be listed"
            raise failure(what, said, Path(scratch), "")
    return tuple(sorted(line for line in said.splitlines() if line.startswith("src/")))


def require_debug_calls_at(repository: Repository, commit: str, goarch: str) -> None:
    """Raise Unsupported if the runtime at a commit has no debugCallV2."""
    if "·debugCallV2" not in (repository.text(commit, f"src/runtime/asm_{goarch}.s") or ""):
        raise Unsupported(
            f"the runtime at {commit[:12]} has no debugCallV2 on linux/{goarch}",
            mend="give commits of Go 1.17 and later (on arm64: 1.18)",
        )


def _opened(source: AtCommit, goarch: str) -> tuple[Repository, Tools]:
    repository = Repository.open(Path(source.repository))
    tools = source.commit if source.tools in {None, MAKE_BASH} else source.tools
    return repository, Tools.of(repository, tools or source.commit, goarch)


def _build(tree: WorkTree, tools: Tools, built: Path, folder: Path, scratch: Path) -> Path:
    toolchain, environ, tags = _driver(tree, tools, scratch, experiments(built / "compile"))
    flags = ["-toolexec", (built / "toolexec").name, *tags]
    headers = (tree.goroot / "pkg" / "include").iterdir()
    # The Go command's build cache does not look into the headers that the assembler includes.
    content = digest(tools.key, *sorted(path.read_text(encoding="utf-8") for path in headers))
    environ |= {
        "GOGC": CHEAP_GOGC,
        "PATH": os.pathsep.join([str(built), environ.get("PATH", os.defpath)]),
        "DEBUGCALL_TOOLS": content,
        "DEBUGCALL_UNKNOWN": " ".join(unknown_flags(built)),
    }
    return go_build(toolchain, folder, flags, environ, scratch)


def _driver(
    tree: WorkTree, tools: Tools, scratch: Path, on: set[str]
) -> tuple[Toolchain, dict[str, str], list[str]]:
    """Return the release's Go command as one of the work tree, its environment and build tags.

    The tags are those that an older Go command does not set by itself. It chooses files by its own
    experiments, too, and is told which are `on` (internal/buildcfg/exp.go, baseline).
    """
    version = tools.driver.version.replace(" ", "-")
    drivers = experiments(tools.driver.goroot / "pkg" / "tool" / f"linux_{host_goarch()}/compile")
    environ = for_build(
        tree.goroot,
        goarch=tools.goarch,
        gocache=cache_folder("gocache", f"commits-{version}"),
        scratch=scratch,
    )
    environ["GOEXPERIMENT"] = ",".join(f"no{name}" for name in sorted(drivers - on))
    tags = [
        *(f"goexperiment.{name}" for name in sorted(on - drivers)),
        "unix",
        f"go1.{tools.minor}",
    ]
    return replace(tools.driver, goroot=tree.goroot), environ, ["-tags", ",".join(tags)]


def folders_of(paths: Sequence[str]) -> list[str]:
    """Return what git is to look at in these folders: sources, without those of tests."""
    sources = [f":(glob){path}/*.{kind}" for path in paths for kind in ("go", "s", "h")]
    return [*sources, ":(exclude,glob)**/*_test.go"]
