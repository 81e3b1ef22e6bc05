"""A commit built as its authors do: by make.bash. Costs 340 CPU seconds and 500 MB."""

from collections.abc import Callable
from pathlib import Path

from harness.arch import host_goarch
from harness.cache import built_once
from harness.toolchain.environment import for_build
from harness.toolchain.go_command import failure, run_command
from harness.toolchain.installation import Toolchain, inspect
from harness.toolchain.repository import Repository
from harness.toolchain.tools import Tools


def full_build(repository: Repository, tools: Tools, hear: Callable[[str], None]) -> Toolchain:
    """Return the installation that make.bash makes of a commit; it is built once."""

    def build(out: Path) -> None:
        hear(f"building all of {tools.commit[:12]} by make.bash")
        repository.check_out(f"{tools.commit}:", out, out.parent / "index")
        (out / "VERSION").write_text(f"{tools.version}\n")
        goroot = tools.driver.goroot
        gocache = out.parent / "gocache"
        environ = for_build(goroot, goarch=host_goarch(), gocache=gocache, scratch=out.parent)
        environ |= {"GOROOT": "", "GOROOT_BOOTSTRAP": str(goroot)}
        code, said = run_command(["bash", "make.bash"], environ, out / "src")
        if code:
            raise failure(
                f"make.bash of {tools.commit[:12]} fails with {tools.driver.version}",
                said,
                out,
                f"cd src && GOROOT_BOOTSTRAP={goroot} ./make.bash",
            )

    goroot = built_once("full", tools.commit, build=build)
    return inspect(goroot / "bin" / "go", goroot)
