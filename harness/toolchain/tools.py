"""The compiler, assembler and linker of a commit, built by an older release and kept.

A full build (make.bash) has these after a sixth of its time, as its toolchain1; the rest builds
them again with themselves. What they make of a target is the same machine code.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.arch import host_goarch
from harness.cache import built_once, digest
from harness.errors import HarnessError, NoSuchRelease, Unsupported
from harness.toolchain.environment import for_build
from harness.toolchain.find import find_toolchain, release_name
from harness.toolchain.go_command import failure, run_command
from harness.toolchain.installation import Toolchain
from harness.toolchain.repository import Repository
from harness.toolchain.work_tree import WorkTree
from harness.version import __version__

TOOLS = ("asm", "compile", "link")
CHEAP_GOGC = "400"
"""For compilers: as good as no collection at all, a fifth less CPU time than Go's own 100."""
_SHIM = Path(__file__).with_name("toolexec")
_DIST = "src/cmd/dist"
_FLAGS_NOT_ALL_KNOW = {"asm": ("-compiling-runtime", "-std"), "compile": ("-+",)}
_FIRST = 17  # of the Go versions with debugCallV2


@dataclass(frozen=True)
class Tools:
    """What builds targets at a commit. `key` is a digest of all that the tools are made of.

    `minor` is 22 for a commit on the way to Go 1.22, or of its releases.

    `driver` is the release whose Go command runs them: the one before the commit's own version. A
    newer one might leave out a flag that these tools need (CL 521698, for one). While that is not
    out yet, which is so for some weeks of master's, it is the one before, which builds Go too.
    """

    repository: Repository
    commit: str
    goarch: str
    minor: int
    driver: Toolchain
    key: str

    @classmethod
    def of(cls, repository: Repository, commit: str, goarch: str) -> "Tools":
        """Find out what the tools of a commit are; nothing is built, a release may be fetched."""
        minor = _minor_version(repository, commit)
        driver = _driver(commit, max(minor - 1, _FIRST))
        sources = tool_folders(repository, commit)
        recipe = (__version__, _SHIM.read_text(), str(minor), goarch, host_goarch())
        key = digest(repository.content(commit, sources), driver.version, *recipe)
        return cls(repository, commit, goarch, minor, driver, key)

    def built(self, tree: WorkTree, hear: Callable[[str], None]) -> Path:
        """Return the folder with the tools; build them in a work tree if they are not there yet."""

        def build(out: Path) -> None:
            hear(f"building the tools of {self.commit[:12]}")
            self._build(tree, out)

        return built_once("tools", self.key, build=build)

    def _build(self, tree: WorkTree, out: Path) -> None:
        tree.check_out(self.repository, self.commit)
        _stop_after_toolchain1(tree.sources / "cmd" / "dist" / "build.go", self.goarch)
        (tree.goroot / "VERSION.cache").write_text(f"{self.version}\n")
        own = tree.goroot / "pkg" / "tool" / f"linux_{host_goarch()}"
        own.unlink(missing_ok=True) if own.is_symlink() else shutil.rmtree(own, ignore_errors=True)
        environ = for_build(
            self.driver.goroot,
            goarch=host_goarch(),
            gocache=tree.goroot / "pkg" / "obj" / "go-build",  # as dist itself has it
            scratch=out,
        )
        environ |= {"GOROOT_BOOTSTRAP": str(self.driver.goroot), "GOGC": CHEAP_GOGC}
        environ |= {"GO111MODULE": "off"}
        dist = out / "dist"
        for command, goroot in (
            ([str(self.driver.go), "build", "-o", str(dist), "./cmd/dist"], self.driver.goroot),
            ([str(dist), "bootstrap"], tree.goroot),
        ):
            code, said = run_command(command, environ | {"GOROOT": str(goroot)}, tree.sources)
            if code:
                raise failure(
                    f"the tools of {self.commit[:12]} do not build with {self.driver.version}",
                    said,
                    out,
                    f"see whether this commit builds by hand: src/make.bash with "
                    f"GOROOT_BOOTSTRAP={self.driver.goroot}",
                )
        for name in TOOLS:
            shutil.copy(own / name, out / name)
        shutil.copy(_SHIM, out / _SHIM.name)
        dist.unlink()

    @property
    def version(self) -> str:
        """What a target says that it was built with. It does not name the commit, on purpose.

        The version is compiled into the tools: with another one all of them would be built anew.
        """
        return f"devel go1.{self.minor}-debugcall"


def _driver(commit: str, minor: int) -> Toolchain:
    release = release_name(f"1.{minor}")
    try:
        try:
            return find_toolchain(release)
        except NoSuchRelease:
            if minor == _FIRST:
                raise
            return find_toolchain(release_name(f"1.{minor - 1}"))
    except HarnessError as error:
        what = f"{commit[:12]} is built by means of {release}: {error.message}"
        raise type(error)(what, mend=error.mend) from error


def _minor_version(repository: Repository, commit: str) -> int:
    path = "src/internal/goversion/goversion.go"
    found = re.search(r"\bVersion = (\d+)", repository.text(commit, path) or "")
    return int(found[1]) if found else 0


def experiments(compiler: Path) -> set[str]:
    """Return the experiments that are on in a compiler."""
    # With none on it names each that would be.
    code, said = run_command([str(compiler), "-V=full"], {"GOEXPERIMENT": "none"}, compiler.parent)
    if code:
        raise failure(f"{compiler} does not run", said, compiler.parent, "")
    named = re.search(r" X:([\w,]+)", said)
    return {name.removeprefix("no") for name in named[1].split(",")} if named else set()


def declared_experiments(repository: Repository, commit: str) -> set[str]:
    """Return the experiments that a commit may have on, by its sources: nothing is built."""
    text = repository.text(commit, "src/internal/buildcfg/exp.go") or ""
    listed = re.search(r"(?s)\bbaseline :?= goexperiment\.Flags\{(.*?)\n\t\}", text)
    names = re.findall(r"(?m)^\s*(\w+):", listed[1]) if listed else []
    return {name.lower() for name in names}


def unknown_flags(tools: Path) -> list[str]:
    """Return the flags that older Go commands give and these tools do not know."""
    unknown = []
    for name, flags in _FLAGS_NOT_ALL_KNOW.items():
        _, usage = run_command([str(tools / name), "-h"], {}, tools)
        known = re.findall(r"(?m)^  (-\S+)", usage)
        if not known:
            raise failure(f"{tools / name} does not tell its flags", usage, tools, "")
        unknown += [f"{name}:{flag}" for flag in flags if flag not in known]
    return unknown


def tool_folders(repository: Repository, commit: str) -> list[str]:
    """Return the folders that the tools are built of (cmd/dist/buildtool.go, bootstrapDirs)."""
    text = repository.text(commit, f"{_DIST}/buildtool.go") or ""
    listed = re.search(r"(?ms)^var bootstrapDirs = \[\]string\{\n(.*?)^\}", text)
    if not listed:
        raise Unsupported(
            f"cmd/dist of {commit[:12]} has no list bootstrapDirs as Go 1.17 to 1.27 have",
            mend="build it by make.bash and check the result: debugcall check --go GOROOT",
        )
    names = re.findall(r'(?m)^\s*"([^"]+)"', listed[1])
    return [_DIST, *(f"src/{name.removesuffix('/...')}" for name in names)]


def _stop_after_toolchain1(build: Path, goarch: str) -> None:
    """Have cmd/dist end when the first tools are there, and let them compile for `goarch`.

    No command of dist stops there, and its first compiler knows the host's architecture only.
    """
    call = "\tbootstrapBuildTools()\n"
    text = build.read_text(encoding="utf-8")
    if text.count(call) != 1:
        raise Unsupported(
            "cmd/dist/build.go does not call bootstrapBuildTools once, as in Go 1.17 to 1.27",
            mend="build it by make.bash and check the result: debugcall check --go GOROOT",
        )
    build.write_text(text.replace(call, f'\tgohostarch = "{goarch}"\n{call}\txexit(0)\n'))
