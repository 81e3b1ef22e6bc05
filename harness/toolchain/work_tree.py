"""A GOROOT in the cache whose sources are those of one commit, then of another."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from harness.arch import host_goarch
from harness.cache import cache_folder, lock_free, writing
from harness.toolchain.installation import Toolchain
from harness.toolchain.repository import Repository


@dataclass(frozen=True)
class WorkTree:
    """A GOROOT without a Go command of its own: sources, and tools that are lent to it.

    Its path stays the same from commit to commit, since Go's build cache knows paths.
    """

    goroot: Path

    @property
    def sources(self) -> Path:
        """The folder with the sources: `src` of the repository."""
        return self.goroot / "src"

    def check_out(self, repository: Repository, commit: str) -> None:
        """Make the sources those of a commit, with what a full build (cmd/dist) would add."""
        with writing(self.goroot):
            self.sources.mkdir(exist_ok=True)
            repository.check_out(f"{commit}:src", self.sources, self.goroot.parent / "index")
            runtime = self.sources / "runtime"
            include = self.goroot / "pkg" / "include"
            shutil.rmtree(include, ignore_errors=True)
            include.mkdir(parents=True)
            for header in runtime.glob("*.h"):
                shutil.copy(header, include)
            # cmd/dist/buildruntime.go, mkzversion; the folder moved in Go 1.24.
            for folder in (runtime / "internal" / "sys", self.sources / "internal/runtime/sys"):
                if folder.is_dir():
                    text = "package sys\n\nconst StackGuardMultiplierDefault = 1\n"
                    (folder / "zversion.go").write_text(text)

    def hide_systems_unknown_to(self, driver: Toolchain) -> None:
        """Remove files for operating systems and processors that an older Go command knows not.

        It would take their names (os_wasip1.go) for nothing special, and compile them in.
        """
        for name in _systems(self.sources) - _systems(driver.goroot / "src"):
            for path in self.sources.rglob(f"*_{name}*"):
                if name in path.name.partition(".")[0].split("_")[1:]:
                    path.unlink()

    def lend(self, tools: Path) -> None:
        """Let these be the tools: a folder with `compile`, `asm` and `link`."""
        place = self.goroot / "pkg" / "tool" / f"linux_{host_goarch()}"
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            place.unlink()
        elif place.exists():
            shutil.rmtree(place)
        place.symlink_to(tools)


def _systems(sources: Path) -> set[str]:
    """Return the names that go/build knows of operating systems and processors."""
    for place in ("internal/syslist", "go/build"):  # the former since Go 1.24
        with suppress(FileNotFoundError):
            text = (sources / place / "syslist.go").read_text(encoding="utf-8")
            return set(" ".join(re.findall(r'"([a-z0-9 ]+)"', text)).split())
    return set()


@contextmanager
def work_tree() -> Iterator[WorkTree]:
    """Lend a work tree that nobody else uses meanwhile, nor anything that a killed one started."""
    for number in count():
        home = cache_folder("trees", str(number))
        with lock_free(home / "lock") as ours:
            if ours:
                goroot = home / "goroot"
                with writing(home):
                    goroot.mkdir(exist_ok=True)
                yield WorkTree(goroot)
                return
